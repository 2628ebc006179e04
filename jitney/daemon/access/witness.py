"""The witness: the daemon's login, which sees whether what others publish arrives, and publishes what they may not."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from itertools import count
from secrets import token_hex
from typing import Final

import msgspec

from jitney.daemon.access.proofs import UnprovedError
from jitney.daemon.access.trials import ADAPTER
from jitney.daemon.access.visitor import CUT, Came, Visitor
from jitney.daemon.broker.session import REFUSED
from jitney.topics import HOUSE, TopicTree
from jitney.topics.tree import BusTopic, EventTopic, RequestTopic, SharedTopic

GRACE: Final = 0.005
"""Seconds for a broker that does not keep the order of what several clients publish."""

PATIENCE: Final = 3.0
"""Seconds in which the bus answers."""


class _Online(msgspec.Struct):
    state: str = ""


class Witness:
    """What really arrives. ``token`` is in every topic, ``kept`` the payload of what is retained for a while."""

    def __init__(self, visitor: Visitor, tree: TopicTree, *, instance: str) -> None:
        self.token = f"proof-{token_hex(6)}"
        self.online = False
        self._numbers = count()
        self.kept = self.payload()
        self._visitor = visitor
        self._tree = tree
        self._state = tree.name(BusTopic(instance, "state"))
        self._fence = tree.name(EventTopic(HOUSE, ADAPTER, f"{self.token}-fence"))

    async def begin(self) -> None:
        """Listen to everything that will be tried, and learn whether the bus is there. Raises UnprovedError."""
        root, token, tree = self._tree.root, self.token, self._tree
        patterns = (
            f"{root}/+/+/{ADAPTER}/+",
            f"{root}/+/+/{token}",
            f"{root}/+/reply/_/_",
            tree.filter(SharedTopic, adapter=ADAPTER, kind=token),
            tree.filter(RequestTopic, name=token),
            f"{root}/_bus/+/response/{token}",
            self._state,
        )
        for pattern in patterns:
            if await self._visitor.subscribe(pattern) >= REFUSED:
                raise UnprovedError(f"the daemon's own login may not read {pattern}: apply the rules first")
        await self.settled()
        for came in self._visitor.came:
            if came.topic == self._state:
                self.online = _is_online(came.payload)

    def payload(self) -> bytes:
        """Return a payload that nothing else has, and that nobody can take for a request or an event."""
        return msgspec.json.encode(f"{self.token} {next(self._numbers)}")

    async def publish(self, topics: Iterable[str]) -> bytes:
        """Publish on topics of all sorts, and return the payload. Raises UnprovedError."""
        payload = self.payload()
        self._visitor.came.clear()
        for topic in topics:
            await self._publish(topic, payload)
        return payload

    @asynccontextmanager
    async def retaining(self, topics: Iterable[str]) -> AsyncIterator[None]:
        """Retain ``kept`` on topics for a while. Raises UnprovedError."""
        kept = list(topics)
        try:
            for topic in kept:
                await self._publish(topic, self.kept, retain=True)
            yield
        except BaseException:
            with suppress(UnprovedError):  # what went wrong before is told; and it expires by itself
                await self._clear(kept)
            raise
        await self._clear(kept)

    async def clear(self, topic: str) -> None:
        """Remove what is retained on a topic. Raises UnprovedError."""
        await self._publish(topic, b"", retain=True)

    async def settled(self) -> None:
        """Wait until whatever the broker has taken has been delivered to us. Raises UnprovedError.

        Publishes something and waits until it comes back: what was published before has come by then.
        """
        payload = self.payload()
        await self._publish(self._fence, payload)
        if not await self._visitor.until(lambda: self._has(payload)):
            raise UnprovedError(
                f"what the daemon's own login publishes below {self._tree.root}/ does not come back: apply the rules "
                "first"
            )
        await asyncio.sleep(GRACE)

    async def saw(self, payload: bytes, *, seconds: float = 0.0) -> bool:
        """Tell whether a message has arrived; ``seconds`` is how long one is waited for that has to."""
        if seconds > 0:
            return await self._visitor.until(lambda: self._has(payload), seconds=seconds)
        await self.settled()
        return self._has(payload)

    async def reply(self, correlation: bytes, *, asked: str) -> Came | None:
        """Wait for the answer to what was published on the topic ``asked``; None when none comes."""

        def found() -> Came | None:
            came = self._visitor.came
            return next((one for one in came if one.correlation == correlation and one.topic != asked), None)

        await self._visitor.until(lambda: found() is not None, seconds=PATIENCE)
        return found()

    async def _clear(self, topics: Iterable[str]) -> None:
        for topic in topics:
            await self.clear(topic)

    async def _publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish; whoever is refused could be cut off and see nothing from then on, so that it ends the proof."""
        code = await self._visitor.publish(topic, payload, retain=retain)
        if code == CUT:
            raise UnprovedError(
                f"the broker ended the connection of the daemon's own login when it published on {topic}"
            )
        if code >= REFUSED:
            raise UnprovedError(f"the daemon's own login may not publish on {topic}: apply the rules first")

    def _has(self, payload: bytes) -> bool:
        return any(came.payload == payload for came in self._visitor.came)


def _is_online(payload: bytes) -> bool:
    try:
        return msgspec.json.decode(payload or b"{}", type=_Online).state == "online"
    except (msgspec.MsgspecError, UnicodeError):
        return False
