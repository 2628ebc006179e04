"""Answering by itself, and when rather not: what stands between a route that answers and the air.

Two machines that answer each other fill the air for a whole town. So an automatic answer is marked as one, and refused
where it would answer ourselves, a reaction or a machine, come too soon after another one, or meet a busy channel.
Which texts are answered, and with what, is the routes' business.
"""

from collections.abc import Collection
from typing import Final

from msgspec import Struct

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic.addresses import node_id
from jitney.adapters.meshtastic.airtime import Airtime
from jitney.adapters.meshtastic.kinds import Message
from jitney.adapters.meshtastic.limits import Limits
from jitney.adapters.meshtastic.machines import Machines
from jitney.adapters.meshtastic.outgoing import Outgoing

MARK: Final = "🤖 "
"""Begins every automatic answer, so that other machines can leave it alone."""

MARKS: Final = ("🤖", "[bot]", "(bot)", "bot:", "[auto]", "(auto)", "auto:", "autoreply:", "auto-reply:")
"""How machines mark what they say."""

MOST_TEXTS: Final = 200
"""Texts that are remembered of what each owner has heard; the oldest make room."""


class Text(Struct):
    """A text that was heard; ``counted``: its sender is known to have asked it."""

    sender: int
    text: str
    own: bool = False
    reaction: bool = False
    reply_id: int = 0
    counted: bool = False


class Guard:
    """Lets one radio answer, or refuses to; lives as long as its adapter. Times are seconds of one monotonic clock."""

    def __init__(self, limits: Limits, airtime: Airtime) -> None:
        self._limits = limits
        self._airtime = airtime
        self._machines = Machines()
        self._texts: dict[str, dict[int, Text]] = {}

    def heard(self, owner: str, sender: int, message: Message) -> None:
        """Learn of a text that an owner has heard."""
        if not message.packet_id:
            return
        texts = self._texts.setdefault(owner, {})
        if message.packet_id not in texts:
            texts[message.packet_id] = Text(
                sender, message.text, own=message.own, reaction=message.reaction, reply_id=message.reply_id
            )
        if len(texts) > MOST_TEXTS:
            del texts[next(iter(texts))]

    def question(self, owner: str, packet_id: int, *, answers: Collection[Outgoing], now: float) -> Text | None:
        """Return the text that is to be answered, None when it is not known any more.

        ``answers`` are the radio's automatic answers of late. Raises RefusedError where a machine had better be silent.
        """
        text = self._texts.get(owner, {}).get(packet_id)
        if text is None:
            return None
        if text.own:
            raise RefusedError("own", "this radio has sent that text itself: it does not answer itself")
        if text.reaction:
            raise RefusedError("reaction", "that is a reaction: it wants no answer")
        if is_marked(text.text):
            raise RefusedError("machine", "a machine has written that text, as its mark says: it gets no answer")
        if text.reply_id and any(text.reply_id == answer.packet_id for answer in answers):
            raise RefusedError(
                "machine", "that text replies to an automatic answer of this radio: it gets no other one"
            )
        if not text.counted:
            text.counted = True
            self._machines.asked(text.sender, text.text, now)
        if self._machines.is_muted(text.sender):
            message = f"{node_id(text.sender)} asks like a machine: it gets an answer when it was silent for an hour"
            raise RefusedError("muted", message)
        return text

    def pace(self, item: Outgoing, *, answers: Collection[Outgoing], now: float) -> None:
        """Refuse an automatic answer while the channel is busy or too soon after another one of its owner.

        Raises RefusedError.
        """
        limits = self._limits
        taken = self._airtime.utilisation(now)
        if taken > limits.answer_busy_above:
            message = f"the channel is taken to {taken:.0f} %: above {limits.answer_busy_above:g} % nobody is answered"
            raise RefusedError("channel_busy", message)
        held = self._airtime.holds(item.priority, now)
        if held:
            raise RefusedError("channel_busy", held)
        for answer in answers:
            same = bool(item.asker) and answer.asker == item.asker
            every = max(limits.answer_every, limits.answer_sender_every) if same else limits.answer_every
            ago = item.accepted - answer.accepted
            if answer.owner == item.owner and 0 <= ago < every:
                whom = node_id(item.asker) if same else item.owner
                message = f"the last automatic answer for {whom} was {ago:.0f} s ago: there is one in {every:g} s"
                raise RefusedError("cooling", message)

    def answered(self, text: Text, answer: str, now: float) -> None:
        """Learn that a text is answered."""
        self._machines.answered(text.sender, answer.removeprefix(MARK), now)

    def forget(self, owner: str) -> None:
        """Forget what an owner has heard."""
        self._texts.pop(owner, None)


def marked(text: str) -> str:
    """Return a text that says of itself that a machine has written it."""
    return text if is_marked(text) else MARK + text


def is_marked(text: str) -> bool:
    """Tell whether a machine says of itself that it is one."""
    return text.lstrip().casefold().startswith(MARKS)
