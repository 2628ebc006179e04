"""A memory with a disk and a clock, for tests: events come in, firings come out."""

from collections.abc import Callable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import Raw

from jitney.daemon.counters import Counters
from jitney.daemon.routing.admission import Admission
from jitney.daemon.routing.memory import SETTLE, Memory
from jitney.daemon.routing.records import Row
from jitney.daemon.routing.timing import Timing
from jitney.topics import Event

Disk = dict[tuple[str, str, str], Row]

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 12, tzinfo=BERLIN).timestamp()
OWNERS = ("alice", "bob")


def event(
    id: str = "e",  # noqa: A002
    *,
    subject: str = "door",
    owner: str = "alice",
    type: str = "inbox.moved",  # noqa: A002
    data: bytes = b'{"a":1}',
) -> Event:
    return Event(
        id=id, source="/tools", type=type, subject=subject, time="2026-11-20T11:00:00.000Z", owner=owner, data=Raw(data)
    )


class House:
    """The memory of some routes; ``fired`` are (seconds since the start, route, event id)."""

    def __init__(
        self,
        timing: Timing | Mapping[str, Timing],
        *,
        gate: Callable[[Event, str, float], str] = lambda *_: "",
        now: float = NOW,
        settle: float = SETTLE,
    ) -> None:
        self.timings = {"route": timing} if isinstance(timing, Timing) else timing
        self.counters = Counters()
        self.start = self.now = now
        self.disk: Disk = {}
        self.fired: list[tuple[float, str, str]] = []
        self.held: list[tuple[str, str]] = []
        self._gate = gate
        self._settle = settle
        self.restart()

    def restart(self) -> None:
        """End this run, but for what it has written, and begin another."""
        self.memory = Memory(BERLIN, counters=self.counters, gate=self._gate, settle=self._settle)
        self.memory.load([self.disk[place] for place in sorted(self.disk)], self.now)
        self.reload(self.timings)

    def reload(self, timings: Mapping[str, Timing]) -> None:
        """Use other routes from now on."""
        self.timings = timings
        self.memory.use(timings, owners=dict.fromkeys(timings, OWNERS), now=self.now)
        self.write()

    def write(self) -> None:
        """Write what has to be kept."""
        for row in self.memory.rows():
            if row.value is None:
                self.disk.pop(row[:3], None)
            else:
                self.disk[row[:3]] = row

    def wait(self, seconds: float) -> None:
        """Let time pass, and do what becomes due."""
        until = self.now + seconds
        while (following := self.memory.next()) <= until:
            self.now = max(self.now, following)
            self.release()
        self.now = until

    def release(self) -> None:
        """Do what is due now."""
        for due in self.memory.due(self.now):
            if due.tick:
                self.come(due.event, due.route)
            else:
                self._note(due.route, due.event, due.admission)

    def come(self, happened: Event, route: str = "route", *, key: str | None = None) -> Admission:
        """Let a matching event come."""
        admission = self.memory.admit(route, happened, now=self.now, key=key)
        self._note(route, happened, admission)
        return admission

    def end(self, happened: Event, route: str = "route") -> bool:
        """Let an event come that does not match."""
        ended = self.memory.ended(route, happened, now=self.now)
        self.write()
        return ended

    def _note(self, route: str, happened: Event, admission: Admission) -> None:
        if admission.fire:
            self.fired.append((self.now - self.start, route, happened.id))
        else:
            self.held.append((happened.id, admission.held))
        self.write()


def told(house: House) -> list[tuple[float, str]]:
    """Return what has fired when, for a single route."""
    return [(when, event_id) for when, _, event_id in house.fired]
