"""All timing of a route together, against simple ones that know the whole story beforehand."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from jitney.daemon.routes.timing import UNITS
from jitney.daemon.routing.memory import SETTLE
from jitney.daemon.routing.quiet import Quiet
from jitney.daemon.routing.timing import Timing
from tests.daemon.routing.remembering import House, event

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 10, 24, 12, tzinfo=BERLIN).timestamp()
"""Noon before the night in which the clocks are put back."""

LONG = 9 * 86_400


class Happened(Struct, frozen=True):
    """One event of a story: ``when`` in seconds since its start."""

    when: int
    name: str
    subject: str
    matches: bool


def hold(story: list[Happened], seconds: float) -> Iterable[Happened]:
    began: Happened | None = None
    told = False
    for happened in [*story, Happened(LONG, "", "", matches=False)]:
        if began and not told and happened.when >= began.when + seconds:
            told = True
            yield replace(began, when=began.when + seconds)
        if not happened.matches:
            began, told = None, False
        elif began is None:
            began = happened


def debounce(story: list[Happened], seconds: float) -> Iterable[Happened]:
    following = [later.when for later in story[1:]] + [LONG]
    for happened, disturbed in zip(story, following, strict=False):
        if disturbed >= happened.when + seconds:
            yield replace(happened, when=happened.when + seconds)


def count(story: list[Happened], n: int, within: float) -> Iterable[Happened]:
    counted: list[float] = []
    for happened in story:
        counted.append(happened.when)
        if sum(happened.when - when <= within for when in counted) >= n:
            counted = []
            yield happened


def limit(story: list[Happened], timing: Timing) -> Iterable[Happened]:
    fired: list[float] = []
    for happened in story:
        now = datetime.fromtimestamp(NOON + happened.when, BERLIN)
        if timing.quiet is not None and timing.quiet.covers(now):
            continue
        if any(happened.when - when < timing.throttle for when in fired):
            continue
        earlier = [datetime.fromtimestamp(NOON + when, BERLIN) for when in fired]
        if any(same_period(timing.once_per or "", now, then) for then in earlier):
            continue
        fired.append(happened.when)
        yield happened


def same_period(unit: str, now: datetime, then: datetime) -> bool:
    match unit:
        case "":
            return False
        case "day":
            return now.date() == then.date()
        case "week":
            return now.isocalendar()[:2] == then.isocalendar()[:2]
    shown = "%Y-%m-%d %H %z" if unit == "hour" else "%Y-%m-%d %H:%M %z"
    return now.strftime(shown) == then.strftime(shown)


def expected(story: list[Happened], timing: Timing) -> list[tuple[float, str]]:
    """What fires of the story of one subject."""
    matching = [happened for happened in story if happened.matches]
    story = list(hold(story, timing.hold)) if timing.hold else matching
    if timing.debounce:
        story = list(debounce(story, timing.debounce))
    if timing.n:
        story = list(count(story, timing.n, timing.within))
    return [(happened.when, happened.name) for happened in limit(story, timing)]


_gaps = st.sampled_from([0, 1, 2, 3, 5, 8, 13, 30, 60, 61, 600, 3600, 5 * 3600])

_seconds = st.sampled_from([0, 0, 1, 2, 5, 10, 60, 600, 3600])

_timing = st.builds(
    lambda counted, **others: Timing(n=counted[0], within=counted[1], **others),
    st.sampled_from([(0, 0), (2, 5), (2, 60), (3, 10), (3, 3600)]),
    hold=_seconds,
    debounce=_seconds,
    throttle=_seconds,
    once_per=st.sampled_from([None, None, *UNITS]),
    quiet=st.sampled_from([None, None, Quiet.parse("22:00-02:30"), Quiet.parse("13:00-14:00")]),
)

_happenings = st.tuples(_gaps, st.sampled_from(["door", "door", "window"]), st.sampled_from([True, True, True, False]))
_stories = st.lists(_happenings, max_size=40)


def come(house: House, number: int, step: tuple[int, str, bool]) -> Happened:
    """Let one event happen."""
    gap, subject, matches = step
    house.wait(gap)
    came = event(f"e{number}", subject=subject)
    if matches:
        house.come(came)
    else:
        house.end(came)
    return Happened(int(house.now - house.start), came.id, subject, matches)


def tell(house: House, steps: list[tuple[int, str, bool]]) -> list[Happened]:
    """Let a story happen; returns it."""
    return [come(house, number, step) for number, step in enumerate(steps)]


def in_order(fired: Iterable[tuple[float, str]]) -> list[tuple[float, str]]:
    return sorted(fired)


def check(house: House, story: list[Happened], timing: Timing) -> None:
    house.wait(LONG / 2)
    found = in_order((when, name) for when, _, name in house.fired)
    subjects = {happened.subject for happened in story}
    wanted = [expected([happened for happened in story if happened.subject == name], timing) for name in subjects]
    assert found == in_order(firing for firings in wanted for firing in firings)


@settings(max_examples=400, deadline=None)
@given(_timing, _stories)
def test_it_fires_as_who_knows_the_whole_story_would(timing: Timing, steps: list[tuple[int, str, bool]]) -> None:
    house = House(timing, now=NOON, settle=0)
    check(house, tell(house, steps), timing)


@settings(max_examples=150, deadline=None)
@given(_timing, _stories, st.data())
def test_restarts_change_nothing(timing: Timing, steps: list[tuple[int, str, bool]], data: st.DataObject) -> None:
    house = House(timing, now=NOON, settle=0)
    restarts = data.draw(st.sets(st.integers(0, 40)))
    story: list[Happened] = []
    for number, step in enumerate(steps):
        if number in restarts:
            house.restart()
        story.append(come(house, number, step))
    check(house, story, timing)


@settings(max_examples=150, deadline=None)
@given(_timing, _stories, st.data())
def test_what_is_taken_back_has_never_been(
    timing: Timing, steps: list[tuple[int, str, bool]], data: st.DataObject
) -> None:
    house = House(timing, now=NOON, settle=0)
    doomed = data.draw(st.sets(st.integers(0, 40)))
    story: list[Happened] = []
    for number, (gap, subject, matches) in enumerate(steps):
        house.wait(gap)
        if number in doomed:
            taken = [
                house.memory.admit("route", event(f"doomed {again}", subject=subject), now=house.now)
                for again in range(number % 3 + 1)
            ]
            for admission in reversed(taken):
                house.memory.undo(admission)
        story.append(come(house, number, (0, subject, matches)))
    check(house, story, timing)


_jumps = st.lists(st.tuples(st.sampled_from([-1e8, -86_400, -3600, -60, -1, 0, 1, 60, 86_400, 1e8]), _happenings))


@settings(max_examples=150, deadline=None)
@given(_timing, _jumps, _stories)
def test_whatever_the_clock_does_afterwards_all_is_as_if_new(
    timing: Timing, jumps: list[tuple[float, tuple[int, str, bool]]], steps: list[tuple[int, str, bool]]
) -> None:
    house = House(timing, now=NOON - 30 * 86_400)
    for jump, step in jumps:
        house.now += jump
        house.release()
        tell(house, [step])
    house.now = min(house.now, NOON - 2 * LONG)
    house.release()
    for subject in ("door", "window"):
        house.end(event(subject=subject))
    house.wait(NOON - house.now)
    assert house.memory.next() == float("inf")
    house.start, house.fired = NOON, []
    check(house, tell(house, steps), timing)


@settings(max_examples=150, deadline=None)
@given(_timing, st.integers(0, 3600), st.sampled_from([1.0, 60.0, 3600.0, 1e8]))
def test_nothing_waits_longer_because_the_clock_was_put_back(timing: Timing, gap: int, jump: float) -> None:
    house = House(Timing(hold=timing.hold, debounce=timing.debounce), now=NOON)
    house.come(event("e"))
    house.wait(min(gap, max(timing.hold, timing.debounce)))
    house.now -= jump
    house.release()
    house.wait(max(timing.hold, SETTLE) + timing.debounce)
    assert [name for _, _, name in house.fired] == ["e"]
