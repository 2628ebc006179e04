"""Who was met outside and is nobody's: remembered within bounds, whatever the outside sends."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.owners.unclaimed import LONGEST, MOST, Unclaimed


def clock() -> Iterator[str]:
    for second in range(100_000):
        yield f"2026-11-21T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.000Z"


def remembering() -> Unclaimed:
    seconds = clock()
    return Unclaimed(now=lambda: next(seconds))


def test_what_is_met_again_is_counted_and_those_met_last_come_first() -> None:
    known = remembering()
    known.note("meshtastic", "node", "!a1b2c3d4", adapter="base", hint="Carol")
    known.note("strava", "athlete", "42", adapter="strava")
    known.note("meshtastic", "node", "!a1b2c3d4", adapter="attic")
    carol, athlete = known.all()
    assert (carol.type, carol.kind, carol.id, carol.hint, carol.count) == (
        "meshtastic",
        "node",
        "!a1b2c3d4",
        "Carol",
        2,
    )
    assert (carol.adapter, carol.first, carol.last) == ("attic", "2026-11-21T00:00:00.000Z", "2026-11-21T00:00:02.000Z")
    assert (athlete.id, athlete.count, athlete.hint) == ("42", 1, "")


def test_a_flood_of_ids_displaces_neither_who_is_met_often_nor_another_type() -> None:
    known = remembering()
    for _ in range(2):
        known.note("meshtastic", "node", "!00000001", adapter="base")
    known.note("strava", "athlete", "42", adapter="strava")
    for number in range(5 * MOST):
        known.note("meshtastic", "node", f"!{number:08x}f", adapter="base")
    found = known.all()
    assert len(found) == MOST + 1
    assert {"!00000001", "42"} <= {one.id for one in found}


def test_what_is_claimed_by_now_is_left_out_and_what_an_adapter_met_goes_with_it() -> None:
    known = remembering()
    known.note("meshtastic", "node", "!00000001", adapter="base")
    known.note("meshtastic", "node", "!00000002", adapter="attic")
    assert [one.id for one in known.all(claimed={("meshtastic", "!00000001")})] == ["!00000002"]
    known.forget("attic")
    assert [one.id for one in known.all()] == ["!00000001"]


@given(st.lists(st.tuples(st.text(), st.text(), st.text()), max_size=50))
def test_any_texts_of_the_outside_are_kept_within_bounds(met: list[tuple[str, str, str]]) -> None:
    known = remembering()
    for kind, external_id, hint in met:
        known.note("type", kind, external_id, adapter="a", hint=hint)
    assert all(len(one.id) <= LONGEST and len(one.hint) <= LONGEST for one in known.all())
    assert sum(one.count for one in known.all()) == len(met)
