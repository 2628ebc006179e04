"""Who can do what at a real broker: every class of topic and every owner, by everything that MQTT offers.

What is expected stands here by itself and is not asked of the model: it is what the documents promise.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest
from msgspec import Struct
from msgspec.structs import replace

from jitney.adapters.base import Context
from jitney.adapters.entities import At, Button, Device, Sensor
from jitney.daemon.access.devices import DynsecDevices
from jitney.daemon.access.dynsec import administering
from jitney.daemon.access.prove import prove
from jitney.daemon.access.visitor import CUT, Visitor, visiting
from jitney.daemon.broker.session import REFUSED, Message
from jitney.daemon.config.schema import HttpSettings
from jitney.daemon.discovery import announcer
from jitney.topics import HOUSE, TopicTree
from jitney.topics.tree import (
    AlertTopic,
    BusTopic,
    CommandTopic,
    EventTopic,
    InboxTopic,
    ReplyTopic,
    RequestTopic,
    ResponseTopic,
    SharedTopic,
    StateTopic,
    StatusTopic,
)
from tests.conftest import StartBroker
from tests.daemon.running import Played, running
from tests.daemon.running import config as a_bus
from tests.fakes.walled import ADMIN, OWNERS, Walled, household, with_a_file, with_dynsec
from tests.waiting import until

Walls = Literal["ACL file", "dynamic security"]

ACTIONS = ("read", "retained", "subscribe", "share", "write", "retain", "will")
TREE = TopicTree()


class Place(Struct, frozen=True):
    """A topic of somebody, by its class."""

    owner: str
    word: str
    topic: str


def places(owners: Iterable[str]) -> list[Place]:
    """Return a topic of every class of everybody."""
    found = [Place(owner, word, TREE.name(address)) for owner in owners for word, address in classes(owner)]
    for owner, instance in (("this bus", "main"), ("another bus", "attic")):
        words = {name: BusTopic(instance, name) for name in ("state", "info", "health", "log")}
        found += [Place(owner, word, TREE.name(address)) for word, address in words.items()]
        found.append(Place(owner, "request", TREE.name(RequestTopic(instance, "matrix"))))
        found.append(Place(owner, "response", TREE.name(ResponseTopic(instance, "matrix"))))
    return found


def classes(owner: str) -> Iterator[tuple[str, object]]:
    yield "event", EventTopic(owner, "matrix", "tried")
    yield "state", StateTopic(owner, "matrix", "tried")
    yield "status", StatusTopic(owner, "matrix")
    yield "command", CommandTopic(owner, "matrix", "try")
    yield "reply", ReplyTopic(owner, "matrix", "1")
    yield "inbox", InboxTopic(owner, "matrix", "tried")
    yield "shared", SharedTopic(owner, "alice" if owner != "alice" else "bob", "matrix", "tried")
    yield "alert", AlertTopic(owner, "matrix.tried")


def expected(who: str, place: Place, action: str, walls: Walls) -> bool:
    """Return what the documents promise."""
    readable = place.owner == who or (place.owner.endswith(" bus") and place.word == "state")
    writable = place.owner == who and place.word in ("command", "inbox")
    match action:
        case "read" | "retained":
            return readable
        case "subscribe":
            return readable or walls == "ACL file"
        case "share":
            return walls == "ACL file"
    return writable  # also with the retain flag, which the bus refuses afterwards


class Matrix:
    """What was seen of what everybody tried."""

    def __init__(self, walled: Walled, walls: Walls, owners: Iterable[str]) -> None:
        self.owners = list(owners)
        self.places = places([*self.owners, HOUSE])
        self.seen: dict[tuple[str, Place, str], bool] = {}
        self._walled = walled
        self._walls = walls
        self._number = 0

    @asynccontextmanager
    async def visiting(self, who: str, will: Message | None = None) -> AsyncIterator[Visitor]:
        async with visiting(self._walled.settings, self._walled.logins[who], will=will) as visitor:
            yield visitor

    async def fill(self) -> None:
        """Let everybody try everything."""
        async with visiting(self._walled.settings) as daemon:
            assert await daemon.subscribe("jitney/#") < 0x80
            await self._reading(daemon)
            await self._retained(daemon)
            for who in self.owners:
                await self._writing(who, daemon, "write")
                await self._writing(who, daemon, "retain")
                await self._wills(who, daemon)

    async def _reading(self, daemon: Visitor) -> None:
        async with AsyncExitStack() as stack:
            readers = {who: await stack.enter_async_context(self.visiting(who)) for who in self.owners}
            for who, reader in readers.items():
                for place in self.places:
                    self.seen[who, place, "subscribe"] = await reader.subscribe(place.topic) < REFUSED
            heard = [place for place in self.places if (place.owner, place.word) != ("this bus", "request")]
            sent = {place: await self._publish(daemon, place) for place in heard}
            await self._fence(daemon, readers)
            for who, reader in readers.items():
                came = {one.payload for one in reader.came}
                self.seen |= {(who, place, "read"): payload in came for place, payload in sent.items()}
            for who in self.owners:
                async with self.visiting(who) as sharer:
                    for place in self.places:
                        code = await sharer.subscribe(f"$share/matrix/{place.topic}")
                        self.seen[who, place, "share"] = code < REFUSED

    async def _retained(self, daemon: Visitor) -> None:
        """Look at what is retained; of the bus itself that is what it has retained."""
        asked = ("request", "command", "inbox")
        kept = [place for place in self.places if place.owner != "this bus" and place.word not in asked]
        for place in kept:
            await self._publish(daemon, place, retain=True)
        async with visiting(self._walled.settings) as another:
            for place in self.places:
                if place.owner == "this bus":
                    await another.subscribe(place.topic)
            await self._fence(daemon, {HOUSE: another})
            own = {one.topic for one in another.came if one.retained}
        kept += [place for place in self.places if place.topic in own]
        assert TREE.name(BusTopic("main", "state")) in own
        for who in self.owners:
            async with self.visiting(who) as reader:
                for place in kept:
                    await reader.subscribe(place.topic)
                await self._fence(daemon, {who: reader})
                came = {one.topic for one in reader.came if one.retained}
                self.seen |= {(who, place, "retained"): place.topic in came for place in kept}
        for place in kept:
            if place.owner != "this bus":
                await daemon.publish(place.topic, b"", retain=True)

    async def _writing(self, who: str, daemon: Visitor, action: Literal["write", "retain"]) -> None:
        sent = {place: self._payload() for place in self.places}
        for place, payload in sent.items():
            async with self.visiting(who) as writer:
                assert await writer.publish(place.topic, payload, retain=action == "retain") != CUT
        await self._arrived(who, daemon, sent, action)

    async def _wills(self, who: str, daemon: Visitor) -> None:
        sent = {}
        for place in self.places:
            sent[place] = self._payload()
            async with self.visiting(who, Message(place.topic, sent[place])) as writer:
                await writer.vanish()
        last = self._payload()
        async with self.visiting(who, Message(TREE.name(CommandTopic(who, "matrix", "last")), last)) as writer:
            await writer.vanish()
        assert await daemon.until(lambda: any(one.payload == last for one in daemon.came))
        await self._arrived(who, daemon, sent, "will")

    async def _arrived(self, who: str, daemon: Visitor, sent: dict[Place, bytes], action: str) -> None:
        await self._fence(daemon, {})
        came = {one.payload for one in daemon.came}
        for place, payload in sent.items():
            self.seen[who, place, action] = payload in came
            if action == "retain" and payload in came:
                await daemon.publish(place.topic, b"", retain=True)

    async def _fence(self, daemon: Visitor, readers: dict[str, Visitor]) -> None:
        """Wait until everything that was published before has been delivered to the daemon's login and to readers."""
        for who, reader in [*readers.items(), (HOUSE, daemon)]:
            topic, payload = TREE.name(EventTopic(who, "matrix", "fence")), self._payload()
            if reader is not daemon:
                assert await reader.subscribe(topic) < REFUSED
            await daemon.publish(topic, payload)
            assert await reader.until(lambda: any(one.payload == payload for one in reader.came))  # noqa: B023 - at once

    async def _publish(self, daemon: Visitor, place: Place, *, retain: bool = False) -> bytes:
        payload = self._payload()
        assert await daemon.publish(place.topic, payload, retain=retain) < REFUSED
        return payload

    def _payload(self) -> bytes:
        self._number += 1
        return b'"matrix %d"' % self._number

    def table(self) -> str:
        """Return everything: y and n as expected, and in capitals with an exclamation mark where it is not."""
        lines = [
            f"{self._walls}: {len(self.seen)} attempts",
            "  ".join([f"{'who':6} {'whose':11} {'what':9}", *ACTIONS]),
        ]
        for who in self.owners:
            for place in self.places:
                cells = [self._cell(who, place, action).ljust(len(action)) for action in ACTIONS]
                lines.append("  ".join([f"{who:6} {place.owner:11} {place.word:9}", *cells]))
        return "\n".join(lines)

    def _cell(self, who: str, place: Place, action: str) -> str:
        seen = self.seen.get((who, place, action))
        if seen is None:
            return "-"
        word = "y" if seen else "n"
        return word if seen is expected(who, place, action, self._walls) else f"{word.upper()}!"

    def wrong(self) -> list[tuple[str, str, str, str]]:
        return [
            (who, place.owner, place.word, action)
            for (who, place, action), seen in self.seen.items()
            if seen is not expected(who, place, action, self._walls)
        ]


