"""From an event to what follows from it: written with it, begun after it, and never endless."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from msgspec import Raw

from jitney.adapters.errors import RefusedError
from jitney.daemon.delivery.plans import Plan
from jitney.daemon.routes.actions import Action, PublishEvent, PublishState
from jitney.daemon.routing.executor import Executor
from jitney.daemon.routing.planned import plan
from jitney.topics import MAX_HOPS, Event
from tests.daemon.routing.acting import acting
from tests.daemon.running import config, observing, payload, running, tick
from tests.fakes.mosquitto import Broker
from tests.waiting import until


class Rule:
    """One route: what it wants done about an event."""

    def __init__(self, executor: Executor, wants: Callable[[Event], Sequence[Action]]) -> None:
        self._executor = executor
        self._wants = wants

    def plan(self, event: Event) -> Plan | None:
        executor = self._executor
        planned = plan(event, self._wants(event), route="rule", now=time.time(), ttl=60)

        def begin(ok: bool) -> None:  # noqa: FBT001 - as the contract names it
            (executor.begin if ok else executor.abandon)(planned)

        return Plan(writes=executor.rows(planned), begin=begin) if planned else None


@pytest.mark.parametrize("durable", [False, True])
async def test_what_follows_from_an_event_is_done(broker: Broker, tmp_path: Path, *, durable: bool) -> None:
    def wants(event: Event) -> list[Action]:
        if event.type != "played.ticked":
            return []
        return [
            PublishState(subject="last", data=event.data),
            PublishEvent(kind="seen", data=event.data, source="rule"),
        ]

    async with (
        observing(broker.port) as observer,
        running(config(broker.url, durable=durable), tmp_path) as daemon,
        acting(daemon) as actors,
    ):
        actors.bus.plans = Rule(actors.executor, wants)
        await daemon.context().emit(*(tick(number) for number in range(20)))
        await observer.until(lambda: len(observer.on("jitney/alice/event/route/seen")) == 20)
        seen = observer.events("jitney/alice/event/route/seen")
        assert [event.data for event in seen] == [Raw(b'{"number":%d}' % number) for number in range(20)]
        assert [event.causationid for event in seen] == [f"played-alice-{number}" for number in range(20)]
        await observer.until(lambda: payload(observer.on("jitney/alice/state/route/last")[-1]) == b'{"number":19}')
        assert actors.executor.waiting() == 0


async def test_a_route_that_answers_itself_comes_to_an_end(broker: Broker, tmp_path: Path) -> None:
    async with (
        observing(broker.port) as observer,
        running(config(broker.url), tmp_path) as daemon,
        acting(daemon) as actors,
    ):
        again = PublishEvent(kind="again", source="rule")
        actors.bus.plans = Rule(actors.executor, lambda _: [again])
        await daemon.context().emit(tick(1))
        await until(lambda: actors.counters.total("dead", owner="alice", reason="loop") == 1)
        await observer.until(lambda: len(observer.on("jitney/alice/event/route/again")) == MAX_HOPS)
        assert [event.hops for event in observer.events("jitney/alice/event/route/again")] == [*range(1, MAX_HOPS + 1)]


async def test_from_a_durable_event_that_cannot_be_kept_nothing_follows(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url, durable=True), tmp_path) as daemon, acting(daemon) as actors:
        seen = PublishEvent(kind="seen", source="rule")
        actors.bus.plans = Rule(actors.executor, lambda event: [seen] if event.type == "played.ticked" else [])
        await actors.store.committed()
        await actors.store.read(lambda db: db.execute("PRAGMA max_page_count = 1").fetchall())
        with pytest.raises(RefusedError, match="the disk is full"):
            await daemon.context().emit(*(tick(number, id="x" * 4000 + str(number)) for number in range(50)))
        assert actors.executor.waiting() == 0
        assert actors.counters.total("dropped", owner="alice", adapter="route", reason="not_kept") == 50
        await actors.store.read(lambda db: db.execute("PRAGMA max_page_count = 1000000").fetchall())
        await daemon.context().emit(tick(1))
        await until(lambda: actors.counters.total("actions", owner="alice", reason="ok") == 1)
