"""What is tried in the name of an owner, and what the model says of it."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from jitney.daemon.access.model import Model
from jitney.topics import HOUSE, TopicTree
from jitney.topics.tree import (
    AlertTopic,
    BusTopic,
    CommandTopic,
    EventTopic,
    InboxTopic,
    ReplyTopic,
    RequestTopic,
    ResponseTopic,
    SharedTopic,
    StateTopic,
    StatusTopic,
)

ADAPTER: Final = "access"
"""The level of the topics on which something is tried that no adapter of a household is likely to have."""


class Trial(Struct, frozen=True, kw_only=True):
    """Something to try, and whether the model allows it.

    ``probes`` are the topics on which something is published to see whether it comes, ``retained`` those on which
    something is retained before, ``standing`` those on which something is retained anyway. ``unseen``: the daemon
    cannot see whether it arrives, so that what the broker says has to do.
    """

    attempt: str
    topic: str
    may: bool
    probes: tuple[str, ...] = ()
    retained: tuple[str, ...] = ()
    standing: tuple[str, ...] = ()
    retain: bool = False
    response: str = ""
    unseen: bool = False


class Trials:
    """Everything that is tried in the name of one owner; ``token`` is in every topic."""

    def __init__(self, tree: TopicTree, model: Model, *, owner: str, token: str) -> None:
        self.own = tree.name(CommandTopic(owner, ADAPTER, token))
        self.fence = tree.name(EventTopic(owner, ADAPTER, f"{token}-fence"))
        self._tree = tree
        self._model = model
        self._owner = owner
        self._token = token
        self._me = model.principals[owner]
        self._others = [other for other in model.owners if other != owner]

    def reading(self, *, online: bool) -> Iterator[Trial]:
        """Yield what is subscribed to; ``online``: a daemon has retained its state."""
        mine, root = self._topics(self._owner), self._tree.root
        yield self._read(f"{root}/{self._owner}/#", "the own tree", tuple(mine.values()), retained=(mine["state"],))
        if online:
            state = self._tree.name(BusTopic(self._model.instance, "state"))
            yield self._read(state, "whether the bus is there", standing=(state,))
        for other in self._others:
            topics = self._topics(other)
            text = f"the tree of {other}"
            yield self._read(f"{root}/{other}/#", text, tuple(topics.values()), retained=(topics["state"],))
        events = tuple(self._topics(other)["event"] for other in self._others)
        states = tuple(self._topics(other)["state"] for other in self._others)
        for pattern in ("#", "+/#", f"{root}/#", f"{root}/+/event/#", f"{root}/+/+/+/+"):
            yield self._read(pattern, "everybody's trees", events, retained=states)
        yield self._read(f"{root}/_bus/#", "what the bus says and is asked", self._of_bus())
        yield self._read("$SYS/#", "what the broker says of itself")
        yield self._read("$CONTROL/#", "the administration of the broker")

    def sharing(self) -> Iterator[Trial]:
        """Yield the shared subscriptions that are joined: none is allowed."""
        root, token = self._tree.root, self._token
        for other in self._others:
            topics = tuple(self._topics(other).values())
            text = f"join a shared subscription of {other}"
            yield Trial(attempt=text, topic=f"$share/{token}/{root}/{other}/#", may=False, probes=topics)
        events = tuple(self._topics(other)["event"] for other in self._others)
        for pattern in ("#", f"{root}/+/event/#"):
            text = "join a shared subscription of everything"
            yield Trial(attempt=text, topic=f"$share/{token}/{pattern}", may=False, probes=events)

    def writing(self) -> Iterator[Trial]:
        """Yield what is published."""
        for word, topic in self._topics(self._owner).items():
            yield self._write(topic, _hand_in(word), retain=word in _RETAINED)
        for other in self._others:
            for word, topic in self._topics(other).items():
                yield self._write(topic, f"publish {_A[word]} of {other}", retain=word in _RETAINED)
        model, token, tree = self._model, self._token, self._tree
        yield self._write(tree.name(RequestTopic(model.instance, token)), "ask the bus itself")
        yield self._write(tree.name(RequestTopic(token, token)), "ask another bus")
        yield self._write(tree.name(BusTopic(model.instance, token)), "speak for the bus", retain=True)
        yield self._write(tree.name(ResponseTopic(model.instance, token)), "answer for the bus")
        for prefix in model.prefixes:
            topic = f"{prefix}/sensor/{token}/{token}/config"
            yield self._write(topic, "announce something to Home Assistant", retain=True, unseen=True)
        yield self._write(f"$SYS/broker/{token}", "speak for the broker", unseen=True)
        yield self._write("$CONTROL/dynamic-security/v1", "administer the broker", unseen=True)

    def wills(self) -> Iterator[Trial]:
        """Yield the wills that are left."""
        mine = self._topics(self._owner)
        for word in ("event", "state"):
            yield self._write(mine[word], f"leave a will as {_A[word]}", retain=word in _RETAINED)
        for other in self._others:
            for word in ("command", "event", "state"):
                text = f"leave a will as {_A[word]} of {other}"
                yield self._write(self._topics(other)[word], text, retain=word in _RETAINED)

    def bus(self) -> Iterator[tuple[Trial, str]]:
        """Yield what the bus itself has to refuse, with the code with which it does."""
        mine = self._topics(self._owner)
        answer = mine["reply"]
        text = "have a retained command carried out"
        yield Trial(attempt=text, topic=mine["command"], may=False, retain=True, response=answer), "retained"
        theirs = self._topics(self._others[0])["command"] if self._others else ""
        request = self._tree.name(RequestTopic(self._model.instance, self._token))
        for word in ("command", "inbox"):
            for target in filter(None, (theirs, request)):
                text = f"let the bus answer {_A[word]} where only others may write"
                yield Trial(attempt=text, topic=mine[word], may=False, response=target), "foreign_response_topic"

    def _topics(self, owner: str) -> dict[str, str]:
        """Return a topic of every class of an owner, by its word."""
        token, name = self._token, self._tree.name
        giver = next((one for one in self._model.owners if one not in (owner, HOUSE)), HOUSE)
        return {
            "command": name(CommandTopic(owner, ADAPTER, token)),
            "inbox": name(InboxTopic(owner, ADAPTER, token)),
            "event": name(EventTopic(owner, ADAPTER, token)),
            "state": name(StateTopic(owner, ADAPTER, token)),
            "status": name(StatusTopic(owner, token)),
            "reply": name(ReplyTopic(owner, ADAPTER, token)),
            "shared": name(SharedTopic(owner, giver, ADAPTER, token)),
            "alert": name(AlertTopic(owner, token)),
        }

    def _of_bus(self) -> tuple[str, ...]:
        instance, token, name = self._model.instance, self._token, self._tree.name
        return (name(BusTopic(instance, token)), name(ResponseTopic(instance, token)), name(BusTopic(token, "health")))

    def _read(
        self,
        topic: str,
        text: str,
        probes: tuple[str, ...] = (),
        *,
        retained: tuple[str, ...] = (),
        standing: tuple[str, ...] = (),
    ) -> Trial:
        may = self._me.allows("subscribe", topic) and self._me.allows("receive", topic)
        return Trial(attempt=f"read {text}", topic=topic, may=may, probes=probes, retained=retained, standing=standing)

    def _write(self, topic: str, text: str, *, retain: bool = False, unseen: bool = False) -> Trial:
        may = self._me.allows("retain" if retain else "publish", topic)
        return Trial(attempt=text, topic=topic, may=may, retain=retain, unseen=unseen)


_A: Final = {
    "command": "a command",
    "inbox": "an event for the inbox",
    "event": "an event",
    "state": "a state",
    "status": "a status",
    "reply": "a reply",
    "shared": "a shared event",
    "alert": "an alert",
}
_RETAINED: Final = ("state", "status", "alert")
_ASKED: Final = ("command", "inbox")


def _hand_in(word: str) -> str:
    return f"publish {_A[word]}" if word in _ASKED else f"publish {_A[word]} as if it were the bus"