@asynccontextmanager
async def household_at(
    walls: Walls, mosquitto: StartBroker, folder: Path, owners: Sequence[str] = OWNERS
) -> AsyncIterator[Walled]:
    """Run a whole daemon at a broker with its walls up."""
    config = replace(household(owners), adapters=a_bus("mqtt://nowhere").adapters, http=HttpSettings(listen=""))
    if walls == "ACL file":
        walled = with_a_file(mosquitto, folder, config)
    else:
        walled = await with_dynsec(mosquitto, folder, config)
    async with running(walled.config, folder / "state") as daemon:
        await daemon.connected()
        await until(lambda: daemon.app.parts.runners["played"].board.status.state == "online")
        await daemon.drained()
        yield walled
        await daemon.drained()
        assert daemon.app.parts.bus._counters.total("dropped", reason="not_authorised") == 0
    walled.broker.kill()


async def filled(walls: Walls, mosquitto: StartBroker, folder: Path, owners: Sequence[str]) -> Matrix:
    async with household_at(walls, mosquitto, folder, owners) as walled:
        matrix = Matrix(walled, walls, owners)
        await matrix.fill()
    print(matrix.table())  # noqa: T201 - shown on failure and with -s
    return matrix


@pytest.mark.parametrize("walls", ["ACL file", "dynamic security"])
async def test_three_owners_can_do_what_is_theirs_and_nothing_else(
    walls: Walls, mosquitto: StartBroker, tmp_path: Path
) -> None:
    matrix = await filled(walls, mosquitto, tmp_path, OWNERS)
    assert matrix.wrong() == []
    assert {who for who, *_ in matrix.seen} == set(OWNERS)
    assert {action for *_, action in matrix.seen} == set(ACTIONS)
    assert len(matrix.seen) > 800


