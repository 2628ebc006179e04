"""What can be asked of the journal of a running bus: what came of an event, the newest ones, and all that again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from jitney.adapters.errors import RefusedError
from jitney.daemon.routes.settings import GrantSettings, RouteSettings, ScheduleSettings
from jitney.daemon.routing import replay
from jitney.daemon.routing.journal import Entry, Journal, Verdict
from jitney.daemon.routing.journal_messages import Explanation, Recent, Replayed
from jitney.daemon.routing.timetable import Tick, scheduled
from jitney.topics import MAX_HOPS, Event, rfc3339
from tests.daemon.running import Daemon, Observer, config, observing, payload, running, tick
from tests.fakes.mosquitto import Broker

TICKED = "jitney/alice/event/played/ticked"
BIG = "jitney/alice/event/route/big"
GRANT = GrantSettings(from_="alice", to="bob", kinds="played.*")


def route(name: str, **fields: Any) -> RouteSettings:  # noqa: ANN401
    fields = {"name": name, "on": "played.ticked", "do": [{"set": "last", "value": "{{ data.number }}"}], **fields}
    return msgspec.convert(fields, RouteSettings)


BIGGER = route("bigger", when={"data.number": {"gt": 10}}, do=[{"publish": "big", "data": {"n": "{{ data.number }}"}}])
RARELY = route("rarely", throttle=3600)
BROKEN = route("broken", do=[{"set": "n", "value": "{{ data.number / 0 }}"}])
OTHER = route("other", on="inbox.*")
HIS = route("his", owner="bob")
DAILY = RouteSettings(name="daily", owner="alice", schedule=ScheduleSettings(at="07:30"), do=({"publish": "day"},))


class House:
    """A daemon whose administration is asked without going through the broker."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        assert daemon.app.parts.routes.routing is not None
        self.router = daemon.app.parts.routes.routing.router

    @property
    def journal(self) -> Journal:
        return self.router.journal

    async def emit(self, *events: Event) -> None:
        await self.daemon.context().emit(*events)

    async def ask(self, request: str, **data: Any) -> bytes:  # noqa: ANN401
        """Return the answer as a program gets it."""
        answer = await self.daemon.app.parts.administration.handlers[request](Raw(msgspec.json.encode(data)))
        return msgspec.json.encode(answer)

    async def explain(self, id: str, **data: Any) -> Explanation:  # noqa: A002, ANN401
        return msgspec.json.decode(await self.ask("route_explain", id=id, **data), type=Explanation)

    async def recent(self, **data: Any) -> Recent:  # noqa: ANN401
        return msgspec.json.decode(await self.ask("route_recent", **data), type=Recent)

    async def replay(self, owner: str = "alice", **data: Any) -> Replayed:  # noqa: ANN401
        since = data.pop("since", ago(3600))
        answer = await self.ask("route_replay", owner=owner, since=since, **data)
        return msgspec.json.decode(answer, type=Replayed)

    async def refused(self, request: str, **data: Any) -> RefusedError:  # noqa: ANN401
        with pytest.raises(RefusedError) as raised:
            await self.ask(request, **data)
        return raised.value


def ago(seconds: float) -> str:
    return rfc3339(datetime.now(UTC) - timedelta(seconds=seconds))


@asynccontextmanager
async def house(broker: Broker, folder: Path, *routes: RouteSettings, **changes: Any) -> AsyncIterator[House]:  # noqa: ANN401
    async with running(config(broker.url, routes=routes, **changes), folder) as daemon:
        await daemon.connected()
        yield House(daemon)


def outcomes(found: Explanation) -> dict[str, str]:
    return {one.route: one.outcome for one in found.routes}


async def test_every_route_that_wants_the_type_tells_what_it_did_and_why(broker: Broker, tmp_path: Path) -> None:
    async with house(broker, tmp_path, BIGGER, RARELY, BROKEN, OTHER, HIS) as home:
        await home.emit(tick(50), tick(5))
        fired, small = await home.explain("played-alice-50"), await home.explain("played-alice-5")
        assert outcomes(fired) == {"bigger": "fired", "rarely": "fired", "broken": "failed"}
        assert outcomes(small) == {"rarely": "held", "broken": "failed", "bigger": "not_matched"}
        why = {one.route: one for one in small.routes}
        assert why["rarely"].why == "fired 0 s ago, at most once in 3600 s"
        assert why["broken"].why.startswith("do[0].value: ")
        assert [reason.saw for reason in why["bigger"].reasons if not reason.held] == [
            "data.number is 5, not more than 10"
        ]
        assert small.others == 1
        assert (small.event.owner, small.event.type, small.event.adapter) == ("alice", "played.ticked", "played")
        assert (small.event.event, small.variables) == (None, {})


