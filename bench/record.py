"""Who listens: a subscriber that keeps the order of what it got, and a look at the retained tree."""

import asyncio
import logging
import re
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import aclosing, closing
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import aiomqtt
import msgspec

from bench.lab import LabError
from bench.packets import listen
from bench.verdict import Arrival, Lane

QUIET: Final = logging.getLogger("bench.mqtt")
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False
"""Lost connections are what these programs are about, not news."""

RECONNECT_SECONDS: Final = 0.05


def client_of(port: int, name: str) -> aiomqtt.Client:
    """Return a client for the broker on ``port``."""
    return aiomqtt.Client("127.0.0.1", port, identifier=f"bench-{name}", logger=QUIET)


class Recorder:
    """Subscribes ``pattern`` and gives every message to ``take``, in order; connects again for ever.

    Each of several at one broker needs a ``name`` of its own.
    """

    def __init__(
        self, port: int, pattern: str, take: Callable[[str, bytes], None], *, name: str = "bench-recorder"
    ) -> None:
        self.count = 0
        self.at = time.monotonic()
        self.subscribed = asyncio.Event()
        self._port = port
        self._pattern = pattern
        self._take = take
        self._name = name
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._record(), name="recorder")
        await self.ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def ready(self) -> None:
        """Wait until the broker has confirmed the subscription."""
        async with asyncio.timeout(30):
            await self.subscribed.wait()

    async def more_than(self, count: int, *, within: float) -> None:
        """Wait for more messages than ``count``; raises TimeoutError."""
        async with asyncio.timeout(within):
            while self.count <= count:
                self._news.clear()
                await self._news.wait()

    async def quiet(self, seconds: float) -> None:
        """Wait until nothing has come for ``seconds``."""
        await self.until(lambda: False, patience=seconds)

    async def until(self, complete: Callable[[], bool], *, patience: float) -> bool:
        """Wait until ``complete``; False when there was no news for ``patience`` seconds before."""
        while not complete():
            try:
                await self.more_than(self.count, within=patience)
            except TimeoutError:
                return complete()
        return True

    async def _record(self) -> None:
        while True:
            try:
                async with aclosing(listen(self._port, self._pattern, name=self._name)) as messages:
                    async for topic, payload in messages:
                        if topic:
                            self._take(topic, payload)
                            self.count += 1
                            self.at = time.monotonic()
                        else:
                            self.subscribed.set()
                        self._news.set()
            except OSError:
                pass
            self.subscribed.clear()
            await asyncio.sleep(RECONNECT_SECONDS)


class Arrivals:
    """Deliveries of events by lane, for ``Recorder``: topics `{root}/{owner}/event/{source}/{kind}`.

    The number of an event is what the first group of ``mark`` finds in its payload.
    """

    def __init__(self, mark: re.Pattern[bytes] = re.compile(rb'"number":\s*(\d+)')) -> None:
        self.lanes: dict[Lane, list[Arrival]] = defaultdict(list)
        self.numbers: dict[Lane, set[int]] = defaultdict(set)
        self._mark = mark
        self._decode = msgspec.json.Decoder(_Envelope).decode

    def take(self, topic: str, payload: bytes) -> None:
        """Keep one delivery."""
        found = self._mark.search(payload)
        if found is None:
            return
        _, owner, _, source, _ = topic.split("/")
        number = int(found[1])
        event = self._decode(payload)
        self.lanes[owner, source].append(Arrival(number, event.id, event.seq))
        self.numbers[owner, source].add(number)


class _Envelope(msgspec.Struct, gc=False):
    id: str
    seq: int


async def retained(port: int, root: str) -> dict[str, bytes]:
    """Return the broker's retained messages below ``root``, health and log left out, which change by themselves."""
    found: dict[str, bytes] = {}
    end = f"bench/{time.monotonic_ns()}"
    async with asyncio.timeout(30), client_of(port, "look") as client:
        await client.subscribe(f"{root}/#", qos=1)
        await client.subscribe(end, qos=1)
        await client.publish(end, b"", qos=1)
        async for message in client.messages:
            topic = message.topic.value
            if topic == end:
                return found
            if message.retain and not volatile(topic):
                found[topic] = bytes(message.payload)
    error = "the broker closed the connection"
    raise LabError(error)


def ledger(state_dir: Path) -> dict[str, bytes | None]:
    """Return what the bus believes to be retained at the broker: its own table, read beside it.

    A value is None where the bus keeps only the name on disk; a topic that is being cleared is left out.
    """
    with closing(sqlite3.connect(f"file:{state_dir / 'jitney.db'}?mode=ro", uri=True, timeout=10)) as db:
        rows = db.execute("SELECT topic, payload FROM retained").fetchall()
    return {topic: payload for topic, payload in rows if payload != b"" and not volatile(topic)}


def volatile(topic: str) -> bool:
    """Tell whether a topic says how the bus is at this moment."""
    levels = topic.split("/")
    return levels[-1] in {"health", "log"} and "_bus" in levels
