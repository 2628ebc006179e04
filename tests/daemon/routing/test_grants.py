"""Grants: nobody sees anything of another that was not granted, and nothing longer than that."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.delivery.plans import Copy
from jitney.daemon.routes.settings import GrantSettings
from jitney.daemon.routing.grants import MOST_CACHED, Grants
from jitney.topics import Event, TopicTree
from tests.daemon.routing.doing import Clock, event

PUBLIC = ("home.state_changed", "demo.light.on")
PRIVATE = ("strava.activity.created", "meshtastic.message")
UNDECLARED = ("inbox.door.opened", "route.long.ride", "sample.thing")
DECLARED = {**dict.fromkeys(PUBLIC, False), **dict.fromkeys(PRIVATE, True)}
BERLIN = ZoneInfo("Europe/Berlin")


def grant(**fields: Any) -> GrantSettings:  # noqa: ANN401
    return GrantSettings(**{"from_": "alice", "to": "bob", "kinds": "*", **fields})


def grants(*settings: GrantSettings, clock: Clock | None = None) -> Grants:
    return Grants(settings, tree=TopicTree(), private=DECLARED.get, clock=clock or Clock(), zone=BERLIN)


def of(type_: str, *, owner: str = "alice", adapter: str = "home") -> Event:
    return event(type=type_, owner=owner, source=f"/{adapter}")


def shown(some: Grants, event: Event) -> list[str]:
    """Return to whom copies of an event go by themselves."""
    return [copy.to for copy in some.copies(event)]


def test_what_is_granted_goes_into_the_receivers_tree() -> None:
    assert grants(grant(to=("bob", "carol"))).copies(of("demo.light.on", adapter="a/b")) == [
        Copy("bob", "jitney/bob/shared/alice/event/a%2Fb/light.on"),
        Copy("carol", "jitney/carol/shared/alice/event/a%2Fb/light.on"),
    ]


def test_without_a_grant_nobody_sees_anything() -> None:
    assert not grants().copies(of(PUBLIC[0]))
    assert not grants(grant()).copies(of(PUBLIC[0], owner="bob"))
    assert not grants(grant()).permits(of(PUBLIC[0]), "carol")
    assert not grants(grant()).permits(of(PUBLIC[0], owner="bob"), "alice")


def test_the_types_that_somebody_makes_up_push_out_nothing_of_another() -> None:
    some = grants(grant(kinds=UNDECLARED[0]), grant(from_="bob", to="carol"))
    some.copies(of(PUBLIC[0], owner="bob"))
    known = some._cache["bob"][PUBLIC[0], "home"]
    for number in range(2 * MOST_CACHED):
        some.copies(of(f"inbox.{number}"))
    assert some._cache["bob"][PUBLIC[0], "home"] is known
    assert len(some._cache["alice"]) <= MOST_CACHED


def test_an_owner_is_granted_nothing_of_their_own() -> None:
    some = grants(grant(to=("alice", "bob")))
    assert shown(some, of(PUBLIC[0])) == ["bob"]
    assert not some.permits(of(PUBLIC[0]), "alice")


def test_what_is_only_forwarded_is_permitted_and_does_not_go_by_itself() -> None:
    some = grants(grant(only_forwarded=True))
    assert some.permits(of(PUBLIC[0]), "bob")
    assert not some.copies(of(PUBLIC[0]))


def test_of_two_grants_that_cover_an_event_one_lets_it_go_by_itself_as_long_as_it_lasts() -> None:
    clock = Clock(datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp())
    some = grants(grant(only_forwarded=True), grant(kinds="home.*", until=date(2026, 7, 1)), clock=clock)
    assert shown(some, of("home.state_changed")) == ["bob"]
    assert shown(some, of("demo.light.on")) == []
    clock.now += 86_400
    assert shown(some, of("home.state_changed")) == []
    assert some.permits(of("home.state_changed"), "bob")


def test_what_has_a_topic_that_mqtt_cannot_carry_goes_to_nobody() -> None:
    some = grants(grant())
    assert not some.copies(of("inbox." + "x" * 70_000))
    assert shown(some, of("inbox.x")) == ["bob"]


@pytest.mark.parametrize(
    ("kinds", "type_", "covered"),
    [
        ("*", "home.state_changed", True),
        ("home.*", "home.state_changed", True),
        ("home.*", "demo.light.on", False),
        (("demo.light.on", "x.*"), "demo.light.on", True),
        ("demo.light", "demo.light.on", False),
        ("DEMO.*", "demo.light.on", False),
        ((), "demo.light.on", False),
        ("*", "inbox.door.opened", True),
        ("*", "route.long.ride", True),
        ("*", "sample.thing", False),
        ("sample.*", "sample.thing", False),
    ],
)
def test_kinds_are_globs_over_types(kinds: str | tuple[str, ...], type_: str, *, covered: bool) -> None:
    assert grants(grant(kinds=kinds)).permits(of(type_), "bob") is covered


@pytest.mark.parametrize("type_", [*PRIVATE, "sample.thing"])
@pytest.mark.parametrize(
    ("kinds", "private", "covered"),
    [
        ("{}", True, True),
        (("x.*", "{}"), True, True),
        ("{}", False, False),
        ("*", True, False),
        ("{}*", True, False),
        ("[a-z]*.*", True, False),
    ],
)
def test_a_private_kind_is_granted_only_by_its_name_and_on_purpose(
    type_: str, kinds: str | tuple[str, ...], *, private: bool, covered: bool
) -> None:
    named = kinds.format(type_) if isinstance(kinds, str) else tuple(kind.format(type_) for kind in kinds)
    assert grants(grant(kinds=named, private=private)).permits(of(type_), "bob") is covered


def test_a_grant_can_be_for_some_adapters_alone() -> None:
    some = grants(grant(adapters=("home*", "base")))
    assert [some.permits(of(PUBLIC[0], adapter=name), "bob") for name in ("home2", "base", "base2")] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("until", "last", "over"),
    [
        (date(2026, 12, 31), "2026-12-31T23:59:59+01:00", "2027-01-01T00:00:00+01:00"),
        (date(2026, 10, 25), "2026-10-25T23:59:59+01:00", "2026-10-26T00:00:00+01:00"),
        (datetime(2026, 7, 1, 12), "2026-07-01T11:59:59+02:00", "2026-07-01T12:00:00+02:00"),  # noqa: DTZ001
        (datetime(2026, 7, 1, 12, tzinfo=UTC), "2026-07-01T11:59:59+00:00", "2026-07-01T12:00:00+00:00"),
    ],
)
def test_a_grant_ends_when_it_says(until: date, last: str, over: str) -> None:
    clock = Clock(datetime.fromisoformat(last).timestamp())
    some = grants(grant(until=until), clock=clock)
    assert some.permits(of(PUBLIC[0]), "bob")
    clock.now = datetime.fromisoformat(over).timestamp()
    assert not some.permits(of(PUBLIC[0]), "bob")


@pytest.mark.parametrize(
    ("until", "permitted"),
    [(date(1, 1, 1), False), (datetime(1, 1, 1), False), (date(9999, 12, 31), True), (datetime(9999, 12, 31), True)],  # noqa: DTZ001
)
def test_a_date_that_no_clock_will_show_is_over_or_for_good(until: date, *, permitted: bool) -> None:
    assert grants(grant(until=until)).permits(of(PUBLIC[0]), "bob") is permitted


def test_of_two_grants_the_longer_one_counts() -> None:
    some = grants(grant(until=date(2020, 1, 1)), grant(), grant(until=date(2021, 1, 1)))
    assert some.permits(of(PUBLIC[0]), "bob")


def test_a_grant_that_is_taken_back_is_over_at_once() -> None:
    some = grants(grant(), grant(to="carol"))
    assert shown(some, of(PUBLIC[0])) == ["bob", "carol"]
    some.change([grant(to="carol")])
    assert shown(some, of(PUBLIC[0])) == ["carol"]
    some.change([])
    assert shown(some, of(PUBLIC[0])) == []


PEOPLE = st.sampled_from(["alice", "bob", "carol", "_house"])
TYPES = st.sampled_from([*PUBLIC, *PRIVATE, *UNDECLARED])
GLOBS = st.one_of(TYPES, st.sampled_from(["*", "home.*", "strava.*", "*.created", "meshtastic.messag?", "[a-z]*"]))
SETTINGS = st.builds(
    GrantSettings,
    from_=PEOPLE,
    to=st.lists(PEOPLE, max_size=3).map(tuple),
    kinds=st.lists(GLOBS, max_size=3).map(tuple),
    adapters=st.lists(st.sampled_from(["*", "home", "b*"]), min_size=1, max_size=2).map(tuple),
    until=st.one_of(st.none(), st.sampled_from([date(2020, 1, 1), date(2099, 1, 1)])),
    private=st.booleans(),
    only_forwarded=st.booleans(),
)


def allows(one: GrantSettings, event: Event, to: str) -> bool:
    """Tell whether a grant allows something, said in another way than the code does."""
    named = event.type in one.kinds
    private = DECLARED.get(event.type, event.type.startswith("sample."))
    return (
        one.from_ == event.owner != to
        and to in one.to
        and (named or any(fnmatchcase(event.type, kind) for kind in one.kinds))
        and (not private or (named and one.private))
        and any(fnmatchcase(event.adapter, glob) for glob in one.adapters)
        and one.until != date(2020, 1, 1)
    )


@given(st.lists(SETTINGS, max_size=5), PEOPLE, TYPES, st.sampled_from(["home", "base", "other"]))
def test_no_event_goes_to_anybody_without_a_grant_and_with_one_it_does(
    settings: Sequence[GrantSettings], owner: str, type_: str, adapter: str
) -> None:
    some = grants(*settings)
    happened = of(type_, owner=owner, adapter=adapter)
    for _ in range(2):  # the second time from the cache
        found = {copy.to: copy.topic for copy in some.copies(happened)}
        for to in ("alice", "bob", "carol", "_house"):
            allowing = [one for one in settings if allows(one, happened, to)]
            assert some.permits(happened, to) is bool(allowing)
            assert (to in found) is any(not one.only_forwarded for one in allowing)
        assert all(topic.startswith(f"jitney/{to}/shared/{owner}/event/") for to, topic in found.items())
