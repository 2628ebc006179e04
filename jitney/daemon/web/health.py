"""How the bus is doing, in three degrees of detail."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec
from msgspec import Struct

from jitney.daemon.broker.connection import Connection
from jitney.daemon.broker.ledger import Ledger
from jitney.daemon.broker.retained import RetainedTree
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.delivery.publisher import Publisher
from jitney.daemon.store.store import Store
from jitney.daemon.supervision.runner import Runner
from jitney.topics import utc_now

EVERY: Final = 60.0
"""Seconds between two publications of the retained health topic."""

_RUNNING: Final = frozenset({"online", "degraded"})


class Plain(Struct, frozen=True):
    """What anybody may know: no names of people or things."""

    status: Literal["ok", "degraded"]
    broker: str
    adapters_online: int
    adapters: int
    waiting: int


class Info(Struct, frozen=True):
    """What is running: the version, since when, and which adapters of which type.

    ``configured`` is since when the configuration is in force, ``refused`` why a newer one is not, line by line.
    """

    version: str
    boot: str
    adapters: Mapping[str, str]
    configured: str
    refused: Sequence[str] = ()


class BrokerDetail(Struct, frozen=True):
    """The broker connection. Times are Unix seconds."""

    state: str
    reason: str
    protocol: str
    since: float
    last_attempt: float
    attempts: int
    reconnects: int
    in_flight: int
    published: int


class AdapterDetail(Struct, frozen=True):
    """One adapter. ``last_attempt`` is in Unix seconds."""

    type: str
    state: str
    reason: str
    since: str
    attempts: int
    reconnects: int
    last_attempt: float
    events: int


class QueueDetail(Struct, frozen=True):
    """What waits for the broker."""

    in_memory: int
    on_disk: int
    disk_bytes: int
    retained: int
    retained_waiting: int
    store_failure: str


class CountDetail(Struct, frozen=True, omit_defaults=True):
    """One counter."""

    name: str
    value: int
    owner: str = ""
    adapter: str = ""
    reason: str = ""


class Detailed(Struct, frozen=True):
    """Everything but secrets."""

    status: Literal["ok", "degraded"]
    uptime: float
    broker: BrokerDetail
    adapters: Mapping[str, AdapterDetail]
    queues: QueueDetail
    counters: list[CountDetail]


class Health:
    """Looks at the parts of the daemon when asked."""

    def __init__(
        self,
        *,
        connection: Connection,
        outbox: Outbox,
        ledger: Ledger,
        store: Store,
        runners: Mapping[str, Runner],
        retained: RetainedTree,
        publisher: Publisher,
        counters: Counters,
    ) -> None:
        self._connection = connection
        self._outbox = outbox
        self._ledger = ledger
        self._store = store
        self._runners = runners
        self._retained = retained
        self._publisher = publisher
        self._counters = counters
        self._began = time.monotonic()
        self._configured = retained.boot
        self._refused: Sequence[str] = ()

    async def run(self) -> None:
        """Publish info once and health every minute, retained; cancelled to stop it."""
        self.inform()
        await self._connection.reconciled.wait()
        while True:
            self._retained.say("health", msgspec.json.encode(self.plain()))
            await asyncio.sleep(EVERY)

    def configured(self, refused: Sequence[str] = ()) -> None:
        """Learn that a configuration is in force now, or why another one was refused."""
        self._configured = self._configured if refused else utc_now()
        self._refused = refused
        self.inform()

    def inform(self) -> None:
        """Publish what is running now."""
        self._retained.say("info", msgspec.json.encode(self._info()))

    def ready(self) -> bool:
        """Tell whether events can be accepted: the state file can be written."""
        return not self._store.failure

    def plain(self) -> Plain:
        """Return what anybody may know."""
        online = sum(runner.board.status.state in _RUNNING for runner in self._runners.values())
        broker = self._connection.health.state
        well = broker == "online" and online == len(self._runners) and self.ready()
        return Plain("ok" if well else "degraded", broker, online, len(self._runners), sum(self._outbox.waiting()))

    def detailed(self) -> Detailed:
        """Return everything but secrets."""
        in_memory, on_disk = self._outbox.waiting()
        return Detailed(
            status=self.plain().status,
            uptime=round(time.monotonic() - self._began, 1),
            broker=self._broker(),
            adapters={name: _adapter(runner) for name, runner in self._runners.items()},
            queues=QueueDetail(
                in_memory,
                on_disk,
                self._outbox.disk_bytes,
                len(self._ledger.lines),
                self._ledger.waiting(),
                self._store.failure,
            ),
            counters=[
                CountDetail(name, value, owner, adapter, reason)
                for name, owner, adapter, reason, value in self._counters.items()
            ],
        )

    def _info(self) -> Info:
        adapters = {name: runner.settings.type.name for name, runner in self._runners.items()}
        return Info(self._retained.version, self._retained.boot, adapters, self._configured, self._refused)

    def _broker(self) -> BrokerDetail:
        health = self._connection.health
        return BrokerDetail(
            state=health.state,
            reason=health.reason,
            protocol=health.protocol,
            since=health.since,
            last_attempt=health.attempted,
            attempts=health.attempts,
            reconnects=max(0, health.connects - 1),
            in_flight=len(self._connection.window),
            published=self._publisher.published,
        )


def _adapter(runner: Runner) -> AdapterDetail:
    status = runner.board.status
    return AdapterDetail(
        type=runner.settings.type.name,
        state=status.state,
        reason=status.reason,
        since=status.since,
        attempts=runner.attempts,
        reconnects=max(0, runner.attempts - 1),
        last_attempt=runner.attempted,
        events=runner.context.events,
    )
