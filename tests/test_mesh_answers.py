"""A radio that answers by itself, in the whole daemon: from the air to a route and back, and when it is silent."""

import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from meshtastic.protobuf import mesh_pb2, telemetry_pb2
from msgspec.structs import replace

from jitney.adapters.meshtastic.limits import Limits
from jitney.daemon.routes.settings import RouteSettings
from tests.at_meshtastic import FIRST, House, household, on_air
from tests.at_strava import REPOSITORY
from tests.daemon.running import Daemon, observing, payload, running
from tests.fakes.meshtastic import Node, Radio
from tests.fakes.meshtastic.payloads import PORTS
from tests.fakes.mosquitto import Broker
from tests.waiting import until

CAROL: Final = 0xCA401001
DAVE: Final = 0xDA4E0001
GARDEN: Final = 0xA11CE001

CHATTY: Final = msgspec.convert(
    {
        "name": "chatty",
        "on": "meshtastic.message",
        "if": "'ping' in data.text",
        "do": [{"reply": "ping, {{ owner.name }} here"}],
    },
    RouteSettings,
)
"""A route that answers whatever has a ping in it, its own answers too if it were let."""


def example(name: str) -> tuple[RouteSettings, ...]:
    text = (REPOSITORY / "examples" / "routes" / f"{name}.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text)["routes"], tuple[RouteSettings, ...])


class Mesh:
    """Alice's radio base and bob's radio other, each with carol and dave around it, and what the daemon does."""

    def __init__(self, radios: dict[str, Radio], house: House, daemon: Daemon) -> None:
        self.house = house
        self.base, self.other = radios["base"], radios["other"]
        self.carol, self.dave = (_node(self.base, number) for number in (CAROL, DAVE))
        self.daemon = daemon

    def dropped(self, reason: str = "", owner: str = "") -> int:
        """Return how many answers were not given, for a reason."""
        counters = self.daemon.app.parts.bus._counters
        return counters.total("dropped", owner=owner, adapter="route", reason=reason)

    async def silent(self, reason: str, number: int = 1) -> None:
        """Wait until so many answers were not given for a reason."""
        await until(lambda: self.dropped(reason) >= number)
        assert self.dropped(reason) == number

    async def answers(self, number: int = 1) -> mesh_pb2.MeshPacket:
        """Wait for so many texts of alice's radio and return the last one."""
        return await self.base.received(PORTS.TEXT_MESSAGE_APP, number)

    def verdicts(self, owner: str = "alice") -> list[tuple[str, str]]:
        """Return what came of the texts that an owner has heard, the oldest first, by outcome and reason."""
        routing = self.daemon.app.parts.routes.routing
        assert routing is not None
        entries = [one for one in routing.router.journal.recent(owner) if one.event.type == "meshtastic.message"]
        return [(verdict.outcome, verdict.why) for one in reversed(entries) for verdict in one.verdicts]

    async def letters(self) -> list[Any]:
        """Return the dead letters."""
        await self.daemon.app.parts.store.committed()
        await self.house.observer.publish("jitney/_bus/main/request/dead_list", b"{}")
        answer = await self.house.observer.message("jitney/_bus/main/response/dead_list")
        found: list[Any] = msgspec.json.decode(payload(answer))["data"]["letters"]
        return found


@asynccontextmanager
async def meshed(broker: Broker, state: Path, *routes: RouteSettings, **settings: Any) -> AsyncIterator[Mesh]:  # noqa: ANN401
    async with on_air("base", "other") as radios:
        config = replace(household(broker, radios, {"base": "alice", "other": "bob"}, **settings), routes=routes)
        async with observing(broker.port) as observer, running(config, state) as daemon:
            await daemon.connected()
            await until(lambda: all(daemon.app.parts.runners[name].context.is_online for name in radios))
            yield Mesh(radios, House(observer), daemon)


def _node(radio: Radio, number: int, **fields: Any) -> Node:  # noqa: ANN401
    return radio.node(number, long_name="Carol" if number == CAROL else "Dave", **fields)


def said(radio: Radio) -> list[str]:
    return [packet.decoded.payload.decode() for packet in texts(radio)]


def texts(radio: Radio) -> list[mesh_pb2.MeshPacket]:
    return [packet for packet in radio.sent if packet.decoded.portnum == PORTS.TEXT_MESSAGE_APP]


async def test_a_ping_is_answered_with_snr_and_hops_behind_a_mark_and_the_answer_tells_where_it_came_from(
    broker: Broker, tmp_path: Path
) -> None:
    async with meshed(broker, tmp_path, *example("mesh-ping")) as mesh:
        mesh.base.answer_delay = 0.05
        packet_id = _node(mesh.base, CAROL, hops=2).text("Ping ", to=FIRST)
        answer = await mesh.answers()
        assert (answer.to, answer.decoded.reply_id) == (CAROL, packet_id)
        assert answer.decoded.payload.decode() == "🤖 pong: 6.25 dB, 2 hops"
        await mesh.house.until(lambda: mesh.house.told("alice", "base", "ack")[1:])
        (heard,) = mesh.house.events("alice", "base", "message")
        caused = [*mesh.house.events("alice", "base", "sending"), *mesh.house.events("alice", "base", "ack")]
        assert [event.causationid for event in caused] == [heard.id] * len(caused)
        assert {event.hops for event in caused} == {1}
        assert not mesh.house.events("bob", "other", "message")
        assert said(mesh.other) == []


async def test_the_same_sender_is_not_answered_again_at_once_and_that_is_no_failure(
    broker: Broker, tmp_path: Path
) -> None:
    async with meshed(broker, tmp_path, *example("mesh-ping"), limits=Limits(answer_every=5)) as mesh:
        for _ in range(3):
            mesh.carol.text("ping", to=FIRST)
        await mesh.silent("cooling", 2)
        await mesh.answers()
        assert len(texts(mesh.base)) == 1
        assert mesh.verdicts()[0] == ("fired", "")
        assert [outcome for outcome, _ in mesh.verdicts()[1:]] == ["held", "held"]
        assert "the last automatic answer for !ca401001" in mesh.verdicts()[1][1]
        assert await mesh.letters() == []


async def test_what_another_machine_says_gets_no_answer(broker: Broker, tmp_path: Path) -> None:
    async with meshed(broker, tmp_path, CHATTY) as mesh:
        mesh.carol.text("🤖 ping received", to=FIRST)
        mesh.dave.text("[BOT] ping received", to=FIRST)
        await mesh.silent("machine", 2)
        assert said(mesh.base) == []


async def test_a_reply_to_an_answer_gets_no_answer_not_even_from_somebody_else(broker: Broker, tmp_path: Path) -> None:
    async with meshed(broker, tmp_path, CHATTY) as mesh:
        mesh.carol.text("ping", to=FIRST)
        answer = await mesh.answers()
        await mesh.house.until(lambda: [one for one in mesh.house.told("alice") if one.get("state") == "sent"])
        mesh.dave.text("no more ping, please", to=FIRST, reply_id=answer.id)
        await mesh.silent("machine")
        assert len(texts(mesh.base)) == 1


async def test_a_reaction_and_what_the_radio_itself_says_get_no_answer(broker: Broker, tmp_path: Path) -> None:
    async with meshed(broker, tmp_path, CHATTY) as mesh:
        mesh.carol.text("ping", to=FIRST, emoji=1, reply_id=77)
        await mesh.silent("reaction")
        mesh.base.own.text("ping")
        await mesh.silent("own")
        assert said(mesh.base) == []


async def test_while_the_channel_is_busy_the_radio_is_silent(broker: Broker, tmp_path: Path) -> None:
    async with meshed(broker, tmp_path, *example("mesh-ping")) as mesh:
        mesh.base.own.report(channel_utilization=31.0)
        mesh.carol.text("ping", to=FIRST)
        await mesh.silent("channel_busy")
        mesh.base.own.report(channel_utilization=12.0)
        mesh.carol.text("ping", to=FIRST)
        await mesh.answers()
        assert len(texts(mesh.base)) == 1
        assert "the channel is taken to 31 %" in mesh.verdicts()[0][1]


async def test_two_radios_that_answer_each_others_pings_stop_after_one_answer_each(
    broker: Broker, tmp_path: Path
) -> None:
    async with meshed(broker, tmp_path, CHATTY) as mesh:
        alices, bobs = mesh.other.node(FIRST), mesh.base.node(FIRST + 1)
        bobs.text("ping", to=FIRST)
        answer = await mesh.answers()
        assert answer.to == FIRST + 1
        alices.text(answer.decoded.payload.decode(), to=FIRST + 1, id=answer.id, reply_id=answer.decoded.reply_id)
        await mesh.silent("machine")
        assert mesh.dropped("machine", owner="bob") == 1
        assert said(mesh.other) == []


async def test_two_radios_that_answer_on_a_channel_do_not_answer_each_other(broker: Broker, tmp_path: Path) -> None:
    async with meshed(broker, tmp_path, *(_on_channel("base", "alice"), _on_channel("other", "bob"))) as mesh:
        packet_id = mesh.carol.text("ping")
        _node(mesh.other, CAROL).text("ping", id=packet_id)
        air = [(mesh.base, mesh.other), (mesh.other, mesh.base)]
        for radio, other in air:
            answer = await radio.received(PORTS.TEXT_MESSAGE_APP)
            text = answer.decoded.payload.decode()
            other.node(radio.own.number).text(text, id=answer.id, reply_id=answer.decoded.reply_id)
        await mesh.silent("machine", 2)
        assert (said(mesh.base), said(mesh.other)) == (["🤖 ping from alice"], ["🤖 ping from bob"])


def _on_channel(radio: str, owner: str) -> RouteSettings:
    data = {"text": f"ping from {owner}", "reply_to": "{{ data.packet_id }}"}
    return replace(CHATTY, name=f"chatty {owner}", owner=owner, do=({"command": f"{radio}.respond", "data": data},))


async def test_the_answers_of_one_owner_do_not_keep_those_of_another_waiting(broker: Broker, tmp_path: Path) -> None:
    async with meshed(broker, tmp_path, CHATTY) as mesh:
        mesh.carol.text("ping", to=FIRST)
        await mesh.answers()
        mesh.dave.text("ping", to=FIRST)
        await mesh.silent("cooling")
        _node(mesh.other, CAROL).text("ping", to=FIRST + 1)
        answer = await mesh.other.received(PORTS.TEXT_MESSAGE_APP)
        assert answer.decoded.payload.decode() == "🤖 ping, Bob here"
        assert (said(mesh.base), mesh.dropped(owner="bob")) == (["🤖 ping, Alice here"], 0)


async def test_the_weather_is_told_on_the_channel_where_somebody_has_asked(broker: Broker, tmp_path: Path) -> None:
    async with meshed(broker, tmp_path, *example("mesh-answers")) as mesh:
        mesh.carol.text("!weather", channel=1)
        await mesh.house.until(lambda: mesh.house.texts("alice", "base"))
        weather = telemetry_pb2.EnvironmentMetrics(temperature=12.34)
        mesh.base.node(GARDEN).send(PORTS.TELEMETRY_APP, telemetry_pb2.Telemetry(environment_metrics=weather))
        routing = mesh.daemon.app.parts.routes.routing
        assert routing is not None
        await mesh.house.until(lambda: mesh.house.told("alice", "base", "telemetry"))
        await until(lambda: not routing.executor.waiting())
        mesh.dave.text("weather", channel=1)
        packet_id = mesh.dave.text("WX?", channel=1)
        answer = await mesh.answers()
        assert (answer.to, answer.channel, answer.decoded.reply_id) == (0xFFFFFFFF, 1, packet_id)
        assert answer.decoded.payload.decode() == "🤖 12.3 °C in the garden"
        assert not answer.want_ack
        assert len(texts(mesh.base)) == 1


async def test_whoever_asks_for_the_time_is_called_by_the_name_that_the_radio_knows(
    broker: Broker, tmp_path: Path
) -> None:
    async with meshed(broker, tmp_path, *example("mesh-answers")) as mesh:
        mesh.carol.announce()
        mesh.carol.text("time?", to=FIRST)
        answer = await mesh.answers()
        assert answer.to == CAROL
        text, _, time = answer.decoded.payload.decode().partition(", it is ")
        assert text == "🤖 Hello Carol"
        assert [len(part) for part in time.split(":")] == [2, 2]
        await mesh.house.until(lambda: mesh.house.told("alice", "base", "message"))
        (message,) = mesh.house.told("alice", "base", "message")
        assert message["name"] == "Carol"
