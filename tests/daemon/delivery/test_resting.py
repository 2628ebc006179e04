"""What is held back of people who are disabled, within bounds, and what comes of it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from jitney.daemon.counters import Counters
from jitney.daemon.delivery import bus, resting
from jitney.daemon.delivery.resting import Held, Resting
from jitney.topics import State
from tests.daemon.running import config, running, tick
from tests.fakes.mosquitto import Broker
from tests.waiting import until

NAMES = ("alice", "bob", "carol")


def held(owner: str, subject: str, value: int = 0, *, adapter: str = "home") -> Held:
    return Held(State(owner, subject, Raw(b"%d" % value)), adapter, durable=False)


def test_of_each_state_the_newest_comes_back_and_of_the_others_nothing() -> None:
    some = Resting(Counters())
    some.use(["alice", "bob"])
    for one in (held("alice", "a", 1), held("bob", "a", 1), held("alice", "a", 2), held("alice", "b", 1)):
        some.hold(one)
    assert some.use(["bob"]) == [held("alice", "a", 2), held("alice", "b", 1)]
    assert some.use(["bob"]) == []
    assert some.use([]) == [held("bob", "a", 1)]


def test_events_of_the_others_go_on_in_their_order() -> None:
    counters = Counters()
    some = Resting(counters)
    some.use(["alice"])
    events = [tick(number, owner=owner) for number in range(3) for owner in NAMES]
    assert some.awake(events) == [event for event in events if event.owner != "alice"]
    assert counters.total("dropped", owner="alice", reason="owner_disabled") == 3


def test_too_many_states_of_somebody_are_counted_and_those_of_another_are_not_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resting, "MOST_STATES", 2)
    counters = Counters()
    some = Resting(counters)
    some.use(["alice", "bob"])
    for number in range(5):
        some.hold(held("alice", str(number)))
    some.hold(held("alice", "1", 7))
    some.hold(held("bob", "9"))
    assert some.use([]) == [held("alice", "0"), held("alice", "1", 7), held("bob", "9")]
    assert counters.total("dropped", owner="alice", reason="too_many_states") == 3
    some.use(["alice"])
    some.hold(held("alice", "4"))
    assert some.use([]) == [held("alice", "4")]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("hold"), st.sampled_from(NAMES), st.sampled_from("xy"), st.sampled_from("ab")),
            st.tuples(
                st.just("keep"),
                st.sampled_from("ab"),
                st.sets(st.tuples(st.sampled_from(NAMES), st.sampled_from("xy"))),
            ),
            st.tuples(st.just("forget"), st.sampled_from(NAMES)),
            st.tuples(st.just("use"), st.sets(st.sampled_from(NAMES))),
        )
    )
)
def test_whatever_happens_what_comes_back_is_what_was_held_last(steps: list[tuple[object, ...]]) -> None:
    some = Resting(Counters())
    wanted: dict[tuple[str, str, str], Held] = {}
    for number, step in enumerate(steps):
        match step:
            case ("hold", str(owner), str(subject), str(adapter)):
                wanted[owner, adapter, subject] = held(owner, subject, number, adapter=adapter)
                some.hold(wanted[owner, adapter, subject])
            case ("keep", str(adapter), set(subjects)):
                some.keep(adapter, subjects)
                wanted = {key: one for key, one in wanted.items() if key[1] != adapter or (key[0], key[2]) in subjects}
            case ("forget", str(owner)):
                some.forget(owner=owner)
                wanted = {key: one for key, one in wanted.items() if key[0] != owner}
            case ("use", set(owners)):
                back = {(one.state.owner, one.adapter, one.state.subject): one for one in some.use(owners)}
                assert back == {key: one for key, one in wanted.items() if key[0] not in owners}
                wanted = {key: one for key, one in wanted.items() if key[0] in owners}


async def test_the_types_that_somebody_makes_up_push_out_no_topic_of_another(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "_TOPICS_CACHED", 3)
    async with running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1, owner="bob"))
        some = daemon.app.parts.bus
        known = some._topics["bob"]["played", "played.ticked"]
        lane = some._outbox.lane("alice", "desk")
        for number in range(10):
            assert some._topic(lane, f"inbox.{number}") == f"jitney/alice/event/desk/{number}"
        assert some._topics["bob"]["played", "played.ticked"] is known
        assert len(some._topics["alice"]) <= 3
        await until(lambda: not sum(some._outbox.waiting()))
