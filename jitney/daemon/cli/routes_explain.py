"""`jitney routes explain`: what each route did about an event, and why the others did nothing."""

import argparse
from collections.abc import Iterator
from typing import Any, Final

from jitney.daemon.cli.colours import CYAN, FAINT, GREEN, RED, YELLOW, Paint
from jitney.daemon.cli.common import UsageError, note
from jitney.daemon.cli.routes_asking import action, add_bus_arguments, asked, paint, print_json
from jitney.daemon.cli.routes_words import happening, when
from jitney.daemon.config.problems import one_line
from jitney.daemon.routing.journal import MOST_EVENTS, Explained
from jitney.daemon.routing.journal_messages import Explanation, Recent, Recorded
from jitney.topics.owners import owner as owner_id

_EPILOG: Final = f"""examples:
  jitney routes explain                              the newest events, with their ids and what came of them
  jitney routes explain --owner alice --type 'strava.*'
  jitney routes explain 01JD3QZ6M2                   what each route did about this one, and why the others did nothing
  jitney routes explain 01JD3QZ6M2 --route 'long ride'   even if it does not want such events at all

The running daemon is asked over MQTT. It remembers the last {MOST_EVENTS} events of each owner since it was started.
Exit status: 0 told, 1 not remembered or not answered.
"""

OUTCOMES: Final = {
    "fired": ("fired", GREEN),
    "held": ("held", YELLOW),
    "stopped": ("stopped", RED),
    "failed": ("failed", RED),
    "not_matched": ("not matched", FAINT),
    "would_match": ("would match", CYAN),
}
"""The outcomes in words, and their colours."""

COLUMNS: Final = max(len(words) for words, _ in OUTCOMES.values())

_CHANGED: Final = "it did not match when the event came: its conditions, variables or the time have changed meanwhile"


def add(actions: "argparse._SubParsersAction[Any]") -> None:
    """Register the action."""
    summary = "tell what each route did about an event, and why the others did nothing"
    parser = action(actions, "explain", _run, summary=summary, epilog=_EPILOG)
    parser.add_argument("event", nargs="?", metavar="EVENT", help="the id of an event (default: list the newest)")
    parser.add_argument("--owner", metavar="OWNER", help="only events of this owner (default: of everybody)")
    parser.add_argument("--route", metavar="NAME", help="with an event: only this route, even if it does not want such")
    parser.add_argument("--type", metavar="GLOB", help="without an event: only those whose type matches")
    parser.add_argument(
        "--limit", type=limit, metavar="N", help=f"without an event: how many, up to {MOST_EVENTS} (default: 20)"
    )
    add_bus_arguments(parser)


def limit(text: str) -> int:
    """Return how many events; raises argparse.ArgumentTypeError."""
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:20]) <= MOST_EVENTS):
        message = f"{text!r} is not a number from 1 to {MOST_EVENTS}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def cut_note(size: int) -> str:
    """Return what a person must know of an event whose data was too large to be remembered."""
    return f"its {size} bytes of data were too many to be remembered: what is said of data is as if there were none"


def _run(args: argparse.Namespace) -> int:
    owner = "" if args.owner is None else owner_id(args.owner)
    if args.event is None:
        if args.route is not None:
            message = "--route goes with the id of an event: `jitney routes explain` lists them"
            raise UsageError(message)
        return _list(args, owner)
    if args.type is not None or args.limit is not None:
        message = "an event is named already: --type and --limit are for the list of the newest"
        raise UsageError(message)
    data = {"id": args.event, "owner": owner, "route": args.route or ""}
    found = asked(args, request="route_explain", data=data, kind=Explanation)
    if args.json:
        print_json(found)
        return 0
    print(*_explained(found, paint()), sep="\n")
    for text in _notes(found, named=args.route is not None):
        note(text)
    return 0


def _list(args: argparse.Namespace, owner: str) -> int:
    most = args.limit or 20
    data = {"owner": owner or "*", "type": args.type or "*", "limit": most}
    found = asked(args, request="route_recent", data=data, kind=Recent)
    if args.json:
        print_json(found.events)
        return 0
    colours = paint()
    for event in found.events:
        print(*_recent(event, colours), sep="\n")
    if not found.events:
        whose = f" of {owner}" if owner else ""
        note(f"No such event{whose} has come since the bus was started: `jitney tail` shows new ones.")
    elif len(found.events) == most:
        note(f"These are the newest {most}; there may be more.")
    return 0


def _recent(event: Recorded, colours: Paint) -> Iterator[str]:
    yield _about(event, colours)
    came = [f"{OUTCOMES[one.outcome][0]}: {one_line(one.route)}" for one in event.verdicts]
    yield f"  {one_line(event.id)}  {colours('; '.join(came) or 'no route matched', FAINT)}"


def _explained(found: Explanation, colours: Paint) -> Iterator[str]:
    yield _about(found.event, colours)
    for one in found.routes:
        words, colour = OUTCOMES[one.outcome]
        why = one_line(_why(one))
        yield f"  {colours(f'{words:<{COLUMNS}}', colour)}  {one_line(one.route)}{f': {why}' if why else ''}"


def _why(one: Explained) -> str:
    if one.outcome == "would_match":
        return _CHANGED
    return one.why or "; ".join(reason.saw for reason in one.reasons if not reason.held)


def _notes(found: Explanation, *, named: bool) -> Iterator[str]:
    event = found.event
    if event.cut:
        yield f"Mind that {cut_note(event.size)}."
    if not named and not found.routes:
        yield f"No route wants {one_line(event.type)} of {one_line(event.owner)}."
    if not named and found.others:
        wants = "1 other route of theirs wants" if found.others == 1 else f"{found.others} other routes of theirs want"
        yield f"{wants} other types: --route NAME tells about one."
    if any(one.outcome == "fired" for one in found.routes):
        yield f"What could not be done of it in the end is in `jitney dead list {one_line(event.owner)}`."


def _about(event: Recorded, colours: Paint) -> str:
    return happening(colours, at=when(event.at), owner=event.owner, what=(event.type, event.subject))
