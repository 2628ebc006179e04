"""`jitney owners claim`: who was met outside and is nobody's, and making an external id somebody's."""

import argparse
import os
import shlex
import sys
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from jitney.daemon import log
from jitney.daemon.cli.asking import Errand, add_timeout, answer
from jitney.daemon.cli.colours import BOLD, FAINT, Paint, padded, width
from jitney.daemon.cli.common import UsageError, add_broker_arguments, configuration, note
from jitney.daemon.cli.owners_config import known, opened, put
from jitney.daemon.config.parts import Whole
from jitney.daemon.config.people import Value, changed, says
from jitney.daemon.config.problems import dotted, one_line
from jitney.daemon.config.schema import Config
from jitney.daemon.log.stream import has_colours
from jitney.daemon.owners.identities import Identities, meanings, value
from jitney.daemon.owners.unclaimed import Stranger
from jitney.daemon.supervision.people import Strangers
from jitney.topics import JitneyError

_WHAT: Final = """\
Make an external id somebody's: a person or user of Home Assistant, an athlete of Strava, a node of the mesh. It is
written into the configuration, where their section stands, and the adapters that it concerns are begun anew.
Without arguments: ask the running bus whom its adapters have met who is nobody's.
"""

_EPILOG: Final = """examples:
  jitney owners claim
  jitney owners claim '!a1b2c3d4' alice
  jitney owners claim person.bob bob --dry-run
"""

_HEADS: Final = ("type", "what", "id", "hint", "times", "last")
_GAP: Final = "  "


def add(actions: "argparse._SubParsersAction[Any]") -> None:
    """Register the action."""
    parser = actions.add_parser(
        "claim",
        help="show who was met outside and is nobody's, or make an external id somebody's",
        description=_WHAT,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("id", nargs="?", default="", metavar="EXTERNAL-ID", help="what is to be somebody's")
    parser.add_argument("owner", nargs="?", default="", metavar="OWNER", help="whose it is to be")
    parser.add_argument("--type", default="", help="of adapter, where an id could be of several")
    parser.add_argument("--dry-run", action="store_true", help="only show what would change")
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead, without arguments")
    parser.add_argument("--instance", metavar="NAME", help="of the bus, where it is not the configured one or 'main'")
    add_timeout(parser, seconds=10.0)
    add_broker_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show or claim; returns 0. Raises JitneyError."""
    if not args.id:
        return _ask(args)
    if not args.owner:
        raise UsageError(f"whose is it to be?  jitney owners claim {shlex.quote(args.id)} OWNER")
    whole, config = opened(args)
    owner = known(config, args.owner)
    kind, key, spelling = _meant(args.id, args.type)
    for claim in Identities(config).whose(spelling):
        where = says(whole, claim.key)
        if claim.owner == owner:
            note(f"Nothing to do: {one_line(args.id)} is {owner}'s already ({where}).")
            return 0
        if claim.type == kind:
            message = f"{one_line(args.id)} is {claim.owner}'s ({where}): take it out there first"
            raise JitneyError(message)
    put(changed(whole, *_written(whole, config, (owner, kind, key), args.id), why="claimed"), dry=args.dry_run)
    return 0


def _meant(external_id: str, kind: str) -> tuple[str, str, str]:
    """Return the adapter type, the key and the spelling of an external id; raises UsageError."""
    found = [one for one in meanings(external_id) if kind in ("", one[0])]
    if not found:
        raise UsageError(
            f"{one_line(external_id)!r} is no external id{f' of type {kind}' if kind else ''}: expected one such as"
            " person.alice, a user id of Home Assistant, the number of an athlete, or '!a1b2c3d4'"
        )
    if len(found) > 1:
        raise UsageError(f"{external_id!r} can be of {' or '.join(one[0] for one in found)}: say which with --type")
    return found[0]


def _written(
    whole: Whole, config: Config, place: tuple[str, str, str], external_id: str
) -> tuple[tuple[str, ...], Value]:
    """Return the key and what to write there; raises JitneyError where another one stands there already."""
    owner, kind, key = place
    where = ("owners", owner, kind, key)
    now = value(kind, key, external_id)
    before = getattr(config.owners[owner].identities.get(kind), key, None)
    if before and not isinstance(now, list):
        message = f"{owner} is {one_line(str(before))} already ({says(whole, where)}): change {dotted(where)} there"
        raise JitneyError(message)
    return where, now


def _ask(args: argparse.Namespace) -> int:
    log.configure("auto", "warning")
    config = configuration(args)
    errand = Errand(instance=args.instance or config.bus.instance, request="unclaimed", data={}, seconds=args.timeout)
    found = answer(config.mqtt, errand, Strangers)
    if args.json:
        print(msgspec.json.encode(found).decode())
        return 0
    if not found.unclaimed:
        note("Since it was started the bus has met nobody who is nobody's.")
        return 0
    for line in _table(found.unclaimed, Paint(enabled=has_colours(sys.stdout, os.environ))):
        print(line)
    note("\nTo make one of them somebody's:")
    for one in found.unclaimed[:3]:
        note(f"  jitney owners claim {one_line(shlex.quote(one.id))} OWNER")
    return 0


def _table(strangers: tuple[Stranger, ...], paint: Paint) -> Iterator[str]:
    rows = [_cells(one) for one in strangers]
    widths = [max(map(width, column)) for column in zip(_HEADS, *rows, strict=True)]
    yield paint(_GAP.join(map(padded, _HEADS, widths)).rstrip(), FAINT)
    for row in rows:
        cells = list(map(padded, row, widths))
        cells[2] = paint(cells[2], BOLD)
        yield _GAP.join(cells).rstrip()


def _cells(one: Stranger) -> tuple[str, ...]:
    texts = (one.type, one.kind, one.id, one.hint or "-", str(one.count), one.last)
    return tuple(map(one_line, texts))
