"""A ping over the mesh is answered with how well it was heard."""

import tomllib
from pathlib import Path

from msgspec import convert
from msgspec.structs import replace

from jitney.daemon.routes.settings import RouteSettings
from tests.at_meshtastic import FIRST, at_home, household, on_air
from tests.examples.living import CAROL, example
from tests.fakes.meshtastic.payloads import PORTS
from tests.fakes.mosquitto import Broker
from tests.waiting import until


async def test_a_ping_on_the_mesh_is_answered_to_its_sender_by_the_radio_that_heard_it(
    broker: Broker, tmp_path: Path
) -> None:
    routes = convert(tomllib.loads(example("mesh-ping"))["routes"], tuple[RouteSettings, ...])
    async with on_air("base", "other") as radios:
        settings = replace(household(broker, radios, {"base": "alice", "other": "bob"}), routes=routes)
        async with at_home(settings, radios, broker, tmp_path) as house:
            carol = radios["base"].node(CAROL, long_name="Carol", hops=2)
            carol.text("hello", to=FIRST)
            carol.text("Ping", to=FIRST)
            carol.text("ping", to=FIRST)
            radios["other"].node(CAROL, long_name="Carol").text("ping", to=FIRST + 1)
            answer = await radios["base"].received(PORTS.TEXT_MESSAGE_APP)
            assert answer.to == CAROL
            assert "pong: " in answer.decoded.payload.decode()
            assert "2 hops" in answer.decoded.payload.decode()
            assert answer.decoded.reply_id
            await until(lambda: len(house.texts("bob", "other")) == 1 and len(house.texts("alice", "base")) == 3)
            assert not [packet for packet in radios["other"].sent if packet.decoded.portnum == PORTS.TEXT_MESSAGE_APP]
            assert len([p for p in radios["base"].sent if p.decoded.portnum == PORTS.TEXT_MESSAGE_APP]) == 1
