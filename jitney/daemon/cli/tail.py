"""`jitney tail`: what happens, live."""

import argparse
import asyncio
import os
import random
import shutil
import sys
import time
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, Final, NoReturn, Protocol

from msgspec import Struct

from jitney.daemon import log
from jitney.daemon.broker.session import BrokerUnreachableError
from jitney.daemon.cli.colours import Paint
from jitney.daemon.cli.common import add_broker_arguments, broker_settings, note
from jitney.daemon.cli.lines import Lines, as_json
from jitney.daemon.cli.mqtt_client import Heard, connect
from jitney.daemon.config.schema import MqttSettings
from jitney.daemon.log.stream import has_colours
from jitney.topics import InvalidPayloadError, InvalidTopicError, TopicTree, cloudevents, owners
from jitney.topics.tree import AlertTopic, BusTopic, EventTopic, SharedTopic, StateTopic, StatusTopic, Topic

FIRST_DELAY: Final = 0.5
LONGEST_DELAY: Final = 30.0
"""Seconds between attempts to connect: at random, up to a limit that doubles."""

MOST_REMEMBERED: Final = 10_000
"""Retained topics whose value is remembered, so that a new connection does not tell them all again."""

_WILDCARDS: Final = frozenset("*?[")

_EPILOG: Final = """examples:
  jitney tail                                  everything
  jitney tail alice                            what happens to alice
  jitney tail 'al*' --type '*.state_changed'   some owners, some types
  jitney tail bob --state                      also every last known value
  jitney tail --json | jq -r .payload.type     for programs: topic, retained, payload

It connects again by itself when the broker goes away. Ctrl-C ends it.
"""


class Wanted(Protocol):
    """What is to be shown."""

    def patterns(self, tree: TopicTree) -> list[str]:
        """Return the topic filters to subscribe."""

    def shows(self, heard: Heard, address: Topic) -> bool:
        """Tell whether a message is one of those asked for."""


class Watch(Struct, frozen=True):
    """What to show: owners and the types of events by glob, and whether states too.

    With a glob for types nothing but events is shown.
    """

    owner: str = "*"
    events: str = ""
    states: bool = False

    def patterns(self, tree: TopicTree) -> list[str]:
        """Return the topic filters to subscribe; raises InvalidOwnerError."""
        named = {} if _WILDCARDS & set(self.owner) else {"owner": owners.owner(self.owner)}
        return [
            tree.filter(kind, name="state") if kind is BusTopic else tree.filter(kind, **named)
            for kind in self._kinds()
        ]

    def shows(self, heard: Heard, address: Topic) -> bool:
        """Tell whether a message is one of those asked for, whatever else the broker sends (amqtt does)."""
        if type(address) not in self._kinds():
            return False
        if isinstance(address, BusTopic):
            return address.name == "state"
        if not fnmatchcase(getattr(address, "owner", ""), self.owner):
            return False
        if not self.events:
            return True
        try:
            return fnmatchcase(cloudevents.decode(heard.payload).type, self.events)
        except InvalidPayloadError:
            return False

    def _kinds(self) -> list[type[Topic]]:
        kinds: list[type[Topic]] = [EventTopic, SharedTopic]
        if self.events:
            return kinds
        kinds += [StatusTopic, AlertTopic, BusTopic]
        return [*kinds, StateTopic] if self.states else kinds


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "tail",
        help="watch the events of one owner or of all",
        description="Show what happens, one line for each event, and how the adapters are doing.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("owner", nargs="?", default="*", metavar="OWNER", help="whose events; a glob such as 'al*'")
    parser.add_argument("--type", default="", metavar="GLOB", help="only events of these types, such as '*.ride_*'")
    parser.add_argument("--state", action="store_true", help="also the last known values, those there are first")
    parser.add_argument("--json", action="store_true", help="one JSON object on each line, for a program")
    add_broker_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Watch until interrupted."""
    log.configure("auto", "warning")
    settings = broker_settings(args)
    watch = Watch(args.owner, args.type, states=args.state)
    watch.patterns(TopicTree(settings.topic_root))
    asyncio.run(follow(settings, watch, _json if args.json else for_person()))
    return 0


def for_person() -> Callable[[Heard, Topic], str]:
    """Return what makes the lines for whoever looks at stdout."""
    terminal = sys.stdout.isatty()
    paint = Paint(enabled=has_colours(sys.stdout, os.environ))
    return Lines(paint, columns=lambda: shutil.get_terminal_size().columns if terminal else 0).line


async def follow(settings: MqttSettings, watch: Wanted, line: Callable[[Heard, Topic], str]) -> NoReturn:
    """Print a line for each message, over every loss of the connection; raises BrokerRefusedError."""
    tree = TopicTree(settings.topic_root)
    told = _Told()
    lost = 0.0
    delay = FIRST_DELAY
    while True:
        try:
            async with connect(settings, purpose="tail") as link:
                await link.subscribe(watch.patterns(tree))
                if lost:
                    note(f"connected again, after {time.monotonic() - lost:.0f} s")
                lost, delay = 0.0, FIRST_DELAY
                while True:
                    heard = await link.hear()
                    address = _address(tree, heard.topic)
                    if address is not None and watch.shows(heard, address) and told.is_news(heard, address):
                        print(line(heard, address), flush=True)
        except BrokerUnreachableError as error:
            if not lost:
                lost = time.monotonic()
                note(f"{error}\ntrying again until it works (Ctrl-C ends it)")
            await asyncio.sleep(random.uniform(delay / 2, delay))  # noqa: S311 - spreads attempts, guards nothing
            delay = min(delay * 2, LONGEST_DELAY)


def _json(heard: Heard, _address: Topic) -> str:
    return as_json(heard)


class _Told:
    """Remembers what was told of the topics that are retained."""

    def __init__(self) -> None:
        self._last: dict[str, bytes] = {}

    def is_news(self, heard: Heard, address: Topic) -> bool:
        """Tell whether a message says something that a new connection does not merely repeat."""
        if isinstance(address, EventTopic | SharedTopic):
            return True
        known = self._last.get(heard.topic)
        if len(self._last) >= MOST_REMEMBERED:
            self._last.clear()
        self._last[heard.topic] = heard.payload
        return not (heard.retained and known == heard.payload)


def _address(tree: TopicTree, topic: str) -> Topic | None:
    try:
        return tree.parse(topic)
    except InvalidTopicError:
        return None
