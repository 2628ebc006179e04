"""`jitney dead`, with a daemon whose routes have actions that cannot be done."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jitney.daemon import log
from jitney.daemon.cli import main
from jitney.daemon.routes.settings import RouteSettings
from jitney.daemon.store import outbox as rows
from jitney.topics import Command, Reply, cloudevents
from tests.daemon.cli.at_strava import terminal
from tests.daemon.running import Daemon, Played, config, running, tick
from tests.fakes.mosquitto import Broker
from tests.waiting import until

Shown = pytest.CaptureFixture[str]

ROUTE = {"name": "a route", "on": "played.ticked", "do": [{"command": "played.nonsense"}]}


class Household:
    """A daemon with dead letters, and `jitney` in a shell beside it."""

    def __init__(self, daemon: Daemon, broker: Broker, root: str) -> None:
        self.daemon = daemon
        self.there = ("--mqtt", broker.url, "--root", root)

    async def run(self, *arguments: str) -> int:
        return await asyncio.to_thread(main, ["dead", *arguments, *self.there])

    async def letters(self) -> list[tuple[int, str]]:
        """Return the number and owner of every letter."""
        routing = self.daemon.app.parts.routes.routing
        assert routing is not None
        return [(letter.id, letter.owner) for letter in await routing.dead.newest()]

    async def die(self, *owners: str) -> list[int]:
        """Let an action of each owner die; returns the numbers of their letters."""
        numbers = []
        for number, owner in enumerate(owners):
            before = await self.letters()
            await self.daemon.context().emit(tick(number, owner=owner))

            async def died(before: int = len(before)) -> bool:
                return len(await self.letters()) > before

            await until(died)
            numbers.append((await self.letters())[0][0])
        return numbers


@pytest.fixture
async def household(shared_broker: Broker, root: str, tmp_path: Path) -> AsyncIterator[Household]:
    async with at_home(shared_broker, root, tmp_path, routes=(msgspec.convert(ROUTE, RouteSettings),)) as one:
        yield one


@asynccontextmanager
async def at_home(broker: Broker, root: str, folder: Path, **changes: Any) -> AsyncIterator[Household]:  # noqa: ANN401
    settings = config(broker.url, mqtt={"topic_root": root}, **changes)
    log.configure("console", "error")
    async with running(settings, folder / "state") as daemon:
        await daemon.connected()
        yield Household(daemon, broker, root)


async def test_the_newest_are_listed_with_what_they_were_and_why_they_died(household: Household, capsys: Shown) -> None:
    first, second = await household.die("alice", "bob")
    assert await household.run("list") == 0
    out, err = capsys.readouterr()
    newest, reason, oldest, _ = out.splitlines()
    assert err == ""
    what = r"command played\.nonsense of the route “a route”, about played\.ticked"
    assert re.fullmatch(rf" +{second}  \d{{4}}-\d\d-\d\d \d\d:\d\d  bob  {what}", newest)
    assert "there is no command 'nonsense'" in reason
    assert re.match(rf" +{first}  .*  alice  ", oldest)


async def test_one_owner_s_are_listed_for_a_program(household: Household, capsys: Shown) -> None:
    first, _, third = await household.die("alice", "bob", "alice")
    assert await household.run("list", "alice", "--json") == 0
    letters = json.loads(capsys.readouterr().out)
    assert [(letter["id"], letter["owner"], letter["route"]) for letter in letters] == [
        (third, "alice", "a route"),
        (first, "alice", "a route"),
    ]
    assert await household.run("list", "alice", "--limit", "1") == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert err == "These are the newest 1; there may be more.\n"


async def test_where_there_are_none_it_says_so(household: Household, capsys: Shown) -> None:
    assert await household.run("list") == 0
    assert capsys.readouterr() == ("", "There are no dead letters.\n")
    assert await household.run("list", "bob", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


async def test_a_letter_is_tried_again_and_is_none_any_more(
    household: Household, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Command] = []

    async def command(_: Played, command: Command) -> Reply:
        asked.append(command)
        return Reply.ok()

    (number,) = await household.die("alice")
    monkeypatch.setattr(Played, "command", command)
    assert await household.run("retry", str(number)) == 0
    expected = f"The dead letter {number} of alice is tried again: command played.nonsense of the route “a route”"
    assert capsys.readouterr().out.startswith(expected)
    await until(lambda: [(one.owner, one.name) for one in asked] == [("alice", "nonsense")])
    assert await household.letters() == []
    assert await household.run("retry", str(number)) == 1
    assert f"there is no dead letter {number}" in capsys.readouterr().err


async def test_one_is_dropped_or_all_of_an_owner_or_of_everybody(household: Household, capsys: Shown) -> None:
    first, second, *_ = await household.die("alice", "bob", "alice", "bob")
    assert await household.run("drop", str(first), "--yes") == 0
    assert capsys.readouterr().out == "Dropped 1 dead letter.\n"
    assert await household.run("drop", str(first), "--yes") == 1
    assert f"there is no dead letter {first}" in capsys.readouterr().err
    assert await household.run("drop", "--all", "bob", "--yes") == 0
    assert capsys.readouterr().out == "Dropped 2 dead letters.\n"
    assert [owner for _, owner in await household.letters()] == ["alice"]
    assert second not in dict(await household.letters())
    assert await household.run("drop", "--all", "--yes", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"dropped": 1}
    assert await household.letters() == []


async def test_it_asks_first_at_a_terminal_and_elsewhere_wants_to_be_sure(household: Household, capsys: Shown) -> None:
    (number,) = await household.die("alice")
    assert await household.run("drop", str(number)) == 2
    assert "give --yes" in capsys.readouterr().err
    async with terminal("dead", "drop", "--all", *household.there) as shown:
        await shown.until("This drops all dead letters of everybody, for good.\nDrop? [y/N] ")
        shown.type("\n")
        await shown.until("Nothing was dropped.")
        assert await shown.ended() == 1
    assert await household.letters() == [(number, "alice")]
    async with terminal("dead", "drop", "--all", "alice", *household.there) as shown:
        await shown.until("all dead letters of alice, for good.\nDrop? [y/N] ")
        shown.type("y\n")
        await shown.until("Dropped 1 dead letter.")
        assert await shown.ended() == 0
    assert await household.letters() == []


async def test_a_bus_without_routes_has_dead_letters_too(
    shared_broker: Broker, root: str, tmp_path: Path, capsys: Shown
) -> None:
    async with at_home(shared_broker, root, tmp_path) as household:
        store, body = household.daemon.app.parts.store, cloudevents.encode(tick(7))
        topic, time = f"{root}/alice/event/played/ticked", "2026-11-21T05:41:00.120Z"
        store.write(rows.DEAD, [("alice", "played", topic, body, "not_authorised", time)])
        await store.committed()
        assert await household.run("list") == 0
        what, reason = capsys.readouterr().out.splitlines()
        assert what.endswith(f"alice  event played.ticked for {topic}")
        assert reason.strip() == "not_authorised"
        assert await household.run("retry", what.split()[0]) == 0
        assert "is tried again: event played.ticked" in capsys.readouterr().out
        assert await household.run("list") == 0
        assert capsys.readouterr() == ("", "There are no dead letters.\n")


async def test_a_daemon_that_does_not_know_them_is_of_another_version(
    household: Household, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(household.daemon.app.parts.administration.handlers, "dead_list")
    assert await household.run("list") == 1
    assert "knows no request dead_list: it is of another version" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["drop"], 2, "say which by its number"),
        (["drop", "alice"], 2, "'alice' is not the number of a dead letter"),
        (["drop", "0"], 2, "'0' is not the number of a dead letter"),
        (["drop", "12", "--all"], 2, "either the number 12, or --all"),
        (["drop", "--all", ""], 1, "'' is not an owner id"),
        (["list", ""], 1, "'' is not an owner id"),
        (["list", "--limit", "201"], 2, "'201' is not a number from 1 to 200"),
        (["retry", "-1"], 2, "dead retry"),
        (["retry", "9" * 5000], 2, "is not the number of a dead letter"),
    ],
)
def test_what_means_no_letter_is_not_asked_for(arguments: list[str], status: int, words: str, capsys: Shown) -> None:
    assert (
        main(["dead", *arguments, "--yes" if arguments[0] == "drop" else "--json", "--mqtt", "mqtt://[::1]:1"])
        == status
    )
    assert words in capsys.readouterr().err
