"""`jitney routes replay`, beside a daemon to which something has come."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jitney.daemon.cli import main
from jitney.topics import MAX_HOPS, cloudevents
from jitney.topics.messages import Event
from tests.daemon.cli.at_routes import AtHome, at_home, ride
from tests.daemon.cli.at_strava import terminal
from tests.daemon.running import Observer, observing, payload
from tests.fakes.mosquitto import Broker
from tests.waiting import until

Shown = pytest.CaptureFixture[str]

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


@pytest.fixture
async def home(shared_broker: Broker, root: str, tmp_path: Path) -> AsyncIterator[AtHome]:
    async with at_home(shared_broker, root, tmp_path) as one:
        await one.happen(ride(1, 30), ride(2, 5), ride(3, 40, owner="bob"))
        await until(lambda: len(remembered(one)) == 3)
        yield one


def remembered(home: AtHome) -> list[str]:
    assert home.daemon.app.parts.routes.routing is not None
    return [entry.event.id for entry in home.daemon.app.parts.routes.routing.router.journal.recent("alice")]


def events(observer: Observer, root: str, kind: str = "desk/ride") -> list[Event]:
    return [cloudevents.decode(payload(one)) for one in observer.on(f"{root}/alice/event/{kind}")]


async def test_a_dry_run_tells_which_events_these_would_be(home: AtHome, capsys: Shown) -> None:
    assert await home.run("replay", "alice", "--since", "1h", "--dry-run") == 0
    out, err = capsys.readouterr()
    first, *others = out.splitlines()
    assert re.fullmatch(rf"{TIME}  ride-alice-1  inbox\.ride", first)
    assert any(re.fullmatch(rf"{TIME}  ride-alice-2  inbox\.ride", line) for line in others)
    assert "route.far Alice  left out: it comes about again by another one" in out
    assert re.fullmatch(
        rf"What is remembered of alice begins at {TIME}\.\n2 events of alice would be published again, 1 left out\.\n",
        err,
    )
    assert len(remembered(home)) == 3


async def test_events_are_published_again_and_the_routes_answer(
    home: AtHome, shared_broker: Broker, root: str, capsys: Shown
) -> None:
    async with observing(shared_broker.port, f"{root}/#") as observer:
        assert await home.run("replay", "alice", "--since", "1h", "--yes", "--json") == 0
        told = json.loads(capsys.readouterr().out)
        assert [copy["of"] for copy in told["events"]] == ["ride-alice-1", "ride-alice-2"]
        await observer.until(lambda: len(events(observer, root)) == 2 and events(observer, root, "route/far"))
        copies = events(observer, root)
        assert [copy.id for copy in copies] == [copy["id"] for copy in told["events"]]
        assert [copy.causationid for copy in copies] == ["ride-alice-1", "ride-alice-2"]
        assert events(observer, root, "route/far")[0].causationid == copies[0].id
    assert await home.run("explain", copies[0].id) == 0
    assert "  fired        far" in capsys.readouterr().out


async def test_it_can_be_for_others_only(home: AtHome, shared_broker: Broker, root: str, capsys: Shown) -> None:
    async with observing(shared_broker.port, f"{root}/#") as observer:
        assert await home.run("replay", "alice", "--since", "1h", "--type", "inbox.*", "--no-routes", "-y") == 0
        out, err = capsys.readouterr()
        assert re.search(rf"{TIME}  ride-alice-1  inbox\.ride  again as 01\w+\n", out)
        assert err.endswith("2 events of alice published again.\n")
        await home.happen(ride(9, 50))
        await observer.until(lambda: events(observer, root, "route/far"))
        assert len(events(observer, root)) == 3
        assert [event.causationid for event in events(observer, root, "route/far")] == ["ride-alice-9"]


async def test_it_asks_first_at_a_terminal_and_elsewhere_wants_to_be_sure(home: AtHome, capsys: Shown) -> None:
    assert await home.run("replay", "alice", "--since", "1h") == 2
    assert "give --yes" in capsys.readouterr().err
    there = ("routes", "replay", "alice", "--since", "1h", "--type", "inbox.*", "-c", str(home.path))
    async with terminal(*there) as shown:
        asked = await shown.until("Replay? [y/N] ")
        assert re.search(
            rf"publishes 2 events of alice again, from {TIME} to {TIME}, and routes act on it again", asked
        )
        shown.type("\n")
        await shown.until("Nothing was replayed.")
        assert await shown.ended() == 1
    assert len(remembered(home)) == 3
    async with terminal(*there) as shown:
        await shown.until("Replay? [y/N] ")
        shown.type("y\n")
        await shown.until("2 events of alice published again.")
        assert await shown.ended() == 0


async def test_what_is_left_out_is_told_and_nothing_is_asked_when_nothing_is_left(home: AtHome, capsys: Shown) -> None:
    assert home.daemon.app.parts.routes.routing is not None
    for entry in home.daemon.app.parts.routes.routing.router.journal.recent("bob"):
        entry.cut = True
    await home.happen(ride(4, 1, owner="bob", hops=MAX_HOPS))
    assert await home.run("replay", "bob", "--since", "1h") == 0
    out, err = capsys.readouterr()
    assert "ride-bob-3  inbox.ride  left out: its data was too large to be remembered" in out
    assert "ride-bob-4  inbox.ride  left out: it was caused through too many events already" in out
    assert err.endswith("0 events of bob published again, 2 left out.\n")
    assert await home.run("replay", "_house", "--since", "1h") == 0
    assert capsys.readouterr().err == (
        "No event of _house is remembered up to then.\n0 events of _house published again.\n"
    )


async def test_when_a_breaker_stops_a_route_it_ends_early_and_says_so(home: AtHome, capsys: Shown) -> None:
    await home.happen(*(ride(100 + number, 50) for number in range(55)))
    assert await home.run("replay", "alice", "--since", "1h", "--type", "inbox.*", "--yes") == 1
    out, err = capsys.readouterr()
    assert "left out: the replay ended before it" in out
    assert "It ended early: the route 'far' is stopped until " in err


async def test_a_bus_without_routes_tells_the_remedy(
    shared_broker: Broker, root: str, tmp_path: Path, capsys: Shown
) -> None:
    async with at_home(shared_broker, root, tmp_path, routes="") as home:
        assert await home.run("replay", "alice", "--since", "1h", "--yes") == 1
        assert "neither routes nor grants" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["alice"], 2, "--since"),
        (["alice", "--since", "yesterday"], 2, "'yesterday' is no time: write 2026-11-21T07:30, 07:30, or 90s"),
        (["alice", "--since", "1h", "--until", "25:00"], 2, "'25:00' is no time"),
        (["A B", "--since", "1h"], 1, "'A B' is not an owner id"),
    ],
)
def test_what_makes_no_span_is_not_asked_for(arguments: list[str], status: int, words: str, capsys: Shown) -> None:
    assert main(["routes", "replay", *arguments, "--mqtt", "mqtt://[::1]:1"]) == status
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["carol", "--since", "1h"], "there is no owner 'carol'"),
        (["_unclaimed", "--since", "1h"], "nobody is known for"),
        (["alice", "--since", "1h", "--until", "2h"], "is later than until"),
    ],
)
async def test_what_the_bus_refuses_is_told(home: AtHome, arguments: list[str], words: str, capsys: Shown) -> None:
    assert await home.run("replay", *arguments, "--yes") == 1
    assert words in capsys.readouterr().err
