"""The doorkeeper: lets in what owners ask and hand in up to their limits, and closes the door of whoever goes on."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from math import ceil, inf
from typing import Final, Protocol

from msgspec import Struct

from jitney.adapters.base import Clock
from jitney.daemon.broker.inbound import Verdict
from jitney.daemon.broker.session import Incoming, Subscription
from jitney.daemon.config.limits import LimitSettings
from jitney.daemon.counters import Counters
from jitney.daemon.log import Decay, get
from jitney.daemon.owners.limits import Bucket, Limits
from jitney.topics import TopicTree
from jitney.topics.tree import CommandTopic, InboxTopic

FIRST: Final = 10.0
LONGEST: Final = 300.0
"""Seconds that a door stays closed: doubled each time, unless it was open for as long as the longest pause."""

TRIAL: Final = 10.0
"""Seconds after which a door that was opened again, and not closed, is told to be open."""

ANSWERS: Final = 5
"""Refusals a second of which an owner is told, and how many at once."""

BYTES_SECONDS: Final = 16
"""The bytes of so many seconds may come at once."""

OTHERWISE: Final = 100
"""Refused messages a second until a door is closed, where not their number is limited."""

INBOX: Final = "inbox"
COMMAND: Final = "command"

_KEYS: Final = {INBOX: "inbox_per_second", COMMAND: "commands_per_second"}
_log = get("doorkeeper")


class Listening(Protocol):
    """Who hears the broker."""

    async def subscribe(self, subscriptions: Sequence[Subscription]) -> None:
        """Hear these from now on."""

    async def unsubscribe(self, patterns: Collection[str]) -> None:
        """Hear these no more."""


class Standing(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an owner stands to a limit: what it is (0: none), what of it or of the ``burst`` is used up now.

    So many were ``refused`` since the start; a door is closed for ``closed`` more seconds, 0 where it is open.
    """

    limit: int
    used: int
    burst: int = 0
    refused: int = 0
    closed: float = 0.0


class _Door:
    """One entrance of one owner. ``until`` is when it is opened, or on trial no longer; infinity: neither."""

    __slots__ = (
        "answers",
        "bucket",
        "closed",
        "decay",
        "excess",
        "kilobytes",
        "opened",
        "owner",
        "pattern",
        "pause",
        "refused",
        "told",
        "until",
        "word",
    )

    def __init__(self, owner: str, word: str, pattern: str, *, answers: Bucket, decay: Decay) -> None:
        self.owner = owner
        self.word = word
        self.pattern = pattern
        self.answers = answers
        self.decay = decay
        self.closed = False
        self.told = False
        self.until = inf
        self.opened = -inf
        self.pause = 0.0
        self.refused = 0
        self.limit(LimitSettings())

    def limit(self, settings: LimitSettings) -> None:
        """Let this pass from now on."""
        if self.word == INBOX:
            self.bucket = Bucket(settings.inbox_per_second, settings.inbox_burst)
            self.kilobytes = Bucket(settings.inbox_kb_per_second, settings.inbox_kb_per_second * BYTES_SECONDS)
        else:
            self.bucket = Bucket(settings.commands_per_second, settings.command_burst)
            self.kilobytes = Bucket(0, 0)
        rate = self.bucket.rate or OTHERWISE
        self.excess = Bucket(rate, rate)


