from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from jitney.adapters.demo.household import DOORS, LIGHTS, RIDE, TEMPERATURES, Happening, Household
from jitney.adapters.demo.kinds import KINDS, BatteryChanged, RideFinished, RideStarted, StateChanged
from jitney.topics import Kinds, event

SEEDS = st.integers(min_value=0, max_value=10_000)


def happenings(seed: int, *, number: int = 200, owner: str = "alice") -> list[Happening]:
    household = Household(owner, seed)
    return [household.step() for _ in range(number)]


@given(SEEDS)
def test_the_same_seed_lets_the_same_things_happen(seed: int) -> None:
    assert happenings(seed) == happenings(seed)


def test_another_seed_or_another_owner_lets_other_things_happen() -> None:
    assert happenings(1) != happenings(2)
    assert happenings(1) != happenings(1, owner="bob")


@given(SEEDS)
def test_within_ten_happenings_house_ride_and_radio_have_all_had_their_turn(seed: int) -> None:
    subjects = {happening.subject.partition(".")[0] for happening in happenings(seed, number=10)}
    assert subjects == {"light", "temperature", "door", "ride", "radio"}


@given(SEEDS)
def test_what_happens_is_plausible(seed: int) -> None:
    rides: list[object] = []
    for happening in happenings(seed, number=500):
        match happening.data:
            case StateChanged(value, previous, unit):
                assert value != previous
                assert (unit == "°C") == (happening.subject in TEMPERATURES)
                assert unit == "" or 5 < value < 36
            case BatteryChanged(level, voltage):
                assert 0 < level <= 100
                assert 3.3 <= voltage <= 4.2
            case RideFinished() as ride:
                assert ride.distance == pytest.approx(ride.average_speed * ride.moving_time, rel=0.01)
                rides.append(ride)
            case RideStarted() as ride:
                rides.append(ride)
    assert rides
    assert all(type(one) is not type(next_one) for one, next_one in pairwise(rides))


@given(SEEDS)
def test_the_state_that_came_with_a_happening_is_the_state_of_its_subject(seed: int) -> None:
    household = Household("alice", seed)
    before = household.states()
    for _ in range(100):
        happening = household.step()
        after = household.states()
        if happening.state is not None:
            assert after[happening.subject] == happening.state
        assert {name for name in after if after[name] != before[name]} <= {happening.subject}
        before = after


@given(SEEDS)
def test_everything_that_happens_is_of_a_kind_that_is_declared(seed: int) -> None:
    kinds = Kinds(KINDS)
    for happening in happenings(seed, number=50):
        made = event(happening.data, adapter="demo", owner="alice", subject=happening.subject)
        assert kinds.data(made) == happening.data


def test_every_subject_has_a_state_from_the_beginning() -> None:
    states = Household("alice", 1).states()
    assert {*LIGHTS, *DOORS, *TEMPERATURES, RIDE} < states.keys()
    assert json.decode(json.encode(states)) == states


def test_only_a_light_can_be_switched() -> None:
    household = Household("alice", 1)
    assert household.switch("light.desk", on=True).data == StateChanged(value=True, previous=False)
    assert household.states()["light.desk"] == {"value": True}
    with pytest.raises(KeyError):
        household.switch("door.front", on=True)
