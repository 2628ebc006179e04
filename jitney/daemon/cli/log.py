"""`jitney log`: what the running bus writes into its log, live, and from which level on."""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from jitney.daemon import log
from jitney.daemon.cli.asking import Errand, NoReplyError, add_timeout, answer
from jitney.daemon.cli.colours import BOLD, FAINT, RED, YELLOW, Paint
from jitney.daemon.cli.common import UsageError, add_broker_arguments, configuration, note
from jitney.daemon.cli.mqtt_client import Heard
from jitney.daemon.cli.tail import follow
from jitney.daemon.config.problems import one_line
from jitney.daemon.config.schema import Config
from jitney.daemon.delivery.logbook import Told
from jitney.daemon.log.stream import has_colours
from jitney.topics import TopicTree
from jitney.topics.tree import BusTopic, Topic

LEVELS: Final = ("debug", "info", "warning", "error", "configured")

_WHAT: Final = """\
Show what the running bus writes into its log, line by line, as far as it concerns nobody in particular: [bus] log_mqtt
says from which level on. With --level it first writes from another level on, for some minutes.
"""

_EPILOG: Final = """examples:
  jitney log                                        watch
  jitney log --level debug --part broker            let that part say more for ten minutes, and watch
  jitney log --level debug --minutes 60 --only-set  let all parts say more for an hour; journalctl shows it too
  jitney log --level configured --only-set          as it was
"""

_COLOURS: Final[Mapping[str, tuple[str, ...]]] = {"debug": (FAINT,), "warning": (YELLOW,), "error": (RED, BOLD)}
_FIRST: Final = ("time", "level", "part", "event")


class Watch(Struct, frozen=True):
    """The log of one instance."""

    instance: str

    def patterns(self, tree: TopicTree) -> list[str]:
        """Return the topic filter."""
        return [tree.filter(BusTopic, instance=self.instance, name="log")]

    def shows(self, heard: Heard, address: Topic) -> bool:
        """Tell whether a message is a line."""
        return address == BusTopic(self.instance, "log") and not heard.retained


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "log",
        help="watch the log of the running bus, and change what it tells",
        description=_WHAT,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--level", choices=LEVELS, default="", help="write from this level on for a time")
    parser.add_argument("--part", default="", metavar="PART", help="only this part, such as broker; default: all")
    parser.add_argument("--minutes", type=float, default=10.0, metavar="N", help="for so long (default: 10)")
    parser.add_argument("--only-set", action="store_true", help="do not watch")
    parser.add_argument("--json", action="store_true", help="one JSON object on each line, for a program")
    parser.add_argument("--instance", metavar="NAME", help="of the bus, where it is not the configured one or 'main'")
    add_timeout(parser, seconds=10.0)
    add_broker_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Change the level if wanted, and watch until interrupted."""
    if (args.only_set or args.part) and not args.level:
        raise UsageError("--part and --only-set go with --level")
    log.configure("auto", "warning")
    config = configuration(args)
    instance = args.instance or config.bus.instance
    told = _told(args, config, instance)
    if told is not None:
        for part, level in told.changed.items():
            note(one_line(f"{part or 'every other part'} writes from {level} on for a time"))
    if args.only_set:
        return 0
    if told is not None and told.mqtt == "off":
        note('the bus sends no lines: set log_mqtt = "info" in [bus] of its configuration; a reload is enough')
        return 1
    paint = Paint(enabled=has_colours(sys.stdout, os.environ))
    asyncio.run(follow(config.mqtt, Watch(instance), lambda heard, _: _line(heard, args.json, paint)))
    return 0


def _told(args: argparse.Namespace, config: Config, instance: str) -> Told | None:
    """Ask the bus for what is wanted; None where nobody answers and nothing has to be changed."""
    wanted = {"level": args.level, "part": args.part, "minutes": args.minutes} if args.level else {}
    errand = Errand(instance=instance, request="log_level", data=wanted, seconds=args.timeout)
    try:
        return answer(config.mqtt, errand, Told)
    except NoReplyError as error:
        if args.level:
            raise
        note(f"{error}\nwatching until there is one (Ctrl-C ends it)")
        return None


def _line(heard: Heard, as_json: bool, paint: Paint) -> str:  # noqa: FBT001 - of a lambda
    try:
        fields = msgspec.json.decode(heard.payload, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError):
        return one_line(heard.payload.decode(errors="replace"))
    if as_json:
        return msgspec.json.encode(fields).decode()
    more = " ".join(
        f"{name}={value if isinstance(value, str) else msgspec.json.encode(value).decode()}"
        for name, value in fields.items()
        if name not in _FIRST
    )
    time, level, part, event = (str(fields.get(name, "")) for name in _FIRST)
    return " ".join(
        [
            paint(_clock(time), FAINT),
            paint(f"{level:7}", *_COLOURS.get(level, ())),
            paint(f"{one_line(part):14}", FAINT),
            one_line(f"{event}  {more}".rstrip()),
        ]
    )


def _clock(time: str) -> str:
    try:
        return f"{datetime.fromisoformat(time).astimezone():%H:%M:%S}"
    except ValueError:
        return "??:??:??"
