import pytest

from jitney.daemon.routes.compiled import Index, compile_routes
from jitney.daemon.routes.faults import TemplateError
from jitney.daemon.routes.settings import CountSettings, ScheduleSettings
from tests.daemon.routes.making import RIDE, compiled, complaints, document, event, route, settings


def why_not(one: object) -> list[str]:
    return [str(reason) for reason in one if not reason.held]  # type: ignore[attr-defined]


def test_a_long_ride_matches_and_a_short_one_says_why_not() -> None:
    long = route(when={"data.distance": {"gt": 20000}}, if_="data.distance < 100000")
    assert long.matches(document({"distance": 25000}))
    assert why_not(long.explain(document({"distance": 25000}))) == []
    assert not long.matches(document({"distance": 12000}))
    assert why_not(long.explain(document({"distance": 12000}))) == ["data.distance is 12000, not more than 20000"]
    assert why_not(long.explain(document({"distance": 200000}))) == ["`data.distance < 100000` is not true"]


def test_an_expression_that_cannot_be_told_does_not_hold_and_says_why() -> None:
    one = route(if_="data.distance / data.time > 3")
    assert not one.matches(document({"distance": 1}))
    assert why_not(one.explain(document({"distance": 1}))) == [
        "`data.distance / data.time > 3` cannot be told: time is missing: add | default(…), or test it first"
    ]
    assert why_not(one.explain(document({"distance": 1, "time": 0})))[0].endswith("division by zero")


def test_a_route_looks_only_at_its_owners_and_types() -> None:
    one = route(owner=("alice", "bob"), on=("strava.*", "*.message"))
    assert one.owners == {"alice", "bob"}
    assert one.patterns == ("strava.*", "*.message")
    assert one.matches(document(owner="bob", type="meshtastic.message"))
    assert not one.matches(document(owner="carol"))
    assert why_not(one.explain(document(owner="carol", type="demo.tick"))) == [
        "owner is carol, not alice or bob",
        "type is demo.tick, not strava.* or *.message",
    ]


def test_everybody_is_each_owner_and_the_house_but_not_who_is_nobody() -> None:
    one = route(owner="*", on="*")
    assert one.owners is None
    assert one.matches(document(owner="alice"))
    assert one.matches(document(owner="_house"))
    assert not one.matches(document(owner="_unclaimed"))
    assert why_not(one.explain(document(owner="_unclaimed"))) == ["owner is _unclaimed, not any owner"]
    assert route(owner="_unclaimed").matches(document(owner="_unclaimed"))


def test_a_disabled_route_matches_nothing() -> None:
    one = route(enabled=False)
    assert not one.matches(document())
    assert why_not(one.explain(document())) == ["the route is disabled"]
    assert Index([one]).candidates("alice", RIDE) == ()


def test_a_schedule_matches_its_own_event_alone() -> None:
    one = route(on=(), schedule=ScheduleSettings(at="07:30"), if_="get('away') != true")
    assert one.patterns == ()
    assert one.needs_memory
    assert one.matches(document(type="route.scheduled", subject="sample"))
    assert not one.matches(document(type="route.scheduled", subject="sample", owner="bob"))
    assert not one.matches(document(type=RIDE, subject="sample"))
    assert not one.matches(document(type="route.scheduled", subject="another"))
    assert why_not(one.explain(document(type="route.scheduled", subject=None))) == ['subject is "", not "sample"']
    assert Index([one]).candidates("alice", "route.scheduled") == ()


@pytest.mark.parametrize(
    ("keys", "needs"),
    [
        ({}, False),
        ({"when": {"data.x": 1}, "if_": "true"}, False),
        ({"debounce": 1.0}, True),
        ({"throttle": 1.0}, True),
        ({"for_": 1.0}, True),
        ({"count": CountSettings(n=2, within=5)}, True),
        ({"once_per": "day"}, True),
        ({"quiet_hours": "22:00-07:00"}, True),
    ],
)
def test_a_route_tells_whether_it_needs_memory(keys: dict[str, object], needs: bool) -> None:  # noqa: FBT001
    assert route(**keys).needs_memory is needs


