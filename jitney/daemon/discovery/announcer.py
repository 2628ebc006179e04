"""The announcer: keeps what Home Assistant has been told equal to what the adapters declare."""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from jitney.adapters.base import Clock
from jitney.adapters.entities import Device
from jitney.daemon.broker.ledger import GONE, Ledger
from jitney.daemon.broker.session import Incoming, Message
from jitney.daemon.config.schema import Config
from jitney.daemon.counters import Counters
from jitney.daemon.discovery import rules
from jitney.daemon.discovery.declared import Declared
from jitney.daemon.discovery.graves import Graves
from jitney.daemon.discovery.names import BRANCH
from jitney.daemon.discovery.payload import Announcement
from jitney.daemon.log import Tally, get
from jitney.daemon.pulse import Pulse
from jitney.daemon.store.kept import Kept
from jitney.topics import HOUSE

GATHER: Final = 1.0
"""Seconds in which changes are gathered: Home Assistant loses parts of what comes faster."""

BIRTH: Final = (1.0, 5.0)
"""Seconds after Home Assistant's birth, at least and at most, until it is told everything again."""

Send = Callable[[Message, str], None]
"""Sends a message that is not in the ledger, in the turn of an owner."""

_encode = msgspec.json.Encoder(order="deterministic").encode
_log = get("discovery")


