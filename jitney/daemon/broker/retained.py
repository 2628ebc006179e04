"""Which retained topics are this instance's, and the birth message of each session."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from jitney.daemon.broker.ledger import GONE, Ledger
from jitney.topics import InvalidTopicError, TopicTree, utc_now
from jitney.topics.messages import ROUTE
from jitney.topics.tree import AlertTopic, BusTopic, StateTopic, StatusTopic

BUS: Final = "_bus"
"""Whose turn the topics of the bus itself take."""


class Branch(Protocol):
    """Retained topics of this instance that lie elsewhere."""

    @property
    def patterns(self) -> Sequence[str]:
        """The filters under which they lie."""

    def whose(self, topic: str) -> tuple[str, str] | None:
        """Return the owner and the name in the ledger of a topic of the branch, None for one that is none of ours."""


class RetainedTree:
    """One instance's part of the retained tree: what its adapters publish and what it says of itself.

    Other instances may share the broker, so a topic is ours only by the name of one of our adapters. ``branch`` is what
    lies elsewhere; it can be set until ``begin``.
    """

    def __init__(
        self, tree: TopicTree, ledger: Ledger, *, instance: str, adapters: Collection[str], version: str
    ) -> None:
        self.state_topic = tree.name(BusTopic(instance, "state"))
        self._tree = tree
        self._ledger = ledger
        self.instance = instance
        self._adapters = adapters
        self.version = version
        self.boot = utc_now()
        self.branch: Branch | None = None

    @property
    def patterns(self) -> list[str]:
        """The filters under which everything retained of this instance lies."""
        return [
            *(self.branch.patterns if self.branch is not None else ()),
            *(self._tree.filter(kind, adapter=name) for name in self._adapters for kind in (StateTopic, StatusTopic)),
            self._tree.filter(AlertTopic),
            self._tree.filter(BusTopic, instance=self.instance),
        ]

    def state(self, word: str) -> bytes:
        """Return the payload of the bus's own state: ``online``, or ``offline`` for the will."""
        return msgspec.json.encode({"state": word, "boot": self.boot, "version": self.version})

    def say(self, name: str, payload: bytes) -> None:
        """Publish something of the bus itself, retained."""
        self._ledger.put(self._tree.name(BusTopic(self.instance, name)), payload, owner=BUS, adapter="")

    def serve(self, owners: Collection[str], adapters: Collection[str]) -> None:
        """Know these people and adapters from now on; what is retained of people who are gone is cleared."""
        self._adapters = adapters
        for topic, line in list(self._ledger.lines.items()):
            if line.owner not in owners and line.owner != BUS:
                self._ledger.put(topic, GONE, owner=line.owner, adapter=line.adapter)

    def begin(self) -> None:
        """Clear what earlier runs published for adapters, owners or alerts that are not there any more.

        Alerts are all cleared, and the status of routes: who still needs one raises it again.
        """
        for topic, line in list(self._ledger.lines.items()):
            if self.branch is not None and self.branch.whose(topic) is not None:
                continue
            who = self._whose(topic)
            if who is None or who[1] == "alert" or (who[1] == "state" and who[0] not in self._adapters):
                self._ledger.put(topic, GONE, owner=line.owner, adapter=line.adapter)

    def connected(self) -> None:
        """Publish the birth message, because the broker may have published the will."""
        line = self._ledger.lines.get(self.state_topic)
        if line is None or line.payload is None:  # None: an earlier run has left it, and the broker its will
            self.say("state", self.state("online"))
        self._ledger.mark(self.state_topic)

    def reconcile(self, found: Mapping[str, bytes]) -> tuple[int, int]:
        """Repair the broker's retained messages after the ledger."""
        return self._ledger.reconcile(found, ours=self._ours)

    def _ours(self, topic: str) -> tuple[str, str] | None:
        try:
            address = self._tree.parse(topic)
        except InvalidTopicError:
            return self.branch.whose(topic) if self.branch is not None else None
        match address:
            case StateTopic(owner, adapter, _) if adapter in self._adapters:
                return owner, adapter
            case StatusTopic(owner, adapter) if adapter in self._adapters:
                return owner, ""
            case AlertTopic(owner, alert) if alert.partition(".")[0] in self._adapters:
                return owner, ""
            case BusTopic(instance, _) if instance == self.instance:
                return BUS, ""
        return None

    def _whose(self, topic: str) -> tuple[str, str] | None:
        """Return the adapter and the branch of a topic in the ledger, None when the tree has changed."""
        try:
            address = self._tree.parse(topic)
        except InvalidTopicError:
            return None
        match address:
            case StateTopic(_, adapter, _):
                return adapter, "state"
            case StatusTopic(_, adapter):
                return "" if adapter == ROUTE else adapter, "state"
            case AlertTopic():
                return "", "alert"
        return "", "bus"
