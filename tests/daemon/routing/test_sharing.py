"""Events that are shown to others: in the receiver's tree, in order, under a grant and no longer."""

import asyncio
import time
from pathlib import Path

import msgspec
import pytest

from jitney.adapters.errors import RefusedError
from jitney.daemon.config.schema import OutboxSettings
from jitney.daemon.routes.actions import Forward
from jitney.daemon.routes.settings import GrantSettings
from jitney.daemon.routing.grants import Grants
from jitney.daemon.routing.planned import plan
from jitney.daemon.routing.sharing import Sharing
from jitney.daemon.store.store import Store
from jitney.daemon.store.tables import DATABASE
from tests.daemon.routing.acting import TREE, acting
from tests.daemon.routing.doing import event
from tests.daemon.running import config, observing, running
from tests.fakes.mosquitto import Broker
from tests.waiting import until

GRANT = GrantSettings(from_="alice", to="bob", kinds="played.*")
TOPIC = "jitney/bob/shared/alice/event/played/ticked"


async def test_what_is_forwarded_arrives_in_order_with_the_whole_event_and_once(broker: Broker, tmp_path: Path) -> None:
    async with (
        observing(broker.port) as observer,
        running(config(broker.url), tmp_path) as daemon,
        acting(daemon, grants=[GRANT]) as actors,
    ):
        for number in range(50):
            about = event(number, subject="clock", seq=number)
            await actors.accept(plan(about, [Forward(to="bob")] * 2, route="r", now=time.time(), ttl=60))
        await observer.until(lambda: len(observer.on(TOPIC)) >= 50)
        await until(lambda: actors.executor.waiting() == 0)
        got = observer.events(TOPIC)
        assert got == [event(number, subject="clock", seq=number) for number in range(50)]
        assert actors.counters.total("shared", owner="alice", adapter="played", reason="bob") == 50
        assert actors.outbox.lanes["alice", "shared/bob"].durable


async def test_nothing_is_shown_without_a_grant_and_a_grant_is_looked_at_last(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url), tmp_path) as daemon, acting(daemon, grants=[GRANT]) as actors:
        assert await actors.refused(Forward(to="carol"), event()) == "not_granted"
        assert await actors.refused(Forward(to="bob"), event(type="other.kind")) == "not_granted"
        assert await actors.refused(Forward(to="alice"), event(owner="bob")) == "not_granted"
        assert await actors.refused(Forward(to="bob"), event()) == ""
        actors.grants.change([])
        assert await actors.refused(Forward(to="bob"), event(2)) == "not_granted"


async def test_a_full_lane_refuses_and_takes_nothing_from_the_receivers_own(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url, outbox=OutboxSettings(disk_events=1000))
    async with running(settings, tmp_path) as daemon, acting(daemon, grants=[GRANT]) as actors:
        await daemon.connected()
        await asyncio.to_thread(broker.kill)
        lane = actors.outbox.lane("alice", "shared/bob")
        lane.on_disk = 1000
        with pytest.raises(RefusedError, match="fills the outbox"):
            await actors.sharing.share(event(), "bob")
        lane.on_disk = 0
        await actors.bus.emit([event(owner="bob")], durable=True)


async def test_what_still_waits_when_a_grant_is_taken_back_is_never_shown(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url, durable=True)
    both = [GRANT, GrantSettings(from_="alice", to="bob", kinds="other.kind")]
    async with running(settings, tmp_path) as daemon, acting(daemon, grants=both) as actors:
        await asyncio.to_thread(broker.kill)
        for number in range(10):
            await actors.do(Forward(to="bob"), event(number))
            await actors.do(Forward(to="bob"), event(100 + number, type="other.kind"))
        await actors.bus.emit([event(7, owner="bob")], durable=True)
    async with Store(tmp_path / DATABASE) as store:
        grants = Grants(both[1:], tree=TREE, private=lambda _: False)
        sharing = Sharing(grants, actors.outbox, store, tree=TREE, counters=actors.counters)
        assert await sharing.withdraw() == 10
        assert await sharing.withdraw() == 0
    await asyncio.to_thread(broker.start)
    left = GrantSettings(from_="alice", to="bob", kinds="other.kind", private=True)  # nobody has declared that kind
    settings = config(broker.url, durable=True, grants=(left,))
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await observer.message("jitney/bob/event/played/ticked")
        await daemon.drained()
        await observer.until(lambda: len(observer.on("jitney/bob/shared/alice/event/played/kind")) == 10)
        assert observer.on(TOPIC) == []


async def test_what_was_shown_is_not_shown_again_after_a_restart(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url)
    async with observing(broker.port) as observer:
        for number in (1, 2):
            async with running(settings, tmp_path) as daemon, acting(daemon, grants=[GRANT]) as actors:
                await actors.do(Forward(to="bob"), event(0))
                await actors.do(Forward(to="bob"), event(number))
                await daemon.drained()
        await observer.until(lambda: len(observer.on(TOPIC)) >= 3)
        assert [msgspec.json.decode(one.data)["number"] for one in observer.events(TOPIC)] == [0, 1, 2]
