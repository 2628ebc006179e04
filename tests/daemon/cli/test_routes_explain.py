"""`jitney routes explain`, beside a daemon to which something has come."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jitney.daemon.cli import main
from tests.daemon.cli.at_routes import AtHome, at_home, ride
from tests.fakes.mosquitto import Broker

Shown = pytest.CaptureFixture[str]

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


@pytest.fixture
async def home(shared_broker: Broker, root: str, tmp_path: Path) -> AsyncIterator[AtHome]:
    async with at_home(shared_broker, root, tmp_path) as one:
        await one.happen(ride(1, 30, subject="bike"), ride(2, 5, subject="bike"), ride(3, 40, owner="bob"))
        await one.happen(ride(4, 1, owner="bob", type="inbox.walk"))
        yield one


async def test_an_event_is_told_with_what_each_route_did_and_why(home: AtHome, capsys: Shown) -> None:
    assert await home.run("explain", "ride-alice-2") == 0
    out, err = capsys.readouterr()
    event, *routes = out.splitlines()
    assert re.fullmatch(rf"{TIME}  alice  inbox\.ride bike", event)
    assert re.fullmatch(r"  held         rarely: fired \d s ago, at most once in 3600 s", routes[0])
    assert routes[1:] == ["  not matched  far: data.km is 5, not more than 20"]
    assert err == "1 other route of theirs wants other types: --route NAME tells about one.\n"
    assert await home.run("explain", "ride-alice-1") == 0
    out, err = capsys.readouterr()
    event, *routes = out.splitlines()
    assert event.endswith("alice  inbox.ride bike")
    assert routes == ["  fired        far", "  fired        rarely"]
    assert err.endswith("What could not be done of it in the end is in `jitney dead list alice`.\n")


async def test_a_route_that_does_not_want_such_events_is_explained_when_named(home: AtHome, capsys: Shown) -> None:
    assert await home.run("explain", "ride-bob-3", "--route", "far") == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1:] == ["  not matched  far: owner is bob, not alice"]
    assert err == ""
    assert await home.run("explain", "ride-bob-3", "--route", "fra") == 1
    assert "the running bus has no route 'fra': did you mean \"far\"?" in capsys.readouterr().err


async def test_a_program_reads_it_with_all_reasons(home: AtHome, capsys: Shown) -> None:
    assert await home.run("explain", "ride-alice-2", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["event"]["id"], told["event"]["owner"], told["others"]) == ("ride-alice-2", "alice", 1)
    far = next(one for one in told["routes"] if one["route"] == "far")
    assert far["outcome"] == "not_matched"
    assert {"what": "data.km gt 20", "held": False, "saw": "data.km is 5, not more than 20"} in far["reasons"]
    assert "event" not in told["event"], "data is nobody's business who did not ask for it"


async def test_without_an_id_the_newest_are_listed_with_theirs(home: AtHome, capsys: Shown) -> None:
    assert await home.run("explain", "--type", "inbox.*") == 0
    out, err = capsys.readouterr()
    first, *lines = out.splitlines()
    assert re.fullmatch(rf"{TIME}  bob  inbox\.walk", first)
    assert [line for line in lines if line.startswith("  ")] == [
        "  ride-bob-4  no route matched",
        "  ride-bob-3  fired: rarely",
        "  ride-alice-2  held: rarely",
        "  ride-alice-1  fired: far; fired: rarely",
    ]
    assert err == ""
    assert await home.run("explain") == 0
    assert "  ride-bob-4  " in capsys.readouterr().out


async def test_the_list_can_be_narrowed(home: AtHome, capsys: Shown) -> None:
    assert await home.run("explain", "--owner", "alice", "--type", "inbox.*", "--limit", "1", "--json") == 0
    assert [event["id"] for event in json.loads(capsys.readouterr().out)] == ["ride-alice-2"]
    assert await home.run("explain", "--owner", "alice", "--type", "inbox.*", "--limit", "2") == 0
    assert capsys.readouterr().err == "These are the newest 2; there may be more.\n"
    assert await home.run("explain", "--owner", "bob", "--type", "demo.*") == 0
    assert capsys.readouterr() == (
        "",
        "No such event of bob has come since the bus was started: `jitney tail` shows new ones.\n",
    )


async def test_what_is_not_remembered_says_where_to_look(home: AtHome, capsys: Shown) -> None:
    assert await home.run("explain", "ride-bob-3", "--owner", "alice") == 1
    err = capsys.readouterr().err
    assert "no event 'ride-bob-3' among the last 200 of alice since " in err
    assert "`jitney routes explain` lists what is remembered, `jitney tail` shows new ones" in err


async def test_what_was_too_large_to_be_remembered_says_so(home: AtHome, capsys: Shown) -> None:
    assert home.daemon.app.parts.routes.routing is not None
    entry = home.daemon.app.parts.routes.routing.router.journal.find("ride-alice-2")
    assert entry is not None
    entry.cut, entry.size = True, 2_000_000
    assert await home.run("explain", "ride-alice-2") == 0
    assert "Mind that its 2000000 bytes of data were too many to be remembered" in capsys.readouterr().err


async def test_a_bus_without_routes_tells_the_remedy(
    shared_broker: Broker, root: str, tmp_path: Path, capsys: Shown
) -> None:
    async with at_home(shared_broker, root, tmp_path, routes="") as home:
        assert await home.run("explain") == 1
        assert "neither routes nor grants, and so no journal of events: add [[routes]]" in capsys.readouterr().err


def test_where_nobody_listens_it_says_so(shared_broker: Broker, root: str, capsys: Shown) -> None:
    assert main(["routes", "explain", "x", "--mqtt", shared_broker.url, "--root", root]) == 1
    assert "is the daemon running" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--route", "far"], 2, "--route goes with the id of an event"),
        (["x", "--type", "inbox.*"], 2, "an event is named already"),
        (["x", "--limit", "3"], 2, "an event is named already"),
        (["--limit", "201"], 2, "'201' is not a number from 1 to 200"),
        (["--owner", "A B"], 1, "'A B' is not an owner id"),
    ],
)
def test_what_does_not_fit_together_is_not_asked(arguments: list[str], status: int, words: str, capsys: Shown) -> None:
    assert main(["routes", "explain", *arguments, "--mqtt", "mqtt://[::1]:1"]) == status
    assert words in capsys.readouterr().err