class Announcer:
    """Tells Home Assistant about devices by retained topics, which are in the ledger over restarts.

    What is not declared any more is taken back, what the broker has lost or a Home Assistant has cleared is told again.
    ``load`` comes once the ledger is loaded, then ``run``.
    """

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        declared: Declared,
        *,
        kept: Kept,
        send: Send,
        pulse: Pulse,
        counters: Counters,
        clock: Clock = time.monotonic,
    ) -> None:
        self._pulse = pulse
        self._config = config
        self._ledger = ledger
        self._declared = declared
        self._graves = Graves(kept)
        self._send = send
        self._counters = counters
        self._clock = clock
        self._changed: dict[tuple[str, str], None] = {}
        self._later: dict[str, float] = {}
        self._births: dict[str, float] = {}
        self._news = asyncio.Event()
        self._tally = Tally(_log)

    @property
    def patterns(self) -> list[str]:
        """The filters under which everything that this instance announces lies."""
        return self._declared.patterns

    @property
    def subscriptions(self) -> list[str]:
        """What has to be heard: the start of each Home Assistant, and that one clears what we announced.

        They are spelt otherwise than ``patterns``, because those are unsubscribed after the replay.
        """
        births = [f"{prefix}/status" for prefix in sorted(self._declared.prefixes)]
        return births + [f"{pattern.removesuffix('config')}+" for pattern in self.patterns]

    @property
    def settled_down(self) -> bool:
        """Whether everything that was declared until now has been announced."""
        return not self._changed

    def whose(self, topic: str) -> tuple[str, str] | None:
        """Return the owner and the name in the ledger of a topic of ours, None for any other."""
        if not self._declared.covers(topic):
            return None
        line = self._ledger.lines.get(topic)
        return (line.owner, line.adapter) if line is not None else (HOUSE, BRANCH)

    async def load(self) -> None:
        """Take back what nobody can declare any more, and declare the bus.

        An adapter that has never been online is not shown yet: Home Assistant would keep the names of a first guess.
        """
        await self._graves.load()
        for topic, line in list(self._ledger.lines.items()):
            if line.adapter.startswith(BRANCH) and not self._declared.may_stay(topic, line.owner, line.adapter):
                self._take_back(topic)
        self._declared.begin()
        self._change("", HOUSE)

    def announce(self, adapter: str, owner: str, devices: Iterable[Device]) -> None:
        """Learn all devices that an owner has through an adapter."""
        if self._declared.declare(adapter, owner, devices):
            self._change(adapter, owner)

    def settled(self, adapter: str) -> None:
        """Learn that an adapter is online: who has not been announced devices by then has none."""
        for owner in (HOUSE, *self._config.owners):
            if not self._declared.knows(adapter, owner):
                self.announce(adapter, owner, ())

    def heard(self, incoming: Incoming) -> bool:
        """Take a message that a Home Assistant has sent; False when it is none."""
        topic = incoming.topic
        prefix = topic.removesuffix("/status")
        if prefix in self._declared.prefixes:
            if incoming.payload == b"online" and not incoming.retain:
                self._births.setdefault(prefix, self._clock() + random.uniform(*BIRTH))  # noqa: S311 - spreads the load
                self._news.set()
            return True
        if not self._declared.covers(topic):
            return False
        line = self._ledger.lines.get(topic)
        if incoming.payload == GONE and line is not None and line.payload != GONE:
            self._tell_later(topic)
        return True

    def forget(self, owner: str) -> None:
        """Forget what was taken back of an owner; what there still is is announced anew."""
        self._graves.forget(owner)
        for adapter in self._declared.adapters(owner):
            self._change(adapter, owner)

    async def run(self) -> None:
        """Announce what has changed; cancelled to stop it."""
        while True:
            due = min((*self._births.values(), *self._later.values()), default=None)
            try:
                async with asyncio.timeout(None if due is None else max(0.0, due - self._clock())):
                    await self._news.wait()
            except TimeoutError:
                await self._tell_again()
                continue
            self._news.clear()
            with self._pulse:
                if self._changed:
                    await asyncio.sleep(GATHER)
                    changed, self._changed = list(self._changed), {}
                    for adapter, owner in changed:
                        self._publish(adapter, owner)
                await self._graves.keep()

    def _change(self, adapter: str, owner: str) -> None:
        self._changed[adapter, owner] = None
        self._news.set()

    def _publish(self, adapter: str, owner: str) -> None:
        wanted = {found.topic: found for found in self._declared.announcements(adapter, owner)}
        for topic in self._told(adapter, owner):
            if topic not in wanted:
                self._take_back(topic)
        for topic, found in wanted.items():
            payload = self._checked(found)
            if payload is not None:
                self._put(topic, payload, owner=owner, adapter=adapter)

    def _put(self, topic: str, payload: dict[str, Any], *, owner: str, adapter: str) -> None:
        line = self._ledger.lines.get(topic)
        before = line.payload if line is not None else None
        components: Mapping[str, Any] = payload.get("components", {})
        if before:
            if components:
                payload["components"] = {**_removed(before, components), **components}
                self._graves.bury(topic, owner, before, left=components)
            if before != _encode(payload):
                self._show_values_again(payload)
        else:
            self._graves.revived(topic)
        self._ledger.put(topic, _encode(payload), owner=owner, adapter=BRANCH + adapter, durable=True)

    def _checked(self, found: Announcement) -> dict[str, Any] | None:
        """Return what is announced without what Home Assistant would refuse, None when nothing is left."""
        payload = dict(found.payload)
        components: Mapping[str, Any] = payload.get("components", {})
        refused: set[str] = set()
        for fault in rules.faults(payload, per_component=not components):
            self._counters.add("dropped", adapter="discovery", reason="not_valid")
            self._tally.add("cannot be shown", key=found.topic, topic=found.topic, entity=fault.key, reason=fault.text)
            refused.add(fault.key)
        if "" in refused or (components and refused == components.keys()):
            return None
        if components:
            payload["components"] = {key: one for key, one in components.items() if key not in refused}
        return payload

    def _show_values_again(self, payload: Mapping[str, Any]) -> None:
        """Publish the values of a device again soon: Home Assistant does not apply a changed unit to what it has."""
        for component in (payload, *payload.get("components", {}).values()):
            for key, topic in component.items():
                if key.endswith("_topic") and topic in self._ledger.lines:
                    self._tell_later(topic)

    def _told(self, adapter: str, owner: str) -> list[str]:
        """Return the topics of what is announced of an owner's devices through an adapter."""
        name = BRANCH + adapter
        return [
            topic
            for topic, line in self._ledger.lines.items()
            if line.adapter == name and line.owner == owner and line.payload != GONE
        ]

    def _take_back(self, topic: str) -> None:
        line = self._ledger.lines[topic]
        if line.payload:
            self._graves.bury(topic, line.owner, line.payload)
        self._ledger.put(topic, GONE, owner=line.owner, adapter=line.adapter)
        self._news.set()

    def _tell_later(self, topic: str) -> None:
        self._later.setdefault(topic, self._clock() + GATHER)
        self._news.set()

    async def _tell_again(self) -> None:
        """Publish what is due again, and everything for each Home Assistant that has started lately."""
        now = self._clock()
        for topic in [topic for topic, due in self._later.items() if due <= now]:
            del self._later[topic]
            if topic in self._ledger.lines:
                self._ledger.mark(topic)
        born = [prefix for prefix, due in self._births.items() if due <= now]
        if not born:
            return
        buried = list(self._revive(born))
        if buried:
            await asyncio.sleep(GATHER)
        for topic, owner in buried:
            if topic not in self._ledger.lines:
                self._send(Message(topic, GONE, retain=True), owner)
        for prefix in born:
            del self._births[prefix]
            for topic, line in self._ledger.lines.items():
                if line.adapter.startswith(BRANCH) and topic.startswith(f"{prefix}/"):
                    self._ledger.mark(topic)
        await self._graves.keep()

    def _revive(self, prefixes: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Announce once more what was taken back, for a Home Assistant that was away then; yields where, and whose."""
        for prefix in prefixes:
            for topic, grave in self._graves.take(prefix):
                self._send(Message(topic, _encode(grave.payload)), grave.owner)
                yield topic, grave.owner


def _removed(before: bytes, now: Mapping[str, Any]) -> dict[str, Any]:
    """Return what takes components back that were announced before: a component that is only left out stays."""
    components: Mapping[str, Any] = msgspec.json.decode(before).get("components", {})
    return {key: {"platform": component["platform"]} for key, component in components.items() if key not in now}
