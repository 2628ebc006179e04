"""What is retained: by slot, by sport, sums, gear, photos and how it is going; small, and with safe subjects."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from jitney.adapters.strava import normalise, states
from jitney.adapters.strava.config import Privacy
from jitney.adapters.strava.kinds import (
    ActivityData,
    AthleteData,
    AthleteState,
    GearState,
    PhotoData,
    QuotaState,
    SubscriptionState,
    Window,
)
from jitney.adapters.strava.limiter import Quota
from jitney.adapters.strava.models import Activity, GearSummary, Photo, Stats
from tests.adapters.strava.oddities import NUMBERS, TEXTS, any_of

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
MOST_BYTES = 128 * 1024


def done(number: int, start: str | None, sport_type: str = "Ride") -> ActivityData:
    model = Activity(id=number, sport_type=sport_type, start_date=start, start_date_local=start, distance=1000)
    return normalise.activity(model, privacy=Privacy())


ACTIVITIES = [
    done(1, "2026-11-16T08:00:00Z"),
    done(4, "2026-11-19T08:00:00Z", "TrailRun"),
    done(2, "2026-11-17T08:00:00Z", "TrailRun"),
    done(3, "2026-11-18T08:00:00Z"),
    done(9, None, "Run/+#"),
]


def numbers(pairs: Iterable[tuple[str, ActivityData]]) -> dict[str, int]:
    return {subject: activity.id for subject, activity in pairs}


def test_the_newest_activities_have_slots() -> None:
    assert numbers(states.recent(ACTIVITIES, most=3)) == {"recent_1": 4, "recent_2": 3, "recent_3": 2}


def test_there_are_no_more_slots_than_activities() -> None:
    assert len(list(states.recent(ACTIVITIES, most=10))) == 5
    assert list(states.recent([], most=10)) == []


def test_activities_that_began_together_keep_their_slots() -> None:
    together = [done(1, "2026-11-16T08:00:00Z"), done(2, "2026-11-16T08:00:00Z")]
    assert numbers(states.recent(together, most=2)) == numbers(states.recent(together[::-1], most=2))


def test_each_sport_type_has_its_newest_activity() -> None:
    assert numbers(states.latest(ACTIVITIES)) == {"latest_ride": 3, "latest_trail_run": 4, "latest_run": 9}


def test_more_sport_types_than_there_can_be_have_no_state() -> None:
    many = [done(number, f"2026-11-{1 + number % 28:02}T08:00:00Z", f"Sport{number}x") for number in range(200)]
    assert len(list(states.latest(many))) == states.MOST_SPORTS


def test_what_is_too_long_for_a_state_is_marked() -> None:
    activity = replace(ACTIVITIES[0], description="d" * 501, polyline="p" * 6_001, cut=("name",))
    brief = states.brief(activity)
    assert brief.description == "d" * 499 + "…"
    assert brief.polyline is None
    assert brief.cut == ("description", "name", "polyline")
    short = replace(ACTIVITIES[0], description="d" * 500, polyline="p" * 6_000)
    assert states.brief(short) == short


@given(st.lists(any_of(Activity), max_size=4), st.integers(1, 10))
def test_any_activities_have_states_of_safe_names_that_are_small(models: list[Activity], most: int) -> None:
    activities = [normalise.activity(model, privacy=Privacy()) for model in models]
    found = [
        *states.recent(activities, most=most),
        *states.latest(activities),
        states.week(activities, now=NOW),
    ]
    check(found, most=32 * 1024)
    assert len({subject for subject, _ in found}) == len(found)


@given(any_of(Stats), st.lists(any_of(GearSummary), max_size=3), st.lists(any_of(Photo), max_size=3))
def test_anything_else_has_states_of_safe_names_too(
    stats: Stats, items: list[GearSummary], photos: list[Photo]
) -> None:
    found = [
        states.stats(normalise.stats(stats)),
        *states.gear(normalise.gear(item) for item in items),
        states.photos(normalise.photos(photos, activity=1)),
    ]
    check(found, most=MOST_BYTES)


@given(TEXTS, NUMBERS, st.lists(TEXTS, max_size=3))
def test_how_it_is_going_can_be_published_whatever_it_is(word: str, number: float, words: list[str]) -> None:
    scopes = [scope.encode("utf-8", "replace").decode() for scope in words]
    found = [
        states.subscription("poll", state="failed", reason=word, last_event=number),
        states.athlete(AthleteData(id=7), scopes=scopes, since=number),
    ]
    check(found, most=4 * MOST_BYTES)


def check(pairs: list[tuple[str, Struct]], *, most: int) -> None:
    for subject, value in pairs:
        assert re.fullmatch(r"[a-z0-9_]+", subject)
        raw = msgspec.json.encode(value)
        assert len(raw) < most
        assert msgspec.json.decode(raw, type=type(value)) == value


def test_the_most_photos_there_can_be_fit_into_a_state() -> None:
    urls = {"1": "https://x.example/" + "~" * 982}
    models = [Photo(unique_id=f"{number}" + "\x00" * 200, urls=urls, caption="\x00" * 300) for number in range(100)]
    _, state = states.photos(normalise.photos(models, activity=10**18))
    assert len(state.photos) == 30
    assert len(msgspec.json.encode(state)) < MOST_BYTES


def test_photos_are_the_newest_and_each_is_there_once() -> None:
    def photo(unique_id: str, created: str | None) -> PhotoData:
        return PhotoData(unique_id=unique_id, activity=1, url="https://x.example/", created=created)

    old, new = photo("a", "2026-11-20T08:00:00.000Z"), photo("b", "2026-11-21T08:00:00.000Z")
    subject, state = states.photos([photo("c", None), old, new, old])
    assert subject == "photos"
    assert [one.unique_id for one in state.photos] == ["b", "a", "c"]


def test_photos_are_shown_one_after_the_other_for_ever() -> None:
    items = [PhotoData(unique_id=word, activity=1, url="https://x.example/") for word in "abc"]
    _, found = states.photos(items)
    shown = [photo.unique_id for turn in range(7) for _, photo in states.photo(found, turn=turn)]
    assert shown == ["c", "b", "a", "c", "b", "a", "c"]
    assert {subject for subject, _ in states.photo(found, turn=10**9)} == {"photo"}
    _, nothing = states.photos([])
    assert not list(states.photo(nothing, turn=1))


def test_the_week_is_the_one_that_it_is() -> None:
    subject, state = states.week(ACTIVITIES, now=NOW)
    assert (subject, state.first, state.total.count) == ("week", "2026-11-16", 4)
    assert state.sports["run"].distance == 2000.0
    _, next_week = states.week(ACTIVITIES, now=NOW + 7 * 86_400)
    assert next_week.total.count == 0


def test_gear_is_named_by_its_number() -> None:
    bike, shoes = GearState(id="b12", kind="bike"), GearState(id="g7", kind="shoe")
    assert dict(states.gear([bike, shoes])) == {"gear_b12": bike, "gear_g7": shoes}


def test_the_quota_tells_what_is_left_and_until_when() -> None:
    quota = Quota(
        short_limit=100,
        short_used=30,
        short_resets_at=NOW + 900,
        day_limit=1000,
        day_used=1200,
        day_resets_at=NOW + 43_200,
        blocked_until=NOW + 903,
    )
    assert states.quota(quota) == (
        "quota",
        QuotaState(
            quarter=Window(limit=100, used=30, left=70, resets="2026-11-21T12:15:00.000Z"),
            day=Window(limit=1000, used=1200, left=0, resets="2026-11-22T00:00:00.000Z"),
            blocked_until="2026-11-21T12:15:03.000Z",
        ),
    )
    _, free = states.quota(replace(quota, blocked_until=0.0))
    assert b"blocked_until" not in msgspec.json.encode(free)


def test_the_subscription_tells_how_news_come() -> None:
    assert states.subscription("poll", state="off") == ("subscription", SubscriptionState(mode="poll", state="off"))
    _, state = states.subscription("webhook", state="foreign", reason="another program has it", last_event=NOW)
    assert msgspec.to_builtins(state) == {
        "mode": "webhook",
        "state": "foreign",
        "reason": "another program has it",
        "last_event": "2026-11-21T12:00:00.000Z",
    }


def test_the_athlete_tells_what_was_granted() -> None:
    alice = AthleteData(id=7, name="Alice", ftp=210.0)
    assert states.athlete(alice, scopes=("read", "activity:read"), since=NOW) == (
        "athlete",
        AthleteState(
            id=7, name="Alice", ftp=210.0, scopes=("read", "activity:read"), connected="2026-11-21T12:00:00.000Z"
        ),
    )
