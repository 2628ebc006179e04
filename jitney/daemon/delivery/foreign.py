"""Noticing that somebody else publishes where only the bus may: the broker's walls are open there.

MQTT does not say who has published a message. But a broker that speaks MQTT 5 can leave out what we publish ourselves:
whatever then comes on topics of ours is somebody else's, be it a message, a retained one or a will.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from jitney.daemon.broker.ledger import Ledger
from jitney.daemon.broker.session import Incoming, Subscription
from jitney.daemon.counters import Counters
from jitney.daemon.log import Tally, get
from jitney.daemon.owners.audit import UNHEARD, Auditing
from jitney.topics import InvalidTopicError, TopicTree
from jitney.topics.tree import (
    AlertTopic,
    BusTopic,
    EventTopic,
    SharedTopic,
    StateTopic,
    StatusTopic,
)

ALERT: Final = "foreign"
MESSAGE: Final = (
    "somebody else publishes where only the bus may, so the broker does not keep people apart: `jitney audit list"
    " --what refused` tells where, `jitney acl verify` what is open"
)

AGAIN: Final = 10.0
"""Seconds between two repairs of a topic: two who put it right against each other do not fill the broker."""

MOST: Final = 1000
"""Topics that are looked after like that; the others are put right with the next connection."""

BUS: Final = "_bus"
_ASKED: Final = ("command/", "inbox/")
_log = get("foreign")


class Foreign:
    """Hears our own topics. ``names`` are our adapters of now.

    ``alarm`` learns that somebody is there. ``hears`` tells whether what comes is never our own.
    """

    def __init__(
        self,
        tree: TopicTree,
        ledger: Ledger,
        *,
        instance: str,
        names: Callable[[], Collection[str]],
        hears: Callable[[], bool],
        alarm: Callable[[], None],
        counters: Counters,
    ) -> None:
        self.audit: Auditing = UNHEARD
        self._tree = tree
        self._ledger = ledger
        self._instance = instance
        self._names = names
        self._hears = hears
        self._alarm = alarm
        self._counters = counters
        self._righted: dict[str, asyncio.TimerHandle] = {}
        self._wrong: set[str] = set()
        self._tally = Tally(_log)

    def subscriptions(self) -> list[Subscription]:
        """Return the filters of our own topics."""
        filter_of = self._tree.filter
        kinds = (EventTopic, StateTopic, StatusTopic, SharedTopic)
        patterns = [filter_of(kind, adapter=name) for name in sorted(self._names()) for kind in kinds]
        patterns += [
            filter_of(AlertTopic),
            filter_of(BusTopic, instance=self._instance),
        ]
        return [Subscription(pattern, qos=0) for pattern in patterns]

    def noticed(self, incoming: Incoming) -> bool:
        """Tell whether a message is somebody else's on a topic of ours; it is then counted, told, and put right."""
        found = self._whose(incoming.topic) if self._hears() else None
        if found is None:
            return False
        owner, adapter, kind = found
        line = self._ledger.lines.get(incoming.topic)
        if line is not None and line.payload == incoming.payload and incoming.retain:
            return True
        self._counters.add("foreign", owner=owner, adapter=adapter, reason=kind)
        self._tally.add(
            "somebody else published on a topic of the bus",
            key=f"{owner}/{adapter}/{kind}",
            owner=owner,
            topic=incoming.topic[:200],
            retained=incoming.retain,
        )
        word = "retained " if incoming.retain else ""
        detail = f"{word}{kind} on {incoming.topic}"
        person = "" if owner == BUS else owner
        self.audit.add("refused", owner=person, adapter=adapter, outcome="foreign_publication", detail=detail)
        self._alarm()
        if incoming.retain or line is not None:
            self._put_right(incoming.topic, owner, adapter if kind == "state" else "")
        return True

    def close(self) -> None:
        """Put nothing right any more."""
        for again in self._righted.values():
            again.cancel()

    def _whose(self, topic: str) -> tuple[str, str, str] | None:
        """Return whose topic it is, of which adapter, and of which kind; None for one that is none of ours."""
        owner, _, rest = topic.removeprefix(f"{self._tree.root}/").partition("/")
        if owner != BUS and rest.startswith(_ASKED):  # nearly all that comes: told apart without more
            return None
        try:
            address = self._tree.parse(topic)
        except InvalidTopicError:
            return None
        match address:
            case EventTopic(owner, adapter, _) | SharedTopic(owner, _, adapter, _):
                kind = "event"
            case StateTopic(owner, adapter, _):
                kind = "state"
            case StatusTopic(owner, adapter):
                kind = "status"
            case AlertTopic(owner, alert):
                adapter, kind = alert.partition(".")[0], "alert"
            case BusTopic(instance, _):
                return (BUS, "", "bus") if instance == self._instance else None
            case _:
                return None
        ours = adapter in self._names() or (kind == "alert" and topic in self._ledger.lines)
        return (owner, adapter, kind) if ours else None

    def _put_right(self, topic: str, owner: str, adapter: str) -> None:
        """Put a topic right at once, or as soon as it may be again."""
        if topic in self._righted:
            self._wrong.add(topic)
        elif len(self._righted) < MOST:
            self._ledger.right(topic, owner=owner, adapter=adapter)
            again = asyncio.get_running_loop().call_later(AGAIN, self._look_again, topic, owner, adapter)
            self._righted[topic] = again

    def _look_again(self, topic: str, owner: str, adapter: str) -> None:
        del self._righted[topic]
        if topic in self._wrong:
            self._wrong.remove(topic)
            self._put_right(topic, owner, adapter)
