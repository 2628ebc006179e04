"""The examples to copy: right as they stand, and doing what they say in the whole daemon."""

import tomllib
from pathlib import Path

import pytest
from msgspec import convert
from msgspec.structs import replace

from jitney.daemon.routes.compiled import compile_routes
from jitney.daemon.routes.settings import RouteSettings
from jitney.daemon.routes.trials import try_route
from tests.at_meshtastic import FIRST, at_home, household, on_air
from tests.fakes.meshtastic.payloads import PORTS
from tests.fakes.mosquitto import Broker
from tests.waiting import until

ROUTES = sorted((Path(__file__).parent.parent / "examples" / "routes").glob("*.toml"))

CAROL = 0xCA401001


def routes(path: Path) -> tuple[RouteSettings, ...]:
    return convert(tomllib.loads(path.read_text())["routes"], tuple[RouteSettings, ...])


@pytest.mark.parametrize("path", ROUTES, ids=lambda path: path.stem)
def test_every_route_to_copy_has_tests_and_passes_them(path: Path) -> None:
    found, faults = compile_routes(routes(path), owners=["alice", "bob"], adapters={"base": "alice", "home": "_house"})
    assert not faults
    for route in found:
        trials = try_route(route, names={"alice": "Alice", "bob": "Bob"})
        assert trials
        assert [trial.problem for trial in trials] == [""] * len(trials)


async def test_a_ping_on_the_mesh_is_answered_to_its_sender_by_the_radio_that_heard_it(
    broker: Broker, tmp_path: Path
) -> None:
    async with on_air("base", "other") as radios:
        settings = household(broker, radios, {"base": "alice", "other": "bob"})
        settings = replace(settings, routes=routes(ROUTES[0].with_name("mesh-ping.toml")))
        async with at_home(settings, radios, broker, tmp_path) as house:
            carol = radios["base"].node(CAROL, long_name="Carol", hops=2)
            carol.text("hello", to=FIRST)
            carol.text("Ping", to=FIRST)
            carol.text("ping", to=FIRST)
            radios["other"].node(CAROL, long_name="Carol").text("ping", to=FIRST + 1)
            answer = await radios["base"].received(PORTS.TEXT_MESSAGE_APP)
            assert answer.to == CAROL
            assert answer.decoded.payload.decode().startswith("pong: ")
            assert answer.decoded.payload.decode().endswith("2 hops")
            assert answer.decoded.reply_id
            await until(lambda: len(house.texts("bob", "other")) == 1 and len(house.texts("alice", "base")) == 3)
            assert not [packet for packet in radios["other"].sent if packet.decoded.portnum == PORTS.TEXT_MESSAGE_APP]
            assert len([p for p in radios["base"].sent if p.decoded.portnum == PORTS.TEXT_MESSAGE_APP]) == 1
