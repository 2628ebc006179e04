"""What could never work is told before it is tried: each with its place, and what to write instead."""

from typing import Any

import pytest
from msgspec.structs import replace

from jitney.adapters.registry import adapter_type
from jitney.daemon.routes.allowed import AllowList, Pattern
from jitney.daemon.routes.compiled import compile_routes
from jitney.daemon.routes.doubts import doubts
from jitney.daemon.routes.faults import written
from jitney.daemon.routes.household import Skill
from jitney.daemon.routes.settings import CountSettings, GrantSettings, RouteSettings, ScheduleSettings
from tests.daemon.routes.making import ADAPTERS, KINDS, OWNERS, RIDE, settings

SKILLS = {
    "home": Skill("homeassistant", ("call_service", "get_states")),
    "base": Skill("meshtastic", ("send_text",)),
    "strava": Skill("strava", ("refresh",)),
    "roof": Skill("anything"),
}
WEBHOOKS = ("https://hooks.example.org/*", "http://nas.lan:8080/alarm", "http://[fd00::1]/x?a=*")
DAILY = ScheduleSettings(at="07:30")


def complaints(**keys: Any) -> list[str]:  # noqa: ANN401 - keys of a route
    _, faults = compile_routes(
        [settings(**keys)],
        owners=OWNERS,
        adapters=ADAPTERS,
        kinds=KINDS.get,
        skills=SKILLS,
        webhooks=AllowList(map(Pattern.parse, WEBHOOKS)),
    )
    return [f"{written(fault.path)}: {fault.text}" for fault in faults]


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"debounce": 5.0}, "with debounce the event is published before: leave one of the two out"),
        ({"for_": 5.0}, "with for the event is published before: leave one of the two out"),
        ({"on": (), "schedule": DAILY}, "a schedule has no event that could be dropped: leave it out"),
    ],
)
def test_an_event_that_is_over_is_not_dropped(keys: dict[str, Any], complaint: str) -> None:
    assert complaints(do=({"drop": True},), **keys) == [f"do[0].drop: {complaint}"]
    assert complaints(do=({"publish": "seen"},), **keys) == []


def test_an_event_that_is_counted_can_be_dropped() -> None:
    assert complaints(do=({"drop": True},), count=CountSettings(n=2, within=5), throttle=5.0, once_per="day") == []


def test_the_clock_is_not_answered() -> None:
    (told,) = complaints(on=(), schedule=DAILY, do=({"reply": "good morning"},))
    assert told.startswith("do[0].reply: what the clock brings about comes from nobody who can be answered")
    assert complaints(do=({"reply": "good morning"},), debounce=5.0) == []


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("home.mobile_app_phone", ""),
        ("base", ""),
        ("base.Bob", ""),
        ("home", "say through which notify service of home: home.mobile_app_phone"),
        ("strava", "strava is a strava: use its commands to tell somebody something"),
        ("strava.alice", "strava is a strava: use its commands to tell somebody something"),
        ("srtava", "there is no adapter 'srtava': did you mean \"strava\"?"),
    ],
)
def test_people_are_told_things_through_what_can_tell_them(target: str, complaint: str) -> None:
    told = complaints(do=({"notify": target, "message": "hello"},))
    assert told == ([f"do[0].notify: {complaint}"] if complaint else [])


@pytest.mark.parametrize(
    ("owner", "command", "complaint"),
    [
        ("alice", "base.send_text", ""),
        ("bob", "roof.whatever", ""),
        (
            "alice",
            "base.send_txt",
            "base is a meshtastic, which has no command 'send_txt': did you mean \"send_text\"?",
        ),
        (
            "alice",
            "home.fly",
            "home is a homeassistant, which has no command 'fly': there are call_service, get_states",
        ),
        ("bob", "base.fly", "base belongs to alice, and this route is for bob"),
    ],
)
def test_a_command_is_one_that_the_adapter_has_where_that_is_known(owner: str, command: str, complaint: str) -> None:
    told = complaints(owner=owner, do=({"command": command},))
    assert [one.startswith(f"do[0].command: {complaint}") for one in told] == ([True] if complaint else [])


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.org/x?a=1",
        "https://hooks.example.org",
        "https://hooks.example.org:443/{{ data.x }}",
        "HTTPS://HOOKS.example.org/x",
        "http://nas.lan:8080/alarm",
        "http://nas.lan:8080/{{ data.x }}",
        "http://[fd00::1]/x?a=b",
    ],
)
def test_a_webhook_goes_where_it_may(url: str) -> None:
    assert complaints(do=({"webhook": url},)) == []


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("https://example.org/x", "https://example.org is not allowed with this path"),
        ("http://hooks.example.org/x", "http://hooks.example.org is not allowed with this path"),
        ("http://nas.lan:8080/secret", "http://nas.lan:8080 is not allowed with this path"),
        ("http://nas.lan/alarm", "http://nas.lan is not allowed with this path"),
        ("http://nas.lan/{{ data.x }}", "http://nas.lan is not allowed"),
    ],
)
def test_a_webhook_that_may_go_nowhere_is_told_without_its_path(url: str, complaint: str) -> None:
    assert complaints(do=({"webhook": url},)) == [f"do[0].webhook: {complaint}: add it to webhooks in [routing]"]


