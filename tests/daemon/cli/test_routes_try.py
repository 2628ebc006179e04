"""`jitney routes try`: what routes would do, about events that are given and events that came."""

import json
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from io import BytesIO, TextIOWrapper
from pathlib import Path
from time import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.cli import main
from jitney.daemon.cli.common import UsageError
from jitney.daemon.cli.routes_cases import _read
from jitney.daemon.routing.timetable import Tick, scheduled
from jitney.topics import cloudevents, rfc3339
from tests.daemon.cli.at_routes import AtHome, at_home, ride
from tests.fakes.mosquitto import Broker
from tests.waiting import until

Shown = pytest.CaptureFixture[str]
Run = Callable[..., int]

HOUSE = """
[owners.alice]
name = "Alice"
[owners.bob]
[adapters.toy]
type = "demo"
[routing]
webhooks = ["https://hooks.example.org/*"]
"""
ROUTES = """
[[routes]]
name = "far"
owner = "alice"
on = ["inbox.ride", "inbox.run"]
when = { "data.km" = { gt = 20 }, "variables.holiday" = { exists = false } }
throttle = 60
quiet_hours = "22:00-07:00"
[[routes.do]]
publish = "far"
subject = "{{ owner.name }}"
data = { km = "{{ data.km }}", hour = "{{ now().hour }}" }
delay = 5
[[routes.do]]
webhook = "https://hooks.example.org/canary?token=canary"
headers = { Authorization = "canary", X-Key = { env = "K" } }
data = { km = "{{ data.km }}" }
[[routes]]
name = "everybody"
on = "inbox.*"
do = [{ set = "last", value = "{{ 60 / data.km }}" }]
[[routes]]
name = "his"
owner = "bob"
on = "inbox.ride"
enabled = false
do = [{ drop = true }]
[[routes]]
name = "morning"
owner = "alice"
schedule = { at = "07:30" }
do = [{ publish = "morning", subject = "{{ owner.name }}", data = { at = "{{ data.at }}", time = "{{ time }}" } }]
[[routes]]
name = "tea"
owner = "alice"
schedule = { every = 3600 }
do = [{ state = "tea", data = { at = "{{ data.at }}" } }]
"""
RIDE = '{"type": "inbox.ride", "owner": "alice", "subject": "bike", "data": {"km": 30}}'
NOBODY = ("--mqtt", "mqtt://[::1]:1")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    path = tmp_path / "config.toml"
    path.write_text(HOUSE + ROUTES)
    monkeypatch.setenv("JITNEY_CONFIG", str(path))

    def run(*arguments: str) -> int:
        return main(["routes", "try", *arguments, *NOBODY])

    return run


def test_what_would_be_done_is_printed_in_the_words_of_the_file_and_without_a_secret(run: Run, capsys: Shown) -> None:
    assert run("far", "--event", RIDE, "--now", "2026-11-21T18:30") == 0
    out, err = capsys.readouterr()
    webhook = 'webhook https://hooks.example.org/…, method "POST", headers {"Authorization":"…","X-Key":"…"}'
    assert out.splitlines() == [
        "2026-11-21 18:30:00  alice  inbox.ride bike",
        "  matches      far",
        '               publish far, data {"km":30,"hour":18}, subject "Alice", delay 5 s',
        f'               {webhook}, data {{"km":30}}',
        "               may be held back: then not again for 60 s",
        "               may be held back: not during 22:00-07:00",
    ]
    assert err == ""
    assert run("far", "--event", RIDE, "--json") == 0
    assert "canary" not in capsys.readouterr().out


def test_without_a_name_all_that_want_the_type_are_tried(run: Run, capsys: Shown) -> None:
    assert run("--event", RIDE.replace("30", "5")) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  not matched  far: data.km is 5, not more than 20",
        "  matches      everybody",
        "               set last, value 12.0",
    ]
    assert run("--event", '{"type": "demo.tick"}') == 0
    assert capsys.readouterr() == ("", "No route wants it.\n")


def test_whose_an_event_is_to_be_can_be_said(run: Run, capsys: Shown) -> None:
    assert run("--event", '{"type": "inbox.ride", "data": {"km": 30}}', "--json") == 0
    found = {trial["owner"]: [one["route"] for one in trial["routes"]] for trial in json.loads(capsys.readouterr().out)}
    assert found == {"alice": ["far"], "_house": ["everybody"]}
    assert run("--event", RIDE, "--owner", "bob", "--json") == 0
    (trial,) = json.loads(capsys.readouterr().out)
    assert (trial["owner"], [one["route"] for one in trial["routes"]]) == ("bob", ["everybody"])
    assert run("far", "--event", RIDE, "--owner", "bob") == 0
    assert "  not matched  far: owner is bob, not alice" in capsys.readouterr().out


