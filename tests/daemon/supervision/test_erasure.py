"""Forgetting an owner, asked for by MQTT."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from jitney.adapters.errors import RefusedError
from jitney.daemon.access.devices import FileDevices
from jitney.topics import State
from tests.daemon.running import Observer, Played, config, observing, payload, retained, running, tick
from tests.fakes.mosquitto import Broker

REQUEST = "jitney/_bus/main/request/erase_owner"
RESPONSE = "jitney/_bus/main/response/erase_owner"


async def asked(observer: Observer, body: bytes, **properties: Any) -> dict[str, Any]:  # noqa: ANN401
    topic = properties.get("ResponseTopic", RESPONSE)
    await observer.publish(REQUEST, body, **properties)
    decoded: dict[str, Any] = msgspec.json.decode(payload(await observer.message(topic)))
    return decoded


def state(owner: str) -> State:
    return State(owner, "light", Raw(b'{"on":true}'))


async def test_all_that_is_kept_of_an_owner_goes_and_nothing_of_another(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    async def erase(_: Played, owner: str) -> None:
        told.append(owner)

    monkeypatch.setattr(Played, "erase", erase, raising=False)
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        for owner in ("alice", "bob"):
            daemon.context().set_state(state(owner))
            folder = daemon.context().folder(owner)
            folder.mkdir(parents=True)
            folder.joinpath("photo.jpg").touch()
        await daemon.drained()
        answer = await asked(observer, b'{"data":{"owner":"alice"},"transaction":"1"}')
        assert answer == {
            "status": "ok",
            "data": {"owner": "alice", "states": 1, "events": 0, "unfinished": {}},
            "transaction": "1",
        }
        assert told == ["alice"]
        await daemon.drained()
        held = await retained(broker.port)
        assert "jitney/bob/state/played/light" in held
        assert "jitney/alice/state/played/light" not in held
        assert "jitney/alice/status/played" in held
        assert sorted(path.name for path in (tmp_path / "owners").iterdir()) == ["bob"]


async def test_the_names_of_devices_go_and_those_of_another_stay(broker: Broker, tmp_path: Path) -> None:
    tmp_path.joinpath("devices.json").write_text('{"alice":["phone","watch"],"bob":["phone"]}')
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        answer = await asked(observer, b'{"data":{"owner":"alice"},"transaction":"1"}')
        assert answer["data"]["devices"] == ["phone", "watch"]
        assert FileDevices(tmp_path).names() == {"bob": ["phone"]}
        tmp_path.joinpath("devices.json").write_text("nonsense")
        with pytest.raises(RefusedError, match=r"the names of devices of bob are left: .* is damaged"):
            await daemon.app.parts.erasure.erase("bob")


async def test_what_an_adapter_cannot_end_because_its_owner_is_disabled_is_told(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def erase(_: Played, owner: str) -> None:
        raise AssertionError(owner)

    monkeypatch.setattr(Played, "erase", erase, raising=False)
    found = config(broker.url, adapters={"hers": "alice", "his": "bob"})
    owners = {**found.owners, "alice": replace(found.owners["alice"], enabled=False)}
    async with running(replace(found, owners=owners), tmp_path) as daemon:
        await daemon.connected()
        erased = await daemon.app.parts.erasure.erase("alice")
        why = "not done, because alice is disabled:  jitney owners enable alice, and erase again"
        assert erased.unfinished == {"hers": why}


async def test_what_still_waits_for_the_broker_is_not_published_any_more(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url, durable=True)
    async with running(settings, tmp_path) as daemon:
        await daemon.connected()
        await asyncio.to_thread(broker.kill)
        await daemon.context().emit(*(tick(number, owner=owner) for number in range(500) for owner in ("alice", "bob")))
        erased = await daemon.app.parts.erasure.erase("alice")
        assert erased.events > 400
        assert [lane.owner for lane in daemon.app.parts.outbox.lanes.values() if lane] == ["bob"]
    async with running(settings, tmp_path) as daemon:
        assert [lane.owner for lane in daemon.app.parts.outbox.lanes.values() if lane] == ["bob"]


async def test_what_an_adapter_could_not_end_outside_is_told(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def erase(_: Played, owner: str) -> None:
        raise RefusedError("unavailable", f"the grant of {owner} could not be revoked")

    monkeypatch.setattr(Played, "erase", erase, raising=False)
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        answer = await asked(observer, b'{"owner":"bob"}')
        assert answer["data"]["unfinished"] == {"played": "the grant of bob could not be revoked"}


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{", "invalid"), (b"{}", "invalid"), (b'{"owner":"_house"}', "invalid"), (b'{"owner":1}', "invalid")],
)
async def test_a_request_that_names_no_person_is_refused(
    broker: Broker, tmp_path: Path, *, body: bytes, code: str
) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        assert (await asked(observer, body))["error"]["code"] == code


async def test_the_answer_goes_only_among_the_responses_of_this_bus(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        await observer.publish(REQUEST, b"{}", ResponseTopic="jitney/bob/event/played/ticked")
        assert msgspec.json.decode(payload(await observer.message(RESPONSE)))["status"] == "error"
        assert not observer.on("jitney/bob/event/played/ticked")
        allowed = "jitney/_bus/main/response/mine"
        answer = await asked(observer, b"{}", ResponseTopic=allowed, CorrelationData=b"7")
        assert answer["status"] == "error"


async def test_an_unknown_request_is_answered_with_the_known_ones(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        await observer.publish("jitney/_bus/main/request/nothing", b"{}")
        answer = msgspec.json.decode(payload(await observer.message("jitney/_bus/main/response/nothing")))
        assert answer["error"]["code"] == "unknown_request"
        assert "erase_owner" in answer["error"]["message"]
