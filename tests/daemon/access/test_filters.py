import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from jitney.daemon.access.filters import covers

LEVEL = st.sampled_from(["a", "b", "$SYS", ""])
TOPIC = st.lists(LEVEL, min_size=1, max_size=4).map("/".join)
FILTER = st.builds(
    lambda levels, end: "/".join([*levels, *end]),
    st.lists(st.one_of(LEVEL, st.just("+")), min_size=1, max_size=4),
    st.sampled_from([[], ["#"]]),
)


@given(FILTER, TOPIC)
def test_a_topic_is_covered_as_mqtt_has_it(pattern: str, topic: str) -> None:
    assert covers(pattern, topic) is topic_matches_sub(pattern, topic)


@given(FILTER, FILTER, TOPIC)
def test_what_a_covered_filter_matches_is_matched_by_the_one_that_covers_it(outer: str, inner: str, topic: str) -> None:
    if covers(outer, inner) and covers(inner, topic):
        assert covers(outer, topic)


@pytest.mark.parametrize(
    ("pattern", "inner"),
    [
        ("jitney/alice/#", "jitney/#"),
        ("jitney/alice/#", "jitney/+/event/#"),
        ("jitney/alice/#", "#"),
        ("jitney/+/state", "jitney/#"),
        ("jitney/alice/+", "jitney/alice/#"),
        ("#", "$share/group/jitney/bob/#"),
        ("#", "$SYS/#"),
    ],
)
def test_a_filter_that_reaches_further_is_not_covered(pattern: str, inner: str) -> None:
    assert not covers(pattern, inner)
