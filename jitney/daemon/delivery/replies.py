"""Replies on their way to whoever asked."""

from collections import deque
from typing import Final

import msgspec
from msgspec.structs import replace

from jitney.daemon.broker.session import Message
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.turns import Turns
from jitney.topics import Command, InvalidTopicError, Reply, TopicTree
from jitney.topics.tree import ReplyTopic

MOST_WAITING: Final = 256
"""Replies of one owner that wait for the broker; the oldest gives way, because its asker has gone first."""

EXPIRY: Final = 60
"""Seconds after which nobody waits for a reply any more."""

_encode = msgspec.json.Encoder().encode


class ReplyLane:
    """The waiting replies of one owner."""

    def __init__(self) -> None:
        self.queued = False
        self.waiting: deque[Message] = deque()

    def pop(self) -> Message | None:
        """Take the next reply."""
        return self.waiting.popleft() if self.waiting else None


class Replies:
    """Sends replies, each only inside the tree of the owner who asked."""

    def __init__(self, tree: TopicTree, turns: Turns, counters: Counters) -> None:
        self._tree = tree
        self._turns = turns
        self._counters = counters
        self._lanes: dict[str, ReplyLane] = {}

    def allows(self, command: Command) -> bool:
        """Tell whether the response topic of a command is inside its owner's reply tree, or not given."""
        if not command.response_topic:
            return True
        try:
            address = self._tree.parse(command.response_topic)
        except InvalidTopicError:
            return False
        return isinstance(address, ReplyTopic) and address.owner == command.owner

    def send(self, command: Command, reply: Reply) -> None:
        """Send the answer to a command."""
        allowed = command.response_topic and self.allows(command)
        topic = (
            command.response_topic
            if allowed
            else self._tree.name(ReplyTopic(command.owner, command.client, command.transaction))
        )
        answer = replace(reply, transaction=command.transaction) if command.transaction != "_" else reply
        message = Message(topic, _encode(answer), expiry=EXPIRY, correlation=command.correlation)
        self.publish(message, owner=command.owner, adapter="replies")

    def publish(self, message: Message, *, owner: str, adapter: str) -> None:
        """Let a message wait for the turn of an owner; ``adapter`` is what it counts as where there are too many."""
        lane = self._lanes.setdefault(owner, ReplyLane())
        if len(lane.waiting) >= MOST_WAITING:
            lane.waiting.popleft()
            self._counters.add("dropped", owner=owner, adapter=adapter, reason="replies_full")
        lane.waiting.append(message)
        self._turns.ready(owner, lane)
