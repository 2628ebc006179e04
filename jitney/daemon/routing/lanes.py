"""The lane of an owner: what its routes have planned, and whose turn it is."""

from bisect import insort
from collections import deque
from heapq import heappop, heappush
from math import inf

from jitney.daemon.routing.planned import Planned, destination, queue


class Waiting:
    """An action that waits or is being done, ``size`` bytes long. ``planned`` is None while it is only on disk.

    ``route`` is a Python file where that does it: its routes are one here.

    It is tried no earlier than ``again``; until then it holds up what goes to the same place if it is ``blocking``.
    """

    __slots__ = ("again", "blocking", "due", "id", "number", "place", "planned", "route", "size", "until")

    def __init__(self, planned: Planned, number: int, *, size: int) -> None:
        self.id = planned.id
        self.route = queue(planned)
        self.due = planned.due
        self.until = planned.until
        self.place = destination(planned)
        self.number = number
        self.size = size
        self.planned: Planned | None = planned
        self.again = planned.due
        self.blocking = False

    def __lt__(self, other: "Waiting") -> bool:
        return (self.due, self.number) < (other.due, other.number)


class Lane:
    """The actions of one owner. Those of one route are done one after the other as they are due, routes take turns.

    What has failed steps aside until it is tried again; only what goes to the same place has to wait for it then.
    Times are Unix seconds.
    """

    def __init__(self) -> None:
        self.items: dict[str, Waiting] = {}
        self._lines: dict[str, _Line] = {}
        self._ready: deque[_Line] = deque()
        self._later: list[tuple[float, int, _Line]] = []
        self._pushed = 0

    def __len__(self) -> int:
        return len(self.items)

    def of_route(self, route: str) -> int:
        """Return how many actions of a route there are."""
        line = self._lines.get(route)
        return 0 if line is None else len(line)

    @property
    def ready(self) -> int:
        """How many routes may have something to do now."""
        return len(self._ready)

    def add(self, item: Waiting) -> None:
        """Let an action wait for its turn."""
        self.items[item.id] = item
        line = self._lines.get(item.route)
        if line is None:
            line = self._lines[item.route] = _Line()
        insort(line.waiting, item)
        self._look_at(line)

    def look(self, now: float) -> None:
        """Find the routes whose time has come."""
        while self._later and self._later[0][0] <= now:
            at, _, line = heappop(self._later)
            if at == line.wake:
                line.wake = inf
                self._look_at(line)

    def take(self, now: float) -> Waiting | None:
        """Take what is to be done next, None when there is nothing now; give it back by ``done`` or ``later``."""
        self.look(now)
        while self._ready:
            line = self._ready.popleft()
            line.queued = False
            item, at = line.next(now)
            if item is not None:
                line.waiting.remove(item)
                line.running = item
                return item
            if at < line.wake:
                line.wake = at
                self._pushed += 1
                heappush(self._later, (at, self._pushed, line))
        return None

    @property
    def next(self) -> float:
        """When there may be something to take that was not ready before; infinity when nothing waits for its time."""
        return self._later[0][0] if self._later else inf

    def done(self, item: Waiting) -> None:
        """Forget what was taken."""
        self.items.pop(item.id, None)
        line = self._lines[item.route]
        line.running = None
        if line.waiting:
            self._look_at(line)
        else:
            del self._lines[item.route]

    def later(self, item: Waiting, again: float, *, blocking: bool) -> None:
        """Let what was taken wait in its place until it is tried again, unless the lane was cleared meanwhile."""
        if item.id not in self.items:
            self.done(item)
            return
        item.again, item.blocking = again, blocking
        line = self._lines[item.route]
        line.running = None
        insort(line.waiting, item)
        self._look_at(line)

    def reached(self, place: str) -> bool:
        """Let what waits because a place could not be reached be tried at once; tells whether there was any."""
        found = False
        for line in self._lines.values():
            for item in line.waiting:
                if item.blocking and item.place == place:
                    item.again, item.blocking, found = item.due, False, True
                    self._look_at(line)
        return found

    def clear(self) -> int:
        """Forget everything, also what was taken; returns how many."""
        gone = len(self.items)
        self.items.clear()
        self._ready.clear()
        self._later.clear()
        self._lines = {route: line for route, line in self._lines.items() if line.running is not None}
        for line in self._lines.values():
            line.waiting.clear()
            line.queued, line.wake = False, inf
        return gone

    def _look_at(self, line: "_Line") -> None:
        if not line.queued and line.running is None:
            line.queued = True
            self._ready.append(line)


class _Line:
    """The actions of one route, by the time when they are due."""

    __slots__ = ("queued", "running", "waiting", "wake")

    def __init__(self) -> None:
        self.waiting: list[Waiting] = []
        self.running: Waiting | None = None
        self.queued = False
        self.wake = inf

    def __len__(self) -> int:
        return len(self.waiting) + (self.running is not None)

    def next(self, now: float) -> tuple[Waiting | None, float]:
        """Return what can be done now, else None and when to look again."""
        held: set[str] = set()
        soonest = inf
        for item in self.waiting:
            if item.due > now:
                return None, min(soonest, item.due)
            if item.place in held:
                continue
            if item.again <= now:
                return item, now
            soonest = min(soonest, item.again)
            if item.blocking:
                held.add(item.place)
        return None, soonest
