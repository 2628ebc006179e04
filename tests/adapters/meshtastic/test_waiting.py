"""Who goes first, and how many may wait."""

from collections import Counter
from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic.airtime import Airtime
from jitney.adapters.meshtastic.limits import Limits
from jitney.adapters.meshtastic.outgoing import Outgoing, Priority
from jitney.adapters.meshtastic.pacing import Pacing, Slots
from jitney.adapters.meshtastic.ports import Port
from jitney.adapters.meshtastic.waiting import LOOK_AGAIN, RISES, Waiting
from tests.adapters.meshtastic.sending import LIMITS, item, measured

UNPACED = int(Port.PRIVATE_APP)


def queue(
    *items: Outgoing, limits: Limits = LIMITS, airtime: Airtime | None = None, slots: Slots | None = None
) -> Waiting:
    waiting = Waiting(limits, pacing=Pacing(limits), airtime=airtime or Airtime(limits), slots=slots or Slots())
    for one in items:
        waiting.add([one], unix=one.accepted, now=0.0)
    return waiting


def order(waiting: Waiting, now: float = 0.0) -> list[Outgoing]:
    taken = []
    while (ready := waiting.next(now)) is not None:
        assert waiting.taken(ready)
        taken.append(ready)
    return taken


def one(priority: Priority, owner: str = "alice", text: str = "", **fields: object) -> Outgoing:
    return item(text or priority.name, owner=owner, port=UNPACED, priority=priority, **fields)


def test_the_most_urgent_goes_first_whoever_asked_when() -> None:
    waiting = queue(*(one(priority, owner) for priority in reversed(Priority) for owner in ("alice", "bob")))
    assert [taken.priority for taken in order(waiting)] == [priority for priority in Priority for _ in range(2)]


def test_owners_take_turns() -> None:
    waiting = queue(
        *(one(Priority.DIRECT_TEXT, "alice", f"a{number}") for number in range(4)),
        *(one(Priority.DIRECT_TEXT, "bob", f"b{number}") for number in range(2)),
    )
    assert [taken.text for taken in order(waiting)] == ["a0", "b0", "a1", "b1", "a2", "a3"]


def test_who_comes_late_does_not_catch_up_on_turns_of_before() -> None:
    waiting = queue(*(one(Priority.DIRECT_TEXT, "alice") for _ in range(5)))
    order(waiting)
    waiting.add([one(Priority.DIRECT_TEXT, owner, owner) for owner in ("alice", "alice", "bob", "bob")], unix=0, now=0)
    assert [taken.text for taken in order(waiting)] == ["bob", "alice", "bob", "alice"]


def test_what_has_waited_long_is_as_urgent_as_a_direct_text_but_never_as_an_alert() -> None:
    waiting = queue(one(Priority.SWEEP, "bob"))
    now = RISES * 10
    fresh = [one(Priority.DIRECT_TEXT), one(Priority.ALERT)]
    waiting.add(fresh, unix=fresh[0].accepted, now=now)
    assert [taken.priority for taken in order(waiting, now)] == [Priority.ALERT, Priority.SWEEP, Priority.DIRECT_TEXT]


def test_a_paced_port_holds_up_no_other() -> None:
    waiting = queue(item("1"), item("2"), item(port=Port.POSITION_APP, priority=Priority.REQUEST, text="3"))
    first = waiting.next(0.0)
    assert first is not None
    waiting.taken(first)
    waiting._pacing.sent(Port.TEXT_MESSAGE_APP, 0.0)
    second = waiting.next(0.0)
    assert second is not None
    assert (first.text, second.text) == ("1", "3")
    waiting.taken(second)
    assert waiting.next(0.0) is None
    assert waiting.pause(0.0) == LIMITS.text_every


def test_one_owner_cannot_fill_the_queue_for_the_others() -> None:
    limits = Limits(queue=20, queue_per_owner=12)
    waiting = queue(*(one(Priority.DIRECT_TEXT) for _ in range(12)), limits=limits)
    with pytest.raises(RefusedError, match="12 packets of alice wait already") as caught:
        waiting.promise("alice", 1)
    assert caught.value.code == "queue_full"
    waiting.promise("bob", 8)
    with pytest.raises(RefusedError, match="20 packets wait already"):
        waiting.promise("carol", 1)
    waiting.release("bob", 8)
    waiting.promise("carol", 8)


def test_what_is_promised_counts_for_its_owner() -> None:
    waiting = queue(limits=Limits(queue_per_owner=8))
    waiting.promise("alice", 5)
    with pytest.raises(RefusedError):
        waiting.promise("alice", 4)
    waiting.promise("alice", 3)


def test_what_waits_too_long_expires() -> None:
    short, long = one(Priority.SWEEP, ttl=5.0), one(Priority.SWEEP, ttl=50.0)
    waiting = queue(short, long)
    assert waiting.expired(4.9) == []
    assert waiting.expired(5.0) == [short]
    assert len(waiting) == 1


def test_time_that_passed_before_a_restart_counts_for_the_time_to_live() -> None:
    waiting = queue()
    kept = one(Priority.DIRECT_TEXT, ttl=100.0)
    waiting.add([kept], unix=kept.accepted + 70, now=5.0)
    assert waiting.expired(34.0) == []
    assert waiting.expired(35.0) == [kept]


def test_a_clock_that_was_turned_back_prolongs_nothing_beyond_its_time_to_live() -> None:
    waiting = queue()
    kept = one(Priority.DIRECT_TEXT, ttl=100.0)
    waiting.add([kept], unix=0.0, now=5.0)
    assert waiting.expired(104.0) == []
    assert waiting.expired(105.0) == [kept]


def test_while_the_air_is_busy_only_some_go_and_it_is_looked_again() -> None:
    airtime = Airtime(LIMITS)
    airtime.heard(measured(channelUtilization=30).packet, 0.0)
    waiting = queue(one(Priority.CHANNEL_TEXT), one(Priority.DIRECT_TEXT), airtime=airtime)
    assert [taken.priority for taken in order(waiting)] == [Priority.DIRECT_TEXT]
    assert waiting.pause(0.0) == LOOK_AGAIN
    assert "30 %" in waiting.held(one(Priority.CHANNEL_TEXT), 0.0)


def test_a_full_radio_is_given_nothing() -> None:
    slots = Slots()
    slots.heard(0, 0.0)
    waiting = queue(one(Priority.ALERT), slots=slots)
    assert waiting.next(0.0) is None
    assert "the radio has not sent" in waiting.held(one(Priority.ALERT), 0.0)


def test_nothing_to_do_means_no_pause_that_ends() -> None:
    assert queue().pause(0.0) == float("inf")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(list(Priority))), max_size=60))
def test_order_is_kept_within_an_owner_and_urgency_and_no_owner_waits_for_two_of_another(
    asked: list[tuple[str, Priority]],
) -> None:
    items = [one(priority, owner, str(number)) for number, (owner, priority) in enumerate(asked)]
    taken = order(queue(*items, limits=Limits(queue_per_owner=100)))
    assert sorted(taken, key=id) == sorted(items, key=id)
    for _, group in groupby(taken, key=lambda item: item.priority):
        same = list(group)
        for owner in "abc":
            own = [int(item.text) for item in same if item.owner == owner]
            assert own == sorted(own)
        left = Counter(item.owner for item in same)
        for before, after in pairwise(same):
            left[before.owner] -= 1
            others = [owner for owner, number in left.items() if number and owner != before.owner]
            assert after.owner != before.owner or not others