def test_what_only_the_sender_can_tell_is_left_to_it() -> None:
    for url in ("https://elsewhere.example.org/%7Ex", "https://elsewhere.example.org/ä", "https://e.org/a/../b"):
        assert complaints(do=({"webhook": url},)) == []


SOURCES = {"home": {"homeassistant.state_changed": False}, "strava": {RIDE: True}, "base": {"meshtastic.alert": False}}


def doubted(*grants: GrantSettings, **keys: Any) -> list[str]:  # noqa: ANN401 - keys of a route
    found = doubts([settings(), settings(**keys)], sources=SOURCES, grants=grants)
    assert all(doubt.route == 1 for doubt in found)
    return [f"{written(doubt.path)}: {doubt.text}" for doubt in found]


@pytest.mark.parametrize(
    "on", ["*", "strava.*", "*.created", "meshtastic.a?ert", "inbox.*", "in*", "r*.x", "[hi]nbox.x", RIDE, "inbox.x"]
)
def test_a_pattern_that_may_match_is_not_doubted(on: str) -> None:
    assert doubted(on=on) == []


@pytest.mark.parametrize("on", ["stava.*", "meshtastic.message*", "homeassistant.state", "home.?*", "inboxes.*"])
def test_a_pattern_that_nothing_matches_is_doubted(on: str) -> None:
    text = f"no configured adapter has events that match {on!r}: the guide of each adapter lists their types"
    assert doubted(on=(RIDE, on)) == ([f"on[1]: {text}"] if "*" in on else [])
    assert doubted(on=on) == ([f"on: {text}"] if "*" in on else [])


def grant(**keys: Any) -> GrantSettings:  # noqa: ANN401 - keys of a grant
    return replace(GrantSettings(from_="alice", to="bob", kinds="*"), **keys)


FORWARD = ({"publish": "x"}, {"forward": ["bob"]})
UNSHOWN = ["do[1].forward: no grant lets bob see this: add one to [[grants]], with the types in kinds"]


@pytest.mark.parametrize(
    ("given", "keys"),
    [
        (grant(), {"on": "meshtastic.alert"}),
        (grant(adapters="b*"), {"on": ("*",)}),
        (grant(kinds=(RIDE,), private=True), {}),
        (grant(kinds=RIDE, private=True, only_forwarded=True), {"on": "strava.*"}),
        (grant(kinds="inbox.*"), {"on": "inbox.x"}),
        (grant(kinds="inbox.x"), {"on": "in*"}),
        (grant(), {"on": "inbox.x", "owner": "*"}),
        (grant(kinds="route.*"), {"on": (), "schedule": DAILY}),
    ],
)
def test_a_forward_that_a_grant_may_cover_is_not_doubted(given: GrantSettings, keys: dict[str, Any]) -> None:
    assert doubted(given, do=FORWARD, **keys) == []


@pytest.mark.parametrize(
    ("given", "keys"),
    [
        (grant(), {}),
        (grant(kinds=RIDE), {}),
        (grant(private=True), {}),
        (grant(kinds=RIDE + "s", private=True), {}),
        (grant(to="carol"), {"on": "meshtastic.alert"}),
        (grant(from_="carol"), {"on": "meshtastic.alert"}),
        (grant(adapters="home"), {"on": "meshtastic.alert"}),
        (grant(kinds="homeassistant.*"), {"on": "meshtastic.alert"}),
        (grant(kinds="inbox.y"), {"on": "inbox.x"}),
        (grant(from_="bob", to="bob"), {"on": "inbox.x", "owner": "*"}),
    ],
)
def test_a_forward_that_no_grant_can_cover_is_doubted(given: GrantSettings, keys: dict[str, Any]) -> None:
    assert doubted(given, do=FORWARD, **keys) == UNSHOWN
    assert doubted(do=({"publish": "x"}, {"forward": "bob"}), **keys) == UNSHOWN


def test_a_key_without_anything_to_remember_is_doubted() -> None:
    assert doubted(key="all", throttle=5.0) == []
    assert doubted(key="all", quiet_hours="22:00-07:00") == [
        "key: is for debounce, count, throttle and once_per: the route has none of them"
    ]


def test_whatever_stands_in_the_place_of_actions_is_told_elsewhere() -> None:
    odd = ({"forward": 7}, {"forward": [None, "bob"]}, {"forward": {}}, {})
    assert doubts([RouteSettings(name="odd", on="[", do=odd)], sources={}, grants=[grant(to=())]) != []


def test_whoever_can_tell_people_something_says_so() -> None:
    for name in ("demo", "homeassistant", "meshtastic", "strava"):
        skill = Skill(adapter_type(name).name)
        _, faults = compile_routes(
            [settings(do=({"notify": "it.somebody", "message": "hello"},))],
            owners=OWNERS,
            adapters={"it": "alice"},
            skills={"it": skill},
        )
        assert bool(faults) is (name in {"demo", "strava"})