async def test_what_did_not_match_then_and_would_today_says_so(broker: Broker, tmp_path: Path) -> None:
    async with house(broker, tmp_path, route("second", when={"variables.seen": True}), BIGGER) as home:
        await home.emit(tick(1))
        home.router._variables.set("alice", "seen", b"true", now=home.router._clock())
        assert outcomes(await home.explain("played-alice-1")) == {"second": "would_match", "bigger": "not_matched"}


async def test_a_route_is_explained_by_name_even_if_it_does_not_want_the_type(broker: Broker, tmp_path: Path) -> None:
    async with house(broker, tmp_path, BIGGER, RARELY, OTHER, HIS, route("off", enabled=False)) as home:
        await home.emit(tick(50))

        async def saw(name: str) -> list[str]:
            (one,) = (await home.explain("played-alice-50", route=name)).routes
            assert one.route == name
            return [one.outcome, *(reason.saw for reason in one.reasons if not reason.held)]

        assert await saw("rarely") == ["fired"]
        assert await saw("other") == ["not_matched", "type is played.ticked, not inbox.*"]
        assert await saw("his") == ["not_matched", "owner is alice, not bob"]
        assert await saw("off") == ["not_matched", "the route is disabled"]
        refused = await home.refused("route_explain", id="played-alice-50", route="rarley")
        assert str(refused) == "the running bus has no route 'rarley': did you mean \"rarely\"?"


async def test_an_unknown_event_says_how_far_back_is_remembered_and_what_to_do(broker: Broker, tmp_path: Path) -> None:
    async with house(broker, tmp_path, BIGGER) as home:
        refused = await home.refused("route_explain", id="nonsense")
        assert refused.code == "unknown_event"
        assert str(refused).startswith("no event 'nonsense' among the last 200 of each owner since 20")
        assert "`jitney tail` shows new ones" in str(refused)


async def test_the_newest_are_listed_with_their_verdicts_of_some_owners_and_types(
    broker: Broker, tmp_path: Path
) -> None:
    async with house(broker, tmp_path, RARELY) as home:
        await home.emit(tick(1), tick(2, owner="bob"), tick(3))
        found = await home.recent()
        assert [event.id for event in found.events] == ["played-alice-3", "played-bob-2", "played-alice-1"]
        assert [[verdict.outcome for verdict in event.verdicts] for event in found.events] == [
            ["held"],
            ["fired"],
            ["fired"],
        ]
        assert found.started <= found.events[-1].at
        assert [event.id for event in (await home.recent(limit=1)).events] == ["played-alice-3"]
        assert [event.id for event in (await home.recent(owner="bob")).events] == ["played-bob-2"]
        assert len((await home.recent(owner=["bob", "alice"], type=["inbox.*", "played.*"])).events) == 3
        assert (await home.recent(type="inbox.*")).events == []
        assert (await home.recent(owner="_house")).events == []


async def test_no_answer_for_one_owner_has_anything_of_another(broker: Broker, tmp_path: Path) -> None:
    async with house(broker, tmp_path, RARELY) as home:
        await home.emit(tick(1, id="same"), tick(2, id="same", owner="bob"), tick(3, id="his", owner="bob"))
        assert (await home.explain("same", owner="alice", whole=True)).event.owner == "alice"
        assert (await home.explain("same", owner="bob")).event.owner == "bob"
        assert (await home.refused("route_explain", id="his", owner="alice")).code == "unknown_event"
        for request, data in (
            ("route_recent", {"owner": "alice", "whole": True}),
            ("route_explain", {"id": "same", "owner": "alice", "whole": True}),
            ("route_replay", {"owner": "alice", "since": ago(60)}),
        ):
            assert b"bob" not in await home.ask(request, **data)


