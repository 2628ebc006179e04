"""Requests about the journal: `route_explain`, `route_recent` and `route_replay`."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from jitney.adapters.errors import RefusedError
from jitney.daemon.delivery.administration import Handler
from jitney.daemon.routes import globs
from jitney.daemon.routes.compiled import Route
from jitney.daemon.routes.settings import Words
from jitney.daemon.routes.words import mean
from jitney.daemon.routing.journal import MOST_EVENTS, Entry, explained
from jitney.daemon.routing.journal_messages import (
    Copied,
    ExplainEvent,
    Explanation,
    Left,
    Recent,
    RecentEvents,
    Recorded,
    Replayed,
    ReplayEvents,
)
from jitney.daemon.routing.replay import Replay, Span
from jitney.daemon.routing.router import Router
from jitney.topics import HOUSE, RESERVED, UNCLAIMED, rfc3339

MOST_BYTES: Final = 400_000
"""About the size of the largest list of events: of more, the newest that fit."""

S = TypeVar("S", bound=Struct)


class JournalRequests:
    """Answers requests. ``owners`` are the people. The journal ``started`` then; ``clock`` gives Unix seconds."""

    def __init__(
        self,
        router: Router,
        replay: Replay,
        *,
        owners: Collection[str],
        started: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._router = router
        self._replay = replay
        self.owners = frozenset(owners) | RESERVED
        self._started = started
        self._clock = clock

    def handlers(self) -> Mapping[str, Handler]:
        """Return what administration can be asked for, by name; each raises RefusedError."""
        return {"route_explain": self._explain, "route_recent": self._recent, "route_replay": self._replayed}

    async def _explain(self, data: Raw) -> Explanation:
        asked = _read(data, ExplainEvent)
        if asked.owner:
            self._check_owner(asked.owner)
        found = self._router.journal.explain(asked.id, self._router.look, asked.owner)
        if found is None:
            raise RefusedError("unknown_event", self._forgotten(asked.id, asked.owner))
        entry, told = found
        wanting, document = self._router.look(entry.event)
        if asked.route:
            told = [one for one in told if one.route == asked.route] or [explained(self._route(asked.route), document)]
        return Explanation(
            _recorded(entry, whole=asked.whole),
            told,
            sum(route.serves(entry.event.owner) for route in self._router.routes.values()) - len(wanting),
            dict(document.variables) if asked.whole else {},
        )

    async def _recent(self, data: Raw) -> Recent:
        asked = _read(data, RecentEvents)
        owners = _words(asked.owner)
        for owner in owners:
            if owner != "*":
                self._check_owner(owner)
        wants = _matcher(asked.type)
        entries = self._router.journal.latest(
            asked.limit, wants=lambda event: wants(event.type), owners=None if "*" in owners else set(owners)
        )
        events = _fitting(_recorded(entry, whole=asked.whole) for entry in entries)
        variables = {}
        if asked.whole:
            examples = {entry.event.owner: entry.event for entry in entries}
            variables = {owner: dict(self._router.look(event)[1].variables) for owner, event in examples.items()}
        return Recent(events, _instant(self._started), variables)

    async def _replayed(self, data: Raw) -> Replayed:
        asked = _read(data, ReplayEvents)
        self._check_owner(asked.owner)
        if asked.owner == UNCLAIMED:
            message = f"{UNCLAIMED} is what nobody is known for: no route answers it, and nobody waits for it"
            raise RefusedError("not_allowed", message)
        since, until = asked.since.timestamp(), asked.until.timestamp() if asked.until else self._clock()
        if since > until:
            message = f"since {_instant(since)} is later than until {_instant(until)}"
            raise RefusedError("invalid", message)
        oldest = next(iter(self._router.journal.span(asked.owner, 0.0, until)), None)
        again = await self._replay.run(
            Span(
                owner=asked.owner,
                since=since,
                until=until,
                wants=_matcher(asked.type),
                routes=asked.routes,
                rehearsal=asked.dry_run,
            )
        )
        return Replayed(
            owner=asked.owner,
            since=_instant(since),
            until=_instant(until),
            oldest=_instant(oldest.at) if oldest else "",
            events=[Copied(**_about(entry), id=new) for entry, new in again.chosen],
            left_out=[Left(**_about(entry), why=why) for entry, why in again.left_out],
            ended=again.ended,
        )

    def _check_owner(self, owner: str) -> None:
        if owner not in self.owners:
            known = [*(self.owners - RESERVED), HOUSE]
            raise RefusedError("unknown_owner", f"there is no owner {owner!r}{mean(owner, known)}")

    def _route(self, name: str) -> Route:
        route = self._router.routes.get(name)
        if route is None:
            known = mean(name, self._router.routes)
            raise RefusedError("unknown_route", f"the running bus has no route {name!r}{known}")
        return route

    def _forgotten(self, event_id: str, owner: str) -> str:
        since = datetime.fromtimestamp(self._started, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
        whose = owner or "each owner"
        return (
            f"no event {event_id[:100]!r} among the last {MOST_EVENTS} of {whose} since {since}, when the bus was "
            "started: `jitney routes explain` lists what is remembered, `jitney tail` shows new ones"
        )


def _recorded(entry: Entry, *, whole: bool) -> Recorded:
    event = entry.event
    return Recorded(
        id=event.id,
        owner=event.owner,
        type=event.type,
        adapter=event.adapter,
        at=_instant(entry.at),
        size=entry.size,
        subject=event.subject or "",
        cause=event.causationid or "",
        hops=event.hops,
        cut=entry.cut,
        verdicts=entry.verdicts,
        event=event if whole else None,
    )


def _fitting(events: Iterable[Recorded]) -> list[Recorded]:
    """Return as many as an answer holds, the first in any case."""
    found: list[Recorded] = []
    size = 0
    for event in events:
        size += len(msgspec.json.encode(event))
        if size > MOST_BYTES and found:
            break
        found.append(event)
    return found


def _about(entry: Entry) -> dict[str, str]:
    event = entry.event
    return {"of": event.id, "type": event.type, "at": _instant(entry.at), "subject": event.subject or ""}


def _matcher(words: Words) -> Callable[[str], bool]:
    given = _words(words)
    for glob in given:
        if fault := globs.fault(glob):
            raise RefusedError("invalid", f"type {glob[:100]!r}: {fault}")
    return globs.matcher(given)


def _words(words: Words) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else words


def _instant(at: float) -> str:
    return rfc3339(datetime.fromtimestamp(at, UTC))


def _read(data: Raw, kind: type[S]) -> S:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError("invalid", str(error)) from error
