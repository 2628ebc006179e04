"""The timing of a route: what of its settings looks back or ahead."""

from typing import Self

from msgspec import Struct

from jitney.daemon.routes.settings import RouteSettings, ScheduleSettings
from jitney.daemon.routes.timing import UNITS, Unit
from jitney.daemon.routing.quiet import Quiet
from jitney.daemon.routing.records import Record
from jitney.daemon.routing.schedule import Schedule
from jitney.daemon.routing.windows import LASTS


class Timing(Struct, frozen=True):
    """The conditions of a route that look back or ahead; spans in seconds, 0 or None where there is none.

    ``hold`` is ``for`` in the file; the ``n``-th event ``within`` a span is ``count``.
    """

    hold: float = 0.0
    debounce: float = 0.0
    n: int = 0
    within: float = 0.0
    quiet: Quiet | None = None
    throttle: float = 0.0
    once_per: Unit | None = None
    schedule: Schedule | None = None

    @classmethod
    def of(cls, settings: RouteSettings) -> Self:
        """Return the timing in the settings of a route that was compiled without fault."""
        count = settings.count
        return cls(
            hold=settings.for_,
            debounce=settings.debounce,
            n=count.n if count else 0,
            within=count.within if count else 0.0,
            quiet=Quiet.parse(settings.quiet_hours) if settings.quiet_hours else None,
            throttle=settings.throttle,
            once_per=next((unit for unit in UNITS if [unit] == settings.once_per.split()[:1]), None),
            schedule=_schedule(settings.schedule) if settings.schedule else None,
        )

    @property
    def lasting(self) -> bool:
        """Whether a firing means something for the next one."""
        return self.throttle > 0 or self.once_per is not None

    def until(self, record: Record) -> float:
        """Return when a record of such a route means nothing any more, in Unix seconds; 0 while an event waits."""
        if record.pending is not None:
            return 0.0
        counted = record.times[-1] + self.within if record.times else 0.0
        if record.fired is None:
            return counted
        calendar = LASTS[self.once_per] if self.once_per else 0.0
        return max(counted, record.fired + max(self.throttle, calendar))


def _schedule(settings: ScheduleSettings) -> Schedule:
    at = (settings.at,) if isinstance(settings.at, str) else settings.at
    days = (settings.days,) if isinstance(settings.days, str) else settings.days
    return Schedule.parse(at=at, every=settings.every, days=days, catch_up=settings.catch_up)
