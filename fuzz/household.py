"""The whole daemon of alice and bob with a broker that is none: what it sends is looked at, not sent."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from fuzz.lasting import Lasting
from fuzz.oracle import check
from jitney.daemon.app import App
from jitney.daemon.broker.session import Incoming, Limits, Message, Subscription
from jitney.daemon.config.limits import LimitSettings
from jitney.daemon.config.schema import Config, OutboxSettings
from jitney.daemon.delivery.inbox import MOST_BYTES
from jitney.daemon.routes.settings import RouteSettings
from jitney.topics import InvalidTopicError, TopicTree, cloudevents
from jitney.topics.levels import MAX_TEXT_BYTES, unescape
from jitney.topics.tree import AlertTopic, EventTopic, ReplyTopic, ResponseTopic
from tests.daemon.running import config

PEOPLE: Final = ("alice", "bob")
EVERYBODY: Final = (*PEOPLE, "_house", "_unclaimed")
PATIENCE: Final = 30.0
"""Seconds until an input that is not acknowledged counts as one that hangs."""

MOST_ANSWERS: Final = 64
"""Messages that one message may lead to."""

_LOOK: Final = 250
"""Of so many inputs one is followed by a look into the store."""

_ROOT: Final = "jitney"
_DEEPEST: Final = 6
_tree: Final = TopicTree(_ROOT)


class Broker:
    """A ``Session`` that confirms everything and keeps what it was given."""

    def __init__(self, app: App) -> None:
        self.protocol = "5"
        self.limits = Limits()
        self.sent: list[Message] = []
        self.acked: asyncio.Future[None] | None = None
        self._app = app

    def send(self, batch: Sequence[tuple[int, Message]], *, duplicate: bool = False) -> None:
        """Take messages and confirm them soon."""
        del duplicate
        self.sent += [message for _, message in batch]
        asyncio.get_running_loop().call_soon(self._confirm, [number for number, _ in batch])

    def ack(self, packet_ids: Sequence[int]) -> None:
        """Learn that messages were taken."""
        if packet_ids and self.acked is not None and not self.acked.done():
            self.acked.set_result(None)

    async def subscribe(self, subscriptions: Sequence[Subscription]) -> list[int]:
        """Grant everything."""
        return [1 for _ in subscriptions]

    async def unsubscribe(self, patterns: Sequence[str]) -> None:
        """Do nothing."""

    def pause(self) -> None:
        """Do nothing: one message comes at a time."""

    def resume(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    def abort(self) -> None:
        """Fail: whoever cuts the connection because of a message gets it again for ever."""
        if self.acked is not None and not self.acked.done():
            self.acked.set_exception(AssertionError("the session was aborted because of a message"))

    def _confirm(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._app.parts.connection.acked(number, 0)
        self._app.parts.connection.flushed()


class Household:
    """A daemon that runs, fed with one message at a time."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="jitney-fuzz-")
        self._loop = asyncio.new_event_loop()
        self._tasks: list[asyncio.Task[None]] = []
        self._inputs = 0
        self._loop.run_until_complete(self._open())

    def close(self) -> None:
        """Look into the store once more, then end it."""
        try:
            self._loop.run_until_complete(self._close())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            self._loop.close()
            self._folder.cleanup()

    def receive(self, incoming: Incoming) -> list[Message]:
        """Let the daemon take a message and return what it publishes because of it, all looked at.

        Raises OracleError where that concerns anybody but the owner in the topic.
        """
        return self._loop.run_until_complete(self._receive(incoming))

    async def _receive(self, incoming: Incoming) -> list[Message]:
        app, broker = self._app, self._broker
        broker.sent.clear()
        broker.acked = self._loop.create_future()
        before, lanes = self._counted(), set(app.parts.outbox.lanes)
        app.parts.connection.received(incoming)
        async with asyncio.timeout(PATIENCE):
            await broker.acked
            await _until(lambda: not self._busy())
        owner = owner_of(incoming.topic)
        look_at(broker.sent, owner)
        strangers = {other for other, _ in set(app.parts.outbox.lanes) - lanes if other != owner}
        check(not strangers, f"a message to {owner!r} made a lane of {strangers}")
        self._look_at_counters(before, owner)
        self._inputs += 1
        if self._inputs % _LOOK == 0:
            await self._look_into_the_store()
        return list(broker.sent)

    async def _open(self) -> None:
        self._app = app = App(household(), state_dir=Path(self._folder.name))
        await app.__aenter__()
        self._broker = broker = Broker(app)
        app.parts.connection.session = app.parts.connection._dialled = broker
        for name, work in (
            ("outbox", app.parts.outbox.run()),
            ("commands", app.parts.commands.run()),
            ("reception", app.parts.reception.run()),
            ("administration", app.parts.administration.run()),
            ("routes", app.parts.routes.run()),
            ("adapters", app.parts.fleet.run()),
        ):
            task = self._loop.create_task(work, name=name)
            task.add_done_callback(self._ended)
            self._tasks.append(task)
        async with asyncio.timeout(PATIENCE):
            await _until(lambda: all(runner.context.is_online for runner in app.parts.runners.values()))
        app.parts.connection.wake()
        await _until(lambda: not (app.parts.turns or app.parts.connection._in_flight))

    async def _close(self) -> None:
        await self._look_into_the_store()
        for task in self._tasks:
            task.remove_done_callback(self._ended)
            task.cancel()
        await asyncio.wait(self._tasks)
        self._app.parts.connection.session = None
        await self._app.__aexit__(None, None, None)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Hand the error of a part of the daemon to whoever waits for the message that broke it."""
        error = None if task.cancelled() else task.exception()
        acked = self._broker.acked
        if acked is not None and not acked.done():
            acked.set_exception(error or AssertionError(f"{task.get_name()} has ended"))
        elif error is not None:
            raise error

    def _busy(self) -> bool:
        app = self._app
        for task in self._tasks:
            if task.done():
                task.result()
        return bool(
            +app.parts.commands._running
            or app.parts.administration._under_way
            or app.parts.turns
            or app.parts.connection._in_flight
            or app.parts.store._committing
            or any(app.parts.routes.waiting().values())
        )

    def _counted(self) -> dict[tuple[str, str, str, str], int]:
        """Return every counter by its name, owner, adapter and reason."""
        counters = self._app.parts.bus._counters.items()
        return {(name, owner, adapter, reason): number for name, owner, adapter, reason, number in counters}

    def _look_at_counters(self, before: Mapping[tuple[str, str, str, str], int], owner: str) -> None:
        for key, number in self._counted().items():
            if number != before.get(key):
                check(key[1] in ("", owner), f"a message to {owner!r} was counted as {key}")

    async def _look_into_the_store(self) -> None:
        found = await self._app.parts.store.read(
            lambda db: (
                db.execute("SELECT DISTINCT owner FROM lane").fetchall(),
                db.execute("SELECT count(*) FROM command").fetchone()[0],
            )
        )
        strangers = {owner for (owner,) in found[0]} - set(EVERYBODY)
        check(not strangers, f"the store has lanes of {strangers}, who are nobody")
        check(found[1] == 0, f"the store keeps {found[1]} commands that were answered")


async def _until(true: Callable[[], bool]) -> None:
    """Let the loop turn until something is true: nothing tells that a whole daemon is idle."""
    while not true():  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0)


def owner_of(topic: str) -> str:
    """Return whose tree a topic is in, by its second level alone; empty for none."""
    levels = topic.split("/")
    return levels[1] if levels[0] == _ROOT and len(levels) > 1 else ""


def look_at(sent: Sequence[Message], owner: str) -> None:
    """Raise OracleError unless all are events, answers or alerts in the tree of ``owner``, and sound ones."""
    check(len(sent) <= MOST_ANSWERS, f"one message led to {len(sent)}")
    for message in sent:
        topic = message.topic
        check(len(topic.encode()) <= MAX_TEXT_BYTES, "a topic is longer than MQTT can carry")
        check(topic.count("/") <= _DEEPEST, f"the topic {topic[:200]!r} is too deep")
        check(not set(topic) & set("+#\x00"), f"the topic {topic[:200]!r} has a wildcard")
        check(len(message.payload) <= MOST_BYTES, f"{len(message.payload)} bytes were published")
        try:
            address = _tree.parse(topic)
        except InvalidTopicError as error:
            raise AssertionError(f"published on {topic[:200]!r}, which is not of the tree") from error
        for level in topic.split("/")[1:]:
            unescape(level)
        if owner == "_bus":
            check(isinstance(address, ResponseTopic), f"a request was answered on {topic[:200]!r}")
            continue
        check(isinstance(address, ReplyTopic | EventTopic | AlertTopic), f"a message led to {topic[:200]!r}")
        check(getattr(address, "owner", None) == owner, f"a message to {owner!r} led to {topic[:200]!r}")
        if isinstance(address, EventTopic):
            event = cloudevents.decode(message.payload)
            check(event.owner == owner, f"an event of {event.owner!r} was published to {owner!r}")
            cloudevents.properties(event)


def household() -> Config:
    """Return the configuration: an adapter for everybody, one of alice alone, and a route of each."""
    return config(
        "mqtt://127.0.0.1:1",
        adapters={"played": "_house", "hers": "alice"},
        limits=LimitSettings(inbox_per_second=0, inbox_kb_per_second=0, commands_per_second=0),
        outbox=OutboxSettings(memory_events=100, disk_events=10_000, disk_mb=16),
        routes=tuple(
            RouteSettings(
                name=f"seen by {owner}",
                owner=owner,
                on=("inbox.*",),
                do=({"publish": f"seen.{owner}", "data": {"text": "{{ type }} {{ data.text | default('') }}"}},),
            )
            for owner in PEOPLE
        ),
    )


HOUSEHOLD: Final = Lasting(Household, uses=2000)
"""The one that all targets share."""
