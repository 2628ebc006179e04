"""What is known of one owner's activities, over restarts; what Strava said is kept for seven days at the most."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from jitney.adapters.base import Context
from jitney.adapters.strava.kinds import ActivityData, PhotoData

DAY: Final = 86_400.0

KEEP: Final = 7 * DAY
"""How long anything that Strava said may be kept without asking again (API policy, section 6.2)."""

REMEMBER: Final = 60 * DAY
"""How long an activity is remembered by number and fingerprint, from its start or from its end."""

MOST: Final = 1000
"""Activities that are remembered; beyond it the oldest are forgotten."""


class Known(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One activity.

    ``summary`` and ``content`` are fingerprints of what a list and of what the activity itself says of it. ``start``,
    ``fetched`` and ``gone`` are in Unix seconds; ``gone`` 0: it is there. ``revision`` counts its events. ``data`` and
    ``photos`` are what was said, None and empty when that is too long ago; ``photo_ids`` stay.
    """

    id: int
    start: float
    fetched: float
    sport_type: str = ""
    summary: str = ""
    content: str = ""
    revision: int = 0
    gone: float = 0.0
    data: ActivityData | None = None
    photos: tuple[PhotoData, ...] = ()
    photo_ids: tuple[str, ...] = ()

    @property
    def has_other_photos(self) -> bool:
        """Whether Strava told of another number of photos than are known."""
        return self.data is not None and (self.data.photos or 0) != len(self.photos)


class Library:
    """The activities of one owner by number. What changes here is on disk after ``keep``."""

    def __init__(self, ctx: Context, owner: str) -> None:
        self._ctx = ctx
        self._prefix = f"activity/{owner}/"
        self._known: dict[int, Known] = {}

    async def load(self) -> None:
        """Read what is kept; what cannot be read is fetched again some time."""
        for raw in (await self._ctx.load_all(self._prefix)).values():
            try:
                known = msgspec.json.decode(raw, type=Known)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                self._ctx.count("unreadable")
            else:
                self._known[known.id] = known

    def get(self, activity: int) -> Known | None:
        """Return what is known of an activity, also of one that is gone."""
        return self._known.get(activity)

    def present(self) -> list[Known]:
        """Return the activities that are there, newest first."""
        return sorted((known for known in self._known.values() if not known.gone), key=_start, reverse=True)

    def since(self, start: float) -> list[Known]:
        """Return the activities that are there and began at ``start`` or later."""
        return [known for known in self.present() if known.start >= start]

    def latest(self) -> float:
        """Return the start of the newest activity, 0 when there is none."""
        return max((known.start for known in self._known.values() if not known.gone), default=0.0)

    def in_use(self, slots: int) -> list[Known]:
        """Return the newest activities, and the newest of each sport: what states show."""
        present = self.present()
        used = {known.id: known for known in present[:slots]}
        sports: set[str] = set()
        for known in present:
            if known.sport_type and known.sport_type not in sports:
                sports.add(known.sport_type)
                used[known.id] = known
        return list(used.values())

    async def keep(self, *changed: Known, done: Mapping[str, bytes | None] | None = None) -> None:
        """Put activities in place of what was known, together with other rows; raises RefusedError when it cannot."""
        rows: dict[str, bytes | None] = {self._row(known.id): msgspec.json.encode(known) for known in changed}
        await self._ctx.save_all({**rows, **(done or {})})
        self._known |= {known.id: known for known in changed}

    async def forget_old(self, now: float) -> None:
        """Drop what may not be kept any longer at ``now``, and whole activities that nobody asks about any more."""
        stale = [
            known for known in self._known.values() if known.fetched + KEEP <= now and (known.data or known.photos)
        ]
        old = [known for known in self._known.values() if max(known.start, known.gone, known.fetched) + REMEMBER <= now]
        surplus = sorted(self._known.values(), key=_start)[: max(0, len(self._known) - MOST)]
        useless = {known.id for known in [*old, *surplus]}
        emptied = [replace(known, data=None, photos=()) for known in stale if known.id not in useless]
        rows: dict[str, bytes | None] = {self._row(known.id): msgspec.json.encode(known) for known in emptied}
        rows |= {self._row(activity): None for activity in useless}
        if rows:
            await self._ctx.save_all(rows)
        self._known |= {known.id: known for known in emptied}
        self._drop(useless)

    async def erase(self) -> None:
        """Forget everything; raises RefusedError when that cannot be kept."""
        rows: dict[str, bytes | None] = dict.fromkeys(await self._ctx.load_all(self._prefix))
        await self._ctx.save_all(rows)
        self._known.clear()

    def _drop(self, activities: Iterable[int]) -> None:
        for activity in activities:
            self._known.pop(activity, None)

    def _row(self, activity: int) -> str:
        return f"{self._prefix}{activity}"


def _start(known: Known) -> float:
    return known.start
