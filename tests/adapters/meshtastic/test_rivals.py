"""Short connections in a row speak for another client; anything else does not."""

from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.meshtastic.rivals import FIRST_PAUSE, LONGEST_PAUSE, SHORT, SUSPICIOUS, WINDOW, Rivals


class Wall:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def pauses(*lifetimes: float, between: float = 1.0) -> list[float]:
    clock = Wall()
    rivals = Rivals(clock)
    found = []
    for lifetime in lifetimes:
        clock.now += lifetime + between
        found.append(rivals.closed(after=lifetime))
    return found


def test_the_third_short_connection_in_a_row_is_suspicious_and_pauses_grow() -> None:
    assert pauses(1, 1, 1, 1, 1) == [0, 0, FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]


def test_a_pause_has_an_end() -> None:
    assert pauses(*[1] * 40)[-1] == LONGEST_PAUSE


def test_a_long_connection_clears_all_suspicion() -> None:
    assert pauses(1, 1, SHORT, 1, 1) == [0, 0, 0, 0, 0]


def test_what_is_long_ago_does_not_count() -> None:
    assert pauses(1, 1, 1, 1, between=WINDOW) == [0, 0, 0, 0]


def test_the_longest_pause_does_not_make_it_forget() -> None:
    assert pauses(*[1] * 10, between=LONGEST_PAUSE)[-1] > 0


@given(st.lists(st.floats(0, 100)))
def test_a_pause_follows_only_so_many_short_connections_in_a_row(lifetimes: list[float]) -> None:
    row = 0
    for lifetime, pause in zip(lifetimes, pauses(*lifetimes), strict=True):
        row = row + 1 if lifetime < SHORT else 0
        assert (pause > 0) == (row >= SUSPICIOUS)