def test_what_a_route_remembers_is_kept_apart_by_the_subject_or_its_own_key() -> None:
    assert route().key(document(subject="node/1")) == "node/1"
    assert route().key(document(subject=None)) == ""
    assert route(once_per="day").key(document(subject="node/1")) == "node/1"
    once = route(once_per="day {{ data.node }} {{ kind }}")
    assert once.key(document({"node": 7})) == "7 activity.created"
    with pytest.raises(TemplateError, match="once_per: node is missing"):
        once.key(document())
    keyed = route(throttle=1.0, once_per="day", key="{{ data.node }}")
    assert keyed.key(document({"node": 7})) == "7"
    with pytest.raises(TemplateError, match="key: node is missing"):
        keyed.key(document())
    assert route(throttle=1.0, key="all").key(document(subject="node/1")) == "all"


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"once_per": "day all", "key": "all"}, "key: once_per names a key already: leave one of the two out"),
        ({"key": "{{ nodes }}"}, "key: line 1 of the template: there is no nodes here"),
        ({"name": " "}, "name: expected 1 to 100 printable characters"),
        ({"name": "a\nb"}, "name: expected 1 to 100 printable characters"),
        ({"owner": "alise"}, "owner: there is no owner 'alise': did you mean \"alice\"?"),
        ({"owner": ("alice", "bbo")}, "owner[1]: there is no owner 'bbo': did you mean \"bob\"?"),
        ({"owner": ("alice", "*")}, 'owner: "*" is everybody: leave the others out'),
        ({"owner": ()}, "owner: expected the id of an owner"),
        ({"on": ()}, "on: missing: expected event types such as"),
        ({"on": "strava"}, 'on: a type has two words or more: did you mean "strava.*"?'),
        ({"on": (RIDE, "a.[b")}, 'on[1]: a "[" needs its "]"'),
        ({"on": "strava.activity.creatd"}, "on: no configured adapter has events of the type 'strava.activity.creatd'"),
        ({"schedule": ScheduleSettings(every=60)}, "on: a route answers events or follows a schedule"),
        ({"if_": "data.x >"}, "if: line 1 of the template:"),
        ({"if_": "states('a')"}, "if: line 1 of the template: the states of Home Assistant are not here"),
        ({"when": {"data.x": {"gte": 1}}}, 'when."data.x".gte: unknown operator'),
        (
            {"once_per": "dya"},
            'once_per: expected minute, hour, day, week, perhaps with a key as in "day {{ subject }}"',
        ),
        ({"once_per": "day {{ x }}"}, "once_per: line 1 of the template: there is no x here"),
        ({"quiet_hours": "22-7"}, 'quiet_hours: expected two times of day such as "22:00-07:00", got "22-7"'),
        ({"quiet_hours": "25:00-07:00"}, "quiet_hours: expected two times of day"),
        ({"quiet_hours": "22:00"}, "quiet_hours: expected two times of day"),
        ({"quiet_hours": "7:00-07:00"}, "quiet_hours: begins and ends at the same time"),
        ({"on": (), "schedule": ScheduleSettings()}, 'schedule: expected at = "07:30" or every = 3600'),
        (
            {"on": (), "schedule": ScheduleSettings(at="7")},
            'schedule.at: expected a time of day such as "07:30", got "7"',
        ),
        ({"on": (), "schedule": ScheduleSettings(at=("7:30", "24:00"))}, "schedule.at[1]: expected a time of day"),
        ({"on": (), "schedule": ScheduleSettings(at=("07:30",) * 101)}, "schedule.at: at most 100 times"),
        ({"on": (), "schedule": ScheduleSettings(every=0.5)}, "schedule.every: expected 1 to 604800 seconds, got 0.5"),
        ({"on": (), "schedule": ScheduleSettings(every=90_000, days="mon")}, "schedule.every: more than a day"),
        (
            {"on": (), "schedule": ScheduleSettings(at="07:30", days=("mon", "tus"))},
            "schedule.days[1]: expected mon, tue",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place_and_remedy(keys: dict[str, object], complaint: str) -> None:
    assert complaint in "\n".join(complaints(**keys))


@pytest.mark.parametrize("hours", ["22:00-07:00", "7:00-8:30", "00:00-24:00", " 22:00 - 6:00 "])
def test_quiet_hours_that_can_be_understood(hours: str) -> None:
    assert complaints(quiet_hours=hours) == []


def test_types_that_owners_make_up_are_not_looked_for() -> None:
    assert complaints(on=("inbox.door.open", "route.left_open", "unknown.*")) == []


def test_every_mistake_of_every_route_is_told_at_once_and_the_others_work() -> None:
    routes, faults = compiled(
        settings(name="first", on="strava", when={"foo": 1, "data.x": {"gte": 1}}, if_="(", do=({}, {"drop": False})),
        settings(name="second"),
        settings(name="second"),
        settings(name="third", owner="nobody"),
    )
    assert [one.name for one in routes] == ["second"]
    assert [(fault.route, fault.path) for fault in faults] == [
        (0, ("on",)),
        (0, ("when", "foo")),
        (0, ("when", "data.x", "gte")),
        (0, ("if",)),
        (0, ("do", 0)),
        (0, ("do", 1, "drop")),
        (2, ("name",)),
        (3, ("owner",)),
    ]


def test_without_known_types_none_is_refused() -> None:
    assert compile_routes([settings(on="my.own")], owners=["alice"], adapters={})[1] == []


def test_a_route_keeps_nothing_of_an_event() -> None:
    one = route(when={"data.x": {"gt": 1}}, if_="data.x < 9", do=({"reply": "{{ data.x }}"},))
    for number in (5, 1, 7, 5):
        assert one.matches(document({"x": number})) is (1 < number < 9)
        assert one.actions(document({"x": number})) == one.actions(document({"x": number}))
    assert event().data == event().data
