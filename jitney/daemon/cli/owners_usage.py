"""`jitney owners usage`: what each owner takes."""

import argparse
from typing import Any, Final

import msgspec

from jitney.daemon import log
from jitney.daemon.cli.amounts import counted, size
from jitney.daemon.cli.asking import add_timeout
from jitney.daemon.cli.common import add_broker_arguments, note
from jitney.daemon.cli.owners_source import source
from jitney.topics import owners

WORDS: Final = {
    "outbox": "event on disk, waiting for the broker",
    "memory": "event in memory, waiting for the broker",
    "retained": "retained topic",
    "dead": "dead letter",
    "kept": "value kept by adapters",
    "vault": "secret",
    "action": "planned action of routes",
    "route_memory": "value remembered by routes",
    "command": "command under way",
    "files": "file",
    "audit": "row of the audit log",
    "seen": "id of seen events",
    "lane": "numbering of events",
}
"""What the rows of each table are, the first ones first."""


def add(actions: "argparse._SubParsersAction[Any]") -> None:
    """Register the action."""
    parser = actions.add_parser(
        "usage",
        help="show what each of them takes",
        description="Show what the bus keeps of each owner: how many of what, and how much room they take. The running"
        " bus is asked; where none runs on the configured state folder, its files are read.",
    )
    parser.add_argument("owner", metavar="OWNER", nargs="?", default="", help="whose (default: everybody's)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead")
    parser.add_argument("--instance", metavar="NAME", help="of the bus, where it is not the configured one or 'main'")
    add_timeout(parser, seconds=10.0)
    add_broker_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show; returns 0. Raises JitneyError."""
    log.configure("auto", "warning")
    usage = source(args).usage(owners.owner(args.owner) if args.owner else "")
    if args.json:
        print(msgspec.json.encode(usage).decode())
        return 0
    if not usage.owners:
        note("nothing is kept of anybody yet")
    for owner, tables in usage.owners.items():
        total = sum(holding.bytes for holding in tables.values())
        print(f"{owner}: {size(total)}")
        for table, word in WORDS.items():
            holding = tables.get(table)
            if holding is not None and holding.rows:
                print(f"  {_plural(holding.rows, word):<44} {size(holding.bytes)}")
    return 0


def _plural(number: int, word: str) -> str:
    first, _, rest = word.partition(" ")
    if first in {"retained", "planned"}:
        second, _, rest = rest.partition(" ")
        first = f"{first} {second}"
    return f"{counted(number, first)} {rest}".strip()
