"""Which events are told, where their spans stand, and what becomes of those that come to no end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jitney.daemon.config.schema import TracingSettings
from jitney.daemon.delivery.traces import Trace, Traces, begin
from jitney.daemon.tracing import following
from jitney.daemon.tracing.following import Following
from jitney.daemon.tracing.spans import Place, Span, Telling
from jitney.topics import Command, Event
from tests.daemon.running import tick

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class House:
    """Traces of one bus, and the clock by which they are followed, which goes on from the real one."""

    def __init__(self, **settings: object) -> None:
        self.traces = Traces()
        self.lost = 0
        self.later = 0.0
        self.following = Following(
            self.traces,
            TracingSettings(otlp="http://localhost:4318", **settings),  # type: ignore[arg-type]
            lost=self._lost,
            clock=self._now,
        )

    def take(self, event: Event, *, confirmed: bool = True) -> Trace:
        trace = begin(self.traces.ring(event.owner, event.adapter), event)
        assert trace is not None
        if confirmed:
            trace.sent = trace.confirmed = trace.accepted + 0.001
        return trace

    def whole(self) -> list[Span]:
        """Return the spans of events, without those of their stages."""
        return [span for span in self.following.look() if span.name == "played.ticked"]

    def _lost(self, number: int) -> None:
        self.lost += number

    def _now(self) -> float:
        return following.monotonic() + self.later


def test_what_came_before_it_began_is_not_told() -> None:
    house = House()
    house.take(tick(1))
    after = Following(house.traces, TracingSettings(), lost=house._lost)
    house.take(tick(2))
    assert len([span for span in after.look() if span.name == "played.ticked"]) == 1


def test_an_event_is_told_once_and_only_when_the_broker_has_it() -> None:
    house = House()
    trace = house.take(tick(1), confirmed=False)
    assert house.following.look() == []
    trace.sent = trace.confirmed = trace.accepted + 0.5
    assert len(house.whole()) == 1
    assert house.following.look() == []


def test_an_event_that_is_dropped_is_told_with_its_reason() -> None:
    house = House()
    house.take(tick(1), confirmed=False).dropped = "loop"
    (span,) = house.whole()
    assert (span.error, span.attributes["jitney.event.state"]) == ("loop", "dropped")


def test_of_a_part_of_the_events_about_that_part_is_told_each_with_all_that_it_leads_to() -> None:
    house = House(sample=0.25)
    told = 0
    for number in range(2000):
        cause = tick(number, adapter=f"a{number % 50}")
        house.take(cause)
        house.take(replace(tick(10_000 + number, adapter=f"a{number % 50}"), causationid=cause.id))
        if number % 40 == 39:
            found = house.whole()
            assert len({span.place.trace_id for span in found}) * 2 == len(found)
            told += len(found) // 2
    assert 380 < told < 620


def test_what_a_cause_that_is_not_remembered_any_more_led_to_is_in_one_trace() -> None:
    house = House()
    house.take(replace(tick(1), causationid="long ago"))
    house.take(replace(tick(2), causationid="long ago"))
    first, second = house.whole()
    assert first.place.trace_id == second.place.trace_id
    assert (first.place.parent, second.place.parent) == (0, 0)


def test_events_of_two_owners_with_the_same_id_are_in_two_traces() -> None:
    house = House()
    house.take(tick(1, owner="alice", id="same"))
    house.take(tick(1, owner="bob", id="same"))
    alice, bob = house.whole()
    assert alice.place.trace_id != bob.place.trace_id


def test_a_traceparent_that_is_none_is_not_followed() -> None:
    house = House()
    house.take(replace(tick(1), traceparent="00-nonsense"))
    (span,) = house.whole()
    assert (span.place.parent, span.place.remote) == (0, False)


def test_a_traceparent_is_followed_to_whoever_it_names() -> None:
    house = House(sample=0.01)
    house.take(replace(tick(1), traceparent=PARENT))
    (span,) = house.whole()
    assert span.place == Place(
        int(PARENT.split("-")[1], 16), span.place.span_id, int(PARENT.split("-")[2], 16), remote=True
    )


def test_what_never_comes_to_an_end_is_told_after_a_while_as_it_is() -> None:
    house = House()
    trace = house.take(tick(1), confirmed=False)
    house.traces.begun(("alice", "played", trace.id), [("1", "a route", "command base.send")])
    house.traces.ended(("alice", "played", trace.id), action="1", outcome="offline", final=False)
    assert house.following.look() == []
    house.later = following.LONGEST + 1
    told = {span.name: span for span in house.following.look()}
    assert told["played.ticked"].attributes["jitney.event.state"] == "waiting"
    assert told["action command"].error == "offline"
    assert house.following.look() == []
    assert not house.following._followed


def test_an_action_that_is_done_later_than_its_event_is_told_then() -> None:
    house = House()
    trace = house.take(tick(1))
    event = ("alice", "played", trace.id)
    house.traces.begun(event, [("1", "a route", "webhook POST example.org")])
    assert len(house.whole()) == 1
    house.later = following.SETTLED + 1
    assert house.following.look() == []
    house.traces.ended(event, action="1", outcome="ok", final=True)
    (span,) = house.following.look()
    assert (span.name, span.error, span.attributes["jitney.action.outcome"]) == ("action webhook", "", "ok")
    assert "webhook" not in str(span.attributes)


def test_what_is_too_much_to_follow_is_lost_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MOST", 10)
    house = House()
    for number in range(25):
        house.take(tick(number), confirmed=False)
    house.following.look()
    assert (house.lost, len(house.following._followed)) == (15, 10)


def test_a_command_without_a_trace_begins_one_in_which_its_events_are() -> None:
    house = House()
    command = Command(id="c1", owner="alice", adapter="played", name="tick")
    house.traces.asked(command, parent="")
    house.take(replace(tick(1), causationid="c1"))
    house.traces.answered(command, "offline")
    told = {span.name: span for span in house.following.look()}
    asked, caused = told["command played.tick"], told["played.ticked"]
    assert asked.error == "offline"
    assert (caused.place.trace_id, caused.place.parent) == (asked.place.trace_id, asked.place.span_id)


def test_the_commands_of_an_owner_who_is_erased_are_forgotten() -> None:
    traces = Traces()
    for number, owner in enumerate(("alice", "bob", "alice")):
        traces.asked(Command(id=str(number), owner=owner, adapter="base", name="send"), parent="")
    traces.forget("alice")
    assert [asked.owner for asked in traces.commands] == ["bob"]


texts = st.text(max_size=40) | st.datetimes().map(lambda at: at.isoformat() + "Z")


@given(time=texts, observed=texts, clocks=st.lists(st.floats(1, 1e6), min_size=4, max_size=4))
def test_whatever_the_clocks_say_no_span_goes_back(time: str, observed: str, clocks: list[float]) -> None:
    accepted, committed, sent, confirmed = clocks
    trace = Trace("1", "a.b", time, observed, "", "", accepted, committed=committed, sent=sent, confirmed=confirmed)
    whole, *stages = Telling((), instant=lambda clock: 1.7e9 + clock, new=lambda: 7).event(
        Place(1, 2), "alice", "base", trace
    )
    assert whole.start <= whole.end
    assert all(whole.start <= stage.start <= stage.end <= whole.end for stage in stages)
