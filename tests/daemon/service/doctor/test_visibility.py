"""Who can see what, after a real daemon has told a real broker."""

import asyncio
from datetime import date
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from jitney.adapters.base import Context
from jitney.adapters.entities import At, Device, Sensor
from jitney.daemon.config.schema import Config, DiscoverySettings, OwnerDiscoverySettings
from jitney.daemon.discovery import announcer
from jitney.daemon.routes.settings import GrantSettings
from jitney.daemon.service.doctor import visibility, visit
from jitney.daemon.service.doctor.broker import look as look_at_broker
from jitney.daemon.service.doctor.case import Heard
from jitney.topics import TopicTree
from tests.daemon.running import Played, config, observing, running
from tests.daemon.service.doctor.examined import case, looked, texts
from tests.fakes.mosquitto import Broker

LEVEL = Sensor(key="level", name="Level", value=At("tank", "level"))
TANK = Device(key="tank", name="Tank", entities=(LEVEL,))
DIARY = Device(key="diary", name="Diary", private=True, entities=(LEVEL,))


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcer, "GATHER", 0.01)
    monkeypatch.setattr(visit, "QUIET", 0.1)


def saying(found: Config, owner: str, **discovery: object) -> Config:
    said = replace(found.owners[owner], discovery=OwnerDiscoverySettings(**discovery))  # type: ignore[arg-type] - its fields
    return replace(found, owners={**found.owners, owner: said})


async def told(settings: Config, state: Path, port: int, *, until: str) -> list[str]:
    """Run a daemon whose adapter declares a tank and a diary of alice, and return what is told then."""

    async def act(_: Played, ctx: Context) -> None:
        ctx.announce("alice", [TANK, DIARY])
        ctx.online()
        await asyncio.Event().wait()

    Played.act = act
    of = case(settings, state=state)
    async with running(settings, state), observing(port, "#") as observer:
        await observer.message(until)
        await looked(look_at_broker, of)
        return texts(await looked(visibility.look, of))


async def test_what_is_private_is_said_to_be_hidden_where_it_is(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url, discovery=DiscoverySettings())
    said = await told(
        settings, tmp_path, broker.port, until="homeassistant/device/jitney-main/alice--played--tank/config"
    )
    assert said[0] == (
        "everybody who uses the Home Assistant with the prefix homeassistant sees what is of the house, alice and bob"
    )
    assert "played of alice: 2 devices are shown (Played Alice, Tank); what is private is not" in said
    assert not any("Diary" in text for text in said)
    assert not any("of bob" in text for text in said[1:])


async def test_what_is_private_and_shown_to_others_too_is_told_with_the_key(broker: Broker, tmp_path: Path) -> None:
    settings = saying(config(broker.url, discovery=DiscoverySettings()), "alice", private=("played",))
    said = await told(
        settings, tmp_path, broker.port, until="homeassistant/device/jitney-main/alice--played--diary/config"
    )
    (about,) = (text for text in said if text.startswith("played of alice"))
    assert "Diary" in about
    assert "also what is private, as owners.alice.discovery.private says" in about


async def test_a_home_assistant_of_ones_own_and_one_that_shows_nothing_are_told(broker: Broker, tmp_path: Path) -> None:
    settings = saying(config(broker.url, discovery=DiscoverySettings()), "alice", prefix="hers")
    settings = saying(settings, "bob", enabled=False)
    said = await told(settings, tmp_path, broker.port, until="hers/device/jitney-main/alice--played--tank/config")
    assert "the Home Assistant with the prefix hers shows what is alice's, and nothing else" in said
    assert "bob: no Home Assistant shows anything of theirs (owners.bob.discovery)" in said
    assert "everybody who uses the Home Assistant with the prefix homeassistant sees what is of the house" in said
    assert any(text.startswith("played of alice: 2 devices") for text in said)


async def test_without_discovery_no_home_assistant_is_told_anything() -> None:
    (found,) = await looked(visibility.look, case(config("mqtt://localhost")), Heard())
    assert found.level == "ok"


async def test_private_things_that_are_not_announced_yet_are_told_all_the_same() -> None:
    settings = saying(config("mqtt://localhost", discovery=DiscoverySettings()), "alice", private=("played",))
    said = texts(await looked(visibility.look, case(settings), Heard()), "note")
    assert "played of alice: no devices are shown, also what is private, as owners.alice.discovery.private says" in said


async def test_grants_are_told() -> None:
    grants = (
        GrantSettings(from_="alice", to="bob", kinds=("strava.activity.*",), until=date(2026, 12, 31)),
        GrantSettings(from_="bob", to=("alice",), kinds="meshtastic.text", private=True, only_forwarded=True),
    )
    settings = replace(config("mqtt://localhost"), grants=grants)
    assert texts(await looked(visibility.look, case(settings), Heard()), "note") == [
        "bob can see events of alice: strava.activity.* until 2026-12-31",
        "alice can see events of bob: meshtastic.text, private ones too, as far as a route forwards them",
    ]


def test_whatever_lies_on_the_topics_of_discovery_is_no_fault() -> None:
    node = "homeassistant/device/jitney-main"
    device = {"device": {"identifiers": ["jitney.main.alice.played"], "name": "Played Alice"}}
    retained = {
        f"{node}/a/config": b"\xff",
        f"{node}/b/config": b"[]",
        f"{node}/c/config": b'{"device":{"identifiers":[]}}',
        f"{node}/d/config": b'{"device":{"identifiers":["somebody.else"],"name":"x"}}',
        f"{node}/bus/config": b'{"device":{"identifiers":["jitney.main"],"name":"Jitney"}}',
        f"{node}/e/config": msgspec.json.encode(device),
        "homeassistant/device/other/e/config": msgspec.json.encode(device),
    }
    settings = config("mqtt://localhost", discovery=DiscoverySettings())
    assert visibility.devices(settings, TopicTree(), retained) == {
        ("homeassistant", "alice", "played"): ("Played Alice",)
    }
