"""`jitney reload`: let the running bus read its configuration again."""

import argparse
import asyncio
from typing import Any, Final

import msgspec

from jitney.daemon import log
from jitney.daemon.cli import WRONG_CONFIGURATION
from jitney.daemon.cli.asking import Errand, RefusedReplyError, add_timeout, ask, data_of
from jitney.daemon.cli.common import add_broker_arguments, configuration, note
from jitney.daemon.config.problems import one_line
from jitney.daemon.reloading import INVALID, Outcome

_WHAT: Final = """\
Let the running bus read its configuration file again. What has changed is put in force, all other adapters, routes and
people go on undisturbed. When anything is wrong with the file, all of it stays as it was. Saving it does the same.
"""

_EPILOG: Final = """examples:
  jitney reload --plan     says what would change, and changes nothing
  jitney reload

Exit status: 0 done, 1 nobody answered or it could not be done, 78 the file is wrong and the old one stays in force.
"""


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "reload",
        help="let the running bus read its configuration again",
        description=_WHAT,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--plan", action="store_true", help="only say what would change")
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead")
    parser.add_argument("--instance", metavar="NAME", help="of the bus, where it is not the configured one or 'main'")
    add_timeout(parser, seconds=30.0)
    add_broker_arguments(parser)
    parser.set_defaults(run=_reload)


def _reload(args: argparse.Namespace) -> int:
    log.configure("auto", "warning")
    config = configuration(args)
    errand = Errand(
        instance=args.instance or config.bus.instance, request="reload", data={"plan": args.plan}, seconds=args.timeout
    )
    try:
        outcome = data_of(asyncio.run(ask(config.mqtt, errand)), Outcome)
    except RefusedReplyError as error:
        if error.code != INVALID:
            raise
        for line in str(error).splitlines():
            note(one_line(line))
        note("The old configuration stays in force.")
        return WRONG_CONFIGURATION
    if args.json:
        print(msgspec.json.encode(outcome).decode())
    else:
        _tell(outcome)
    return 0


def _tell(outcome: Outcome) -> None:
    for change in outcome.changes:
        print(one_line(change))
    for name, how in outcome.adapters.items():
        print(f"adapter {one_line(name)}: {_HAPPENS[how]}")
    for key in outcome.restart:
        print(f"{one_line(key)}: counts from the next start on")
    for warning in outcome.warnings:
        note(one_line(warning))
    if not outcome.changes:
        note("Nothing has changed.")
    elif outcome.done:
        note("Done.")
    else:
        note("Nothing was done yet: jitney reload does it.")


_HAPPENS: Final = {"added": "begins", "removed": "ends", "changed": "begins anew"}