@pytest.mark.parametrize("walls", ["ACL file", "dynamic security"])
async def test_the_proof_holds_with_a_running_bus_and_leaves_nothing(
    walls: Walls, mosquitto: StartBroker, tmp_path: Path
) -> None:
    async with household_at(walls, mosquitto, tmp_path, ["alice", "bob"]) as walled:
        proofs = await prove(walled.settings, walled.model, {"alice": walled.logins["alice"]})
        assert [proof for proof in proofs if not proof.holds or proof.does == "not tried"] == []
        gaps = {proof.topic.split("/")[0] for proof in proofs if proof.gap}
        assert gaps == ({"$share"} if walls == "ACL file" else set())
        assert len(proofs) > 50
        async with visiting(walled.settings) as daemon:
            await daemon.subscribe("jitney/#")
            await daemon.until(lambda: any(one.topic.endswith("/_bus/main/state") for one in daemon.came))
            assert [one.topic for one in daemon.came if "proof-" in one.topic] == []


async def test_home_assistant_can_do_everything_that_it_is_told_of(
    mosquitto: StartBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcer, "GATHER", 0.01)

    async def act(_: Played, ctx: Context) -> None:
        for owner in ("alice", "bob"):
            button = Button(key="run", name="Run", command="run")
            level = Sensor(key="level", name="Level", value=At("tank", "level"))
            ctx.announce(owner, [Device(name="Tank", entities=(level, button))])
        ctx.online()
        await asyncio.Event().wait()

    monkeypatch.setattr(Played, "act", act)
    async with household_at("dynamic security", mosquitto, tmp_path) as walled:
        async with administering(walled.settings, ADMIN) as security:
            login = await DynsecDevices(security, walled.model).add("_home", "ha")
        async with visiting(walled.settings, login) as home:
            assert await home.subscribe("homeassistant/#") < REFUSED
            wanted = [f"homeassistant/device/jitney-main/{name}/config" for name in ("bus", "alice--played")]
            assert await home.until(lambda: {*wanted} <= {one.topic for one in home.came})
            topics = {found for one in home.came for found in re.findall(rb'topic":"([^"]+)"', one.payload)}
            assert b"jitney/alice/command/played/run" in topics
            assert len(topics) > 5
            for topic in map(bytes.decode, topics):
                if "/command/" in topic:
                    assert await home.publish(topic, b"{}") < REFUSED
                else:
                    assert await home.subscribe(topic) < REFUSED, topic
            assert await home.publish("homeassistant/status", b"online") < REFUSED
            assert await home.publish(wanted[1], b"", retain=True) < REFUSED
            assert await home.subscribe("jitney/alice/#") >= REFUSED


