"""The lane of an owner: order within a route, turns between routes, and nobody waits for what he does not need."""

from math import inf

from hypothesis import given

from jitney.daemon.routes.actions import Action
from jitney.daemon.routing.lanes import Lane, Waiting
from tests.daemon.routing.doing import START, command, planned
from tests.daemon.routing.lane_game import STEPS, LaneGame, Step


def waiting(lane: Lane, action: Action, *, route: str = "r", now: float = START) -> Waiting:
    (one,) = planned(action, route=route, now=now)
    item = Waiting(one, len(lane) + 1, size=1)
    lane.add(item)
    return item


def test_actions_of_a_route_are_taken_one_after_the_other() -> None:
    lane = Lane()
    first, second = (waiting(lane, command(text)) for text in ("first", "second"))
    assert lane.take(START) is first
    assert lane.take(START) is None
    lane.done(first)
    assert lane.take(START) is second


def test_routes_take_turns() -> None:
    lane = Lane()
    of_a = [waiting(lane, command(str(n)), route="a") for n in range(3)]
    (of_b,) = [waiting(lane, command("b"), route="b")]
    first, second = lane.take(START), lane.take(START)
    assert (first, second) == (of_a[0], of_b)
    lane.done(of_a[0])
    assert lane.take(START) is of_a[1]


def test_what_is_due_later_holds_up_nothing_and_tells_when_to_look_again() -> None:
    lane = Lane()
    later = waiting(lane, command("later", delay=60))
    now = waiting(lane, command("now"))
    assert lane.take(START) is now
    lane.done(now)
    assert lane.take(START) is None
    assert lane.next == START + 60
    assert lane.take(START + 60) is later
    lane.done(later)
    assert lane.take(inf) is None
    assert len(lane) == 0


def test_while_a_place_cannot_be_reached_what_is_for_it_waits_and_the_rest_goes_on() -> None:
    lane = Lane()
    away = waiting(lane, command("on", adapter="home"))
    behind = waiting(lane, command("off", adapter="home"))
    elsewhere = waiting(lane, command("tell", adapter="base"))
    assert lane.take(START) is away
    lane.later(away, START + 5, blocking=True)
    assert lane.take(START) is elsewhere
    lane.done(elsewhere)
    assert lane.take(START) is None
    assert lane.next == START + 5
    assert lane.take(START + 5) is away
    lane.done(away)
    assert lane.take(START + 5) is behind


def test_when_a_place_can_be_reached_again_what_waits_for_it_is_tried_at_once_in_its_order() -> None:
    lane = Lane()
    away = waiting(lane, command("on", adapter="home"))
    behind = waiting(lane, command("off", adapter="home"))
    later = waiting(lane, command("much later", adapter="home", delay=600))
    other = waiting(lane, command("tell", adapter="base"), route="other")
    for item in (lane.take(START), lane.take(START)):
        assert item is not None
        lane.later(item, START + 60, blocking=True)
    assert lane.take(START) is None
    assert lane.reached("adapter home")
    assert lane.ready == 1
    assert lane.take(START) is away
    lane.done(away)
    assert lane.take(START) is behind
    lane.done(behind)
    assert lane.take(START) is None
    assert not lane.reached("adapter home")
    assert lane.take(START + 60) is other
    lane.done(other)
    assert lane.take(START + 600) is later


def test_what_failed_for_itself_waits_though_its_place_can_be_reached() -> None:
    lane = Lane()
    item = waiting(lane, command("on", adapter="home"))
    assert lane.take(START) is item
    lane.later(item, START + 60, blocking=False)
    assert not lane.reached("adapter home")
    assert lane.take(START) is None


def test_what_failed_for_itself_holds_up_nothing() -> None:
    lane = Lane()
    wrong = waiting(lane, command("wrong"))
    behind = waiting(lane, command("right"))
    assert lane.take(START) is wrong
    lane.later(wrong, START + 5, blocking=False)
    assert lane.take(START) is behind
    lane.done(behind)
    assert lane.take(START + 5) is wrong


def test_a_cleared_lane_forgets_also_what_was_taken() -> None:
    lane = Lane()
    taken = waiting(lane, command("taken"))
    waiting(lane, command("behind"))
    waiting(lane, command("later", delay=9), route="b")
    assert lane.take(START) is taken
    assert lane.clear() == 3
    fresh = waiting(lane, command("fresh"))
    assert lane.take(START) is None
    lane.done(taken)
    assert lane.take(START) is fresh
    lane.done(fresh)
    assert lane.take(inf) is None


@given(STEPS)
def test_whatever_happens_everything_is_taken_in_order_and_never_two_of_a_route_at_once(steps: list[Step]) -> None:
    game = LaneGame()
    for step in steps:
        game.play(step)
        assert len(game.lane) == len(game.added) - len(game.finished)
    game.finish()
    assert sorted(one.id for one in game.finished) == sorted(one.id for one in game.added)
