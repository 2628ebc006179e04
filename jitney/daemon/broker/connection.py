"""The connection to the broker: one session after another, and what outlives each of them."""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Literal, Protocol

from msgspec import Struct, field

from jitney.daemon.broker.inbound import Inbound
from jitney.daemon.broker.refusals import Refusal, explain
from jitney.daemon.broker.rivals import Rivals
from jitney.daemon.broker.session import (
    REFUSED,
    BrokerRefusedError,
    BrokerUnreachableError,
    ConnectOptions,
    Incoming,
    Message,
    ProtocolUnsupportedError,
    Session,
    Subscription,
    TakenOverError,
)
from jitney.daemon.broker.sessions.dial import dial
from jitney.daemon.broker.window import Window
from jitney.daemon.log import Decay, Tally, get

FIRST_DELAY: Final = 0.5
LONGEST_DELAY: Final = 5.0
REFUSED_DELAY: Final = 60.0
"""Seconds between attempts: at random up to a limit that doubles, and rarely when the broker refuses us."""

STABLE: Final = 1.0
"""A session that lasted so many seconds starts the delays anew."""

QUIET: Final = 0.25
"""The replay of retained messages is over when none came for so many seconds."""

REPLAY_DEADLINE: Final = 15.0

CONFIRMATION_DEADLINE = 30.0
"""Seconds without any confirmation of what is on its way, until the session is given up."""

END_DEADLINE: Final = 5.0
"""Seconds until a session that was aborted has told so."""

_WORDS: Final[dict[type[Exception], str]] = {
    BrokerRefusedError: "refused",
    TakenOverError: "taken_over",
    ProtocolUnsupportedError: "unsupported",
}
"""What a failure counts as."""

_log = get("broker")


class Supply(Protocol):
    """What is to be published, and who is told what became of it."""

    def take(self, most: int) -> list[Message]:
        """Take up to ``most`` messages; once taken they are the window's until confirmed or refused."""

    def again(self, messages: Sequence[Message]) -> None:
        """Learn that messages are sent again, on another session."""

    def confirmed(self, message: Message) -> None:
        """Learn that the broker has a message."""

    def refused(self, message: Message, refusal: Refusal) -> None:
        """Learn that the broker will never take a message."""


class Reconciler(Protocol):
    """Who compares the broker's retained messages with the ledger after every connect."""

    def connected(self) -> None:
        """Learn that a session has begun: the birth message is due."""

    def reconcile(self, found: Mapping[str, bytes]) -> tuple[int, int]:
        """Publish what is missing or wrong and clear orphans; returns the two numbers."""


class Health(Struct):
    """How the connection is doing. ``since`` and ``attempted`` are Unix seconds; ``failures`` counts by a word."""

    state: Literal["connecting", "online", "offline"] = "connecting"
    since: float = 0.0
    attempted: float = 0.0
    attempts: int = 0
    connects: int = 0
    protocol: str = ""
    reason: str = ""
    failures: Counter[str] = field(default_factory=Counter)


