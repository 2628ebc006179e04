"""What the guide to routes says is so: its tables are those of the code, and what it shows to be copied works."""

import json
import re
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from jitney.adapters import registry
from jitney.daemon.cli.routes_explain import OUTCOMES
from jitney.daemon.config.load import examine
from jitney.daemon.config.schema import HttpSettings, MqttSettings, RoutingSettings
from jitney.daemon.delivery import bus as delivery
from jitney.daemon.delivery import retention
from jitney.daemon.routes import conditions, filters, forms, operators, patterns, sandbox, templates, values, vetting
from jitney.daemon.routes.compiled import compile_routes
from jitney.daemon.routes.document import Document
from jitney.daemon.routes.faults import Fault
from jitney.daemon.routes.paths import ROOTS
from jitney.daemon.routes.settings import RouteSettings
from jitney.daemon.routing import breaker, effort, executor, journal, records, room, routeless, variables
from jitney.daemon.scripts import Bus, Event, talk
from jitney.daemon.scripts.api import Log
from jitney.daemon.store import dead
from jitney.topics import Event as BusEvent
from jitney.topics import messages as topics
from tests.daemon.running import observing, payload, running
from tests.documents import ENVIRONMENT, REPOSITORY, VAULT, blocks, codes, first_cells, messages, rows
from tests.fakes.mosquitto import Broker

GUIDE: Final = "routes.md"
PATH: Final = REPOSITORY / "docs" / GUIDE
TEXT: Final = PATH.read_text(encoding="utf-8")
SAID: Final = ("routes", "routing", "scripts", "config", "cli")

RIDE: Final = {
    "distance": 25312.5,
    "moving_time": 5025,
    "name": "evening loop",
    "photos": ["lake", "hill"],
    "sport": "ride",
}
EVENT: Final = BusEvent(
    id="1",
    source="/strava",
    type="strava.activity.created",
    subject="activity/1",
    time="2026-11-21T18:00:00Z",
    observed="2026-11-21T18:00:01Z",
    owner="alice",
    data=Raw(json.dumps(RIDE).encode()),
)
NOW: Final = datetime.fromisoformat("2026-11-21T18:30:00+00:00")


def named(head: str) -> set[str]:
    """Return everything between backticks in the first cells of the table below a head."""
    return {code for cell in first_cells(GUIDE, head) for code in codes(cell)}


def section(heading: str) -> str:
    """Return what stands below a heading, up to the next one of its level, without fenced blocks."""
    return re.sub(r"(?ms)^```.*?^```$", "", TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0])


def faults(**keys: Any) -> list[Fault]:  # noqa: ANN401
    """Return what is wrong with a route that has these keys."""
    given = {"name": "one", "owner": "alice", "on": "strava.activity.created", "do": [{"publish": "seen"}], **keys}
    if "schedule" in given:
        del given["on"]
    settings = msgspec.convert(given, RouteSettings)
    found = compile_routes([settings], owners=["alice", "bob"], adapters={"home": "_house", "base": "alice"})[1]
    return list(found)


def test_the_guide_lists_every_key_of_a_route() -> None:
    keys = {field.encode_name for field in msgspec.structs.fields(RouteSettings)}
    assert named("key | what it says") == keys


def test_the_guide_lists_every_name_and_says_which_are_not_for_conditions() -> None:
    assert {name.partition(".")[0] for name in named("name")} == sandbox.NAMES
    only_in_templates = codes(next(cells[0] for cells in rows(GUIDE, "name") if "not in `when`" in cells[1]))
    assert set(only_in_templates) == sandbox.NAMES - ROOTS


def test_the_guide_lists_every_operator_with_an_example_that_is_right() -> None:
    assert named("operator") == {*operators.OPERATORS, "exists", "all", "any", "not"}
    for _, example, *_ in rows(GUIDE, "operator"):
        (code,) = codes(example)
        assert faults(when=tomllib.loads(f"when = {{ {code} }}")["when"]) == [], code


def test_the_guide_lists_every_condition_about_more_than_one_event_with_an_example_that_is_right() -> None:
    examples = {
        key: value for cell in named("key | when something is done") for key, value in tomllib.loads(cell).items()
    }
    row = next(cell for cell in first_cells(GUIDE, "key | what it says") if "`debounce`" in cell)
    assert examples.keys() == set(codes(row))
    assert faults(**examples) == []


