"""`jitney dead`: what could not be published or done, to be looked at, tried again or dropped."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from jitney.daemon import log
from jitney.daemon.cli.asking import Errand, add_timeout, answer
from jitney.daemon.cli.colours import BOLD, FAINT, YELLOW, Paint, colour_of
from jitney.daemon.cli.common import UsageError, add_broker_arguments, configuration, note
from jitney.daemon.cli.terminal import confirmed
from jitney.daemon.config.problems import one_line
from jitney.daemon.config.schema import Config
from jitney.daemon.log.stream import has_colours
from jitney.daemon.routing.dead import Shown
from jitney.daemon.routing.dead_requests import MOST_LISTED, Dropped, Listed, Retried
from jitney.topics.owners import owner as owner_id

_DESCRIPTION: Final = """\
Look after the dead letters: events that the broker refused, and actions of routes that failed until their time was
up. The running daemon is asked over MQTT.
"""

_EPILOG: Final = """examples:
  jitney dead list                   the newest of everybody, with their numbers
  jitney dead list alice --limit 5   the newest five of alice
  jitney dead retry 12               try it again
  jitney dead drop 12                drop it; asks first
  jitney dead drop --all alice       drop all of alice's

Exit status: 0 done, 1 refused, not wanted or not answered.
"""

_LARGEST: Final = 2**63 - 1

S = TypeVar("S", bound=Struct)


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "dead",
        help="look after what could not be published or done",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    show = _action(actions, "list", _list, summary="list the newest dead letters, with their numbers and reasons")
    show.add_argument("owner", nargs="?", metavar="OWNER", help="only those of this owner (default: everybody's)")
    show.add_argument(
        "--limit", type=_limit, default=50, metavar="N", help=f"how many, up to {MOST_LISTED} (default: 50)"
    )
    again = _action(actions, "retry", _retry, summary="try a dead letter again")
    again.add_argument("number", type=_number, metavar="NUMBER", help="its number in the list")
    drop = _action(actions, "drop", _drop, summary="drop a dead letter, or all of them")
    drop.add_argument("which", nargs="?", metavar="NUMBER", help="its number in the list; with --all an owner, if any")
    drop.add_argument("--all", action="store_true", help="drop all: those of an owner, or else of everybody")
    drop.add_argument("-y", "--yes", action="store_true", help="do not ask first")


def _action(
    actions: "argparse._SubParsersAction[Any]", name: str, run: Callable[[argparse.Namespace], int], *, summary: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead")
    parser.add_argument("--instance", metavar="NAME", help="of the bus, where it is not the configured one or 'main'")
    add_timeout(parser, seconds=20.0)
    add_broker_arguments(parser)
    parser.set_defaults(run=run)
    return parser


def _list(args: argparse.Namespace) -> int:
    config = _configured(args)
    owner = "" if args.owner is None else owner_id(args.owner)
    found = _asked(config, args, request="dead_list", data={"owner": owner, "limit": args.limit}, kind=Listed)
    if args.json:
        _print_json(found.letters)
        return 0
    paint = Paint(enabled=has_colours(sys.stdout, os.environ))
    for shown in found.letters:
        print(*_lines(shown, paint), sep="\n")
    if not found.letters:
        note(f"There are no dead letters{f' of {owner}' if owner else ''}.")
    elif len(found.letters) == args.limit:
        note(f"These are the newest {args.limit}; there may be more.")
    return 0


def _retry(args: argparse.Namespace) -> int:
    config = _configured(args)
    retried = _asked(config, args, request="dead_retry", data={"id": args.number}, kind=Retried).retried
    if args.json:
        _print_json(retried)
    else:
        print(f"The dead letter {retried.id} of {one_line(retried.owner)} is tried again: {_what(retried)}.")
    return 0


def _drop(args: argparse.Namespace) -> int:
    config = _configured(args)
    whose, data = _meant(args)
    if not confirmed(f"This drops {whose}, for good.\nDrop?", yes=args.yes):
        note("Nothing was dropped.")
        return 1
    dropped = _asked(config, args, request="dead_drop", data=data, kind=Dropped)
    if args.json:
        _print_json(dropped)
    else:
        print(f"Dropped {dropped.dropped} dead letter{'' if dropped.dropped == 1 else 's'}.")
    return 0


def _meant(args: argparse.Namespace) -> tuple[str, dict[str, object]]:
    """Return which letters are to be dropped, in words and as the request has it; raises UsageError."""
    if not args.all:
        if args.which is None:
            message = "say which by its number in `jitney dead list`, or --all"
            raise UsageError(message)
        try:
            number = _number(args.which)
        except argparse.ArgumentTypeError as error:
            raise UsageError(str(error)) from None
        return f"the dead letter {number}", {"id": number}
    if args.which is None:
        return "all dead letters of everybody", {"all": True}
    if args.which.isdecimal():
        message = f"either the number {args.which}, or --all"
        raise UsageError(message)
    owner = owner_id(args.which)
    return f"all dead letters of {owner}", {"all": True, "owner": owner}


def _configured(args: argparse.Namespace) -> Config:
    log.configure("auto", "warning")
    return configuration(args)


def _asked(config: Config, args: argparse.Namespace, *, request: str, data: Mapping[str, object], kind: type[S]) -> S:
    """Return what the bus answers; raises RefusedReplyError, NoReplyError or an error of the broker."""
    errand = Errand(instance=args.instance or config.bus.instance, request=request, data=data, seconds=args.timeout)
    return answer(config.mqtt, errand, kind)


def _lines(shown: Shown, paint: Paint) -> Iterator[str]:
    """Yield what a person reads about a letter: which, when, whose and what; below it why."""
    number = f"{shown.id:>6}"
    owner = paint(one_line(shown.owner), colour_of(shown.owner), BOLD)
    yield f"{number}  {paint(_time(shown.time), FAINT)}  {owner}  {_what(shown)}"
    tried = f" (tried {shown.tries} times)" if shown.tries > 1 else ""
    yield f"{'':>6}  {paint(one_line(shown.reason), YELLOW)}{tried}"


def _what(shown: Shown) -> str:
    about = one_line(" ".join(part for part in (shown.event_type, shown.subject) if part))
    if shown.kind == "event":
        return f"event {about or '?'} for {one_line(shown.topic)}"
    if not shown.action:
        return "an action of another version of Jitney"
    of = f"{one_line(shown.action)} of the route “{one_line(shown.route)}”"
    return f"{of}, about {about}" if about else of


def _time(time: str) -> str:
    """Return an RFC 3339 instant as local date and time, as it is where it is none."""
    try:
        return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return one_line(time)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:20]) <= _LARGEST):
        message = f"{text!r} is not the number of a dead letter: `jitney dead list` shows them"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:20]) <= MOST_LISTED):
        message = f"{text!r} is not a number from 1 to {MOST_LISTED}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _print_json(value: object) -> None:
    print(msgspec.json.encode(value).decode())
