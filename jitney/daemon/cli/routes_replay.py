"""`jitney routes replay`: what came to an owner is published again, and routes answer it again."""

import argparse
from collections.abc import Iterator
from typing import Any, Final

from jitney.daemon.cli.colours import FAINT, GREEN, YELLOW, Paint
from jitney.daemon.cli.common import note
from jitney.daemon.cli.instants import FORMS, past
from jitney.daemon.cli.routes_asking import action, add_bus_arguments, asked, paint, print_json
from jitney.daemon.cli.routes_words import when
from jitney.daemon.cli.terminal import confirmed
from jitney.daemon.config.problems import one_line
from jitney.daemon.routing.journal import MOST_EVENTS
from jitney.daemon.routing.journal_messages import Copied, Left, Replayed
from jitney.daemon.routing.replay import Why
from jitney.topics import rfc3339
from jitney.topics.owners import owner as owner_id

_EPILOG: Final = f"""examples:
  jitney routes replay alice --since 2h --dry-run            which events these would be
  jitney routes replay alice --since 07:30 --until 08:00     publish them again; asks first
  jitney routes replay alice --since 1d --type 'strava.*'    only some
  jitney routes replay alice --since 15m --no-routes         for others, without an answer of the routes

Each event is published again as a new one, with another id and the old one as its cause, so that nobody takes it for a
duplicate: routes act again, and whoever listens hears it again. What follows from another event of the span is left
out where it comes about again by itself. The running daemon remembers the last {MOST_EVENTS} events of each owner since
it was started, those that were published again among them.

Exit status: 0 all was published that could be, 1 not wanted, refused, not answered or ended early.
"""

_WHY: Final[dict[Why, str]] = {
    "cut": "its data was too large to be remembered",
    "caused": "it comes about again by another one",
    "again": "it is a copy of another one",
    "loop": "it was caused through too many events already",
    "dropped": "a route had kept it from being published",
    "too_large": "it has no room for what would be added",
    "stopped": "the replay ended before it",
    "scheduled": "a schedule makes it, for its route alone",
}


def add(actions: "argparse._SubParsersAction[Any]") -> None:
    """Register the action."""
    summary = "publish the remembered events of an owner again, as new ones"
    parser = action(actions, "replay", _run, summary=summary, epilog=_EPILOG)
    parser.add_argument("owner", metavar="OWNER", help="whose events")
    parser.add_argument("--since", type=past, required=True, metavar="TIME", help=f"those that came from then: {FORMS}")
    parser.add_argument("--until", type=past, metavar="TIME", help="up to then (default: until now)")
    parser.add_argument("--type", metavar="GLOB", default="*", help="only those whose type matches")
    parser.add_argument("--no-routes", action="store_true", help="let no route answer them")
    parser.add_argument("--dry-run", action="store_true", help="only tell which events these would be")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask first")
    add_bus_arguments(parser, seconds=60.0)


def _run(args: argparse.Namespace) -> int:
    wanted: dict[str, object] = {
        "owner": owner_id(args.owner),
        "since": rfc3339(args.since),
        "until": rfc3339(args.until) if args.until else None,
        "type": args.type,
        "routes": not args.no_routes,
    }
    if args.dry_run or not args.yes:
        found = asked(args, request="route_replay", data={**wanted, "dry_run": True}, kind=Replayed)
        if args.dry_run:
            _tell(found, args)
            return 0
        if not found.events:
            _tell(found, args)
            return 0
        if not confirmed(f"{_question(found, args)}\nReplay?", yes=False):
            note("Nothing was replayed.")
            return 1
        wanted["until"] = found.until
    found = asked(args, request="route_replay", data=wanted, kind=Replayed)
    _tell(found, args)
    return 1 if found.ended else 0


def _question(found: Replayed, args: argparse.Namespace) -> str:
    count = _counted(len(found.events))
    span = f"from {when(found.events[0].at)} to {when(found.events[-1].at)}"
    routes = "no route answers" if args.no_routes else "routes act on it again"
    return f"This publishes {count} of {one_line(found.owner)} again, {span}, and {routes}."


def _tell(found: Replayed, args: argparse.Namespace) -> None:
    if args.json:
        print_json(found)
        return
    colours = paint()
    every: list[Copied | Left] = [*found.events, *found.left_out]
    for one in sorted(every, key=lambda one: one.at):
        print(*_lines(one, colours), sep="\n")
    for text in _summary(found, dry=args.dry_run):
        note(text)


def _lines(one: Copied | Left, colours: Paint) -> Iterator[str]:
    what = one_line(" ".join(part for part in (one.type, one.subject) if part))
    head = f"{colours(when(one.at), FAINT)}  {one_line(one.of)}"
    if isinstance(one, Left):
        yield f"{head}  {what}  {colours(f'left out: {_WHY[one.why]}', YELLOW)}"
    elif one.id:
        yield f"{head}  {what}  {colours(f'again as {one_line(one.id)}', GREEN)}"
    else:
        yield f"{head}  {what}"


def _summary(found: Replayed, *, dry: bool) -> Iterator[str]:
    owner = one_line(found.owner)
    if not found.oldest:
        yield f"No event of {owner} is remembered up to then."
    elif found.since < found.oldest:
        yield f"What is remembered of {owner} begins at {when(found.oldest)}."
    done = "would be published again" if dry else "published again"
    left = f", {len(found.left_out)} left out" if found.left_out else ""
    yield f"{_counted(len(found.events))} of {owner} {done}{left}."
    if found.ended:
        yield f"It ended early: {one_line(found.ended)}"


def _counted(number: int) -> str:
    return "1 event" if number == 1 else f"{number} events"
