"""What is held back of people who are disabled: events are counted and gone, of each state the newest waits."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, NamedTuple

from jitney.daemon.config.resting import DISABLED
from jitney.daemon.counters import Counters
from jitney.topics import Event, State

MOST_STATES: Final = 10_000
"""States of one owner that wait; what is beyond is counted and gone until its adapter tells it anew."""


class Held(NamedTuple):
    """A state that waits until its owner is enabled."""

    state: State
    adapter: str
    durable: bool


class Resting:
    """The people of now who are disabled: ``owners``."""

    def __init__(self, counters: Counters) -> None:
        self.owners: frozenset[str] = frozenset()
        self._counters = counters
        self._held: dict[tuple[str, str, str], Held] = {}
        self._numbers: Counter[str] = Counter()

    def use(self, owners: Collection[str]) -> list[Held]:
        """Let these people rest from now on; returns the states that have waited for the others."""
        self.owners = frozenset(owners)
        woken = [key for key in self._held if key[0] not in self.owners]
        return [self._take(key) for key in woken]

    def awake(self, events: Sequence[Event]) -> list[Event]:
        """Return the events of everybody else; the others are counted and gone."""
        kept = []
        for event in events:
            if event.owner in self.owners:
                self._counters.add("dropped", owner=event.owner, adapter=event.adapter, reason=DISABLED)
            else:
                kept.append(event)
        return kept

    def hold(self, held: Held) -> None:
        """Keep the newest state of a subject until its owner is enabled."""
        state = held.state
        key = state.owner, held.adapter, state.subject
        if key not in self._held:
            if self._numbers[state.owner] >= MOST_STATES:
                self._counters.add("dropped", owner=state.owner, adapter=held.adapter, reason="too_many_states")
                return
            self._numbers[state.owner] += 1
        self._held[key] = held

    def keep(self, adapter: str, subjects: Iterable[tuple[str, str]]) -> None:
        """Forget the states of an adapter that are not among (owner, subject) pairs."""
        if self._held:
            wanted = set(subjects)
            self._forget(lambda key: key[1] == adapter and (key[0], key[2]) not in wanted)

    def forget(self, *, adapter: str = "", owner: str = "") -> None:
        """Forget the states of an adapter, or of an owner."""
        self._forget(lambda key: adapter == key[1] or owner == key[0])

    def _forget(self, gone: Callable[[tuple[str, str, str]], bool]) -> None:
        for key in [key for key in self._held if gone(key)]:
            self._take(key)

    def _take(self, key: tuple[str, str, str]) -> Held:
        self._numbers[key[0]] -= 1
        return self._held.pop(key)
