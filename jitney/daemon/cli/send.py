"""`jitney send`: one command, and its reply."""

import argparse
import asyncio
import json
import math
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct

from jitney.daemon import log
from jitney.daemon.cli.colours import FAINT, GREEN, Paint
from jitney.daemon.cli.common import UsageError, add_broker_arguments, broker_settings
from jitney.daemon.cli.mqtt_client import NOBODY_LISTENS, Heard, Link, connect
from jitney.daemon.config.schema import MqttSettings
from jitney.daemon.log.stream import has_colours
from jitney.topics import JitneyError, Reply, TopicTree, new_id, owners
from jitney.topics.tree import BusTopic, CommandTopic, ReplyTopic, StatusTopic

CLIENT: Final = "cli"
"""The level of the reply topic that says who asked."""

_LONGEST_WAIT: Final = 3600
_LONGEST_LINE: Final = 100

_EPILOG: Final = """examples:
  jitney send alice home call_service domain=light service=turn_on data.entity_id=light.desk
  jitney send alice demo switch subject=light.desk on=true
  jitney send bob demo say --data '{"text": "hello"}'

A value is true, false, null or a number where it looks like one, a text otherwise; to send "42" as a text write
key='"42"'. Dots make objects of objects. Exit status: 0 done, 1 refused or not answered.
"""


class Order(Struct, frozen=True, kw_only=True):
    """A command to send, and how many seconds to wait for its reply."""

    owner: str
    adapter: str
    command: str
    data: Mapping[str, Any]
    seconds: float


class NoReplyError(JitneyError):
    """Nobody answered; the text says what to look at."""


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
    parser.add_argument("--timeout", type=_seconds, default=10.0, metavar="S", help="seconds to wait (default: 10)")
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


async def ask(settings: MqttSettings, order: Order) -> Reply:
    """Send a command and return its reply; raises NoReplyError or an error of the broker."""
    tree = TopicTree(settings.topic_root)
    transaction = new_id()
    reply_topic = tree.name(ReplyTopic(order.owner, CLIENT, transaction))
    topic = tree.name(CommandTopic(order.owner, order.adapter, order.command))
    states = [tree.filter(BusTopic, name="state"), tree.name(StatusTopic(order.owner, order.adapter))]
    request = {"data": order.data, "client": CLIENT, "transaction": transaction}
    async with connect(settings, purpose="send") as link:
        await link.subscribe([reply_topic, *states], qos=1)
        code = await link.ask(
            topic,
            msgspec.json.encode(request),
            response_topic=reply_topic,
            correlation=transaction.encode(),
            expiry=math.ceil(order.seconds),
        )
        if code == NOBODY_LISTENS:
            message = (
                f"nobody listens to {topic}: is the daemon running, with the broker {link.place} "
                f"and the topic root {settings.topic_root!r}?"
            )
            raise NoReplyError(message)
        silence = _Silence(tree, order, link)
        try:
            async with asyncio.timeout(order.seconds):
                return await _reply(link, reply_topic, silence)
        except TimeoutError:
            raise silence.error() from None


class _Silence:
    """What is heard of the bus while the reply does not come, to tell why."""

    def __init__(self, tree: TopicTree, order: Order, link: Link) -> None:
        self._tree = tree
        self._order = order
        self._link = link
        self._bus: dict[str, str] = {}
        self._adapter = ""

    def heard(self, heard: Heard) -> None:
        """Take a status."""
        match self._tree.parse(heard.topic):
            case BusTopic(instance, _):
                self._bus[instance] = _state(heard.payload)
            case StatusTopic():
                self._adapter = _state(heard.payload)

    def error(self) -> NoReplyError:
        """Return what a person should look at."""
        order = self._order
        lines = [f"no reply from {order.adapter} to {order.command} of {order.owner} within {order.seconds:g} s"]
        if not self._bus:
            lines.append(f"no bus has been seen on {self._link.place} below {self._tree.root}: is the daemon running?")
        lines += [f"the bus {instance} is {state}" for instance, state in sorted(self._bus.items())]
        if self._adapter:
            lines.append(f"{order.adapter} is {self._adapter}")
        elif self._bus:
            lines.append(
                f"{order.owner} has no adapter {order.adapter!r}: `jitney tail {order.owner}` shows their names"
            )
        if "online" in self._bus.values():
            lines.append("it may still be carried out: its reply then goes unheard; --timeout waits longer")
        return NoReplyError("\n  ".join(lines))


async def _reply(link: Link, topic: str, silence: _Silence) -> Reply:
    while True:
        heard = await link.hear()
        if heard.topic != topic:
            silence.heard(heard)
            continue
        try:
            return msgspec.json.decode(heard.payload, type=Reply)
        except (msgspec.MsgspecError, UnicodeError) as error:
            message = f"the reply is not one of the bus: {error}"
            raise NoReplyError(message) from error


def _state(payload: bytes) -> str:
    try:
        data = msgspec.json.decode(payload or b"{}", type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError):
        return "in an unknown state"
    reason = data.get("reason")
    return str(data.get("state", "gone")) + (f" ({reason})" if reason else "")


def _object(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text.encode(), type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        message = f"--data: expected a JSON object: {error}"
        raise UsageError(message) from error


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= _LONGEST_WAIT:
        message = f"expected seconds, more than 0 and at most {_LONGEST_WAIT}, got {text}"
        raise argparse.ArgumentTypeError(message)
    return seconds


def _for_person(reply: Reply) -> str:
    paint = Paint(enabled=has_colours(sys.stdout, os.environ))
    data = msgspec.json.decode(reply.data)
    text = json.dumps(data, ensure_ascii=False)
    if len(text) > _LONGEST_LINE:
        text = json.dumps(data, ensure_ascii=False, indent=2)
    return paint("ok", GREEN) + (f" {paint(text, FAINT)}" if data else "")
