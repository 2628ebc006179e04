"""How the bus is doing, looked up when somebody asks."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from jitney.daemon.delivery.lanes import Lane
from jitney.daemon.supervision.runner import Runner
from jitney.daemon.web.flows import Dropped, dropped, lag, newest
from jitney.daemon.web.parts import Parts
from jitney.daemon.web.reports import (
    ActionDetail,
    AdapterDetail,
    BrokerDetail,
    CountDetail,
    Detailed,
    Flow,
    Info,
    OwnerDetail,
    Plain,
    QueueDetail,
    StoreDetail,
)
from jitney.daemon.web.verdict import Verdict
from jitney.topics import utc_now

_NONE: Final[Mapping[str, int]] = {}


class Health:
    """Looks at the parts of the daemon. ``dead`` are the dead letters by owner, as they were counted last."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.verdict = Verdict(parts)
        self.dead: Mapping[str, int] = {}
        self.audited: Callable[[], str] = lambda: ""
        self._store = parts.store
        self._counters = parts.counters
        self._began = time.monotonic()
        self._configured = parts.retained.boot
        self._refused: Sequence[str] = ()

    def configured(self, refused: Sequence[str] = ()) -> None:
        """Learn that a configuration is in force now, or why another one was refused."""
        self._configured = self._configured if refused else utc_now()
        self._refused = refused

    def ready(self) -> bool:
        """Tell whether events can be accepted: the state file can be written."""
        return not self._store.failure

    def plain(self) -> Plain:
        """Return what anybody may know."""
        return self.verdict.plain()

    def info(self) -> Info:
        """Return what is running."""
        retained = self.parts.retained
        adapters = {name: runner.settings.type.name for name, runner in self.parts.runners.items()}
        return Info(retained.version, retained.boot, adapters, self._configured, self._refused, self.audited())

    def detailed(self) -> Detailed:
        """Return everything but secrets."""
        plain, drops = self.plain(), dropped(self._counters)
        return Detailed(
            status=plain.status,
            since=plain.since,
            text=plain.text,
            uptime=round(time.monotonic() - self._began, 1),
            broker=self._broker(),
            store=self._stored(),
            adapters={name: self._adapter(name, runner, drops) for name, runner in self.parts.runners.items()},
            sources=self._sources(drops),
            queues=self._queues(),
            actions=ActionDetail({name: number for name, number in self.parts.actions().items() if number}, self.dead),
            limits=self.parts.usage.standings(),
            stuck=self.verdict.stuck(),
            refused=self._refused,
            counters=[
                CountDetail(name, value, owner, adapter, reason)
                for name, owner, adapter, reason, value in self._counters.items()
            ],
        )

    def _broker(self) -> BrokerDetail:
        health = self.parts.connection.health
        return BrokerDetail(
            state=health.state,
            reason=health.reason,
            protocol=health.protocol,
            since=health.since,
            last_attempt=health.attempted,
            attempts=health.attempts,
            reconnects=max(0, health.connects - 1),
            in_flight=len(self.parts.connection.window),
            published=self.parts.publisher.published,
            failures=dict(health.failures),
        )

    def _stored(self) -> StoreDetail:
        store = self._store
        return StoreDetail(store.failure, store.bytes, sum(store.commits.counts), store.failures, store.given_up)

    def _queues(self) -> QueueDetail:
        outbox, ledger = self.parts.outbox, self.parts.ledger
        in_memory, on_disk = outbox.waiting()
        failure = self._store.failure
        return QueueDetail(in_memory, on_disk, outbox.disk_bytes, len(ledger.lines), ledger.waiting(), failure)

    def _adapter(self, name: str, runner: Runner, drops: Dropped) -> AdapterDetail:
        status = runner.board.status
        lanes = {owner: lane for (owner, adapter), lane in self.parts.outbox.lanes.items() if adapter == name}
        retries = {
            reason: value
            for known, _, adapter, reason, value in self._counters.items()
            if (known, adapter) == ("retries", name)
        }
        flow = _flow(lanes.values(), _sum(reasons for (adapter, _), reasons in drops.items() if adapter == name))
        return AdapterDetail(
            type=runner.settings.type.name,
            state=status.state,
            reason=status.reason,
            since=status.since,
            attempts=runner.attempts,
            reconnects=max(0, runner.attempts - 1),
            last_attempt=runner.attempted,
            retries=retries,
            owners={
                owner: _owner(runner, owner, lane=lanes.get(owner), reasons=drops.get((name, owner), _NONE))
                for owner in runner.board.owners
            },
            **{**flow, "events": runner.context.events},
        )

    def _sources(self, drops: Dropped) -> dict[str, dict[str, Flow]]:
        found: dict[str, dict[str, Flow]] = {}
        for (owner, name), lane in self.parts.outbox.lanes.items():
            if name not in self.parts.runners and (lane.events or len(lane)):
                found.setdefault(name, {})[owner] = Flow(**_flow([lane], drops.get((name, owner), _NONE)))
        return found


def _owner(runner: Runner, owner: str, *, lane: Lane | None, reasons: Mapping[str, int]) -> OwnerDetail:
    status = runner.board.of(owner)
    flow = _flow([lane] if lane is not None else [], reasons)
    return OwnerDetail(state=status.state, since=status.since, reason=status.reason, **flow)


def _flow(lanes: Iterable[Lane], reasons: Mapping[str, int]) -> dict[str, Any]:
    """Return the fields of a ``Flow``."""
    every = list(lanes)
    last = newest(every)
    return {
        "events": sum(lane.events for lane in every),
        "last_event": last.time if last is not None else "",
        "lag": lag(last.time, last.observed) if last is not None else None,
        "in_memory": sum(len(lane.head) for lane in every),
        "on_disk": sum(lane.on_disk for lane in every),
        "dropped": reasons,
    }


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)
