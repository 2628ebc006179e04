"""The journal: what came, what routes did with it, and why they did not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from jitney.daemon.routes.compiled import Route, compile_routes
from jitney.daemon.routes.document import Document
from jitney.daemon.routes.settings import RouteSettings
from jitney.daemon.routing.journal import MOST_BYTES, MOST_EVENTS, OVERHEAD, Entry, Explained, Journal, Verdict
from jitney.topics import EMPTY, Event, cloudevents

NOW = 1_795_000_000.0


def event(id: str = "e", *, owner: str = "alice", data: bytes = b'{"distance":7}') -> Event:  # noqa: A002
    return Event(id=id, source="/tools", type="inbox.ran", time="2026-11-20T11:00:00.000Z", owner=owner, data=Raw(data))


def far(**least: int) -> list[Route]:
    """Return routes, by name, that want so long a distance."""
    settings = [
        RouteSettings(name=name, on="inbox.ran", when={"data.distance": {"ge": distance}}, do=({"drop": True},))
        for name, distance in least.items()
    ]
    routes, faults = compile_routes(settings, owners=["alice", "bob"], adapters={})
    assert not faults
    return routes


def ids(entries: list[Entry]) -> list[str]:
    return [entry.event.id for entry in entries]


def test_the_newest_comes_first() -> None:
    journal = Journal()
    for number in range(5):
        journal.add(event(f"e{number}"), at=NOW + number)
    assert ids(journal.recent("alice", 3)) == ["e4", "e3", "e2"]
    assert ids(journal.recent("alice", 100)) == ["e4", "e3", "e2", "e1", "e0"]
    assert journal.recent("bob", 3) == []


def test_a_span_comes_in_order() -> None:
    journal = Journal()
    for number in range(5):
        journal.add(event(f"e{number}"), at=NOW + number)
    assert ids(journal.span("alice", NOW + 1, NOW + 3)) == ["e1", "e2", "e3"]
    assert journal.span("bob", NOW, NOW + 9) == []


def test_an_entry_says_what_came_and_when() -> None:
    journal = Journal()
    came = event()
    fired = Verdict("run", "fired")
    journal.add(came, at=NOW, verdicts=(fired,))
    assert journal.recent("alice", 1) == [Entry(NOW, came, len(came.data), (fired,))]


def test_the_oldest_give_way_and_only_those_of_the_same_owner() -> None:
    journal = Journal()
    journal.add(event("kept", owner="bob"), at=NOW)
    for number in range(MOST_EVENTS + 10):
        journal.add(event(f"e{number}"), at=NOW)
    kept = ids(journal.recent("alice"))
    assert (len(kept), kept[-1]) == (MOST_EVENTS, "e10")
    assert ids(journal.recent("bob")) == ["kept"]


def test_large_events_make_it_shorter() -> None:
    journal = Journal()
    data = b'"' + b"x" * 100_000 + b'"'
    for number in range(20):
        journal.add(event(f"e{number}", data=data), at=NOW)
    assert len(journal.recent("alice")) == MOST_BYTES // (len(data) + OVERHEAD)


def test_what_is_larger_than_the_journal_is_remembered_without_its_data() -> None:
    journal = Journal()
    journal.add(event("small"), at=NOW)
    journal.add(event("huge", data=b'"' + b"x" * MOST_BYTES + b'"'), at=NOW)
    huge, small = journal.recent("alice")
    assert (huge.cut, huge.size, bytes(huge.event.data)) == (True, MOST_BYTES + 2, b"{}")
    assert (small.cut, small.event.id) == (False, "small")


def test_the_message_that_an_event_came_in_does_not_stay_for_it() -> None:
    came = cloudevents.decode(cloudevents.encode(event()))
    assert came.data.copy() is not came.data, "it is a part of the message"
    journal = Journal()
    journal.add(came, at=NOW)
    [entry] = journal.recent("alice")
    assert entry.event == came
    assert entry.event.data.copy() is entry.event.data


def test_an_event_is_found_by_its_id() -> None:
    journal = Journal()
    journal.add(event("e"), at=NOW)
    journal.add(event("e", owner="bob"), at=NOW + 1)
    journal.add(event("f"), at=NOW + 2)
    assert [entry.event.owner for entry in (journal.find("e"), journal.find("e", "alice")) if entry] == ["bob", "alice"]
    assert journal.find("g") is None
    assert journal.find("e", "carol") is None


def test_what_comes_of_it_later_is_added() -> None:
    journal = Journal()
    came = event()
    journal.add(came, at=NOW, verdicts=(Verdict("a", "held", "waits for 10 s"), Verdict("b", "fired")))
    journal.add(event("later"), at=NOW)
    assert journal.amend(came, Verdict("a", "fired"))
    assert journal.find("e").verdicts == (Verdict("b", "fired"), Verdict("a", "fired"))
    assert not journal.amend(event("forgotten"), Verdict("a", "fired"))
    assert not journal.amend(event(owner="bob"), Verdict("a", "fired"))


def test_an_event_explains_what_every_route_did_with_it() -> None:
    journal = Journal()
    journal.add(event(), at=NOW, verdicts=(Verdict("gone", "fired"), Verdict("near", "held", "fired 3 s ago")))
    routes = far(near=5, far=10, new=6)
    found = journal.explain("e", lambda came: (routes, Document(came)))
    assert found is not None
    entry, [gone, near, too_far, new] = found
    assert entry.event.id == "e"
    assert gone == Explained("gone", "fired")
    assert near == Explained("near", "held", "fired 3 s ago")
    assert (too_far.route, too_far.outcome) == ("far", "not_matched")
    assert [reason.what for reason in too_far.reasons if not reason.held] == ["data.distance ge 10"]
    assert (new.route, new.outcome) == ("new", "would_match")
    assert all(reason.held for reason in new.reasons)


def test_what_is_not_remembered_cannot_be_explained() -> None:
    journal = Journal()
    journal.add(event(), at=NOW)

    def look(_: Event) -> tuple[list[Route], Document]:
        pytest.fail("nobody is to be asked")

    assert journal.explain("unknown", look) is None
    assert journal.explain("e", look, "bob") is None


def test_the_events_of_an_owner_can_be_forgotten() -> None:
    journal = Journal()
    journal.add(event(), at=NOW)
    journal.add(event(owner="bob"), at=NOW)
    journal.forget("alice")
    assert journal.recent("alice") == []
    assert ids(journal.recent("bob")) == ["e"]


_lengths = st.integers(0, 900) | st.sampled_from([2397, 2398, 2399])


@given(st.lists(st.tuples(st.sampled_from(["alice", "bob"]), _lengths, st.integers(-5, 5)), max_size=80))
def test_it_remembers_the_newest_that_fit(steps: list[tuple[str, int, int]]) -> None:
    journal = Journal(most_events=6, most_bytes=3000)
    came: dict[str, list[Entry]] = {"alice": [], "bob": []}
    at = NOW
    for number, (owner, length, more) in enumerate(steps):
        at += more
        happened = event(f"e{number}", owner=owner, data=b'"' + b"x" * length + b'"')
        journal.add(happened, at=at)
        cut = length + 2 + OVERHEAD > 3000
        came[owner].append(Entry(at, replace(happened, data=EMPTY) if cut else happened, length + 2, cut=cut))
        for known, entries in came.items():
            while len(entries) > 6 or sum(OVERHEAD + (0 if entry.cut else entry.size) for entry in entries) > 3000:
                del entries[0]
            assert journal.recent(known) == entries[::-1]
            assert journal.span(known, NOW - 3, NOW + 3) == [
                entry for entry in entries if NOW - 3 <= entry.at <= NOW + 3
            ]