def test_the_guide_lists_every_action_with_its_keys_and_each_is_right() -> None:
    shown = {}
    for cell, what in rows(GUIDE, "action"):
        (code,) = codes(cell)
        table = tomllib.loads(f"do = {code.replace('{ … }', '{}')}")["do"]
        assert faults(do=[table]) == [], code
        (word,) = [key for key in table if key in forms._FORMS]
        shown[word] = table.keys() | {key.partition(" ")[0] for key in codes(what)}
    assert shown.keys() == forms._FORMS.keys()
    assert {word: set(keys) - shown[word] for word, (keys, _) in forms._FORMS.items() if set(keys) - shown[word]} == {}


def test_every_template_in_the_guide_becomes_what_stands_beside_it() -> None:
    document = Document(EVENT, {"rides": 3}, "Alice", now=NOW, zone=NOW.tzinfo)  # type: ignore[arg-type]
    examples = [(codes(cells[0])[0], codes(cells[1])[0]) for cells in rows(GUIDE, "in the file")]
    assert len(examples) > 10
    found = {template: templates.compile_template(template).render(document) for template, _ in examples}
    assert found == {template: json.loads(becomes) for template, becomes in examples}


def test_the_guide_lists_every_filter_and_test() -> None:
    assert named("filters") == filters.FILTERS.keys()
    assert named("tests, behind `is`") == filters.TESTS.keys()


def test_the_guide_names_every_private_kind_but_those_of_strava_which_all_are() -> None:
    kinds = [kind for name in ("homeassistant", "meshtastic", "strava") for kind in registry.adapter_type(name).kinds]
    assert all(kind.private for kind in kinds if kind.type.startswith("strava."))
    private = {kind.type for kind in kinds if kind.private and not kind.type.startswith("strava.")}
    (line,) = re.findall(r"\*\*private\*\*(.*?)\n- ", section("What others see"), re.DOTALL)
    assert {code for code in codes(line) if "." in code} == private


def test_the_guide_names_every_kind_of_home_assistant() -> None:
    kinds = {kind.type for kind in registry.adapter_type("homeassistant").kinds}
    assert {code for code in codes(section("How a route is written")) if code in kinds} == kinds


def test_the_guide_lists_every_outcome_and_request() -> None:
    assert named("outcome") == {words for words, _ in OUTCOMES.values()}
    assert {*routeless.LETTERS, *routeless.JOURNAL} <= set(codes(section("Seeing it")))


def test_the_guide_lists_everything_that_a_python_route_has() -> None:
    methods = {match for code in named("method") for match in re.findall(r"bus\.(\w+)", code)}
    assert methods == {name for name in vars(Bus) if not name.startswith("_")} | {"log"}
    (line,) = re.findall(r"\n`event` has (.*?)\.\n", TEXT, re.DOTALL)
    made = Event(type="a.b")
    assert set(codes(line)) == {name for name in dir(made) if not name.startswith("_")}


def test_the_guide_leads_to_every_example() -> None:
    names = [path.name for path in (REPOSITORY / "examples" / "routes").iterdir() if path.suffix in {".toml", ".py"}]
    assert [name for name in names if f"(../examples/routes/{name})" not in TEXT] == []


def test_what_the_guide_explains_is_said() -> None:
    said = messages(*(f"jitney/daemon/{room}" for room in SAID), "jitney/adapters/homeassistant")
    explained = re.findall(r'"([^"]+)"', "\n".join(first_cells(GUIDE, "you see")))
    assert len(explained) > 30
    assert [text for text in explained if not any(text in message for message in said)] == []


