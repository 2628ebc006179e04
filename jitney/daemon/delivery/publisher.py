"""The publisher: what the broker connection takes from, and the accounts of what became of it."""

from collections.abc import Iterable
from time import monotonic
from typing import Final

from jitney.daemon.broker.ledger import Ledger, Retained
from jitney.daemon.broker.refusals import Refusal
from jitney.daemon.broker.session import Message
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.lanes import Entry
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.delivery.turns import Turns
from jitney.daemon.log import Tally, get
from jitney.topics import utc_now

_log: Final = get("publisher")


class Publisher:
    """Gives the connection messages in fair turns and settles them with the outbox and the ledger."""

    def __init__(self, turns: Turns, outbox: Outbox, ledger: Ledger, *, counters: Counters) -> None:
        self.published = 0
        self._turns = turns
        self._outbox = outbox
        self._ledger = ledger
        self._counters = counters
        self._tally = Tally(_log)

    def take(self, most: int) -> list[Message]:
        """Take up to ``most`` messages, which go to the session at once."""
        taken = self._turns.take(most)
        now = monotonic()
        for message in taken:
            if isinstance(message, Entry):
                if message.accepted:
                    message.lane.stages.sent.add(now - message.accepted)
                if message.trace is not None:
                    message.trace.sent = now
        return taken

    def again(self, messages: Iterable[Message]) -> None:
        """Account for messages that go to another session, because the last one ended before they were confirmed."""
        for message in messages:
            if isinstance(message, Entry) and message.trace is not None:
                message.trace.again += 1

    def confirmed(self, message: Message) -> None:
        """Account for a message that the broker has."""
        self.published += 1
        if isinstance(message, Entry):
            if message.accepted:
                message.lane.stages.confirmed.add(monotonic() - message.accepted)
            if message.trace is not None:
                message.trace.confirmed = monotonic()
            self._outbox.confirmed(message)
        elif isinstance(message, Retained):
            self._ledger.published(message.topic, message.payload)

    def refused(self, message: Message, refusal: Refusal) -> None:
        """Account for a message that the broker will never take: an event becomes a dead letter."""
        self._tally.add("the broker refused a message", key=refusal.text, topic=message.topic, remedy=refusal.remedy)
        if isinstance(message, Entry):
            if message.trace is not None:
                message.trace.dropped = f"refused by the broker: {refusal.text}"
            self._outbox.refused(message, refusal.text, time=utc_now())
        else:
            self._counters.add("dropped", reason=refusal.text)

    @staticmethod
    def entries(flying: Iterable[tuple[int, Message]]) -> list[Entry]:
        """Return the events among messages that were on their way."""
        return [message for _, message in flying if isinstance(message, Entry)]
