"""What the commands about routes have in common: how they are registered, and how the running bus is asked."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from jitney.daemon import log
from jitney.daemon.cli.asking import Errand, add_timeout, answer
from jitney.daemon.cli.colours import Paint
from jitney.daemon.cli.common import add_broker_arguments, configuration
from jitney.daemon.log.stream import has_colours

S = TypeVar("S", bound=Struct)


def action(
    actions: "argparse._SubParsersAction[Any]",
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    summary: str,
    epilog: str,
) -> argparse.ArgumentParser:
    """Register one of the actions of `jitney routes`, which can print JSON."""
    parser: argparse.ArgumentParser = actions.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead")
    parser.set_defaults(run=run)
    return parser


def add_bus_arguments(parser: argparse.ArgumentParser, *, seconds: float = 20.0) -> None:
    """Register which running bus is asked."""
    parser.add_argument("--instance", metavar="NAME", help="of the bus, where it is not the configured one or 'main'")
    add_timeout(parser, seconds=seconds)
    add_broker_arguments(parser)


def asked(args: argparse.Namespace, *, request: str, data: Mapping[str, object], kind: type[S]) -> S:
    """Return what the running bus answers.

    Raises ConfigError, UsageError, RefusedReplyError, NoReplyError or an error of the broker.
    """
    log.configure("auto", "warning")
    config = configuration(args)
    errand = Errand(instance=args.instance or config.bus.instance, request=request, data=data, seconds=args.timeout)
    return answer(config.mqtt, errand, kind)


def paint() -> Paint:
    """Return what colours standard output."""
    return Paint(enabled=has_colours(sys.stdout, os.environ))


def print_json(value: object) -> None:
    """Print a value as one line of JSON."""
    print(msgspec.json.encode(value).decode())
