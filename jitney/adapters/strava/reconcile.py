"""Compares what is known with Strava's lists: finds what nobody told, and what happened while nobody listened."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from jitney.adapters.base import Context
from jitney.adapters.strava.activities import Activities
from jitney.adapters.strava.api import Api
from jitney.adapters.strava.grants import Grant
from jitney.adapters.strava.library import DAY, Known, Library
from jitney.adapters.strava.limiter import Priority
from jitney.adapters.strava.models import Activity, each
from jitney.adapters.strava.timing import Timing

SPAN: Final = 30 * DAY
"""How far back everything is compared."""

OVERLAP: Final = 2 * DAY
"""How far back before the newest known activity the quick look begins: uploads come late."""

EDGE: Final = 3600.0
"""Activities that begin so soon after the beginning of a list may be missing from it without being gone."""

READ_AGAIN: Final = 3 * DAY
READ_AGAIN_AFTER: Final = 0.8 * DAY
"""Activities of these last days are read again when that was so long ago: lists do not tell of descriptions."""

PAGE: Final = 200
MOST_PAGES: Final = 10
MOST_MISSING: Final = 20
"""Activities missing from a list that are looked for at once; the others the next time."""


class Comparison(Struct, frozen=True):
    """Which activities have to be looked at, oldest first, and which ones are as they were known.

    ``look`` has with each the fingerprint of what the list says of it, empty where it says nothing new.
    """

    look: Mapping[int, str]
    same: frozenset[int]


class Reconciliation:
    """Compares what is known of one owner's activities with Strava's lists."""

    def __init__(
        self,
        ctx: Context,
        api: Api,
        grant: Grant,
        *,
        library: Library,
        activities: Activities,
        timing: Timing,
    ) -> None:
        self._ctx = ctx
        self._api = api
        self._grant = grant
        self._library = library
        self._activities = activities
        self._timing = timing

    async def newest(self) -> Comparison:
        """Compare the newest activities, by one call; raises StravaError and RefusedError."""
        now = self._timing.now()
        latest = self._library.latest()
        after = max(latest - OVERLAP, now - SPAN) if latest else now - OVERLAP
        return await self._compared(await self._page(1, after=after))

    async def everything(self) -> Comparison:
        """Compare the last thirty days: what is new, changed, missing or worth reading again.

        Raises StravaError and RefusedError.
        """
        now = self._timing.now()
        after = now - SPAN
        listed = await self._all(after=after)
        compared = await self._compared(listed)
        there = {model.id for model in listed}
        known = self._library.since(after + EDGE)
        missing = [one.id for one in known if one.id not in there][:MOST_MISSING]
        again = [
            one.id
            for one in known
            if one.id in compared.same and one.start >= now - READ_AGAIN and one.fetched <= now - READ_AGAIN_AFTER
        ]
        return Comparison({**compared.look, **dict.fromkeys([*missing, *again], "")}, compared.same)

    async def get_to_know(self) -> None:
        """Remember what there is of the last thirty days without telling of it. Raises StravaError and RefusedError."""
        listed = [self._activities.listed(model) for model in await self._all(after=self._timing.now() - SPAN)]
        await self._library.keep(*(known for known in listed if self._library.get(known.id) is None))

    async def _all(self, *, after: float) -> list[Activity]:
        """Return what the lists say of all activities since a time in Unix seconds; raises StravaError."""
        found: list[Activity] = []
        for number in range(1, MOST_PAGES + 1):
            page = await self._page(number, after=after)
            if not page:
                break
            found += page
        return found

    async def _page(self, number: int, *, after: float) -> list[Activity]:
        raw = await self._api.get(
            self._grant,
            "athlete/activities",
            priority=Priority.RECONCILE,
            after=int(after),
            page=number,
            per_page=PAGE,
        )
        return [model for model in each(raw, Activity, self._odd) if model.id]

    async def _compared(self, listed: list[Activity]) -> Comparison:
        """Tell the new and changed ones from the others, of which what a list tells is brought up to date."""
        look: dict[int, str] = {}
        same, refreshed = set(), []
        for now in sorted((self._activities.listed(model) for model in listed), key=_start):
            known = self._library.get(now.id)
            if known is None or known.gone or known.summary != now.summary:
                look[now.id] = now.summary
                continue
            same.add(now.id)
            if known != now:
                refreshed.append(now)
        if refreshed:
            await self._library.keep(*refreshed)
        return Comparison(look, frozenset(same))

    def _odd(self, kind: str, detail: str) -> None:
        self._ctx.count("unreadable")
        self._ctx.log.debug("left out", kind=kind, detail=detail)


def _start(known: Known) -> float:
    return known.start
