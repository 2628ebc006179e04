"""How each adapter is doing, told to every owner that it serves, and what a person must do about it."""

from collections.abc import Collection, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from jitney.daemon.broker.ledger import GONE, Ledger
from jitney.daemon.config.resting import why
from jitney.daemon.log import mask
from jitney.topics import InvalidTopicError, TopicTree, utc_now
from jitney.topics.tree import AlertTopic, StatusTopic

Word = Literal["connecting", "online", "degraded", "offline", "reauth", "failed"]

_WORKING = frozenset({"online", "degraded"})
_encode = msgspec.json.Encoder().encode


class Status(Struct, frozen=True):
    """The payload of a status topic."""

    state: Word
    since: str
    reason: str = ""


class Alert(Struct, frozen=True, omit_defaults=True):
    """The payload of an alert topic: what happened, since when, and where a person can mend it."""

    message: str
    since: str
    adapter: str
    link: str = ""


class StatusBoard:
    """The retained status and alert topics of one adapter; for people who are ``resting`` it is offline.

    What is said is other people's texts, of libraries and of the outside: secrets in it are masked.
    """

    def __init__(
        self, tree: TopicTree, ledger: Ledger, *, adapter: str, owners: Sequence[str], resting: Collection[str] = ()
    ) -> None:
        self.status = Status("connecting", utc_now())
        self._tree = tree
        self._ledger = ledger
        self._adapter = adapter
        self._owners = owners
        self._apart: dict[str, Status] = {}
        self._resting = {owner: _resting(owner) for owner in resting}

    @property
    def owners(self) -> Sequence[str]:
        """Whom it is told."""
        return self._owners

    def set(self, state: Word, reason: str = "") -> None:
        """Publish a status; the ledger publishes nothing when it is the last one again."""
        self.status = _next(self.status, state, reason)
        for owner in self._owners:
            self._publish(owner)

    def serve(self, owners: Sequence[str]) -> None:
        """Tell these people from now on, and the others nothing more."""
        for owner in [owner for owner in self._owners if owner not in owners]:
            self._ledger.put(self._topic(owner), GONE, owner=owner, adapter="")
        self._owners = owners
        self.set(self.status.state, self.status.reason)

    def rest(self, owners: Collection[str]) -> None:
        """Tell these people that nothing is done for them, because they are disabled, and the others how it is."""
        before = self._resting
        self._resting = {owner: before.get(owner) or _resting(owner) for owner in owners}
        for owner in self._owners:
            if (owner in before) is not (owner in self._resting):
                self._publish(owner)

    def set_for(self, owner: str, state: Word, reason: str = "") -> None:
        """Publish a status to one owner alone, while the adapter works for the others; ``online`` takes it back."""
        if state == "online":
            self._apart.pop(owner, None)
        else:
            self._apart[owner] = _next(self._apart.get(owner, self.status), state, reason)
        if owner in self._owners:
            self._publish(owner)

    def of(self, owner: str) -> Status:
        """Return how it is doing for an owner: as for all, unless it works and something is amiss for that owner.

        For somebody who is disabled it is offline.
        """
        if owner in self._resting:
            return self._resting[owner]
        return self._apart.get(owner, self.status) if self.status.state in _WORKING else self.status

    def forget_owners(self) -> None:
        """Drop what was set for single owners; the next ``set`` tells them what all are told."""
        self._apart.clear()

    def withdraw(self, owners: Collection[str] = ()) -> None:
        """Take back every alert, and the status of everybody but these owners: the adapter has ended."""
        alerts = f"{self._adapter}."
        for topic, line in list(self._ledger.lines.items()):
            try:
                address = self._tree.parse(topic)
            except InvalidTopicError:
                continue
            match address:
                case StatusTopic(owner, adapter) if adapter == self._adapter and owner not in owners:
                    self._ledger.put(topic, GONE, owner=line.owner, adapter=line.adapter)
                case AlertTopic(_, alert) if alert.startswith(alerts):
                    self._ledger.put(topic, GONE, owner=line.owner, adapter=line.adapter)

    def alert(self, owner: str, alert: str, *, message: str, link: str = "") -> None:
        """Publish what a person must do; the same alert again changes nothing but its text."""
        message = mask(message)
        topic = self._alert_topic(owner, alert)
        payload = _encode(Alert(message, utc_now(), self._adapter, link))
        line = self._ledger.lines.get(topic)
        if line is None or not line.payload or msgspec.json.decode(line.payload, type=Alert).message != message:
            self._ledger.put(topic, payload, owner=owner, adapter="")

    def resolve(self, owner: str, alert: str) -> None:
        """Take an alert back."""
        self._ledger.put(self._alert_topic(owner, alert), GONE, owner=owner, adapter="")

    def tell(self, owner: str, alert: str, message: str) -> None:
        """Publish an alert, or take it back where the message is empty."""
        if message:
            self.alert(owner, alert, message=message)
        else:
            self.resolve(owner, alert)

    def _publish(self, owner: str) -> None:
        self._ledger.put(self._topic(owner), _encode(self.of(owner)), owner=owner, adapter="")

    def _topic(self, owner: str) -> str:
        return self._tree.name(StatusTopic(owner, self._adapter))

    def _alert_topic(self, owner: str, alert: str) -> str:
        return self._tree.name(AlertTopic(owner, f"{self._adapter}.{alert}"))


def _resting(owner: str) -> Status:
    return Status("offline", utc_now(), why(owner))


def _next(before: Status, state: Word, reason: str) -> Status:
    return Status(state, before.since if state == before.state else utc_now(), mask(reason))
