"""Events to try routes with: given by a person in whichever form they have it, or remembered by the running bus."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from jitney.daemon.cli.common import UsageError
from jitney.daemon.cli.instants import local
from jitney.daemon.cli.routes_asking import asked
from jitney.daemon.routes.compiled import SCHEDULED, Route, is_tick
from jitney.daemon.routes.trials import event_of
from jitney.daemon.routes.words import mean
from jitney.daemon.routing.journal_messages import Explanation, Recent, Recorded
from jitney.daemon.routing.timetable import Tick, scheduled
from jitney.daemon.routing.timing import Timing
from jitney.topics import HOUSE, RESERVED, Event, InvalidPayloadError, cloudevents

FORMS: Final = 'a CloudEvent, a line of `jitney tail --json`, or {"type": …, "data": {…}} as in [[routes.tests]]'


class Case(Struct, frozen=True, kw_only=True):
    """An event to try routes with, the local time in the house, and the variables of the event's owner."""

    event: Event
    now: datetime
    zone: tzinfo
    variables: Mapping[str, Any]
    cut: bool = False
    size: int = 0


Given = tuple[Case, list[Route]]
"""An event, and the routes to try with it."""


class Cases:
    """Finds the events that the arguments name. ``names`` are those of the people by id, ``zone`` is the house's."""

    def __init__(self, args: argparse.Namespace, names: Mapping[str, str], *, zone: tzinfo) -> None:
        self._args = args
        self._names = names
        self._zone = zone

    def find(self, routes: Sequence[Route]) -> list[Given]:
        """Return the events to try, each with the routes to try it with.

        Raises UsageError, or an error of whoever asks the running bus.
        """
        args = self._args
        only = routes[0] if args.name is not None else None
        if args.event is not None:
            return self._given(_read(args.event), routes)
        if args.id is not None:
            data = {"id": args.id, "owner": args.owner or "", "whole": True}
            told = asked(args, request="route_explain", data=data, kind=Explanation)
            return self._recorded([told.event], {told.event.owner: told.variables}, routes)
        if only is not None and args.last is None and not only.patterns:
            return self._given(_tick(only, self._now() or datetime.now(self._zone), self._zone), routes)
        owners = list(only.owners) if only is not None and only.owners else "*"
        types = list(only.patterns or [SCHEDULED]) if only is not None else "*"
        data = {"owner": args.owner or owners, "type": types, "limit": args.last or 1, "whole": True}
        recent = asked(args, request="route_recent", data=data, kind=Recent)
        return self._recorded(recent.events, recent.variables, routes)

    def _given(self, table: Mapping[str, Any], routes: Sequence[Route]) -> list[Given]:
        """Return the event that a person gave, once for each owner that it can be of: they may differ by route."""
        now, variables = self._now() or datetime.now(self._zone), _variables(self._args.variables)
        found: dict[str, Given] = {}
        for route in routes:
            event = _event(route, table, owner=self._args.owner or "")
            check_owner("--event: owner", event.owner, self._names)
            if self._wants(route, event):
                case = Case(event=event, now=now, zone=self._zone, variables=variables or {})
                found.setdefault(event.owner, (case, []))[1].append(route)
        return list(found.values())

    def _recorded(
        self, events: Sequence[Recorded], variables: Mapping[str, Mapping[str, Any]], routes: Sequence[Route]
    ) -> list[Given]:
        only = routes[0] if self._args.name is not None else None
        now, given = self._now(), _variables(self._args.variables)
        found: list[Given] = []
        for one in events:
            if (event := one.event) is None or (only is not None and is_tick(event) and not only.answers(event)):
                continue
            case = Case(
                event=event,
                now=now or datetime.fromisoformat(one.at).astimezone(self._zone),
                zone=self._zone,
                variables=variables.get(one.owner, {}) if given is None else given,
                cut=one.cut,
                size=one.size,
            )
            found.append((case, [route for route in routes if self._wants(route, event)]))
        return found

    def _wants(self, route: Route, event: Event) -> bool:
        return self._args.name is not None or route.answers(event)

    def _now(self) -> datetime | None:
        if self._args.now is None:
            return None
        try:
            return local(self._args.now, zone=self._zone).astimezone(self._zone)
        except argparse.ArgumentTypeError as error:
            message = f"--now: {error}"
            raise UsageError(message) from None


def check_owner(what: str, owner: str, names: Mapping[str, str]) -> None:
    """Raise UsageError where an owner is none of those whose ``names`` are given by id."""
    if owner not in names and owner not in RESERVED:
        message = f"{what}: there is no owner {owner!r}{mean(owner, [*names, HOUSE])}"
        raise UsageError(message)


def _read(text: str) -> dict[str, Any]:
    """Return the JSON object in a text, in the file that it names, or for "-" on standard input; raises UsageError."""
    given = text if text.lstrip().startswith("{") else _content(text)
    try:
        table = msgspec.json.decode(given, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        message = f"--event: not a JSON object ({error}): give {FORMS}"
        raise UsageError(message) from error
    inner = table.get("payload")
    return inner if "topic" in table and isinstance(inner, dict) else table


def _event(route: Route, table: Mapping[str, Any], *, owner: str = "") -> Event:
    """Return the event of a table, whatever its form, of an ``owner`` if one is named; raises UsageError.

    One that belongs to nobody yet is taken for one of the route's owner, or of the house.
    """
    try:
        if "specversion" in table:
            found = cloudevents.decode(msgspec.json.encode(table))
            return replace(found, owner=owner) if owner else found
        return event_of(route, {**table, "owner": owner} if owner else table)
    except (InvalidPayloadError, ValueError) as error:
        message = f"--event: {error}"
        raise UsageError(message) from error


def _tick(route: Route, now: datetime, zone: tzinfo) -> dict[str, Any]:
    """Return the table of the event that the schedule of a route has made last, as seen from ``now``."""
    schedule = Timing.of(route.settings).schedule
    at = now.timestamp()
    event = scheduled(Tick("", route.name, schedule.last(at, zone) if schedule else at), zone)
    data = msgspec.json.decode(event.data)
    return {"type": event.type, "adapter": event.adapter, "subject": route.name, "time": event.time, "data": data}


def _content(place: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if place == "-" else Path(place).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"--event: {place[:200]}: {reason}: give a file, - for standard input, or the JSON itself"
        raise UsageError(message) from error


def _variables(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        message = f"--variables: not a JSON object: {error}"
        raise UsageError(message) from error
