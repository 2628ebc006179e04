from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.routes import index as module
from jitney.daemon.routes.compiled import Index, Route
from tests.daemon.routes.making import OWNERS, compiled, document, settings

TYPES = ["strava.activity.created", "meshtastic.message", "inbox.door", "homeassistant.state_changed"]
GLOBS = [*TYPES, "*", "strava.*", "*.message", "inbox.[a-d]*", "?????.*"]
EVERYBODY = [*OWNERS, "_house", "_unclaimed", "stranger"]


def routes_of(*asked: tuple[str | tuple[str, ...], tuple[str, ...]]) -> list[Route]:
    routes, faults = compiled(
        *(settings(name=str(number), owner=owner, on=on) for number, (owner, on) in enumerate(asked))
    )
    assert faults == []
    return routes


def test_the_candidates_are_those_who_want_the_type_in_the_order_of_the_file() -> None:
    routes = routes_of(
        ("bob", ("strava.*",)),
        ("*", ("*",)),
        ("alice", ("strava.*",)),
        ("alice", ("inbox.door",)),
        ("alice", ("*.created",)),
    )
    index = Index(routes)
    assert [one.name for one in index.candidates("alice", TYPES[0])] == ["1", "2", "4"]
    assert [one.name for one in index.candidates("_house", TYPES[0])] == ["1"]
    assert index.candidates("_unclaimed", TYPES[0]) == ()


def test_an_event_that_nobody_wants_costs_one_look() -> None:
    (route,) = routes_of(("alice", ("strava.*",)))
    index = Index([route])
    asked: list[str] = []
    route._wants_type = lambda type_: bool(asked.append(type_))
    for _ in range(5):
        assert index.candidates("alice", "demo.tick") == ()
    assert index.candidates("bob", "demo.tick") == ()
    assert asked == ["demo.tick"]


def test_what_somebody_makes_up_pushes_out_nothing_of_another() -> None:
    index = Index(routes_of(("*", ("inbox.*",))))
    index.candidates("bob", "inbox.x")
    known = index._cache["bob"]["inbox.x"]
    for number in range(2 * module.MOST_CACHED):
        index.candidates("alice", f"inbox.{number}")
    assert index._cache["bob"]["inbox.x"] is known


def test_what_people_make_up_does_not_fill_the_memory() -> None:
    index = Index(routes_of(("*", ("inbox.*",))))
    long = "inbox." + "x" * module.LONGEST_CACHED
    assert len(index.candidates("alice", long)) == 1
    assert index._cache == {}
    for number in range(module.MOST_CACHED + 5):
        index.candidates("alice", f"inbox.{number}")
    for number in range(module.MOST_CACHED + 5):
        index.candidates(f"stranger{number}", "inbox.x")
    assert len(index._cache) <= module.MOST_CACHED
    assert max(map(len, index._cache.values())) <= module.MOST_CACHED
    assert len(index._of_owner) <= module.MOST_CACHED


SUBJECTS = ["light.hall", "light.desk", "door"]
WHEN: list[dict[str, Any]] = [
    {},
    {"data.distance": 1},
    {"subject": "light.hall"},
    {"subject": {"equal": "door"}},
    {"subject": {"in": ["light.hall", "door", 5]}},
    {"subject": {"in": [7]}},
    {"subject": {"equal": 5}},
    {"subject": {"prefix": "light."}},
    {"subject": {"equal": "door", "prefix": "light."}},
    {"subject": {"not_equal": "door"}},
    {"subject": {"exists": True}},
    {"any": [{"subject": "door"}, {"data.distance": 1}]},
    {"not": {"subject": "door"}},
]


@given(st.lists(st.sampled_from(WHEN), max_size=8))
def test_nobody_who_matches_is_left_out_for_the_subject_and_who_names_another_is(whens: list[dict[str, Any]]) -> None:
    routes, faults = compiled(*(settings(name=str(number), when=when) for number, when in enumerate(whens)))
    assert faults == []
    index = Index(routes)
    for subject in [*SUBJECTS, "elsewhere", None]:
        one = document({"distance": 1}, subject=subject)
        interested = index.interested("alice", one.event.type, one.event.subject)
        assert [route for route in interested if route.holds(one)] == [route for route in routes if route.matches(one)]
        assert [route.name for route in interested] == [route.name for route in routes if route in interested]
        exact = [route for route in interested if isinstance(route.settings.when.get("subject"), str)]
        assert all(route.settings.when["subject"] == subject for route in exact)


@given(
    asked=st.lists(
        st.tuples(
            st.just("*") | st.lists(st.sampled_from([*OWNERS, "_house", "_unclaimed"]), min_size=1).map(tuple),
            st.lists(st.sampled_from(GLOBS), min_size=1, max_size=3).map(tuple),
        ),
        max_size=6,
    ),
    events=st.lists(st.tuples(st.sampled_from(EVERYBODY), st.sampled_from([*TYPES, "other.kind"])), max_size=20),
)
def test_the_index_finds_just_who_wants_an_event(
    asked: list[tuple[str | tuple[str, ...], tuple[str, ...]]], events: list[tuple[str, str]]
) -> None:
    routes = routes_of(*asked)
    index = Index(routes)
    for owner, type_ in events:
        assert index.candidates(owner, type_) == tuple(one for one in routes if one.wants(owner, type_))
