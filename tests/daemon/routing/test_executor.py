"""The executor: what was planned is done, at least once and until its time to live."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from jitney.adapters.errors import RefusedError
from jitney.daemon.routing import executor, failures, left, pace
from jitney.daemon.routing.failures import FailedError
from jitney.daemon.routing.planned import Planned, decode
from jitney.daemon.store import actions
from tests.daemon.routing.doing import START, Clock, command, name, performing, planned, prepared, running
from tests.waiting import until


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "FIRST", 0.01)
    monkeypatch.setattr(failures, "LONGEST", 0.02)


async def test_what_was_begun_is_done_once_and_forgotten(tmp_path: Path) -> None:
    async with performing(tmp_path) as stage:
        await stage.accept(planned(command("a"), command("b")))
        await stage.did("a", "b")
        assert await stage.rows() == []
        assert stage.executor.waiting() == 0
        assert stage.counters.total("actions", owner="alice", adapter="command", reason="ok") == 2


async def test_what_was_planned_is_on_disk_before_it_is_begun(tmp_path: Path) -> None:
    async with prepared(tmp_path) as one:
        (wanted,) = planned(command("a"), route="long ride")
        one.write([wanted])
        ((key, owner, route, due, until_, body),) = await one.rows()
        assert (key, owner, route, due, until_) == (wanted.id, "alice", "long ride", START, START + 3600)
        assert decode(body) == wanted


async def test_what_an_earlier_run_has_left_is_done_by_the_next_in_its_order(tmp_path: Path) -> None:
    async with prepared(tmp_path) as before:
        await before.accept(planned(*(command(str(number)) for number in range(20))))
        await before.accept(planned(command("early"), now=START - 1))
    async with performing(tmp_path) as after:
        await after.did("early", *map(str, range(20)))
        assert await after.rows() == []


async def test_what_is_begun_while_the_executor_starts_is_not_done_twice(tmp_path: Path) -> None:
    async with prepared(tmp_path) as one:
        await one.accept(planned(command("a")))
        async with running(one):
            await one.accept(planned(command("b")))
            await one.did("a", "b")


async def test_what_waits_for_its_turn_among_many_is_not_done_once_it_is_erased(tmp_path: Path) -> None:
    async with performing(tmp_path) as stage:
        await stage.accept([one for number in range(200) for one in planned(command(str(number)), route=str(number))])
        await until(lambda: len(stage.player.asked) >= pace.AT_ONCE)
        await stage.executor.erase("alice")
        done = stage.player.names()
        await stage.accept(planned(command("late"), owner="alice"))
        await until(lambda: "late" in stage.player.names())
        assert stage.player.names() == [*done, "late"]
        assert stage.executor.waiting() == 0


async def test_what_failed_is_tried_again_until_it_succeeds(tmp_path: Path) -> None:
    async with performing(tmp_path, clock=asyncio.get_running_loop().time) as stage:
        now = asyncio.get_running_loop().time()
        stage.player.errors["a"] = [RefusedError("failed", "not today"), FailedError("unreachable", "nobody there")]
        await stage.accept(planned(command("a"), now=now))
        await stage.did("a")
        (done,) = stage.player.done
        assert (done.tries, done.unsure, done.reason) == (2, 0, "unreachable: nobody there")
        assert await stage.rows("dead") == []


async def test_what_waits_for_an_adapter_is_tried_at_once_when_that_comes_online(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "FIRST", 3600.0)
    monkeypatch.setattr(failures, "LONGEST", 3600.0)
    async with performing(tmp_path) as stage:
        away = RefusedError("offline", "home has not been online yet")
        stage.player.errors["on"], stage.player.errors["tell"] = [away], [away]
        await stage.accept([*planned(command("on", adapter="home"), command("off", adapter="home"))])
        await stage.accept(planned(command("tell", adapter="base"), route="other"))
        await until(lambda: stage.counters.total("actions", reason="offline") == 2)
        stage.executor.reached("home")
        await stage.did("on", "off")
        assert stage.executor.waiting() == 1


async def test_how_often_it_was_tried_outlives_a_restart(tmp_path: Path) -> None:
    async with performing(tmp_path) as before:
        before.player.errors["a"] = [RefusedError("offline", "home is offline")]
        await before.accept(planned(command("a")))
        await until(lambda: len(before.player.asked) == 1)
        await before.store.committed()
    async with performing(tmp_path) as after:
        await after.did("a")
        assert after.player.done[0].tries == 1


@pytest.mark.parametrize("code", ["unknown_command", "invalid", "not_allowed", "not_granted", "loop", "no_origin"])
async def test_what_can_never_succeed_is_dead_at_once(tmp_path: Path, *, code: str) -> None:
    async with performing(tmp_path) as stage:
        stage.player.errors["a"] = [RefusedError(code, "never")]
        await stage.accept(planned(command("a"), command("b")))
        assert await stage.died(1) == [f"{code}: never"]
        await stage.did("b")
        assert await stage.rows() == []
        assert stage.counters.total("dead", owner="alice", adapter="route", reason=code) == 1


async def test_when_its_time_is_over_it_is_dead_for_its_last_reason(tmp_path: Path) -> None:
    clock = Clock()
    async with performing(tmp_path, clock=clock) as stage:
        stage.player.errors["a"] = [RefusedError("offline", "home is offline")] * 1000
        await stage.accept(planned(command("a"), ttl=60))
        await until(lambda: len(stage.player.asked) == 1)
        clock.now += 61
        stage.executor.wake()
        assert await stage.died(1) == ["offline: home is offline"]
        assert await stage.rows() == []
        assert stage.counters.total("dead", reason="expired") == 1


async def test_what_was_never_tried_in_time_says_so(tmp_path: Path) -> None:
    async with prepared(tmp_path) as before:
        await before.accept(planned(command("a"), ttl=60))
    async with performing(tmp_path, clock=Clock(START + 61)) as after:
        (reason,) = await after.died(1)
        assert reason.startswith("expired: ")
        assert after.player.asked == []


async def test_what_is_delayed_waits_also_over_a_restart_and_holds_up_nothing(tmp_path: Path) -> None:
    async with performing(tmp_path) as before:
        await before.accept(planned(command("later", delay=600), command("now")))
        await before.did("now")
    clock = Clock(START + 599)
    async with performing(tmp_path, clock=clock) as after:
        await after.accept(planned(command("meanwhile"), now=clock.now))
        await after.did("meanwhile")
        clock.now += 2
        after.executor.wake()
        await after.did("meanwhile", "later")


async def test_a_delay_ends_by_itself(tmp_path: Path) -> None:
    clock = asyncio.get_running_loop().time
    async with performing(tmp_path, clock=clock) as stage:
        await stage.accept(planned(command("later", delay=0.05), command("now"), now=clock()))
        await stage.did("now", "later")


async def hang(one: Planned) -> None:
    if one.route == "slow":
        await asyncio.Event().wait()


async def test_what_hangs_holds_up_neither_other_routes_nor_other_owners(tmp_path: Path) -> None:
    async with performing(tmp_path) as stage:
        stage.player.before = hang
        await stage.accept(planned(command("hangs"), command("behind"), route="slow"))
        await until(lambda: len(stage.player.asked) == 1)
        await stage.accept(planned(command("a"), command("b"), route="quick"))
        await stage.accept(planned(command("c"), route="slow", owner="bob"))
        await stage.accept(planned(command("d"), route="quick", owner="bob"))
        await until(lambda: sorted(stage.player.names()) == ["a", "b", "d"])
        assert [name(one) for one in stage.player.asked if one.route == "slow"] == ["hangs", "c"]


async def test_a_delay_ends_also_while_others_hang(tmp_path: Path) -> None:
    clock = asyncio.get_running_loop().time
    async with performing(tmp_path, clock=clock) as stage:
        stage.player.before = hang
        await stage.accept(planned(command("later", delay=0.1), route="quick", now=clock()))
        await stage.accept(planned(command("hangs"), route="slow", now=clock()))
        await stage.did("later")


async def test_what_comes_while_others_hang_is_done(tmp_path: Path) -> None:
    clock = asyncio.get_running_loop().time
    async with performing(tmp_path, clock=clock) as stage:
        stage.player.before = hang
        hanging = planned(command("hangs"), route="slow", now=clock())
        await stage.accept([*planned(command("later", delay=0.1), route="quick", now=clock()), *hanging])
        await stage.did("later")


async def test_what_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "PATIENCE", 0.05)
    async with performing(tmp_path) as stage:
        stage.player.before = hang
        await stage.accept(planned(command("hangs"), route="slow"))

        async def told() -> bool:
            ((*_, body),) = await stage.rows()
            return decode(body).reason == "timeout: not done within 0.05 s"

        await until(told)


async def test_no_more_of_an_owners_actions_are_done_at_once_than_is_fair(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def hold(_: Planned) -> None:
        await gate.wait()

    async with performing(tmp_path) as stage:
        stage.player.before = hold
        for number in range(20):
            await stage.accept(planned(command(str(number)), route=f"r{number}"))
        await stage.accept(planned(command("bob"), owner="bob"))
        await until(lambda: len(stage.player.asked) == executor.AT_ONCE + 1)
        gate.set()
        await until(lambda: len(stage.player.done) == 21)


async def test_what_may_have_been_done_is_not_repeated_for_an_hour(tmp_path: Path) -> None:
    clock = asyncio.get_running_loop().time
    async with performing(tmp_path, clock=clock) as stage:
        stage.player.errors["restart"] = [RefusedError("disconnected", "whether it was done is not known")] * 100
        await stage.accept(planned(command("restart"), now=clock()))
        assert await stage.died(1) == ["disconnected: whether it was done is not known"]
        assert len(stage.player.asked) == failures.MOST_UNSURE


async def test_a_fault_in_the_code_ends_nothing_but_is_told(tmp_path: Path) -> None:
    clock = asyncio.get_running_loop().time
    async with performing(tmp_path, clock=clock) as stage:
        stage.player.errors["a"] = [ZeroDivisionError("here")]
        await stage.accept(planned(command("a"), command("b"), now=clock()))
        await until(lambda: sorted(stage.player.names()) == ["a", "b"])
        assert {name(one): one.reason for one in stage.player.done} == {"a": "crashed: ZeroDivisionError", "b": ""}


async def test_an_action_that_nobody_can_read_any_more_becomes_a_dead_letter(tmp_path: Path) -> None:
    async with prepared(tmp_path) as before:
        await before.accept(planned(command("good")))
        row = ("01J", "alice", "r", START, START + 60, b'{"id":"01J","action":{"do":"dance"}}')
        before.store.write(actions.PUT, [row])
    async with performing(tmp_path) as after:
        await after.did("good")
        (reason,) = await after.died(1)
        assert reason.startswith("unreadable: ")
        assert await after.rows() == []


async def test_nothing_follows_from_an_event_that_could_not_be_kept(tmp_path: Path) -> None:
    async with performing(tmp_path) as stage:
        lost = planned(command("lost"))
        assert stage.executor.rows(lost)
        stage.executor.abandon(lost)
        stage.executor.begin(lost)
        await stage.accept(planned(command("kept")))
        await stage.did("kept")
        assert stage.counters.total("dropped", owner="alice", reason="not_kept") == 1


async def test_what_does_not_fit_into_memory_is_read_from_disk_in_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "MEMORY_BYTES", 1000)
    monkeypatch.setattr(left, "MEMORY_BYTES", 1000)
    async with prepared(tmp_path) as one:
        await one.accept(planned(*(command(str(number)) for number in range(50))))
        async with running(one):
            await one.did(*map(str, range(50)))
    async with prepared(tmp_path) as one:
        await one.accept(planned(*(command(str(number)) for number in range(50, 100))))
    async with performing(tmp_path) as one:
        await one.did(*map(str, range(50, 100)))
        assert await one.rows() == []


async def test_what_is_still_on_its_way_to_disk_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "MEMORY_BYTES", 0)
    async with performing(tmp_path) as stage:
        wanted = planned(*(command(str(number)) for number in range(50)))
        stage.write(wanted)
        stage.executor.begin(wanted)
        await stage.did(*map(str, range(50)))


async def test_all_that_an_owner_wanted_done_can_be_erased(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def hold(one: Planned) -> None:
        if one.owner == "alice":
            await gate.wait()

    async with performing(tmp_path) as stage:
        stage.player.before = hold
        stage.player.errors["running"] = [RefusedError("not_allowed", "never")]
        await stage.accept(planned(command("running"), command("waiting")))
        await stage.accept(planned(command("later", delay=60), route="b"))
        await stage.accept(planned(command("bobs", delay=60), owner="bob"))
        await until(lambda: len(stage.player.asked) == 1)
        assert await stage.executor.erase("alice") == 3
        gate.set()
        await until(lambda: stage.counters.total("actions", reason="not_allowed") == 1)
        assert [row[1] for row in await stage.rows()] == ["bob"]
        assert await stage.rows("dead") == []
        assert stage.executor.waiting() == stage.executor.waiting("bob") == 1
        await stage.accept(planned(command("new")))
        await stage.did("new")


async def test_stopping_closes_what_was_opened_and_leaves_the_rest_on_disk(tmp_path: Path) -> None:
    async with performing(tmp_path) as before:
        await before.accept(planned(command("later", delay=60)))
        player = before.player
    assert player.closed
    async with prepared(tmp_path) as after:
        assert len(await after.rows()) == 1


async def test_what_cannot_be_read_from_disk_just_now_is_read_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "MEMORY_BYTES", 0)
    failing = [True]
    body = actions.body

    def read(db: sqlite3.Connection, action: str) -> bytes | None:
        if failing:
            failing.clear()
            raise sqlite3.OperationalError("disk I/O error")
        return body(db, action)

    monkeypatch.setattr(actions, "body", read)
    clock = asyncio.get_running_loop().time
    async with performing(tmp_path, clock=clock) as stage:
        await stage.accept(planned(command("a"), now=clock()))
        await stage.did("a")
        assert failing == []
