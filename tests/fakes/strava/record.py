"""What the fake saw of its clients, and waiting until it sees more."""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

DEADLINE = 10.0


@dataclass(eq=False)
class Call:
    """One request: ``path`` without ``/api/v3``; ``app`` and ``athlete`` as far as its credentials told.

    ``at`` is the time of the fake's clock; ``status`` is 0 until the answer is sent, and stays so when none was.
    """

    method: str
    path: str
    query: Mapping[str, str]
    at: float
    app: str = ""
    athlete: int = 0
    status: int = 0

    @property
    def key(self) -> str:
        """What a repetition of this call has in common with it."""
        return f"{self.method} {self.path} {sorted(self.query.items())} {self.athlete}"

    def __str__(self) -> str:
        who = f" by the app {self.app} for athlete {self.athlete}" if self.athlete else ""
        return f"{self.method} {self.path}{who}"


class Record:
    """Everything that clients did. ``faults`` are what a correct client never does, one sentence each."""

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self.calls: list[Call] = []
        self.faults: list[str] = []
        self.failures: list[str] = []
        """What went wrong in the fake itself."""
        self._allowed = [re.compile(pattern) for pattern in allow]
        self._changed = asyncio.Event()

    def add(self, call: Call) -> None:
        """Note a request."""
        self.calls.append(call)
        self.changed()

    def blame(self, call: Call | None, what: str) -> None:
        """Note what a correct client never does."""
        self.faults.append(f"{call}: {what}" if call else what)
        self.changed()

    def allow(self, *patterns: str) -> None:
        """Take no offence at faults in which one of the patterns is found, past or to come."""
        self._allowed += [re.compile(pattern) for pattern in patterns]

    def take_fault(self, pattern: str) -> str:
        """Remove the first fault in which ``pattern`` is found and return it; raises AssertionError without one."""
        for number, fault in enumerate(self.faults):
            if re.search(pattern, fault):
                return self.faults.pop(number)
        message = f"no fault like {pattern!r} was seen; seen were {self.faults}"
        raise AssertionError(message)

    def find(self, method: str = "*", path: str = "**", *, app: str = "", athlete: int = 0) -> list[Call]:
        """Return the calls to a path glob: ``*`` ends at the next slash, ``**`` does not."""
        matches = glob(path).fullmatch
        return [
            call
            for call in self.calls
            if method in {"*", call.method}
            and matches(call.path)
            and app in {"", call.app}
            and athlete in {0, call.athlete}
        ]

    def changed(self) -> None:
        """Wake everybody who waits in ``until``."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, condition: Callable[[], bool], what: str = "", deadline: float = DEADLINE) -> None:
        """Wait until ``condition`` holds; raises AssertionError after ``deadline`` seconds, saying what was seen."""
        try:
            async with asyncio.timeout(deadline):
                while not condition():
                    await self._changed.wait()
        except TimeoutError:
            message = f"waited {deadline:g} s for {what or 'a condition'}; {self._summary()}"
            raise AssertionError(message) from None

    def verdict(self) -> list[str]:
        """Return what must make the test fail."""
        blamed = [text for text in self.faults if not any(allowed.search(text) for allowed in self._allowed)]
        return blamed + self.failures

    def _summary(self) -> str:
        counts: dict[str, int] = {}
        for call in self.calls:
            key = f"{call.method} {call.path} {call.status}"
            counts[key] = counts.get(key, 0) + 1
        return f"seen so far: {counts}; faults: {self.faults}; failures: {self.failures}"


def glob(pattern: str) -> re.Pattern[str]:
    """Return the expression of a path glob: ``*`` is one level or part of it, ``**`` any number of levels."""
    parts = re.split(r"(\*\*|\*)", pattern)
    kinds = {"**": ".*", "*": "[^/]*"}
    return re.compile("".join(kinds.get(part, re.escape(part)) for part in parts))
