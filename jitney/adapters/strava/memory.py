"""What is remembered of one owner besides activities: since when, when was looked, profile, gear and statistics."""

from typing import Final

import msgspec
from msgspec import Struct

from jitney.adapters.base import Context
from jitney.adapters.strava.kinds import AthleteData, GearState, StatsData


class Memory(Struct, kw_only=True, omit_defaults=True):
    """Times are in Unix seconds, 0 for never; revisions count the events there were of profile and statistics."""

    since: float
    listed: float = 0.0
    """When the newest activities were listed last."""
    reconciled: float = 0.0
    """When everything was compared last."""
    last_event: float = 0.0
    """When the last news came from Strava."""
    athlete: AthleteData | None = None
    athlete_fetched: float = 0.0
    athlete_revision: int = 0
    gear: tuple[GearState, ...] = ()
    stats: StatsData | None = None
    stats_fetched: float = 0.0
    stats_revision: int = 0


_PREFIX: Final = "memory/"


async def remembered(ctx: Context) -> list[str]:
    """Return of whom something is remembered."""
    return [key.removeprefix(_PREFIX) for key in await ctx.load_all(_PREFIX)]


class Remembered:
    """The memory of one owner, over restarts; ``load`` comes first."""

    value: Memory

    def __init__(self, ctx: Context, owner: str) -> None:
        self._ctx = ctx
        self._key = _PREFIX + owner

    async def load(self, now: float) -> None:
        """Read what is kept, or begin anew; raises RefusedError when the beginning cannot be kept."""
        raw = await self._ctx.load(self._key)
        try:
            self.value = Memory(since=now) if raw is None else msgspec.json.decode(raw, type=Memory)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._ctx.count("unreadable")
            self.value = Memory(since=now)
            raw = None
        if raw is None:
            await self.keep()

    async def keep(self) -> None:
        """Write it to disk; raises RefusedError when it cannot be kept."""
        await self._ctx.save(self._key, msgspec.json.encode(self.value))

    async def erase(self) -> None:
        """Forget it; raises RefusedError when that cannot be kept."""
        await self._ctx.save(self._key, None)
