"""Whatever the file says, it is compiled or told; whatever happens, a route matches or says why not."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from jitney.daemon.routes import actions
from jitney.daemon.routes.compiled import Index, Route, compile_routes
from jitney.daemon.routes.document import Document
from jitney.daemon.routes.faults import TemplateError, written
from jitney.daemon.routes.operators import OPERATORS
from jitney.daemon.routes.settings import RouteSettings, ScheduleSettings, TestSettings
from jitney.daemon.routes.trials import try_route
from jitney.topics import Event
from tests.daemon.routes.making import ADAPTERS, KINDS, OWNERS, RIDE, compiled
from tests.daemon.routes.making import settings as route_settings

TEXTS = st.text(max_size=6) | st.sampled_from(
    [
        "{{ data.x }}",
        "{{ data.x | float }}",
        "{{ 1 / 0 }}",
        "{{ owner.name }} {{ subject }}",
        "{{",
        "{% for a in b %}",
        "a.b",
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXTS
    | st.dates()
    | st.times()
    | st.datetimes()
    | st.binary(max_size=2)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)
PATHS = st.sampled_from(
    [
        "data.x",
        "data.x.y",
        "data.x[0]",
        "subject",
        "actor",
        "owner.name",
        "time",
        "hops",
        "variables.v",
        "data",
        "x",
        "data.",
    ]
)
OPERANDS = st.sampled_from([0, 1, 1.5, "a", "ab", True, [1, "a"], {"y": 1}, "a.*b"])
CHECKS = st.dictionaries(st.sampled_from([*OPERATORS, "exists"]), OPERANDS | st.booleans(), max_size=3)
WHEN = st.recursive(
    st.dictionaries(PATHS, OPERANDS | CHECKS, max_size=3),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "all": st.lists(inner, max_size=3),
            "any": st.lists(inner, max_size=3),
            "not": inner,
            "data.x": CHECKS,
        },
    ),
    max_leaves=6,
)
IFS = st.sampled_from(
    [
        "",
        "data.x > 1",
        "data.x.y == 'a'",
        "'a' in data.x",
        "data.x | float(0) > 1",
        "actor",
        "get('v')",
        "now().hour < 12",
        "x",
    ]
)
FORMS = st.dictionaries(
    st.sampled_from(["command", "publish", "state", "reply", "notify", "webhook", "forward", "drop", "set"])
    | st.sampled_from(["data", "subject", "message", "headers", "method", "delay", "value", "gone", "expiry"]),
    VALUES
    | st.sampled_from(["base.send", "home", "bob", True, "https://example.org/{{ data.x }}", {"a": "{{ data.x }}"}]),
    min_size=1,
    max_size=4,
)
WORDS = TEXTS | st.lists(TEXTS, max_size=3).map(tuple)
KEYS: dict[str, st.SearchStrategy[Any]] = {
    "name": TEXTS,
    "owner": st.sampled_from(["alice", "*", ("alice", "bob")]) | WORDS,
    "on": st.sampled_from([RIDE, "*", "strava.*"]) | WORDS,
    "when": WHEN | st.dictionaries(TEXTS, VALUES, max_size=3),
    "if_": IFS | TEXTS,
    "do": st.lists(FORMS, max_size=3).map(tuple),
    "once_per": st.sampled_from(["", "day", "hour {{ data.x }}"]) | TEXTS,
    "quiet_hours": st.sampled_from(["", "22:00-07:00"]) | TEXTS,
    "schedule": st.none() | st.builds(ScheduleSettings, at=WORDS, every=st.floats(), days=WORDS),
    "tests": st.lists(
        st.builds(
            TestSettings,
            event=st.dictionaries(st.sampled_from(["type", "owner", "data", "subject", "x"]), VALUES),
            expect=TEXTS | st.just("nothing") | st.lists(FORMS, max_size=2).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
}
ANY_SETTINGS = st.fixed_dictionaries({}, optional=KEYS).map(lambda keys: route_settings(**keys))
EVENTS = st.builds(
    Event,
    id=st.text(max_size=3),
    source=st.sampled_from(["/strava", "", "/x/y"]),
    type=st.sampled_from([RIDE, "route.scheduled"]) | st.text(max_size=3),
    subject=st.just(UNSET) | st.text(max_size=3),
    time=st.text(max_size=3),
    owner=st.sampled_from([*OWNERS, "_house", "_unclaimed"]) | st.text(max_size=3),
    hops=st.integers(),
    actor=st.just(UNSET) | st.text(max_size=3),
    data=st.binary(max_size=6).map(Raw)
    | st.sampled_from(
        [b'{"x": 2}', b'{"x": "ab"}', b'{"x": [1, {"y": "a"}]}', b'{"x": {"y": 1}}', b'{"x": null}', b"[1]"]
    ).map(Raw),
)


def holds_together(route: Route, event: Event, variables: dict[str, Any]) -> None:
    one = Document(event, variables, "Alice")
    reasons = route.explain(one)
    assert route.matches(one) is all(reason.held for reason in reasons)
    assert all(reason.what and str(reason) for reason in reasons)
    try:
        for action in route.actions(one):
            assert actions.decode(actions.encode(action)) == action
        route.key(one)
    except TemplateError as error:
        assert error.place  # noqa: PT017 - what could not be filled in has a place


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    given_settings=st.lists(ANY_SETTINGS, max_size=3), event=EVENTS, variables=st.dictionaries(st.just("v"), SCALARS)
)
def test_any_settings_are_compiled_or_told(
    given_settings: list[RouteSettings], event: Event, variables: dict[str, Any]
) -> None:
    routes, faults = compile_routes(given_settings, owners=OWNERS, adapters=ADAPTERS, kinds=KINDS.get)
    assert len(routes) + len({fault.route for fault in faults}) == len(given_settings)
    assert all(fault.path and fault.text and written(fault.path) for fault in faults)
    for route in routes:
        holds_together(route, event, variables)
        try_route(route, names={})
    assert set(Index(routes).candidates(event.owner, event.type)) <= set(routes)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(when=WHEN, condition=IFS, event=EVENTS, variables=st.dictionaries(st.just("v"), SCALARS))
def test_matching_and_explaining_always_agree(
    when: dict[str, Any], condition: str, event: Event, variables: dict[str, Any]
) -> None:
    do = ({"reply": "{{ data.x }}"}, {"publish": "a", "data": {"x": "{{ data.x }}"}})
    routes, _ = compiled(route_settings(owner="*", on="*", when=when, if_=condition, do=do))
    for route in routes:
        holds_together(route, event, variables)
