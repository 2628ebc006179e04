"""The limits of sending as they can be configured."""

import msgspec
import pytest

from jitney.adapters.meshtastic.limits import LONGEST_COOLING, Limits
from jitney.adapters.meshtastic.outcomes import REMEMBERED


def test_the_limits_of_the_issue_are_the_usual_ones() -> None:
    limits = Limits()
    assert (limits.text_every, limits.traceroute_every, limits.other_every) == (2.2, 31.0, 10.5)
    assert (limits.busy_above, limits.alerts_only_above) == (25.0, 40.0)
    assert (limits.answer_every, limits.answer_sender_every, limits.answer_busy_above) == (15.0, 60.0, 25.0)
    assert (limits.part_bytes, limits.parts, limits.answer_timeout) == (200, 8, 120.0)


def test_no_pause_between_answers_is_longer_than_answers_are_remembered() -> None:
    assert LONGEST_COOLING <= REMEMBERED


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"text_every": 2.0}, ">= 2.05"),
        ({"traceroute_every": 30}, ">= 30.1"),
        ({"other_every": 10}, ">= 10.1"),
        ({"sweep_every": 30}, ">= 31"),
        ({"part_bytes": 215}, "<= 214"),
        ({"busy_above": 50}, "alerts_only_above: must not be less than busy_above, which is 50"),
        ({"parts": 8, "queue_per_owner": 7}, "queue_per_owner: must have room for the 8 parts"),
        ({"answer_every": 4}, ">= 5"),
        ({"answer_sender_every": 601}, "<= 600"),
        ({"speed": 1}, "unknown field `speed`"),
    ],
)
def test_what_would_break_the_firmwares_limits_or_sense_is_refused(fields: dict[str, object], says: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(fields, Limits)
    assert says in str(caught.value)
