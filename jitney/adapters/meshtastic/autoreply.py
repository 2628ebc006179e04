"""Answering by itself: which text of the mesh is answered, with what, and when rather not.

Two machines that answer each other fill the air for a whole town. So nothing is answered that we sent ourselves, that
is a reaction or a machine's answer, that comes too often, or while the channel is busy; and every answer is marked as
one. These are pure pieces: who uses them says what time it is, and sends what ``Decision`` says.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from fnmatch import translate
from math import inf
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from jitney.adapters.meshtastic import texts
from jitney.adapters.meshtastic.asked import SendText
from jitney.adapters.meshtastic.kinds import Message
from jitney.adapters.meshtastic.machines import MOST_SENDERS, Machines

MARK: Final = "🤖 "
"""Begins every answer, so that other machines can leave it alone."""

MARKS: Final = ("🤖", "[bot]", "(bot)", "bot:", "[auto]", "(auto)", "auto:", "autoreply:", "auto-reply:")
"""How machines mark what they say."""

VARIABLES: Final = frozenset({"name", "node", "snr", "rssi", "hops", "time", "date"})
"""What an answer may hold in braces, like ``{snr}``."""

LONGEST: Final = 200
"""Characters of a text that is looked at; a packet has not room for more, and a pattern takes time."""

_VARIABLE: Final = re.compile(r"\{([a-z_]*)\}")
_EDGES: Final = " \t\r\n.,;:!?\"'()[]…"

Why = Literal[
    "", "own", "reaction", "not_direct", "other_channel", "via_mqtt", "no_match", "machine", "muted", "busy", "cooling"
]


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which texts are answered with ``answer``, in which ``{name}``, ``{snr}``, ``{hops}``, ``{time}``… are filled in.

    One of ``keywords`` has to be the whole text, or ``pattern`` (with ``*`` and ``?``) to match it, whatever its case.
    ``direct_only``: only what is sent to this radio alone; else also what is said on one of ``channels`` (none given:
    all). ``via_mqtt``: also what came over the internet. ``sender_every`` and ``every`` are the seconds between two
    answers to one sender and to all; nothing is answered above ``busy_above`` percent of channel utilisation.
    """

    answer: Annotated[str, Meta(min_length=1, max_length=LONGEST)]
    keywords: tuple[Annotated[str, Meta(min_length=1, max_length=LONGEST)], ...] = ()
    pattern: Annotated[str, Meta(max_length=LONGEST)] = ""
    direct_only: bool = True
    channels: tuple[int, ...] = ()
    via_mqtt: bool = False
    sender_every: Annotated[float, Meta(ge=5, le=86_400)] = 60.0
    every: Annotated[float, Meta(ge=5, le=86_400)] = 15.0
    busy_above: Annotated[float, Meta(ge=0, le=100)] = 25.0

    def __post_init__(self) -> None:
        if not self.keywords and not self.pattern.strip("* "):
            message = "keywords: give at least one, or a pattern that not every text matches"
            raise ValueError(message)
        unknown = sorted(set(_VARIABLE.findall(self.answer)) - VARIABLES)
        if unknown:
            message = f"answer: there is no {{{unknown[0]}}}: it may hold {', '.join(sorted(VARIABLES))} in braces"
            raise ValueError(message)


class Decision(Struct, frozen=True):
    """The ``answer`` to send, None when there is none, and ``why`` not."""

    answer: SendText | None = None
    why: Why = ""


class AutoReply:
    """One rule at work. Times are seconds of one monotonic clock."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._matches = _matcher(rule)
        self._machines = Machines()
        self._last = -inf
        self._last_by_sender: dict[str, float] = {}

    def decide(
        self, message: Message, *, now: float, at: datetime, name: str = "", busy: float = 0.0, answers_us: bool = False
    ) -> Decision:
        """Decide about a text that was heard at ``at`` from a node called ``name``.

        ``busy`` is the utilisation of the channel in percent; ``answers_us``: it is a reply to one of our answers.
        """
        why = self._unwanted(message) or self._unwise(message, now=now, busy=busy, answers_us=answers_us)
        if why:
            return Decision(why=why)
        values = variables(message, name=name, at=at)
        text = texts.cut(MARK + fill(self._rule.answer, values))
        self._last = now
        self._last_by_sender.pop(message.node, None)
        self._last_by_sender[message.node] = now
        if len(self._last_by_sender) > MOST_SENDERS:
            del self._last_by_sender[next(iter(self._last_by_sender))]
        self._machines.answered(message.node, text.removeprefix(MARK), now)
        to = message.node if message.direct else ""
        return Decision(SendText(text=text, to=to, channel=message.channel, reply_to=message.packet_id or None))

    def _unwanted(self, message: Message) -> Why:
        """Return why a text is none of ours, empty when it matches."""
        rule = self._rule
        if message.own:
            return "own"
        if message.reaction:
            return "reaction"
        if message.via_mqtt and not rule.via_mqtt:
            return "via_mqtt"
        if not message.direct and rule.direct_only:
            return "not_direct"
        if not message.direct and rule.channels and message.channel not in rule.channels:
            return "other_channel"
        return "" if self._matches(message.text) else "no_match"

    def _unwise(self, message: Message, *, now: float, busy: float, answers_us: bool) -> Why:
        """Return why a text that matches is better not answered now, empty when it may be."""
        if answers_us or is_marked(message.text):
            return "machine"
        if self._machines.suspects(message.node, message.text, now):
            return "muted"
        if busy > self._rule.busy_above:
            return "busy"
        recent = self._last_by_sender.get(message.node, -inf)
        return "cooling" if now - self._last < self._rule.every or now - recent < self._rule.sender_every else ""


def variables(message: Message, *, name: str, at: datetime) -> dict[str, str]:
    """Return what can be filled into an answer to a message; what it does not tell is ``?``."""
    return {
        "name": name or message.node,
        "node": message.node,
        "snr": "?" if message.snr is None else f"{message.snr:g} dB",
        "rssi": "?" if message.rssi is None else f"{message.rssi} dBm",
        "hops": "?" if message.hops is None else str(message.hops),
        "time": at.strftime("%H:%M"),
        "date": at.strftime("%Y-%m-%d"),
    }


def fill(answer: str, values: Mapping[str, str]) -> str:
    """Return an answer with its variables filled in; what is filled in is not looked at again."""
    return _VARIABLE.sub(lambda match: values.get(match[1], match[0]), answer)


def is_marked(text: str) -> bool:
    """Tell whether a machine says of itself that it is one."""
    return text.lstrip().casefold().startswith(MARKS)


def _matcher(rule: Rule) -> Callable[[str], bool]:
    keywords = frozenset(_bare(keyword) for keyword in rule.keywords)
    pattern = re.compile(translate(rule.pattern.casefold())) if rule.pattern else None

    def matches(text: str) -> bool:
        if len(text) > LONGEST:
            return False
        return _bare(text) in keywords or (pattern is not None and pattern.match(text.strip().casefold()) is not None)

    return matches


def _bare(text: str) -> str:
    """Return a text without what stands around it: case, blanks, punctuation."""
    return text.strip(_EDGES).casefold()
