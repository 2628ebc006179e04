"""What a running bus shows of itself to systemd: how it stands in words, and the loops that have to turn."""

import time
from collections.abc import Iterable, Mapping
from typing import Final

from jitney.daemon.broker.connection import Connection
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.delivery.turns import Turns
from jitney.daemon.pulse import Pulse
from jitney.daemon.service.watch import Life, StoreLife
from jitney.daemon.store.store import Store
from jitney.daemon.supervision.runner import Runner

BROKER_PATIENCE: Final = 240.0
"""Seconds: the longest pause between two attempts, and everything that an attempt and its silence may take."""

_RUNNING: Final = frozenset({"online", "degraded"})
_MINUTE: Final = 60
_STEP: Final = 10
_LONGEST_REASON: Final = 120


class Signs:
    """Looks at the parts of the daemon when asked; ``pulses`` are those of its loops."""

    def __init__(
        self,
        *,
        connection: Connection,
        outbox: Outbox,
        turns: Turns,
        store: Store,
        runners: Mapping[str, Runner],
        pulses: Iterable[Pulse],
    ) -> None:
        self.store = StoreLife(store)
        self.lives: list[Life] = [self.store, _BrokerLife(connection, turns), *pulses]
        self._connection = connection
        self._outbox = outbox
        self._store = store
        self._runners = runners

    def words(self) -> str:
        """Return how it stands, like "mqtt up, 3/3 adapters, 12 queued"."""
        online = sum(runner.board.status.state in _RUNNING for runner in self._runners.values())
        words = [self._broker(), f"{online}/{len(self._runners)} adapters", f"{sum(self._outbox.waiting())} queued"]
        if self._store.failure:
            words.insert(0, f"cannot write: {self._store.failure[:_LONGEST_REASON]}")
        return ", ".join(words)

    def _broker(self) -> str:
        health = self._connection.health
        if health.state == "online":
            return "mqtt up"
        if health.state == "connecting":
            return "mqtt connecting"
        return f"mqtt down {_lasting(time.time() - health.since)} ({health.reason[:_LONGEST_REASON]})"


class _BrokerLife:
    """The connection: while it is up something has to be confirmed, while it is not there have to be attempts."""

    name = "broker"
    patience = BROKER_PATIENCE

    def __init__(self, connection: Connection, turns: Turns) -> None:
        self._connection = connection
        self._turns = turns

    @property
    def turns(self) -> object:
        """Return what changes with every confirmation and attempt."""
        return self._connection.window.landed, self._connection.health.attempts

    @property
    def busy(self) -> bool:
        """Tell whether there is anything to confirm, or a broker to be found."""
        connection = self._connection
        return connection.health.state != "online" or len(connection.window) > 0 or bool(self._turns)


def _lasting(seconds: float) -> str:
    """Return a time so coarse that telling it does not keep systemd busy."""
    if seconds < _MINUTE:
        return f"{max(seconds, 0) // _STEP * _STEP:.0f} s"
    if seconds < _MINUTE * _MINUTE:
        return f"{seconds // _MINUTE:.0f} min"
    return f"{seconds // (_MINUTE * _MINUTE):.0f} h"
