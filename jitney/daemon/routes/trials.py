"""The `tests` of a route: an event, and what must come of it, without memory, broker or anything else."""

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct

from jitney.daemon.routes.compiled import Route
from jitney.daemon.routes.document import Document
from jitney.daemon.routes.faults import TemplateError
from jitney.daemon.routes.operators import same
from jitney.daemon.routes.saying import said
from jitney.daemon.routes.settings import TestSettings
from jitney.daemon.routes.words import mean, shown
from jitney.daemon.routes.zones import MACHINE
from jitney.topics import HOUSE, Event, utc_now

NOTHING: Final = "nothing"

_KEYS: Final = ("type", "owner", "adapter", "subject", "actor", "time", "data")
_encode = msgspec.json.Encoder().encode


class Trial(Struct, frozen=True):
    """How a test ended: ``problem`` is a sentence, empty when all was as expected."""

    name: str
    problem: str


def try_route(route: Route, *, names: Mapping[str, str], zone: tzinfo = MACHINE) -> list[Trial]:
    """Return how the tests of a route end, of which conditions with memory are no part; never raises.

    ``names`` are those of the owners by id, ``zone`` is the time zone of the house.
    """
    return [
        Trial(test.name or f"test {number}", _problem(route, test, names, zone))
        for number, test in enumerate(route.settings.tests, 1)
    ]


def event_of(route: Route, table: Mapping[str, Any]) -> Event:
    """Return the event that a table describes, of the route's owner when it names none; raises ValueError."""
    for key, value in table.items():
        if key not in _KEYS:
            raise ValueError(f"event: unknown key {key!r}{mean(key, _KEYS)}")
        if key != "data" and not isinstance(value, str):
            raise ValueError(f"event.{key}: expected a text, got {shown(value)}")
    if not table.get("type"):
        raise ValueError("event: give its type")
    data = table.get("data", {})
    if not isinstance(data, Mapping):
        raise ValueError(f"event.data: expected a table, got {shown(data)}")  # noqa: TRY004 - told as the others are
    try:
        encoded = Raw(_encode(data))
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"event.data: {error}") from None
    now = utc_now()
    return Event(
        id="test",
        source="/" + table.get("adapter", "test"),
        type=table["type"],
        subject=table.get("subject", UNSET),
        time=table.get("time", now),
        observed=now,
        owner=table.get("owner") or min(route.owners or [HOUSE]),
        actor=table.get("actor", UNSET),
        data=encoded,
    )


def _problem(route: Route, test: TestSettings, names: Mapping[str, str], zone: tzinfo) -> str:
    expected: tuple[Any, ...] = ()
    if isinstance(test.expect, str):
        if test.expect != NOTHING:
            return f'expect: expected actions, or "{NOTHING}", got {shown(test.expect)}'
    else:
        expected = tuple(test.expect)
    try:
        event = event_of(route, test.event)
    except ValueError as error:
        return str(error)
    now = test.now and (test.now.astimezone(zone) if test.now.tzinfo else test.now.replace(tzinfo=zone))
    document = Document(event, test.variables, names.get(event.owner, ""), now=now, zone=zone)
    try:
        matches = route.matches(document)
        done = [said(action) for action in route.actions(document)] if matches else []
    except TemplateError as error:
        return str(error)
    against = "" if matches else "; ".join(reason.saw for reason in route.explain(document) if not reason.held)
    return _difference(expected, done, against=against)


def _difference(expected: tuple[Any, ...], done: list[dict[str, Any]], *, against: str) -> str:
    if len(expected) != len(done):
        because = "; ".join(map(shown, done)) or against
        return f"expected {_counted(len(expected))}, got {_counted(len(done))}{': ' if because else ''}{because}"
    for number, (wanted, got) in enumerate(zip(expected, done, strict=True), 1):
        for key, value in wanted.items():
            if not _covers(value, got.get(key)):
                return f"action {number}: expected {key} to be {shown(value)}, got {shown(got.get(key))}"
    return ""


def _covers(wanted: object, got: object) -> bool:
    """Tell whether a value is as wanted; a table may have more fields than are wanted."""
    if isinstance(wanted, Mapping) and isinstance(got, Mapping):
        return all(key in got and _covers(value, got[key]) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(got, list):
        return len(wanted) == len(got) and all(map(_covers, wanted, got))
    return same(wanted, got)


def _counted(number: int) -> str:
    return {0: NOTHING, 1: "1 action"}.get(number, f"{number} actions")
