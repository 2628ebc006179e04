"""What an owner's routes can use up: their own room, and nobody else's."""

from pathlib import Path

import pytest
from msgspec import Raw

from jitney.adapters.errors import RefusedError
from jitney.daemon.routes.actions import SendCommand
from jitney.daemon.routing import letters, room
from jitney.daemon.store import dead
from tests.daemon.routing.doing import START, Clock, command, performing, planned, prepared, running
from tests.waiting import until


async def test_an_owner_without_room_loses_what_is_new_and_it_becomes_a_dead_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST", 3)
    async with prepared(tmp_path) as stage:
        for number in range(5):
            await stage.accept(planned(command(str(number)), route=f"r{number}"))
        await stage.accept(planned(command("bob"), owner="bob"))
        assert await stage.reasons() == ["actions_full: too many actions of alice wait to be done"] * 2
        assert stage.counters.total("dropped", owner="alice", adapter="route", reason="actions_full") == 2
        async with running(stage):
            await until(lambda: sorted(stage.player.names()) == ["0", "1", "2", "bob"])
        await stage.accept(planned(command("room again")))
        assert len(await stage.rows()) == 1


async def test_a_route_cannot_use_up_the_room_of_its_owners_other_routes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_OF_ROUTE", 3)
    async with prepared(tmp_path) as stage:
        await stage.accept(planned(*(command(str(number)) for number in range(5)), route="flood"))
        await stage.accept(planned(command("other"), route="other"))
        assert [row[2] for row in await stage.rows()] == ["flood"] * 3 + ["other"]
        assert len(await stage.reasons()) == 2


@pytest.mark.parametrize(("bound", "route"), [("MOST_OF_ROUTE", "same"), ("MOST", "other")])
async def test_room_that_was_promised_counts_until_it_is_used_or_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, bound: str, route: str
) -> None:
    monkeypatch.setattr(room, bound, 1)
    async with prepared(tmp_path) as stage:
        first, second = planned(command("a"), route="same"), planned(command("b"), route=route)
        assert stage.executor.refuses(first[0]) == ""
        stage.executor.rows(first)
        assert stage.executor.refuses(second[0]) == "actions_full"
        stage.executor.abandon(first)
        assert stage.executor.refuses(second[0]) == ""


async def test_a_flood_writes_a_limited_number_of_dead_letters_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_OF_ROUTE", 1)
    monkeypatch.setattr(room, "LETTERS", 10)
    clock = Clock()
    async with prepared(tmp_path, clock=clock) as stage:
        await stage.accept(planned(*(command(str(number)) for number in range(50))))
        assert len(await stage.reasons()) == 10
        assert stage.counters.total("dropped", reason="actions_full") == 49
        clock.now += 61
        await stage.accept(planned(command("next minute")))
        assert len(await stage.reasons()) == 11


async def test_of_an_owners_dead_letters_the_newest_are_kept_and_all_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters, "BURY_EVERY", 10)
    monkeypatch.setattr(dead, "MOST_ACTIONS", 5)
    async with performing(tmp_path) as stage:
        stage.player.errors["bob"] = [RefusedError("invalid", "bobs")]
        await stage.accept(planned(command("bob"), owner="bob"))
        await stage.died(1)
        for number in range(20):
            stage.player.errors[str(number)] = [RefusedError("invalid", str(number))]
        await stage.accept(planned(*(command(str(number)) for number in range(20))))
        await until(lambda: stage.counters.total("dead", owner="alice") == 20)
        assert await stage.reasons() == ["invalid: bobs", *(f"invalid: {number}" for number in range(15, 20))]


async def test_an_action_that_is_too_large_is_counted_and_nothing_else(tmp_path: Path) -> None:
    async with prepared(tmp_path) as stage:
        large = SendCommand(adapter="base", command="x", data=Raw(b'{"a":"%s"}' % (b"x" * room.MOST_BYTES)))
        assert stage.executor.rows(planned(large, now=START)) == []
        assert stage.counters.total("dropped", owner="alice", reason="too_large") == 1
