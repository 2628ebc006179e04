"""Every entrance holds against its corpus and some hundreds of other inputs: what `make fuzz` does with a million."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fuzz.corpus import corpus
from fuzz.lasting import close_all
from fuzz.mutate import LONGEST, Mutator
from fuzz.oracle import Guard
from fuzz.targets import SHARES, target

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""The codec of MQTT 5 tells Python of text that is not UTF-8 before it panics, which is what we go by."""

MUTATED = 200
STRUCTURED = 15


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """End what the targets have built, also what they look at only then."""
    yield
    close_all()


@pytest.mark.parametrize("name", SHARES)
def test_an_entrance_holds_against_what_is_thrown_at_it(name: str) -> None:
    guard, known = Guard(target(name)), corpus(name)
    source = random.Random(7)  # noqa: S311 - guards nothing
    mutator = Mutator(source, target(name).WORDS)
    for data in known:
        guard.one(data)
    for _ in range(MUTATED):
        guard.one(mutator.mutated(source.choice(known), source.choice(known)))


@pytest.mark.parametrize("name", SHARES)
def test_an_entrance_holds_against_what_is_nearly_right(name: str) -> None:
    guard = Guard(target(name))

    @settings(
        max_examples=STRUCTURED,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(target(name).inputs())
    def holds(data: bytes) -> None:
        guard.one(data)

    holds()


@pytest.mark.parametrize("name", SHARES)
def test_the_seeds_are_the_same_every_time_and_as_small_as_inputs_are(name: str) -> None:
    seeds = list(target(name).seeds())
    assert seeds == list(target(name).seeds())
    assert len(corpus(name)) >= 4
    assert max(map(len, seeds)) <= LONGEST


@given(data=st.binary(max_size=60), other=st.binary(max_size=60), seed=st.integers(0, 2**32))
def test_the_mutator_takes_any_input_and_makes_the_same_of_it_again(data: bytes, other: bytes, seed: int) -> None:
    once, again = (Mutator(random.Random(seed), (b"word",)).mutated(data, other) for _ in range(2))  # noqa: S311
    assert len(once) <= LONGEST
    assert again == once