class Doorkeeper:
    """Judges each message by the owner in its topic, and has those not heard whose door is closed.

    Then the broker throws away what they send, so that it neither fills the line in which the others' messages wait
    nor costs anything here. ``connection`` is asked for when there is one; ``notice`` is told (owner, door, message)
    what a person must know, empty when it is over. ``clock`` only goes forward.
    """

    def __init__(
        self,
        tree: TopicTree,
        limits: Limits,
        *,
        connection: Callable[[], Listening],
        notice: Callable[[str, str, str], None],
        counters: Counters,
        clock: Clock = time.monotonic,
    ) -> None:
        self._tree = tree
        self._limits = limits
        self._connection = connection
        self._notice = notice
        self._counters = counters
        self._clock = clock
        self._root = f"{tree.root}/"
        self._begin = len(self._root)
        self._doors: dict[str, _Door] = {}
        self._settings: dict[str, LimitSettings] = {}
        self._gone: set[str] = set()
        self._news = asyncio.Event()

    @property
    def subscriptions(self) -> list[Subscription]:
        """What is to be heard: every door that is open."""
        return [Subscription(door.pattern) for door in self._doors.values() if not door.closed]

    def serve(self, people: Collection[str]) -> None:
        """Let these people in from now on; ``settle`` it. Whose limits have not changed has used up what they have."""
        for key, left in list(self._doors.items()):
            if left.owner not in people:
                self._gone.add(left.pattern)
                self._tell(left, "")
                self._settings.pop(left.owner, None)
                del self._doors[key]
        for owner in sorted(people):
            settings = self._limits.of(owner)
            if self._settings.get(owner) == settings:
                continue
            self._settings[owner] = settings
            answers = Bucket(ANSWERS, ANSWERS)
            for word, topic in ((INBOX, InboxTopic), (COMMAND, CommandTopic)):
                door = self._doors.get(f"{owner}/{word}")
                if door is None:
                    pattern = self._tree.filter(topic, owner=owner)
                    decay = Decay(_log, clock=self._clock)
                    door = self._doors[f"{owner}/{word}"] = _Door(owner, word, pattern, answers=answers, decay=decay)
                door.limit(settings)
                if door.closed:
                    door.until = -inf

    def judge(self, incoming: Incoming) -> Verdict:
        """Tell whether a message may come in; to be asked of each message once."""
        topic = incoming.topic
        door = self._doors.get(topic[self._begin : topic.find("/", topic.find("/", self._begin) + 1)])
        if door is None or not topic.startswith(self._root):
            return "admitted"
        now = self._clock()
        if not door.closed:
            if door.bucket.take(now) and door.kilobytes.take(now, len(incoming.payload) / 1000):
                return "admitted"
            if not door.excess.take(now):
                self._close(door, now)
        door.refused += 1
        self._counters.add("dropped", owner=door.owner, adapter=door.word, reason="rate_limited")
        return "answered" if door.answers.take(now) else "refused"

    async def run(self) -> None:
        """Close and open doors when it is time; cancelled to stop it."""
        while True:
            self._news.clear()
            await self.settle()
            soonest = min((door.until for door in self._doors.values()), default=inf)
            try:
                async with asyncio.timeout(None if soonest == inf else max(0.0, soonest - self._clock())):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def settle(self) -> None:
        """Have heard what is to be heard now, and tell people."""
        now = self._clock()
        for door in self._doors.values():
            if door.closed and door.until <= now:
                door.closed, door.opened, door.until = False, now, now + TRIAL
                door.bucket.owe(now, door.bucket.burst - door.bucket.rate)  # at first there is no burst
            elif door.until <= now:
                door.until = inf
                self._tell(door, "")
            elif door.closed and not door.told:
                self._tell(door, self._reason(door))
        closed = {door.pattern for door in self._doors.values() if door.closed}
        gone, self._gone = self._gone, set()
        await self._connection().subscribe(self.subscriptions)
        await self._connection().unsubscribe(closed | gone)

    def standings(self) -> Mapping[str, Mapping[str, Standing]]:
        """Return how each door stands, by owner and word."""
        now = self._clock()
        found: dict[str, dict[str, Standing]] = {}
        for door in self._doors.values():
            found.setdefault(door.owner, {})[door.word] = Standing(
                limit=int(door.bucket.rate),
                burst=int(door.bucket.burst),
                used=ceil(door.bucket.used(now)),
                refused=door.refused,
                closed=round(max(0.0, door.until - now), 1) if door.closed else 0.0,
            )
        return found

    @property
    def closed(self) -> int:
        """How many doors are closed."""
        return sum(door.closed for door in self._doors.values())

    def _close(self, door: _Door, now: float) -> None:
        door.pause = min(door.pause * 2, LONGEST) if now - door.opened < LONGEST else FIRST
        door.closed, door.told = True, False
        door.until = now + door.pause
        self._news.set()

    def _reason(self, door: _Door) -> str:
        what = "messages to the inbox" if door.word == INBOX else "commands"
        limit = f"{door.bucket.rate:g} {what} a second" if door.bucket.rate else f"{door.kilobytes.rate:g} KB a second"
        return (
            f"more came than {limit}: {what} are not taken for {door.pause:g} s; look for what sends them, "
            f"or raise {_KEYS[door.word] if door.bucket.rate else 'inbox_kb_per_second'} in [limits]"
        )

    def _tell(self, door: _Door, message: str) -> None:
        """Tell the owner and the log about a door that was closed, or that it is open again."""
        if message:
            door.told = True
            door.decay.failed("a door is closed: too much came", reason=message, owner=door.owner, door=door.word)
        else:
            door.decay.over("a door is open again", owner=door.owner, door=door.word)
        self._notice(door.owner, door.word, message)