async def test_with_an_acl_file_a_shared_subscription_takes_messages_from_its_owner_which_is_why_it_is_told(
    mosquitto: StartBroker, tmp_path: Path
) -> None:
    walled = with_a_file(mosquitto, tmp_path, household())
    async with (
        visiting(walled.settings) as daemon,
        visiting(walled.settings, walled.logins["bob"]) as bob,
        visiting(walled.settings, walled.logins["alice"]) as alice,
    ):
        for visitor in (bob, alice):
            assert await visitor.subscribe("$share/group/jitney/bob/#") < 0x80
        for number in range(20):
            await daemon.publish("jitney/bob/event/a/b", b"%d" % number)
        await bob.subscribe("jitney/bob/event/a/fence")
        await daemon.publish("jitney/bob/event/a/fence", b"")
        await bob.until(lambda: any(one.topic.endswith("fence") for one in bob.came))
        got = {one.payload for one in bob.came if one.payload}
        assert 0 < len(got) < 20
        assert alice.came == []


async def test_whoever_is_refused_is_cut_off_by_mosquitto(mosquitto: StartBroker, tmp_path: Path) -> None:
    walled = with_a_file(mosquitto, tmp_path, household())
    async with visiting(walled.settings, walled.logins["alice"]) as alice:
        assert await alice.publish("jitney/bob/command/a/b", b"{}") == 0x87
        assert await alice.until(lambda: alice.gone)
        assert await alice.publish("jitney/alice/command/a/b", b"{}") == CUT
