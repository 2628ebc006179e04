"""The last text on a channel and the last one to the radio alone: the states ``message`` and ``direct_message``."""

from typing import Final

from msgspec import Struct

from jitney.adapters.base import Context
from jitney.adapters.meshtastic import kinds
from jitney.adapters.meshtastic.addresses import EVERYBODY
from jitney.adapters.meshtastic.heading import instant
from jitney.adapters.meshtastic.retained import Retained

CHANNEL: Final = "message"
DIRECT: Final = "direct_message"

SUBJECTS: Final = (CHANNEL, DIRECT)

EVERY: Final = 1.0
"""Seconds between two states."""

DIRECT_EXPIRY: Final = 86_400
"""Seconds after which what was said to one alone does not lie on the broker any more."""


class MessageState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The retained value of the last text: who wrote it, which name they claim, and ``time`` as RFC 3339.

    The other fields are those of ``kinds.Message``.
    """

    text: str
    node: str
    name: str = ""
    to: str
    channel: int
    packet_id: int
    reply_id: int = 0
    pki: bool = False
    time: str


class LastMessages:
    """Keeps the last texts that are the owner's of a radio; neither reactions nor what the radio itself has sent."""

    def __init__(self, ctx: Context) -> None:
        self._channel = Retained(ctx, CHANNEL, every=EVERY)
        self._direct = Retained(ctx, DIRECT, every=EVERY, expiry=DIRECT_EXPIRY)
        self._waiting: dict[str, MessageState] = {}

    def heard(self, message: kinds.Message, at: float) -> None:
        """Learn of a text that was heard at ``at`` (Unix seconds)."""
        if message.reaction or message.own:
            return
        subject = DIRECT if message.direct else CHANNEL if message.to == EVERYBODY else ""
        if subject:
            self._waiting[subject] = _state(message, at)

    def publish(self, now: float) -> None:
        """Publish what is new, by a clock that only goes forward."""
        for state, subject in ((self._channel, CHANNEL), (self._direct, DIRECT)):
            if subject in self._waiting and state.is_due(now):
                state.put(self._waiting.pop(subject), now)

    def forget(self) -> None:
        """Take the last texts back."""
        self._waiting.clear()
        self._channel.remove()
        self._direct.remove()


def _state(message: kinds.Message, at: float) -> MessageState:
    return MessageState(
        text=message.text,
        node=message.node,
        name=message.name,
        to=message.to,
        channel=message.channel,
        packet_id=message.packet_id,
        reply_id=message.reply_id,
        pki=message.pki,
        time=instant(at),
    )
