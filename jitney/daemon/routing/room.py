"""How much room the actions of one owner may take, so that no owner uses up that of another."""

from collections import Counter
from math import inf
from typing import Final

from jitney.daemon.routing.lanes import Lane
from jitney.daemon.routing.planned import Planned, queue

MOST: Final = 1000
"""Actions of one owner that can wait."""

MOST_OF_ROUTE: Final = 250
"""Actions of one route of an owner that can wait, so that one route does not use up the room of the others."""

MOST_BYTES: Final = 256_000
"""The longest action with the event that it needs."""

LETTERS: Final = 100
"""Dead letters in a minute about actions for which there was no room; more are only counted."""

_MINUTE: Final = 60.0


class Room:
    """What waits in a lane, and what is promised to it while it is on its way to disk."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._promised: dict[str, int] = {}
        self._by_route: Counter[str] = Counter()
        self._since = -inf
        self._letters = 0

    def refuses(self, planned: Planned, size: int) -> str:
        """Return why there is no room for an action of so many bytes, empty when there is."""
        if size > MOST_BYTES:
            return "too_large"
        route = queue(planned)
        full = (
            len(self._lane) + len(self._promised) >= MOST
            or self._lane.of_route(route) + self._by_route[route] >= MOST_OF_ROUTE
        )
        return "actions_full" if full else ""

    def promise(self, planned: Planned, size: int) -> None:
        """Keep room for an action."""
        self._promised[planned.id] = size
        self._by_route[queue(planned)] += 1

    def redeem(self, planned: Planned) -> int | None:
        """Give the room back that is kept for an action; returns its bytes, None when none is kept."""
        size = self._promised.pop(planned.id, None)
        if size is not None:
            route = queue(planned)
            self._by_route[route] -= 1
            if not self._by_route[route]:
                del self._by_route[route]
        return size

    def may_write(self, now: float) -> bool:
        """Tell whether one more dead letter about an action without room may be written at ``now``."""
        if not self._since <= now < self._since + _MINUTE:
            self._since, self._letters = now, 0
        self._letters += 1
        return self._letters <= LETTERS