def test_the_limits_in_the_guide_are_those_of_the_code() -> None:
    fields = {field.encode_name: field.type for field in msgspec.inspect.type_info(RouteSettings).fields}  # type: ignore[union-attr]
    limits = {
        "actions of a route": [forms.MOST],
        "conditions in": [conditions.MOST, conditions.DEEPEST, conditions.MOST_PATTERNS],
        "a regular expression": [patterns.LONGEST],
        "a template": [templates.LONGEST, vetting.MOST_NODES, vetting.MOST_PATTERNS],
        "what a template becomes": [templates.MOST_BYTES],
        "the data of an action": [values.MOST_BYTES],
        "a delay": [forms.LONGEST_DELAY // 86_400],
        "variables of an owner": [variables.MOST_NAMES, variables.MOST_BYTES],
        "subjects and keys": [records.MOST_KEYS],
        "firings of a route": [breaker.LIMIT],
        "computing": [effort.BUDGET],
        "events that led": [topics.MAX_HOPS],
        "actions of an owner that wait": [room.MOST, room.MOST_OF_ROUTE],
        "actions of an owner at the same time": [executor.AT_ONCE],
        "one try": [int(executor.PATIENCE)],
        "dead actions": [dead.MOST_ACTIONS, retention.DEAD_DAYS],
        "events of an owner": [journal.MOST_EVENTS, journal.MOST_BYTES // 1_000_000],
        "what a Python function": [talk.MOST_ASKED],
    }
    table = rows(GUIDE, "what | at the most")
    assert len(table) == len(limits)
    for (what, most), (label, expected) in zip(table, limits.items(), strict=True):
        assert what.startswith(label)
        assert re.findall(r"\d[\d .]*\d|\d", most)[: len(expected)] == [
            f"{one:_}".replace("_", " ") if one >= 10_000 else str(one) for one in expected
        ], what
    assert fields["ttl"].le == forms.LONGEST_DELAY  # type: ignore[union-attr]
    assert f"{delivery.MOST_SOURCES} different ones" in TEXT
    defaults = RoutingSettings()
    assert f"`python_seconds` for an event ({defaults.python_seconds:g})" in TEXT
    assert f"`python_mb` of memory ({defaults.python_mb})" in TEXT


async def test_the_first_route_of_the_guide_answers(broker: Broker, tmp_path: Path) -> None:
    first = blocks(PATH, "toml")[0].text
    (publish,) = [line for block in blocks(PATH, "sh") for line in block.text.splitlines() if "/hello" in line]
    topic, message = re.findall(r"-t (\S+) -m '(.+)'", publish)[0]
    file = tmp_path / "config.toml"
    file.write_text(first, encoding="utf-8")
    config = examine(file, environ={}, trials=True).config
    config = replace(config, mqtt=MqttSettings(url=broker.url), http=HttpSettings(listen=""))
    async with observing(broker.port) as observer, running(config, tmp_path) as daemon:
        await daemon.connected()
        await observer.publish(topic, message.encode())
        told = await observer.message("jitney/alice/event/route/greeting")
        assert msgspec.json.decode(payload(told))["data"] == {"text": "Good morning, Bob"}


@pytest.mark.parametrize("rides", [4, 8, 9])
async def test_the_python_route_of_the_guide_counts_and_tells_every_tenth_ride(rides: int, tmp_path: Path) -> None:
    (block,) = blocks(PATH, "python")
    house = next(one.text for one in blocks(PATH, "toml") if "[adapters.home]" in one.text)
    (tmp_path / "alice.py").write_text(block.text, encoding="utf-8")
    (tmp_path / "config.toml").write_text(f'{house}\n[routing]\npython = ["alice.py"]\n', encoding="utf-8")
    loaded = examine(tmp_path / "config.toml", environ=ENVIRONMENT, vault=lambda _, name: VAULT.get(name), trials=True)
    assert [route.name for route in loaded.config.routes] == ["count_rides"]
    asked: list[tuple[str, Any]] = []

    async def perform(what: str, fields: Any) -> None:  # noqa: ANN401
        asked.append((what, fields["message"]))

    names: dict[str, Any] = {}
    exec(compile(block.text, GUIDE, "exec"), names)  # noqa: S102 - it is the repository's own text
    bus = Bus(perform, Log(lambda *_: None), {"rides": rides})
    await names["count_rides"](Event(type="strava.activity.created", owner_name="Alice"), bus)
    assert bus.get("rides") == rides + 1
    assert asked == ([("notify", "Alice rode for the 10th time")] if rides == 9 else [])