def test_variables_and_the_time_are_as_they_are_given(run: Run, capsys: Shown) -> None:
    assert run("far", "--event", RIDE, "--variables", '{"holiday": true}') == 0
    assert "not matched  far: variables.holiday is true" in capsys.readouterr().out
    assert run("far", "--event", RIDE, "--now", "06:05", "--json") == 0
    (trial,) = json.loads(capsys.readouterr().out)
    assert datetime.fromisoformat(trial["at"]).date() == datetime.now().astimezone().date()
    assert trial["routes"][0]["actions"][0]["data"] == {"km": 30, "hour": 6}


def test_a_template_that_cannot_be_filled_in_fails_with_its_place(run: Run, capsys: Shown) -> None:
    assert run("everybody", "--event", RIDE.replace("30", "0")) == 1
    assert re.search(r"  failed       everybody: do\[0\]\.value: .*zero", capsys.readouterr().out)


def test_one_that_is_not_enabled_is_tried_when_it_is_named(run: Run, capsys: Shown) -> None:
    assert run("his", "--event", RIDE.replace("alice", "bob")) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1:] == ["  matches      his", "               drop"]
    assert err == "The route his is not enabled: it is tried all the same.\n"


def test_a_schedule_is_tried_without_an_event_as_when_it_was_due_last(run: Run, capsys: Shown) -> None:
    assert run("morning", "--now", "2026-11-21T12:00") == 0
    out, _ = capsys.readouterr()
    at = datetime.fromisoformat("2026-11-21T07:30").astimezone()
    assert out.splitlines() == [
        "2026-11-21 12:00:00  alice  route.scheduled morning",
        "  matches      morning",
        f'               publish morning, data {{"at":"{at.isoformat()}","time":"{rfc3339(at)}"}}, subject "Alice"',
    ]
    assert run("tea", "--json") == 0
    (trial,) = json.loads(capsys.readouterr().out)
    assert datetime.fromisoformat(trial["routes"][0]["actions"][0]["data"]["at"]).timestamp() % 3600 == 0


def test_an_event_comes_from_a_file_from_standard_input_or_from_tail(
    run: Run, tmp_path: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = cloudevents.encode(ride(7, 33))
    (tmp_path / "event.json").write_bytes(whole)
    assert run("far", "--event", str(tmp_path / "event.json"), "--json") == 0
    (trial,) = json.loads(capsys.readouterr().out)
    assert (trial["id"], trial["owner"], trial["routes"][0]["outcome"]) == ("ride-alice-7", "alice", "matches")
    tailed = json.dumps({"topic": "jitney/alice/event/desk/ride", "retained": False, "payload": json.loads(whole)})
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(tailed.encode())))
    assert run("far", "--event", "-", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["id"] == "ride-alice-7"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["fra", "--event", RIDE], 2, "there is no route 'fra': did you mean \"far\"?"),
        (["far", "--event", "{"], 2, "--event: not a JSON object"),
        (["far", "--event", '{"data": {}}'], 2, "--event: event: give its type"),
        (["far", "--event", '{"type": "inbox.ride", "kind": 1}'], 2, "unknown key 'kind'"),
        (["far", "--event", '{"specversion": "1.0"}'], 2, "--event: not an event of this bus"),
        (["far", "--event", "nowhere.json"], 2, "--event: nowhere.json: No such file or directory: give a file"),
        (["far", "--event", RIDE.replace("alice", "carol")], 2, "--event: owner: there is no owner 'carol'"),
        (["far", "--event", RIDE, "--owner", "carol"], 2, "--owner: there is no owner 'carol'"),
        (["far", "--event", RIDE, "--variables", "[]"], 2, "--variables: not a JSON object"),
        (["far", "--event", RIDE, "--now", "noon"], 2, "--now: 'noon' is no time: write 2026-11-21T07:30 or 07:30\n"),
        (["far", "--event", RIDE, "--last", "3"], 2, "not allowed with argument"),
        (["far", "--last", "0"], 2, "'0' is not a number from 1 to 200"),
        (["far"], 1, "is not there: is the broker running"),
    ],
)
def test_what_cannot_be_tried_says_why(
    run: Run, arguments: list[str], *, status: int, words: str, capsys: Shown
) -> None:
    assert run(*arguments) == status
    assert words in capsys.readouterr().err


def test_a_wrong_configuration_is_told_as_everywhere(tmp_path: Path, capsys: Shown) -> None:
    path = tmp_path / "config.toml"
    path.write_text(HOUSE + ROUTES.replace("do = [{ drop = true }]", "do = [{ dorp = true }]"))
    assert main(["routes", "try", "-c", str(path), "--event", RIDE]) == 78
    assert "routes[2].do[0]" in capsys.readouterr().err


@given(st.text() | st.recursive(st.none() | st.text(), lambda inner: st.dictionaries(st.text(), inner)).map(json.dumps))
def test_any_text_is_an_object_or_refused(text: str) -> None:
    try:
        table = _read("{" + text)
    except UsageError:
        return
    assert isinstance(table, dict)