class Connection:
    """Keeps a session up; ``run`` it, call ``wake`` when the supply has something.

    Nothing taken from the supply is lost with a session: what was not confirmed is sent again, in order and before
    anything new, on the next one. ``earlier`` are filters that the broker may remember of an earlier run.
    """

    def __init__(
        self,
        options: ConnectOptions,
        supply: Supply,
        reconciler: Reconciler,
        *,
        inbound: Inbound,
        window: int,
        subscriptions: Sequence[Subscription],
        replays: Callable[[], Sequence[str]],
        earlier: Collection[str] = (),
        protocol: Literal["auto", "5", "3.1.1"] = "auto",
    ) -> None:
        self.health = Health()
        self.watched: Callable[[], Sequence[Subscription]] = lambda: ()
        """Our own topics, on which nobody but we should publish: heard where the broker does not send us our own."""
        self.taken_over: Callable[[str], None] = lambda _: None
        """Learns that somebody else is there with our client id, and what a person can do."""
        self.window = Window(window)
        self.session: Session | None = None
        self.reconciled = asyncio.Event()
        self._options = options
        self._supply = supply
        self._reconciler = reconciler
        self._inbound = inbound
        self._most = window
        self._subscriptions = list(subscriptions)
        self._heard: set[str] = set()
        self._left = set(earlier)
        self._listening = asyncio.Lock()
        self._replays = replays
        self._protocol = protocol
        self._again: deque[tuple[int, Message]] = deque()
        self._oldest: Message | None = None
        self._answered = asyncio.Event()
        self._in_flight = 0
        self._woken = False
        self._lost: asyncio.Future[None] | None = None
        self._dialled: Session | None = None
        self._replayed: dict[str, bytes] | None = None
        self._closed = False
        self._rivals = Rivals()
        self._decay = Decay(_log)
        self._tally = Tally(_log)

    async def run(self) -> None:
        """Connect, and again whenever the connection is lost; cancelled or closed to stop it."""
        limit = FIRST_DELAY
        while not self._closed:
            began = time.monotonic()
            self.health.attempts += 1
            self.health.attempted = time.time()
            try:
                await self._one_session()
            except BrokerRefusedError as error:
                self._went(error)
                delay = REFUSED_DELAY * random.uniform(0.5, 1.0)  # noqa: S311 - spreads attempts, guards nothing
            except (BrokerUnreachableError, ProtocolUnsupportedError) as error:
                self._went(error)
                if time.monotonic() - began > STABLE:
                    limit = FIRST_DELAY
                delay = random.uniform(0.0, limit)  # noqa: S311
                limit = min(limit * 2, LONGEST_DELAY)
            await asyncio.sleep(delay)

    def wake(self) -> None:
        """Send what the supply has, once in this turn of the loop."""
        if not self._woken and self.session is not None:
            self._woken = True
            asyncio.get_running_loop().call_soon(self._pump)

    async def subscribe(self, subscriptions: Sequence[Subscription]) -> None:
        """Hear these from now on, in this session too."""
        self._subscriptions += [one for one in subscriptions if one not in self._subscriptions]
        await self._hear()

    async def unsubscribe(self, patterns: Collection[str]) -> None:
        """Hear these no more."""
        self._subscriptions = [one for one in self._subscriptions if one.pattern not in patterns]
        await self._hear()

    async def watch(self) -> None:
        """Hear what is ``watched`` in this session; MQTT 3.1.1 cannot leave out what we publish ourselves."""
        found = self.watched()
        if found and self.session is not None and self.session.protocol == "5":
            with suppress(BrokerUnreachableError):
                await self._subscribe(self.session, found)

    @property
    def held(self) -> set[str]:
        """Every filter that the broker may remember of this client."""
        return {one.pattern for one in self._subscriptions} | self._heard | self._left

    async def close(self) -> None:
        """Take leave of the broker for good, so that it does not publish the will."""
        self._closed = True
        if self.session is not None:
            session, self.session = self.session, None
            await session.close()

    async def drained(self, *, empty: Callable[[], bool]) -> None:
        """Wait until nothing is on its way and ``empty`` says that nothing waits."""
        while self.session is not None and (self._in_flight or not empty()):
            self.wake()
            await asyncio.sleep(0.01)

    def acked(self, packet_id: int, reason: int) -> None:
        """Take the broker's answer to one message."""
        self._answered.set()
        if reason < REFUSED:
            message = self.window.land(packet_id)
            self._in_flight -= message is not None
            if message is not None:
                self._supply.confirmed(message)
            return
        refusal = explain(reason)
        if refusal.passing:
            key, event = refusal.text, "the broker is over its limits"
            self._tally.add(event, key=key, reason=refusal.text, remedy=refusal.remedy)
            if self.session is not None:
                self.session.abort()
            return
        message = self.window.land(packet_id)
        self._in_flight -= message is not None
        if message is not None:
            self._supply.refused(message, refusal)

    def flushed(self) -> None:
        """Send more after a read."""
        self._pump()

    def received(self, incoming: Incoming) -> None:
        """Take a message: a retained one of the replay, or one for the bus."""
        if self._replayed is not None and incoming.retain and not incoming.packet_id:
            self._replayed[incoming.topic] = incoming.payload
        elif self._dialled is not None:
            self._inbound.put(incoming, self._dialled)

    def lost(self, error: Exception | None) -> None:
        """Take the end of the session."""
        if self._lost is not None and not self._lost.done():
            self._lost.set_exception(error or BrokerUnreachableError("the connection to the broker was closed"))
            self._lost.exception()

    async def _one_session(self) -> None:
        self._lost = asyncio.get_running_loop().create_future()
        session = await dial(self._options, self, protocol=self._protocol)
        self._dialled = session
        try:
            self._again = deque(self.window.unconfirmed())
            self._in_flight = 0
            self._left = self._left | self._heard if session.limits.session_present else set()
            self._heard = set()
            await self._listen(session)
            self.session = session
            self._came(session)
            await self._begin(session, self._lost)
            self._reconciler.connected()
            self._pump()
            await self._reconcile(session)
            await self.watch()
            await self._watch(self._lost)
        finally:
            self.session = self._dialled = self._replayed = None
            self._inbound.forget(session)
            session.abort()
            await asyncio.wait([self._lost], timeout=END_DEADLINE)

    async def _begin(self, session: Session, lost: asyncio.Future[None]) -> None:
        """Open the window; where the last session ended on the same oldest message, send that one alone first.

        A broker that closes the connection over a message answers it before. With more on its way, the reset that
        follows would take that answer along, and the same would happen for ever (mosquitto 2.0, denied messages).
        """
        oldest = self._again[0][1] if self._again else None
        if oldest is not None and oldest is self._oldest:
            self.window.size = 1
            self._answered.clear()
            self._pump()
            answered = asyncio.create_task(self._answered.wait(), name="answer to the oldest message")
            either: set[asyncio.Future[Any]] = {answered, lost}
            await asyncio.wait(either, timeout=CONFIRMATION_DEADLINE, return_when=asyncio.FIRST_COMPLETED)
            answered.cancel()
        self._oldest = oldest
        self.window.size = min(self._most, session.limits.receive_max)

    async def _watch(self, lost: asyncio.Future[None]) -> None:
        """Wait for the end of the session; raises BrokerUnreachableError when the broker confirms nothing any more."""
        while not lost.done():
            landed, flying = self.window.landed, self._in_flight
            await asyncio.wait([lost], timeout=CONFIRMATION_DEADLINE)
            if flying and self.window.landed == landed and not lost.done():
                message = f"the broker has confirmed nothing for {CONFIRMATION_DEADLINE:g} s: connecting anew"
                raise BrokerUnreachableError(message)
        await lost

    async def _hear(self) -> None:
        if self.session is not None:
            with suppress(BrokerUnreachableError):  # the next session hears what is wanted then
                await self._listen(self.session)

    async def _listen(self, session: Session) -> None:
        """Make what the broker sends on a session what is wanted, which may change meanwhile."""
        async with self._listening:
            while True:
                wanted = {one.pattern for one in self._subscriptions}
                if missing := [one for one in self._subscriptions if one.pattern not in self._heard]:
                    self._heard.update(one.pattern for one in missing)
                    await self._subscribe(session, missing)
                elif gone := (self._heard | self._left) - wanted:
                    await session.unsubscribe(sorted(gone))
                    self._heard -= gone
                    self._left -= gone
                else:
                    return

    async def _subscribe(self, session: Session, subscriptions: Sequence[Subscription]) -> None:
        codes = await session.subscribe(subscriptions)
        for subscription, code in zip(subscriptions, codes, strict=True):
            if code >= REFUSED:
                refusal = explain(code)
                fields = {"filter": subscription.pattern, "reason": refusal.text}
                self._tally.add("the broker refused a subscription", key=subscription.pattern, **fields)

    async def _reconcile(self, session: Session) -> None:
        found: dict[str, bytes] = {}
        self._replayed = found
        replays = self._replays()
        await session.subscribe([Subscription(pattern, qos=0, replay=True) for pattern in replays])
        deadline = time.monotonic() + REPLAY_DEADLINE
        seen = -1
        while seen != len(found) and time.monotonic() < deadline:
            seen = len(found)
            await asyncio.sleep(QUIET)
        await session.unsubscribe(replays)
        self._replayed = None
        wrong, orphans = self._reconciler.reconcile({topic: value for topic, value in found.items() if value})
        self.reconciled.set()
        if wrong or orphans:
            _log.info("retained topics repaired on the broker", republished=wrong, cleared=orphans)

    def _pump(self) -> None:
        self._woken = False
        session = self.session
        if session is None:
            return
        room = self.window.size - self._in_flight
        if room <= 0:
            return
        if self._again:
            batch = [self._again.popleft() for _ in range(min(room, len(self._again)))]
            self._in_flight += len(batch)
            self._supply.again([message for _, message in batch])
            session.send(batch, duplicate=session.limits.session_present)
            room -= len(batch)
        if room > 0 and (messages := self._supply.take(room)):
            self._in_flight += len(messages)
            session.send(self.window.launch(messages))

    def _came(self, session: Session) -> None:
        self.health.connects += 1
        self.health.state = "online"
        self.health.protocol = session.protocol
        self.health.reason = ""
        self.health.since = time.time()
        self._decay.recovered("connected to the broker", url=self._options.url, protocol=session.protocol)

    def _went(self, error: Exception) -> None:
        if self._closed:
            return
        self.health.failures[_WORDS.get(type(error), "unreachable")] += 1
        lost = self._lost.exception() if self._lost is not None and self._lost.done() else None
        if rival := self._rivals.ended(lost or error):
            self.taken_over(rival)
        if self.health.state != "offline":
            self.health.since = time.time()
        self.health.state = "offline"
        self.health.reason = str(error)
        self._decay.failed("no connection to the broker", reason=str(error), url=self._options.url)
