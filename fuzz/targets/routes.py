"""Routes: compiled or told what is wrong; one of alice never has anything to do with what is bob's alone."""

import tomllib
from collections.abc import Iterable
from pathlib import Path

import msgspec
from hypothesis import strategies as st

from fuzz.fields import apart, joined
from fuzz.oracle import check
from fuzz.publishing import json
from jitney.daemon.routes import actions
from jitney.daemon.routes.compiled import Index, Route, compile_routes
from jitney.daemon.routes.document import Document
from jitney.daemon.routes.faults import TemplateError, written
from jitney.daemon.routes.operators import OPERATORS
from jitney.daemon.routes.settings import RouteSettings
from jitney.daemon.routes.trials import try_route
from jitney.topics import Event
from tests.daemon.routes.making import ADAPTERS, KINDS, OWNERS, RIDE, event

WORDS = (
    b'"on":"*"',
    b'"owner":"*"',
    b'{"all":[',
    b'{"any":[',
    b'{"not":{',
    b'"command":"base.send_text"',
    b'"command":"roof.send_text"',
    b'"forward":"bob"',
    b'"webhook":"https://hooks.example.org/x"',
    b'"{{ data.x }}"',
    b'"regex":"(a+)+b"',
    b'"glob":"*a*a*a*b"',
    b'"once_per":"day"',
    b'"quiet_hours":"22:00-07:00"',
    b'"schedule":{"at":"07:30"}',
    b'"tests":[{"event":{},"expect":"nothing"}]',
    *(f'"{name}":'.encode() for name in sorted(OPERATORS)),
)
_REPOSITORY = Path(__file__).parents[2]


def one(data: bytes) -> None:
    """Feed a route as JSON, and the data of an event."""
    table, raw = apart(data, 2)
    try:
        settings = msgspec.json.decode(table, type=RouteSettings)
        happened = event(msgspec.json.decode(raw)) if raw else event({"x": 1})
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    routes, faults = compile_routes([settings], owners=OWNERS, adapters=ADAPTERS, kinds=KINDS.get)
    check(bool(routes) is not bool(faults), "a route is neither compiled nor told")
    for fault in faults:
        check(fault.text and written(fault.path) is not None, "a fault without a text")
    for route in routes:
        for owner in OWNERS:
            _try(route, msgspec.structs.replace(happened, owner=owner), settings)
        try_route(route, names={})


def _try(route: Route, happened: Event, settings: RouteSettings) -> None:
    candidates = list(Index([route]).candidates(happened.owner, happened.type))
    if candidates and isinstance(settings.owner, str) and settings.owner != "*":
        check(happened.owner == settings.owner, f"a route of {settings.owner} is asked about {happened.owner}'s")
    document = Document(happened, {"v": 1}, "Alice")
    reasons = route.explain(document)
    check(route.matches(document) is all(reason.held for reason in reasons), "matching and explaining disagree")
    try:
        for action in route.actions(document):
            check(actions.decode(actions.encode(action)) == action, "an action does not come back")
        route.key(document)
    except TemplateError as error:
        check(error.place, "what could not be filled in has no place")


def seeds() -> Iterable[bytes]:
    """Return the routes of the examples, and one of each condition."""
    data = b'{"x":2,"y":{"z":"ab"},"distance":25000.0}'
    for path in sorted((_REPOSITORY / "examples" / "routes").glob("*.toml")):
        for table in tomllib.loads(path.read_text(encoding="utf-8")).get("routes", []):
            yield joined(msgspec.json.encode(table), data)
    base = {"name": "r", "owner": "alice", "on": RIDE, "do": [{"publish": "seen", "data": {"x": "{{ data.x }}"}}]}
    for name in sorted(OPERATORS):
        yield joined(msgspec.json.encode({**base, "when": {"data.y.z": {name: "ab"}, "data.x": {name: 1}}}), data)
    for do in (
        {"command": "base.send_text", "data": {"text": "{{ owner.name }}"}},
        {"command": "roof.send_text", "data": {}},
        {"forward": "bob"},
        {"webhook": "https://hooks.example.org/{{ data.x }}"},
        {"set": "v", "value": "{{ data.x + 1 }}"},
        {"state": "s", "data": {"a": 1}, "expiry": 60},
        {"reply": "{{ data.y }}"},
        {"drop": True},
    ):
        yield joined(msgspec.json.encode({**base, "do": [do], "if": "data.x > 1", "once_per": "day"}), data)


def inputs() -> st.SearchStrategy[bytes]:
    """Return routes of known keys with any values."""
    values = json().map(lambda raw: msgspec.Raw(raw if raw[:1] == b"{" else b"1"))
    words = st.sampled_from(["*", "alice", "bob", RIDE, "base.send_text", "{{ data.x }}", "data.x > 1"])
    keys = st.sampled_from(["on", "when", "if", "owner", "once_per", "quiet_hours", "schedule", "tests", "ttl", "key"])
    doing = st.lists(st.dictionaries(st.sampled_from(["publish", "command", "forward", "data", "set"]), words | values))
    tables = st.builds(
        lambda more, do: msgspec.json.encode({"name": "r", "do": do, **more}),
        st.dictionaries(keys, words | values, max_size=5),
        doing,
    )
    return st.builds(joined, tables, json())
