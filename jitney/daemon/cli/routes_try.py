"""`jitney routes try`: what routes would do about an event. Nothing of it is done."""

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from jitney.daemon.cli.colours import FAINT, GREEN, RED, YELLOW, Paint
from jitney.daemon.cli.common import UsageError, from_vault, note
from jitney.daemon.cli.routes_asking import action, add_bus_arguments, paint, print_json
from jitney.daemon.cli.routes_cases import FORMS, Case, Cases, check_owner
from jitney.daemon.cli.routes_explain import COLUMNS, cut_note, limit
from jitney.daemon.cli.routes_words import filled_in, happening, memory, phrase
from jitney.daemon.config.load import load
from jitney.daemon.config.paths import default_path
from jitney.daemon.config.problems import one_line
from jitney.daemon.config.routes import compiled
from jitney.daemon.config.schema import Config
from jitney.daemon.routes.compiled import Reason, Route
from jitney.daemon.routes.document import Document
from jitney.daemon.routes.faults import TemplateError
from jitney.daemon.routes.words import mean
from jitney.daemon.routes.zones import zone

_EPILOG: Final = """examples:
  jitney routes try 'long ride'                    on the newest event that it wants
  jitney routes try 'long ride' --last 5           on the newest five
  jitney routes try --id 01JD3QZ6M2                every route that wants this event
  jitney routes try 'long ride' --event ride.json  without a running daemon
  jitney routes try hello --event '{"type": "inbox.hello", "data": {"n": 1}}' --owner alice

The routes are those of the configuration, as it is now, and nothing is done. What only the running bus knows is left
out: whether throttle, count and the like would hold a route back. Exit status: 0 tried, 1 a template cannot be filled
in, or the bus does not answer, 78 the configuration is wrong.
"""

_WORDS: Final = {"matches": ("matches", GREEN), "not_matched": ("not matched", FAINT), "failed": ("failed", RED)}


class Tried(Struct, frozen=True, kw_only=True):
    """What a route would do about an event: ``actions`` as in the file, and what may hold it back in ``held_by``.

    Without actions ``why`` and the ``reasons`` tell why it does nothing.
    """

    route: str
    outcome: Literal["matches", "not_matched", "failed"]
    why: str = ""
    reasons: Sequence[Reason] = ()
    actions: Sequence[dict[str, Any]] = ()
    held_by: Sequence[str] = ()


class Trial(Struct, frozen=True, kw_only=True):
    """An event, and what the routes would do about it. ``at`` is when the bus took it, or now."""

    id: str
    owner: str
    type: str
    at: str
    subject: str = ""
    cut: bool = False
    size: int = 0
    routes: Sequence[Tried] = ()


def add(actions: "argparse._SubParsersAction[Any]") -> None:
    """Register the action."""
    summary = "print what routes would do about an event, without doing it"
    parser = action(actions, "try", _run, summary=summary, epilog=_EPILOG)
    parser.add_argument("name", nargs="?", metavar="NAME", help="the route (default: all that want the type)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--event", metavar="FILE|JSON", help=f"this event: {FORMS}; - reads standard input")
    which.add_argument("--id", metavar="EVENT", help="one that the running bus remembers")
    which.add_argument("--last", type=limit, metavar="N", help="the newest that it remembers (default: 1)")
    parser.add_argument("--owner", metavar="OWNER", help="whose events; with --event: whose it is to be")
    parser.add_argument("--now", metavar="TIME", help="as if it were then: 2026-11-21T07:30 or 07:30")
    parser.add_argument(
        "--variables", metavar="JSON", help="the owner's variables (default: those of the bus, with --event none)"
    )
    add_bus_arguments(parser)


def _run(args: argparse.Namespace) -> int:
    config = load(args.config or default_path(os.environ), environ=os.environ, vault=from_vault)
    names = {owner.id: owner.name or owner.id for owner in config.owners.values()}
    if args.owner is not None:
        check_owner("--owner", args.owner, names)
    routes = _routes(config, args.name)
    cases = Cases(args, names, zone=zone(config.bus.time_zone))
    found = [_trial(case, wanting, names) for case, wanting in cases.find(routes)]
    if args.json:
        print_json(found)
    else:
        _tell(found, args)
    return 1 if any(one.outcome == "failed" for trial in found for one in trial.routes) else 0


def _routes(config: Config, name: str | None) -> Sequence[Route]:
    """Return the routes to try: all that are enabled, or the one of this name in any case; raises UsageError."""
    if name is None:
        return [route for route in compiled(config)[0] if route.settings.enabled]
    named = [one for one in config.routes if one.name == name]
    if not named:
        message = f"there is no route {name!r}{mean(name, [one.name for one in config.routes])}"
        raise UsageError(message)
    if not named[0].enabled:
        note(f"The route {one_line(name)} is not enabled: it is tried all the same.")
    return compiled(replace(config, routes=tuple(replace(one, enabled=True) for one in named)))[0]


def _trial(case: Case, routes: Sequence[Route], names: Mapping[str, str]) -> Trial:
    event = case.event
    document = Document(event, case.variables, names.get(event.owner, ""), now=case.now, zone=case.zone)
    return Trial(
        id=event.id,
        owner=event.owner,
        type=event.type,
        at=case.now.isoformat(timespec="seconds"),
        subject=event.subject or "",
        cut=case.cut,
        size=case.size,
        routes=[_tried(route, document) for route in routes],
    )


def _tried(route: Route, document: Document) -> Tried:
    if not route.matches(document):
        against = [reason for reason in route.explain(document) if not reason.held]
        why = "; ".join(reason.saw for reason in against)
        return Tried(route=route.name, outcome="not_matched", why=why, reasons=against)
    try:
        if route.needs_memory:
            route.key(document)
        actions = [filled_in(one) for one in route.actions(document)]
    except TemplateError as error:
        return Tried(route=route.name, outcome="failed", why=str(error))
    return Tried(route=route.name, outcome="matches", actions=actions, held_by=list(memory(route.settings)))


def _tell(found: Sequence[Trial], args: argparse.Namespace) -> None:
    colours = paint()
    for trial in found:
        at = datetime.fromisoformat(trial.at).strftime("%Y-%m-%d %H:%M:%S")
        print(happening(colours, at=at, owner=trial.owner, what=(trial.type, trial.subject)))
        for one in trial.routes:
            print(*_lines(one, colours), sep="\n")
        if not trial.routes:
            note("No route wants it.")
        if trial.cut:
            note(f"Mind that {cut_note(trial.size)}.")
    if not found and args.event is not None:
        note("No route wants it.")
    elif not found:
        note("The running bus remembers no such event: give one with --event, or wait for one (`jitney tail`).")


def _lines(one: Tried, colours: Paint) -> Iterator[str]:
    words, colour = _WORDS[one.outcome]
    why = f": {one_line(one.why)}" if one.why else ""
    yield f"  {colours(f'{words:<{COLUMNS}}', colour)}  {one_line(one.route)}{why}"
    margin = " " * (COLUMNS + 4)
    for table in one.actions:
        yield margin + phrase(table)
    if one.outcome == "matches" and not one.actions:
        yield margin + "does nothing"
    for text in one.held_by:
        yield margin + colours(f"may be held back: {one_line(text)}", YELLOW)
