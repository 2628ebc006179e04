"""Asking a running bus: a command of an owner to an adapter, or a request to the bus itself, and its reply."""

import argparse
import asyncio
import math
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, Struct

from jitney.daemon.cli.mqtt_client import NOBODY_LISTENS, Heard, Link, connect
from jitney.daemon.config.schema import MqttSettings
from jitney.topics import JitneyError, Reply, TopicTree, new_id
from jitney.topics.tree import BusTopic, CommandTopic, ReplyTopic, RequestTopic, ResponseTopic, StatusTopic

CLIENT: Final = "cli"
"""The level of the reply topic that says who asked."""

_LONGEST_WAIT: Final = 3600
_NOBODY_KNOWS: Final = "unknown_request"

S = TypeVar("S", bound=Struct)


class Order(Struct, frozen=True, kw_only=True):
    """A command to send, and how many seconds to wait for its reply."""

    owner: str
    adapter: str
    command: str
    data: Mapping[str, Any]
    seconds: float


class Errand(Struct, frozen=True, kw_only=True):
    """A request to one instance of the bus itself, and how many seconds to wait for the reply."""

    instance: str
    request: str
    data: Mapping[str, Any]
    seconds: float


class NoReplyError(JitneyError):
    """Nobody answered; the text says what to look at."""


class RefusedReplyError(JitneyError):
    """The answer is that it could not be done; ``code`` says why for programs, the text for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def add_timeout(parser: argparse.ArgumentParser, *, seconds: float) -> None:
    """Register how long to wait for a reply."""
    help_text = f"seconds to wait for the reply (default: {seconds:g})"
    parser.add_argument("--timeout", type=_seconds, default=seconds, metavar="S", help=help_text)


async def ask(settings: MqttSettings, asked: Order | Errand) -> Reply:
    """Send a command or a request and return its reply; raises NoReplyError or an error of the broker."""
    tree = TopicTree(settings.topic_root)
    way = _way(tree, asked, new_id())
    request = {"data": asked.data, "client": CLIENT, "transaction": way.transaction}
    async with connect(settings, purpose="send") as link:
        await link.subscribe([way.reply_topic, *way.signs], qos=1)
        code = await link.ask(
            way.topic,
            msgspec.json.encode(request),
            response_topic=way.reply_topic,
            correlation=way.transaction.encode(),
            expiry=math.ceil(asked.seconds),
        )
        silence = _Silence(tree, asked, link)
        if code == NOBODY_LISTENS:
            raise silence.nobody_listens(way.topic)
        try:
            async with asyncio.timeout(asked.seconds):
                return await _reply(link, way, silence)
        except TimeoutError:
            raise silence.error() from None


def data_of(reply: Reply, kind: type[S]) -> S:
    """Return the data of a reply; raises RefusedReplyError, or NoReplyError where it is not of that kind."""
    if reply.status == "error":
        error = reply.error
        raise RefusedReplyError("" if error is UNSET else error.code, "refused" if error is UNSET else error.message)
    try:
        return msgspec.json.decode(reply.data, type=kind)
    except (msgspec.MsgspecError, UnicodeError) as error:
        message = f"the reply is not what was asked for ({error}): is the daemon of another version?"
        raise NoReplyError(message) from error


def answer(settings: MqttSettings, errand: Errand, kind: type[S]) -> S:
    """Send a request to the bus itself and return what it answers.

    Raises RefusedReplyError, NoReplyError or an error of the broker.
    """
    try:
        return data_of(asyncio.run(ask(settings, errand)), kind)
    except RefusedReplyError as error:
        if error.code != _NOBODY_KNOWS:
            raise
        message = f"the running bus knows no request {errand.request}: it is of another version, start it again"
        raise RefusedReplyError(error.code, message) from error


class _Way(Struct, frozen=True):
    """Where a question goes and where its reply comes; ``signs`` are what else tells something while it does not."""

    transaction: str
    topic: str
    reply_topic: str
    signs: tuple[str, ...]
    shared: bool = False
    """The replies to others come on the same topic."""


def _way(tree: TopicTree, asked: Order | Errand, transaction: str) -> _Way:
    buses = tree.filter(BusTopic, name="state")
    if isinstance(asked, Order):
        topic = tree.name(CommandTopic(asked.owner, asked.adapter, asked.command))
        reply_topic = tree.name(ReplyTopic(asked.owner, CLIENT, transaction))
        return _Way(transaction, topic, reply_topic, (buses, tree.name(StatusTopic(asked.owner, asked.adapter))))
    topic = tree.name(RequestTopic(asked.instance, asked.request))
    reply_topic = tree.name(ResponseTopic(asked.instance, asked.request))
    return _Way(transaction, topic, reply_topic, (buses,), shared=True)


class _Silence:
    """What is heard of the bus while the reply does not come, to tell why."""

    def __init__(self, tree: TopicTree, asked: Order | Errand, link: Link) -> None:
        self._tree = tree
        self._asked = asked
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

    def nobody_listens(self, topic: str) -> NoReplyError:
        """Return what a person should look at when no daemon took the question."""
        asked = self._asked
        instance = f", the instance {asked.instance!r}" if isinstance(asked, Errand) else ""
        return NoReplyError(
            f"nobody listens to {topic}: is the daemon running, with the broker {self._link.place}{instance} "
            f"and the topic root {self._tree.root!r}?"
        )

    def error(self) -> NoReplyError:
        """Return what a person should look at."""
        asked = self._asked
        lines = [f"no reply from {_told(asked)} within {asked.seconds:g} s"]
        if not self._bus:
            lines.append(f"no bus has been seen on {self._link.place} below {self._tree.root}: is the daemon running?")
        lines += [f"the bus {instance} is {state}" for instance, state in sorted(self._bus.items())]
        if isinstance(asked, Order):
            lines += self._about_adapter(asked)
        if "online" in self._bus.values():
            lines.append("it may still be carried out: its reply then goes unheard; --timeout waits longer")
        elif self._bus:
            lines.append("it may still be carried out when the bus comes back soon: its reply then goes unheard")
        return NoReplyError("\n  ".join(lines))

    def _about_adapter(self, order: Order) -> list[str]:
        if self._adapter:
            return [f"{order.adapter} is {self._adapter}"]
        if self._bus:
            return [f"{order.owner} has no adapter {order.adapter!r}: `jitney tail {order.owner}` shows their names"]
        return []


async def _reply(link: Link, way: _Way, silence: _Silence) -> Reply:
    while True:
        heard = await link.hear()
        if heard.topic != way.reply_topic:
            silence.heard(heard)
            continue
        try:
            reply = msgspec.json.decode(heard.payload, type=Reply)
        except (msgspec.MsgspecError, UnicodeError) as error:
            message = f"the reply is not one of the bus: {error}"
            raise NoReplyError(message) from error
        if not way.shared or way.transaction in (reply.transaction, heard.correlation.decode(errors="replace")):
            return reply


def _told(asked: Order | Errand) -> str:
    if isinstance(asked, Order):
        return f"{asked.adapter} to {asked.command} of {asked.owner}"
    return f"the bus {asked.instance} to {asked.request}"


def _state(payload: bytes) -> str:
    try:
        data = msgspec.json.decode(payload or b"{}", type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError):
        return "in an unknown state"
    reason = data.get("reason")
    return str(data.get("state", "gone")) + (f" ({reason})" if reason else "")


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= _LONGEST_WAIT:
        message = f"expected seconds, more than 0 and at most {_LONGEST_WAIT}, got {text}"
        raise argparse.ArgumentTypeError(message)
    return seconds
