"""`jitney trace`: one event from its source to the broker, with the time of each stage and what followed from it."""

import argparse
from collections.abc import Iterator, Sequence
from typing import Any, Final

from jitney.daemon.cli.colours import BOLD, FAINT, GREEN, RED, YELLOW, Paint
from jitney.daemon.cli.common import UsageError, note
from jitney.daemon.cli.routes_asking import add_bus_arguments, asked, paint, print_json
from jitney.daemon.config.problems import one_line
from jitney.daemon.delivery.trace_requests import MOST_LISTED, Done, Newest, Short, Traced
from jitney.daemon.delivery.traces import MOST_EVENTS
from jitney.topics.owners import owner as owner_id

_EPILOG: Final = f"""examples:
  jitney trace                        the newest events, with their ids and how long each took to the broker
  jitney trace 01JD3QZ6M2             this one, stage by stage, and what followed
  jitney trace 01JD3QZ6M2 --json      the same for a program

The running daemon is asked over MQTT. It remembers the last {MOST_EVENTS} events of each owner and source since it was
started; of a burst the first {MOST_EVENTS} in a second. Why a route did nothing is told by `jitney routes explain`.
Exit status: 0 told, 1 not remembered or not answered.
"""

_STAGES: Final = {
    "happened": "happened at its source",
    "observed": "the bus heard of it",
    "accepted": "accepted",
    "committed": "on disk",
    "sent": "sent to the broker",
    "confirmed": "the broker has it",
}
_COLUMNS: Final = max(map(len, _STAGES.values()))
_STATES: Final = {
    "confirmed": ("with the broker", GREEN),
    "sent": ("sent, not confirmed yet", YELLOW),
    "waiting": ("waits for the broker", YELLOW),
    "dropped": ("dropped", RED),
}
_MINUTE: Final = 60
_HOUR: Final = 3600


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "trace",
        help="follow one event from its source to the broker, with the time of each stage",
        description="Follow one event from its source to the broker, with the time of each stage, and show what came"
        " of it: actions of routes, and the events that it led to.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("event", nargs="?", metavar="ID", help="the id of an event (default: list the newest)")
    parser.add_argument("--owner", metavar="OWNER", help="only events of this owner (default: of everybody)")
    parser.add_argument(
        "--limit", type=_limit, metavar="N", help=f"without an id: how many, up to {MOST_LISTED} (default: 20)"
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead")
    add_bus_arguments(parser, seconds=10.0)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show; returns 0. Raises JitneyError."""
    data = {"owner": "" if args.owner is None else owner_id(args.owner)}
    if args.event is None:
        newest = asked(args, request="trace", data={**data, "limit": args.limit or 20}, kind=Newest)
        _print(newest.events if args.json else None, _list(newest.events, paint()))
        if not newest.events and not args.json:
            note("no such event has come since the bus was started: `jitney tail` shows new ones")
        return 0
    if args.limit is not None:
        message = "an event is named already: --limit is for the list of the newest"
        raise UsageError(message)
    found = asked(args, request="trace", data={**data, "id": args.event}, kind=Traced)
    _print(found if args.json else None, _told(found, paint()))
    if found.others and not args.json:
        note(f"{', '.join(found.others)} had an event with the same id: --owner shows theirs")
    return 0


def span(seconds: float) -> str:
    """Return a time between two stages in words."""
    size = abs(seconds)
    if size < 1:
        return f"{seconds * 1000:.1f} ms"
    if size < _MINUTE:
        return f"{seconds:.2f} s"
    if size < _HOUR:
        return f"{seconds / _MINUTE:.1f} min"
    return f"{seconds / _HOUR:.1f} h"


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:20]) <= MOST_LISTED):
        message = f"{text!r} is not a number from 1 to {MOST_LISTED}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _print(json: object, lines: Iterator[str]) -> None:
    if json is not None:
        print_json(json)
        return
    for line in lines:
        print(line)


def _list(events: Sequence[Short], colours: Paint) -> Iterator[str]:
    for event in events:
        yield _line(event, colours)


def _told(found: Traced, colours: Paint) -> Iterator[str]:
    event = found.event
    yield f"{colours(one_line(event.type), BOLD)} of {one_line(event.owner)}, from {one_line(event.adapter)}"
    for number, stage in enumerate(found.stages):
        after = f"+{span(stage.after)}" if number and stage.after >= 0 else span(stage.after) if number else ""
        yield f"  {_STAGES[stage.name]:<{_COLUMNS}}  {one_line(stage.at)}  {colours(f'{after:>10}', FAINT)}".rstrip()
    yield f"  {_state(event, colours)}"
    if found.again:
        times = "once" if found.again == 1 else f"{found.again} times"
        yield f"  sent again {times}: the connection ended before the broker had confirmed it"
    for name, value in (("cause", found.cause), ("traceparent", found.traceparent)):
        if value:
            yield f"  {name}: {one_line(value)}"
    for done in found.actions:
        yield f"  {one_line(_act(done))}"
    for caused in found.caused:
        yield f"  led to {_line(caused, colours)}"


def _act(done: Done) -> str:
    tries = "" if done.tries < 2 else f", tried {done.tries} times"  # noqa: PLR2004 - once needs no word
    if not done.outcome:
        came = "not done yet"
    elif done.outcome == "ok":
        came = f"done after {span(done.seconds)}"
    else:
        came = f"{done.why or done.outcome}; {'given up' if done.final else 'it will be tried again'}"
    return f"route {done.route}: {done.action}: {came}{tries}"


def _line(event: Short, colours: Paint) -> str:
    what = f"{one_line(event.at)}  {one_line(event.owner)}  {one_line(event.type)}  {one_line(event.id)}"
    return f"{what}  {_state(event, colours)}"


def _state(event: Short, colours: Paint) -> str:
    words, colour = _STATES[event.state]
    if event.dropped:
        words = f"{words}: {one_line(event.dropped)}"
    elif event.seconds is not None:
        words = f"{words} after {span(event.seconds)}"
    return colours(words, colour)