async def test_data_and_variables_are_only_told_to_whoever_asks_for_the_whole(broker: Broker, tmp_path: Path) -> None:
    async with house(broker, tmp_path, RARELY) as home:
        await home.emit(tick(7))
        home.router._variables.set("alice", "mood", b'"good"', now=home.router._clock())
        found, listed = await home.explain("played-alice-7", whole=True), await home.recent(whole=True)
        assert found.event.event is not None
        assert bytes(found.event.event.data) == b'{"number":7}'
        variables = {"last": 7, "mood": "good"}
        assert found.variables == variables
        assert (listed.events[0].event, listed.variables) == (found.event.event, {"alice": variables})
        assert (await home.recent()).variables == {}


async def test_a_list_is_no_longer_than_an_answer_holds(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(broker, tmp_path, RARELY) as home:
        await home.emit(*(tick(number) for number in range(9)))
        monkeypatch.setattr("jitney.daemon.routing.journal_requests.MOST_BYTES", 700)
        few = (await home.recent(whole=True)).events
        assert 1 <= len(few) < 9
        assert few[0].id == "played-alice-8"
        monkeypatch.setattr("jitney.daemon.routing.journal_requests.MOST_BYTES", 1)
        assert [event.id for event in (await home.recent(whole=True)).events] == ["played-alice-8"]


async def test_a_span_is_published_again_as_new_events_and_the_routes_answer_again(
    broker: Broker, tmp_path: Path
) -> None:
    async with observing(broker.port) as observer, house(broker, tmp_path, BIGGER, RARELY) as home:
        await home.emit(tick(50), tick(5), tick(60, owner="bob"))
        await observer.until(lambda: len(observer.on(BIG)) == 1)
        found = await home.replay()
        assert [(copy.of, copy.type) for copy in found.events] == [
            ("played-alice-50", "played.ticked"),
            ("played-alice-5", "played.ticked"),
        ]
        assert [(left.type, left.why) for left in found.left_out] == [("route.big", "caused")]
        assert found.ended == ""
        await observer.until(lambda: len(observer.on(BIG)) == 2 and len(observer.on(TICKED)) == 4)
        old, _, new, _ = observer.events(TICKED)
        assert (new.id, new.causationid, new.hops, new.seq) == (found.events[0].id, "played-alice-50", 1, 3)
        assert (new.time, new.data, new.source) == (old.time, old.data, old.source)
        assert observer.events(BIG)[1].causationid == new.id
        assert observer.events(BIG)[1].hops == 2
        assert outcomes(await home.explain(new.id)) == {"bigger": "fired", "rarely": "held"}
        assert len(observer.on("jitney/bob/event/played/ticked")) == 1


async def test_what_was_replayed_is_not_replayed_twice_with_what_it_copies(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer, house(broker, tmp_path, BIGGER) as home:
        await home.emit(tick(50))
        await home.replay()
        again = await home.replay()
        assert [copy.of for copy in again.events] == ["played-alice-50"]
        await observer.until(lambda: len(observer.on(TICKED)) == 3)
        assert [left.why for left in again.left_out if left.type == "played.ticked"] == ["again"]
        home.journal._rings["alice"].entries.popleft()  # the original gives way
        (copy, *more) = (await home.replay()).events
        assert (copy.type, more) == ("played.ticked", [])
        await observer.until(lambda: len(observer.on(TICKED)) == 4)
        assert observer.events(TICKED)[3].hops == 2


async def test_a_span_has_two_ends_and_types(broker: Broker, tmp_path: Path) -> None:
    async with house(broker, tmp_path, BIGGER) as home:
        await home.emit(tick(1))
        await home.emit(replace(tick(2), type="played.other"))
        (first, second) = home.journal.span("alice", 0, 1e11)
        at = rfc3339(datetime.fromtimestamp(first.at, UTC) - timedelta(milliseconds=1))
        assert [copy.of for copy in (await home.replay(since=at, until=at, dry_run=True)).events] == []
        assert [copy.of for copy in (await home.replay(type="*.other", dry_run=True)).events] == [second.event.id]
        found = await home.replay(dry_run=True)
        assert [copy.of for copy in found.events] == [first.event.id, second.event.id]
        assert found.oldest == found.events[0].at
        assert (await home.replay("bob", dry_run=True)).oldest == ""


async def test_a_consequence_is_replayed_where_what_led_to_it_is_not(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer, house(broker, tmp_path, BIGGER) as home:
        await home.emit(tick(50))
        await observer.message(BIG)
        found = await home.replay(type="route.*", dry_run=True)
        assert [copy.type for copy in found.events] == ["route.big"]


async def test_a_dry_run_publishes_nothing(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer, house(broker, tmp_path, BIGGER) as home:
        await home.emit(tick(50), tick(51))
        found = await home.replay(dry_run=True)
        assert [(copy.of, copy.id) for copy in found.events] == [("played-alice-50", ""), ("played-alice-51", "")]
        await home.emit(tick(99, owner="bob"))
        await observer.until(lambda: len(observer.on(BIG)) == 2 and observer.on("jitney/bob/event/route/big"))
        assert len(observer.on(TICKED)) == 2


async def test_without_routes_it_is_published_for_others_only_and_not_what_a_route_dropped(
    broker: Broker, tmp_path: Path
) -> None:
    dropping = route("dropping", when={"data.number": 3}, do=[{"drop": True}])
    async with observing(broker.port) as observer, house(broker, tmp_path, BIGGER, dropping) as home:
        await home.emit(tick(50), tick(3))
        await observer.message(BIG)
        found = await home.replay(routes=False)
        assert [copy.type for copy in found.events] == ["played.ticked", "route.big"]
        assert [(left.of, left.why) for left in found.left_out] == [("played-alice-3", "dropped")]
        await home.emit(tick(4))
        await observer.until(lambda: [event.id for event in observer.events(TICKED)][-1:] == ["played-alice-4"])
        assert len(observer.on(TICKED)) == 3
        assert len(observer.on(BIG)) == 2
        assert outcomes(await home.explain(found.events[0].id)) == {"bigger": "held", "dropping": "held"}


async def test_what_was_cut_or_has_come_a_long_way_is_left_out_and_told(broker: Broker, tmp_path: Path) -> None:
    async with house(broker, tmp_path, RARELY) as home:
        await home.emit(tick(1))
        (entry,) = home.journal.span("alice", 0, 1e11)
        entry.cut = True
        home.journal.add(replace(tick(2), hops=MAX_HOPS), at=entry.at)
        found = await home.replay()
        assert found.events == []
        assert [(left.of, left.why) for left in found.left_out] == [
            ("played-alice-1", "cut"),
            ("played-alice-2", "loop"),
        ]


async def test_it_ends_when_a_breaker_stops_a_route_that_would_miss_the_rest(broker: Broker, tmp_path: Path) -> None:
    async with house(broker, tmp_path, route("busy")) as home:
        await home.emit(*(tick(number) for number in range(40)))
        found = await home.replay()
        assert len(found.events) == 21, "forty and twenty are as many as a route may fire, then one is held"
        assert [left.why for left in found.left_out] == ["stopped"] * 19
        assert found.ended.startswith("the route 'busy' is stopped until ")
        assert "more than 60 times in a minute" in found.ended


async def test_it_ends_when_the_bus_takes_no_more_or_time_is_up(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(broker, tmp_path, OTHER) as home:
        await home.emit(*(tick(number) for number in range(5)))
        bus, emit, room = home.daemon.app.parts.bus, home.daemon.app.parts.bus.emit, [2, 0]

        async def full(events: list[Event], *, durable: bool) -> None:
            if not room[0]:
                room.pop(0)
                raise RefusedError("outbox_full", "the outbox is full")
            room[0] -= 1
            await emit(events, durable=durable)

        monkeypatch.setattr(bus, "emit", full)
        found = await home.replay()
        assert (len(found.events), found.ended) == (2, "the outbox is full")
        assert [left.why for left in found.left_out] == ["stopped"] * 3
        refused = await home.refused("route_replay", owner="alice", since=ago(60))
        assert refused.code == "outbox_full"
        monkeypatch.setattr(bus, "emit", emit)
        monkeypatch.setattr(replay, "LONGEST", -1.0)
        found = await home.replay()
        assert (found.events, found.ended) == ([], "it took longer than -1 s")


async def test_two_replays_at_once_are_one_too_many(broker: Broker, tmp_path: Path) -> None:
    async with house(broker, tmp_path, OTHER, durable=True) as home:
        await home.emit(*(tick(number) for number in range(5)))
        results = await asyncio.gather(home.replay(), home.replay(), return_exceptions=True)
        assert [getattr(one, "code", "ok") for one in results] == ["ok", "busy"]
        assert len((await home.replay()).events) == 5


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        ({"owner": "carol"}, "unknown_owner", "there is no owner 'carol': there are _house, alice, bob"),
        ({"owner": "alise"}, "unknown_owner", 'did you mean "alice"?'),
        ({"owner": "_unclaimed"}, "not_allowed", "nobody is known for"),
        ({"owner": "alice", "since": "2026-11-20T11:00:00"}, "invalid", "timezone"),
        ({"owner": "alice", "until": "2020-11-20T11:00:00Z"}, "invalid", "is later than until 2020-11-20T11:00:00"),
        ({"owner": "alice", "type": "ticked"}, "invalid", "did you mean"),
        ({"owner": "alice", "all": True}, "invalid", "unknown field"),
    ],
)
async def test_what_cannot_be_replayed_says_why(
    broker: Broker, tmp_path: Path, *, data: dict[str, Any], code: str, words: str
) -> None:
    async with house(broker, tmp_path, OTHER) as home:
        refused = await home.refused("route_replay", **{"since": ago(60), **data})
        assert refused.code == code
        assert words in str(refused)


@pytest.mark.parametrize(
    ("request_", "data", "code"),
    [
        ("route_explain", {}, "invalid"),
        ("route_explain", {"id": "x", "owner": "carol"}, "unknown_owner"),
        ("route_recent", {"owner": ["alice", "carol"]}, "unknown_owner"),
        ("route_recent", {"limit": 201}, "invalid"),
        ("route_recent", {"type": "[a"}, "invalid"),
    ],
)
async def test_what_cannot_be_looked_up_says_why(
    broker: Broker, tmp_path: Path, *, request_: str, data: dict[str, Any], code: str
) -> None:
    async with house(broker, tmp_path, OTHER) as home:
        assert (await home.refused(request_, **data)).code == code


async def test_a_grant_alone_makes_a_journal_too(broker: Broker, tmp_path: Path) -> None:
    async with house(broker, tmp_path, grants=(GRANT,)) as home:
        await home.emit(tick(1))
        assert (await home.explain("played-alice-1")).routes == []
        assert [event.id for event in (await home.recent()).events] == ["played-alice-1"]


async def answered(observer: Observer, request: str, body: bytes) -> dict[str, Any]:
    await observer.publish(f"jitney/_bus/main/request/{request}", body)
    decoded: dict[str, Any] = msgspec.json.decode(
        payload(await observer.message(f"jitney/_bus/main/response/{request}"))
    )
    return decoded


async def test_where_there_are_no_routes_the_remedy_is_told(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        for request in ("route_explain", "route_recent", "route_replay"):
            error = (await answered(observer, request, b"{}"))["error"]
            assert error["code"] == "no_routes"
            assert "add [[routes]] to its configuration" in error["message"]


async def test_a_request_is_answered_over_the_broker(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer, house(broker, tmp_path, RARELY) as home:
        await home.emit(tick(1))
        answer = await answered(observer, "route_explain", b'{"id":"played-alice-1"}')
        assert answer["data"]["routes"] == [{"route": "rarely", "outcome": "fired", "why": "", "reasons": []}]


def test_the_entries_of_a_span_are_chosen_by_when_they_came() -> None:
    journal = Journal()
    for number in range(3):
        journal.add(tick(number), at=float(number))
        journal.add(tick(number, owner="bob"), at=number + 0.5)
    newest = journal.latest(4, wants=lambda event: event.id != "played-bob-2")
    assert [entry.event.id for entry in newest] == [
        "played-alice-2",
        "played-bob-1",
        "played-alice-1",
        "played-bob-0",
    ]
    assert isinstance(newest[0], Entry)
    assert [entry.event.owner for entry in journal.latest(9, wants=lambda _: True, owners={"bob", "carol"})] == [
        "bob"
    ] * 3


async def test_what_a_schedule_fires_on_is_listed_and_explained_but_not_published_again(
    broker: Broker, tmp_path: Path
) -> None:
    async with house(broker, tmp_path, DAILY, route("everything", on="*")) as home:
        ticked = scheduled(Tick("alice", "daily", 1_800_000_000.0), UTC)
        home.journal.add(ticked, at=home.router._clock(), verdicts=(Verdict("daily", "fired"),))
        (event,) = (await home.recent(type="route.*")).events
        assert (event.id, event.subject) == (ticked.id, "daily")
        assert outcomes(await home.explain(ticked.id)) == {"daily": "fired"}
        for routes in (True, False):
            found = await home.replay(routes=routes)
            assert [(left.of, left.why) for left in found.left_out] == [(ticked.id, "scheduled")]
            assert found.events == []
