"""`jitney send`: one command, and its reply."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import UNSET

from jitney.daemon import log
from jitney.daemon.cli.asking import Order, add_timeout, ask
from jitney.daemon.cli.colours import FAINT, GREEN, Paint
from jitney.daemon.cli.common import UsageError, add_broker_arguments, broker_settings
from jitney.daemon.log.stream import has_colours
from jitney.topics import Reply, owners

_LONGEST_LINE: Final = 100

_EPILOG: Final = """examples:
  jitney send alice home call_service domain=light service=turn_on data.entity_id=light.desk
  jitney send alice demo switch subject=light.desk on=true
  jitney send bob demo say --data '{"text": "hello"}'

A value is true, false, null or a number where it looks like one, a text otherwise; to send "42" as a text write
key='"42"'. Dots make objects of objects. Exit status: 0 done, 1 refused or not answered.
"""


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "send",
        help="send a command to an adapter and wait for the reply",
        description="Send a command to an adapter of an owner, wait for the reply and print it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("owner", metavar="OWNER", help="in whose name")
    parser.add_argument("adapter", metavar="ADAPTER", help="the name of the adapter in the configuration")
    parser.add_argument("command", metavar="COMMAND", help="what it should do")
    parser.add_argument("data", nargs="*", type=assignment, metavar="KEY=VALUE", help="the data of the command")
    parser.add_argument("--data", dest="json_data", default="{}", metavar="JSON", help="the data as a JSON object")
    add_timeout(parser, seconds=10.0)
    parser.add_argument("--json", action="store_true", help="print the whole reply as one line of JSON")
    add_broker_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Send and wait; returns 0 when it was done, 1 when it was refused."""
    log.configure("auto", "warning")
    order = Order(
        owner=owners.owner(args.owner),
        adapter=args.adapter,
        command=args.command,
        data=merged(_object(args.json_data), args.data),
        seconds=args.timeout,
    )
    reply = asyncio.run(ask(broker_settings(args), order))
    if args.json:
        print(msgspec.json.encode(reply).decode())
    elif reply.status == "ok":
        print(_for_person(reply))
    else:
        error = reply.error
        print("refused" if error is UNSET else f"refused ({error.code}): {error.message}", file=sys.stderr)
    return 0 if reply.status == "ok" else 1


def assignment(text: str) -> tuple[tuple[str, ...], Any]:
    """Return ``a.b=1`` as the path and the value; raises ArgumentTypeError when it is none."""
    key, equals, value = text.partition("=")
    path = tuple(key.split("."))
    if not equals or not all(path):
        message = f"expected KEY=VALUE, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    try:
        text.encode()
        decoded = msgspec.json.decode(value)
    except UnicodeEncodeError as error:
        message = f"not UTF-8: {text!r}"
        raise argparse.ArgumentTypeError(message) from error
    except (msgspec.DecodeError, RecursionError):
        return path, value
    return path, value if isinstance(decoded, dict | list) else decoded


def merged(data: dict[str, Any], assignments: Iterable[tuple[tuple[str, ...], Any]]) -> dict[str, Any]:
    """Return ``data`` with the assignments in their places; raises UsageError where two do not fit together."""
    for path, value in assignments:
        place = data
        for level, name in enumerate(path[:-1], start=1):
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                message = f"{'.'.join(path[:level])} is given a value of its own and one inside it"
                raise UsageError(message)
        if path[-1] in place:
            message = f"{'.'.join(path)} is given twice"
            raise UsageError(message)
        place[path[-1]] = value
    return data


def _object(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text.encode(), type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        message = f"--data: expected a JSON object: {error}"
        raise UsageError(message) from error


def _for_person(reply: Reply) -> str:
    paint = Paint(enabled=has_colours(sys.stdout, os.environ))
    data = msgspec.json.decode(reply.data)
    text = json.dumps(data, ensure_ascii=False)
    if len(text) > _LONGEST_LINE:
        text = json.dumps(data, ensure_ascii=False, indent=2)
    return paint("ok", GREEN) + (f" {paint(text, FAINT)}" if data else "")
