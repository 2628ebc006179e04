"""The numbers that nobody counts because they are there: read off the parts of the daemon for a scrape."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime

from jitney import __version__
from jitney.daemon.web.flows import lag
from jitney.daemon.web.health import Health

Values = Mapping[tuple[str, ...], float]
"""By the values of the labels."""

_WORKING = frozenset({"online", "degraded"})


class Readings:
    """Reads values by the names of the metric table; ``label`` returns what a source is called."""

    def __init__(self, health: Health, *, label: Callable[[str], str]) -> None:
        self._health = health
        self._label = label
        self._began = time.time()
        self._ways: Mapping[str, Callable[[], Values]] = {
            "events": self._events,
            "broker_failures": lambda: _labelled(health.parts.connection.health.failures),
            "info": self._info,
            "adapter_online": self._adapters,
            "owner_online": self._owners,
            "last_event": self._last_events,
            "lag": self._lags,
            "waiting": self._waiting,
            "actions_waiting": lambda: _labelled(health.parts.actions()),
            "dead_letters": lambda: _labelled(health.dead),
        }
        parts = health.parts
        self._numbers: Mapping[str, Callable[[], float]] = {
            "published": lambda: parts.publisher.published,
            "broker_attempts": lambda: parts.connection.health.attempts,
            "broker_connects": lambda: parts.connection.health.connects,
            "store_failures": lambda: parts.store.failures,
            "store_given_up": lambda: parts.store.given_up,
            "well": lambda: health.plain().status == "ok",
            "ready": health.ready,
            "started": lambda: self._began,
            "broker_connected": lambda: parts.connection.health.state == "online",
            "in_flight": lambda: len(parts.connection.window),
            "outbox_bytes": lambda: parts.outbox.disk_bytes,
            "retained": lambda: len(parts.ledger.lines),
            "retained_waiting": parts.ledger.waiting,
            "store_bytes": lambda: parts.store.bytes,
            "limited": lambda: parts.usage.limited,
        }

    def of(self, name: str) -> Values:
        """Return the values of a metric."""
        way = self._ways.get(name)
        return way() if way is not None else {(): self._numbers[name]()}

    def _info(self) -> Values:
        return {(__version__, self._health.parts.retained.instance, self._health.parts.connection.health.protocol): 1}

    def _adapters(self) -> Values:
        return {
            (name, runner.settings.type.name): runner.board.status.state in _WORKING
            for name, runner in self._health.parts.runners.items()
        }

    def _owners(self) -> Values:
        return {
            (owner, name): runner.board.of(owner).state in _WORKING
            for name, runner in self._health.parts.runners.items()
            for owner in runner.board.owners
        }

    def _events(self) -> Values:
        found: Counter[tuple[str, ...]] = Counter()
        for (owner, adapter), lane in self._health.parts.outbox.lanes.items():
            found[owner, self._label(adapter)] += lane.events
        return found

    def _waiting(self) -> Values:
        found: Counter[tuple[str, ...]] = Counter()
        for (owner, adapter), lane in self._health.parts.outbox.lanes.items():
            found[owner, self._label(adapter), "memory"] += len(lane.head)
            found[owner, self._label(adapter), "disk"] += lane.on_disk
        return found

    def _last_events(self) -> Values:
        found: dict[tuple[str, ...], float] = {}
        for (owner, adapter), lane in self._health.parts.outbox.lanes.items():
            if lane.time:
                key = owner, self._label(adapter)
                found[key] = max(found.get(key, 0.0), _unix(lane.observed or lane.time))
        return found

    def _lags(self) -> Values:
        found: dict[tuple[str, ...], float] = {}
        for (owner, adapter), lane in self._health.parts.outbox.lanes.items():
            seconds = lag(lane.time, lane.observed) if lane.time else None
            if seconds is not None:
                found[owner, self._label(adapter)] = seconds
        return found


def _labelled(values: Mapping[str, float]) -> Values:
    return {(label,): value for label, value in values.items()}


def _unix(time: str) -> float:
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return 0.0