AT = "2027-01-15T08:00:00+00:00"
FAR = """
[[routes]]
name = "far"
owner = "alice"
on = "inbox.ride"
when = {{ "data.km" = {{ gt = 20 }}, "variables.holiday" = {{ exists = false }} }}
do = [{{ publish = "far", data = {{ km = "{{{{ data.km }}}}" }} }}]
[[routes]]
name = "rest day"
on = "inbox.rest"
do = [{{ set = "holiday", value = true }}]
[[routes]]
name = "hourly"
owner = "alice"
schedule = {{ every = 3600 }}
do = [{{ publish = "hour", data = {{ at = "{{{{ data.at }}}}" }} }}]
[[routes]]
name = "everything"
owner = "alice"
on = "*"
enabled = false
do = [{{ publish = "happened" }}]
"""


@pytest.fixture
async def home(shared_broker: Broker, root: str, tmp_path: Path) -> AsyncIterator[AtHome]:
    async with at_home(shared_broker, root, tmp_path, FAR) as one:
        await one.happen(ride(1, 30), ride(2, 5), ride(3, 40, owner="bob"))
        yield one


async def routes(home: AtHome, capsys: Shown, *arguments: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the id of each event that was tried, and what came of the one route."""
    assert await home.run("try", *arguments, "--json") == 0
    return [(trial["id"], *trial["routes"]) for trial in json.loads(capsys.readouterr().out)]


async def test_an_event_that_came_is_tried_with_the_routes_of_the_file_as_it_is_now(
    home: AtHome, capsys: Shown
) -> None:
    assert await home.run("try", "far", "--id", "ride-alice-1") == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  matches      far",
        '               publish far, data {"km":30}',
    ]
    home.path.write_text(home.path.read_text().replace("gt = 20", "gt = 3"))
    assert [(id, one["outcome"]) for id, one in await routes(home, capsys, "far", "--last", "9")] == [  # noqa: A001
        ("ride-alice-2", "matches"),
        ("ride-alice-1", "matches"),
    ]
    assert [id for id, _ in await routes(home, capsys, "far")] == ["ride-alice-2"]  # noqa: A001
    assert await home.run("try", "--id", "ride-bob-3") == 0
    assert capsys.readouterr().err == "No route wants it.\n"


async def test_the_variables_are_those_of_the_running_bus_unless_others_are_given(home: AtHome, capsys: Shown) -> None:
    assert home.daemon.app.parts.routes.routing is not None
    variables = home.daemon.app.parts.routes.routing.router._variables
    await home.happen(ride(4, 0, type="inbox.rest"))
    await until(lambda: variables.of("alice", 0.0).get("holiday") is True)
    ((_, one),) = await routes(home, capsys, "far", "--id", "ride-alice-1")
    assert one["why"] == "variables.holiday is true"
    ((_, one),) = await routes(home, capsys, "far", "--id", "ride-alice-1", "--variables", "{}")
    assert one["outcome"] == "matches"


async def test_nothing_is_done_by_trying(home: AtHome, capsys: Shown) -> None:
    assert home.daemon.app.parts.routes.routing is not None
    router = home.daemon.app.parts.routes.routing.router
    await until(lambda: len(router.journal.recent("alice")) == 3)
    assert await home.run("try", "--last", "9") == 0
    capsys.readouterr()
    assert len(router.journal.recent("alice")) == 3


async def test_events_of_one_owner_can_be_asked_for_and_of_none_it_says_so(home: AtHome, capsys: Shown) -> None:
    assert await home.run("try", "--last", "9", "--owner", "bob", "--json") == 0
    assert [trial["owner"] for trial in json.loads(capsys.readouterr().out)] == ["bob"]
    assert await home.run("try", "rest day") == 0
    out, err = capsys.readouterr()
    assert (out, err) == (
        "",
        "The running bus remembers no such event: give one with --event, or wait for one (`jitney tail`).\n",
    )


async def test_one_that_was_cut_is_tried_as_if_it_had_no_data(home: AtHome, capsys: Shown) -> None:
    assert home.daemon.app.parts.routes.routing is not None
    entry = home.daemon.app.parts.routes.routing.router.journal.find("ride-alice-1")
    assert entry is not None
    entry.cut = True
    assert await home.run("try", "far", "--id", "ride-alice-1") == 0
    assert "of data were too many to be remembered" in capsys.readouterr().err


async def test_what_a_schedule_fired_on_is_tried_with_its_route_alone(home: AtHome, capsys: Shown) -> None:
    assert home.daemon.app.parts.routes.routing is not None
    ticked = scheduled(Tick("alice", "hourly", 1_800_000_000.0), UTC)
    home.daemon.app.parts.routes.routing.router.journal.add(ticked, at=time())
    ((_, one),) = await routes(home, capsys, "--id", ticked.id)
    assert (one["route"], one["actions"]) == ("hourly", [{"publish": "hour", "data": {"at": AT}}])
    assert [id for id, _ in await routes(home, capsys, "hourly", "--last", "3")] == [ticked.id]  # noqa: A001
    assert ticked.id not in [id for id, _ in await routes(home, capsys, "everything", "--last", "9")]  # noqa: A001
