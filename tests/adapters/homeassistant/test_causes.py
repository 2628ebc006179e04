"""Who caused what, as far as contexts tell."""

from jitney.adapters.base import Owner
from jitney.adapters.homeassistant.causes import NOBODY, Causes
from jitney.adapters.homeassistant.config import Identity
from jitney.adapters.homeassistant.frames import Origin
from jitney.adapters.homeassistant.owners import Owners
from jitney.adapters.homeassistant.persons import Persons
from jitney.adapters.homeassistant.places import Places
from jitney.adapters.homeassistant.recent import Recent
from tests.adapters.homeassistant.following import command

ALICE = "a" * 32
JITNEY = "b" * 32


def household() -> tuple[Causes, Owners]:
    owners = Owners([Owner("alice", "Alice", Identity(users=(ALICE,)))], Places(), Persons())
    owners.refresh()
    causes = Causes()
    causes.own_user = JITNEY
    causes.sees_calls = True
    return causes, owners


def test_a_context_of_nobody_has_no_cause() -> None:
    causes, owners = household()
    assert causes.of(Origin("c"), owners) is NOBODY
    assert causes.of(Origin("c", parent_id="never seen"), owners) is NOBODY


def test_two_calls_of_the_same_service_are_claimed_in_their_order() -> None:
    causes, owners = household()
    first = causes.begin(command("call_service"), "call light.turn_on")
    second = causes.begin(command("other"), "call light.turn_on")
    causes.claim(Origin("1", user_id=ALICE), "call light.turn_on")
    causes.claim(Origin("2", user_id=JITNEY), "call light.turn_off")
    causes.claim(Origin("3", user_id=JITNEY), "call light.turn_on")
    causes.claim(Origin("4", user_id=JITNEY), "call light.turn_on")
    assert causes.of(Origin("3", user_id=JITNEY), owners).causation == "call_service-1"
    assert causes.of(Origin("4", user_id=JITNEY), owners).causation == "other-1"
    assert causes.of(Origin("1", user_id=ALICE), owners).own is False
    assert causes.of(Origin("2", user_id=JITNEY), owners).own is True
    causes.finish(second, "5")
    causes.finish(first)
    assert causes.of(Origin("5", user_id=JITNEY), owners).causation == "other-1"


def test_without_the_events_of_calls_two_open_ones_are_not_guessed_between() -> None:
    causes, owners = household()
    causes.sees_calls = False
    causes.begin(command("call_service"), "call light.turn_on")
    causes.begin(command("other"), "call light.turn_on")
    cause = causes.of(Origin("1", user_id=JITNEY), owners)
    assert (cause.actor, cause.own) == (JITNEY, True)
    assert isinstance(cause.causation, str) is False


def test_what_is_remembered_is_forgotten_in_time_and_when_it_is_too_much() -> None:
    now = 0.0
    recent: Recent[int] = Recent(most=2, seconds=10, clock=lambda: now)
    for number, key in enumerate("aba"):
        recent.put(key, number)
    recent.put("c", 3)
    assert [recent.get(key) for key in "abc"] == [2, None, 3]
    now = 10.0
    assert recent.get("a") is None
    assert len(recent) == 1
