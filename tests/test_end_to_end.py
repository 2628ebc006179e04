"""From a websocket frame to MQTT and back: a house, the daemon, a broker and people who watch."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from jitney.adapters.homeassistant import HomeAssistant
from jitney.adapters.homeassistant.config import Config as HomeConfig
from jitney.adapters.homeassistant.config import Identity
from jitney.adapters.secret import Secret
from jitney.daemon.config.schema import AdapterSettings, Config, HttpSettings, MqttSettings, OwnerSettings
from tests.daemon.running import Daemon, Observer, observing, payload, running
from tests.fakes.homeassistant import FakeHomeAssistant
from tests.fakes.mosquitto import Broker
from tests.waiting import until


def household(home: FakeHomeAssistant, broker: Broker, *, token: str = "", **changes: Any) -> Config:  # noqa: ANN401
    identities = {
        "alice": Identity(person="person.alice", entities=("*.alice_*",)),
        "bob": Identity(person="person.bob"),
    }
    return Config(
        mqtt=MqttSettings(url=broker.url),
        http=HttpSettings(listen=""),
        owners={
            owner: OwnerSettings(id=owner, name=owner.title(), identities={"homeassistant": identity})
            for owner, identity in identities.items()
        },
        adapters={
            "home": AdapterSettings(
                name="home",
                type=HomeAssistant,
                config=HomeConfig(url=home.url, token=Secret(token or home.token)),
                **changes,
            )
        },
    )


@asynccontextmanager
async def at_home(home: FakeHomeAssistant, broker: Broker, state: Path) -> AsyncIterator[tuple[Daemon, Observer]]:
    async with observing(broker.port) as observer, running(household(home, broker), state) as daemon:
        await daemon.connected()
        await until(lambda: daemon.app.parts.runners["home"].context.is_online)
        yield daemon, observer


async def test_a_change_of_alices_lamp_is_alices_event_and_alices_state(broker: Broker, tmp_path: Path) -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.alice_desk", "off")
        async with at_home(home, broker, tmp_path) as (_, observer):
            home.set_state("light.alice_desk", "on")
            await observer.message("jitney/alice/event/home/state_changed")
            (event,) = observer.events("jitney/alice/event/home/state_changed")
            data = msgspec.json.decode(event.data)
            assert (data["entity_id"], data["old_state"], data["state"]) == ("light.alice_desk", "off", "on")
            state = "jitney/alice/state/home/light.alice_desk"
            await observer.until(lambda: b'"state":"on"' in payload(observer.on(state)[-1]))
            assert not [message for message in observer.messages if str(message.topic).startswith("jitney/bob/event")]


async def test_a_command_over_mqtt_calls_the_service_and_its_echo_is_marked_as_our_own(
    broker: Broker, tmp_path: Path
) -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("input_boolean.alice_guest", "off")
        async with at_home(home, broker, tmp_path) as (_, observer):
            body = {
                "domain": "input_boolean",
                "service": "turn_on",
                "target": {"entity_id": "input_boolean.alice_guest"},
            }
            await observer.publish("jitney/alice/command/home/call_service", msgspec.json.encode(body))
            reply = msgspec.json.decode(payload(await observer.message("jitney/alice/reply/_/_")))
            assert reply["status"] == "ok"
            events = observer.events("jitney/alice/event/home/state_changed")
            await observer.until(lambda: observer.on("jitney/alice/event/home/state_changed"))
            events = observer.events("jitney/alice/event/home/state_changed")
            assert msgspec.json.decode(events[-1].data)["own"]


async def test_over_a_restart_of_the_house_the_states_become_what_they_are_and_nobody_moved(
    broker: Broker, tmp_path: Path
) -> None:
    async with FakeHomeAssistant() as home:
        for name in ("alice_desk", "hall", "gone"):
            home.set_state(f"light.{name}", "off")
        async with at_home(home, broker, tmp_path) as (daemon, observer):
            before = len([m for m in observer.messages if "/event/" in str(m.topic)])
            await home.restart()
            await until(lambda: daemon.app.parts.runners["home"].attempts > 1)
            await until(lambda: daemon.app.parts.runners["home"].context.is_online)
            await daemon.drained()
            told = [event for event in observer.messages if "/event/home/state_changed" in str(event.topic)]
            assert len(told) == before


async def test_a_refused_token_is_an_alert_and_is_not_tried_again_soon(broker: Broker, tmp_path: Path) -> None:
    async with FakeHomeAssistant() as home:
        good = home.token
        wrong = good[:-8] + ("A" * 8 if not good.endswith("A" * 8) else "B" * 8)
        settings = household(home, broker, token=wrong)
        async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
            alert = msgspec.json.decode(payload(await observer.message("jitney/_house/alert/home.reauth")))
            await observer.until(lambda: b'"reauth"' in payload(observer.on("jitney/alice/status/home")[-1]))
            assert daemon.app.parts.runners["home"].attempts == 1
            everything = b"".join(payload(message) for message in observer.messages)
            assert wrong.encode() not in everything
            assert wrong.split(".")[2].encode() not in everything
            assert alert["message"]
