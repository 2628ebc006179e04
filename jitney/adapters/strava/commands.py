"""The commands of Strava, each for the owner who asks: sign in and out, look again, read and change an activity."""

from typing import TYPE_CHECKING, Annotated, Final, Protocol, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict

from jitney.adapters.errors import RefusedError
from jitney.adapters.strava import clean, polyline
from jitney.adapters.strava.api import Api
from jitney.adapters.strava.config import Privacy
from jitney.adapters.strava.errors import (
    GrantGoneError,
    InactiveError,
    LimitedError,
    NotFoundError,
    ScopeMissingError,
    StravaError,
    UnavailableError,
)
from jitney.adapters.strava.grants import WRITE, Grant
from jitney.adapters.strava.limiter import Priority
from jitney.adapters.strava.models import Activity, ActivityZones, each, ignore, one
from jitney.adapters.strava.worker import Worker
from jitney.topics import Command, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

ActivityId = Annotated[int, Meta(ge=1, le=2**63 - 1)]

MOST_POINTS: Final = 5000
"""Points of a route in one reply; of a longer one every second, third… is left out."""

S = TypeVar("S", bound=Struct)

_CODES: Final = {
    UnavailableError: "unavailable",
    LimitedError: "limited",
    GrantGoneError: "not_connected",
    ScopeMissingError: "not_allowed",
    NotFoundError: "not_found",
    InactiveError: "inactive",
}


class Connect(Struct, frozen=True, forbid_unknown_fields=True):
    """Begin to sign in: the reply has the ``link`` to open, good for 15 minutes.

    ``url`` finishes it: the address to which Strava led the browser, when that could not show the page. ``take_over``
    takes the app's webhooks from another program that has them. ``local``: Strava shall lead back to this machine.
    """

    url: str = ""
    take_over: bool = False
    local: bool = False


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """No data."""


class GetActivity(Struct, frozen=True, forbid_unknown_fields=True):
    """Fetch one activity; the reply has it as it is now."""

    activity: ActivityId


class GetRoute(Struct, frozen=True, forbid_unknown_fields=True):
    """Fetch the route of an activity; the reply has ``points`` of latitude and longitude, at most 5000."""

    activity: ActivityId


class GetZones(Struct, frozen=True, forbid_unknown_fields=True):
    """Fetch how long an activity was in which zone; the reply has ``zones`` of heart rate and power.

    Only athletes with a subscription of Strava have them.
    """

    activity: ActivityId


class UpdateActivity(Struct, frozen=True, forbid_unknown_fields=True):
    """Change what is given of an activity; ``gear_id`` "none" removes the gear. Needs the permission to write."""

    activity: ActivityId
    name: Annotated[str, Meta(min_length=1, max_length=500)] | UnsetType = UNSET
    sport_type: Annotated[str, Meta(min_length=1, max_length=50)] | UnsetType = UNSET
    description: Annotated[str, Meta(max_length=5000)] | UnsetType = UNSET
    private_note: Annotated[str, Meta(max_length=5000)] | UnsetType = UNSET
    gear_id: Annotated[str, Meta(min_length=1, max_length=30)] | UnsetType = UNSET
    trainer: bool | UnsetType = UNSET
    commute: bool | UnsetType = UNSET
    hide_from_home: bool | UnsetType = UNSET


class House(Protocol):
    """Who is connected, as commands see it."""

    async def connect(self, owner: str, asked: Connect) -> Struct:
        """Begin or finish a sign-in; raises RefusedError."""

    def status(self, owner: str) -> Struct:
        """Return how it stands with an owner."""

    async def disconnect(self, owner: str) -> Struct:
        """End the permission of an owner and forget what was kept of them; raises RefusedError."""

    def worker(self, owner: str) -> Worker:
        """Return the worker of an owner; raises RefusedError when they are not connected."""

    def api(self, grant: Grant) -> Api:
        """Return the API through the app of a grant."""


class Route(Struct, frozen=True):
    """The route of an activity: pairs of latitude and longitude in degrees."""

    activity: int
    points: list[tuple[float, float]]


class Range(Struct, frozen=True):
    """One zone: from ``least`` to ``most`` beats or watts, null for no end, and the ``time`` in it in seconds."""

    least: float | None
    most: float | None
    time: float


class ZoneTimes(Struct, frozen=True):
    """The zones of one kind: ``heartrate`` or ``power``."""

    kind: str
    ranges: list[Range]


class TimesInZones(Struct, frozen=True):
    """The zones of an activity."""

    activity: int
    zones: list[ZoneTimes]


class Commands:
    """Carries out commands."""

    def __init__(self, house: House, *, privacy: Privacy) -> None:
        self._house = house
        self._privacy = privacy
        self._known: Mapping[str, Callable[[Command], Awaitable[object]]] = {
            "connect": self._connect,
            "disconnect": self._disconnect,
            "get_activity": self._get_activity,
            "get_route": self._get_route,
            "get_zones": self._get_zones,
            "refresh": self._refresh,
            "status": self._status,
            "update_activity": self._update_activity,
        }

    async def carry_out(self, command: Command) -> Reply:
        """Return the reply to a command; raises RefusedError."""
        carry_out = self._known.get(command.name)
        if carry_out is None:
            message = f"there is no command {command.name!r}: known here are {', '.join(self._known)}"
            raise RefusedError("unknown_command", message)
        try:
            return Reply.ok(await carry_out(command))
        except StravaError as error:
            raise RefusedError(_CODES.get(type(error), "failed"), str(error)) from error

    async def _connect(self, command: Command) -> Struct:
        return await self._house.connect(command.owner, _read(command, Connect))

    async def _disconnect(self, command: Command) -> Struct:
        _read(command, Nothing)
        return await self._house.disconnect(command.owner)

    async def _refresh(self, command: Command) -> Struct:
        _read(command, Nothing)
        return await self._house.worker(command.owner).refresh()

    async def _status(self, command: Command) -> Struct:
        _read(command, Nothing)
        return self._house.status(command.owner)

    async def _get_activity(self, command: Command) -> Struct | None:
        asked = _read(command, GetActivity)
        worker = self._house.worker(command.owner)
        known = await worker.athlete.activities.look(asked.activity, priority=Priority.EVENT, imports=False)
        if known is None:
            raise NotFoundError(f"there is no activity {asked.activity}, or this athlete may not see it")
        worker.show()
        return known.data

    async def _get_route(self, command: Command) -> Struct:
        asked = _read(command, GetRoute)
        if not (self._privacy.polylines and self._privacy.coordinates):
            message = "routes are switched off: privacy.polylines and privacy.coordinates must both be true"
            raise RefusedError("not_allowed", message)
        grant = self._house.worker(command.owner).athlete.grant
        raw = await self._house.api(grant).get(grant, f"activities/{asked.activity}", priority=Priority.EVENT)
        route = one(raw, Activity).map
        line = (route.polyline or route.summary_polyline or "") if route is not None else ""
        try:
            points = polyline.decode(line)
        except ValueError as error:
            raise RefusedError("failed", f"the route is not readable: {error}") from error
        step = -(-len(points) // MOST_POINTS) or 1
        return Route(asked.activity, points[::step])

    async def _get_zones(self, command: Command) -> Struct:
        asked = _read(command, GetZones)
        grant = self._house.worker(command.owner).athlete.grant
        path = f"activities/{asked.activity}/zones"
        told = each(await self._house.api(grant).get(grant, path, priority=Priority.EVENT), ActivityZones, ignore)
        return TimesInZones(asked.activity, [_zone_times(one) for one in told])

    async def _update_activity(self, command: Command) -> Struct | None:
        asked = _read(command, UpdateActivity)
        worker = self._house.worker(command.owner)
        athlete = worker.athlete
        if not athlete.grant.allows(WRITE):
            message = (
                "Strava does not let Jitney change activities: set write = true, then"
                f"  jitney strava connect {command.owner}  and leave every box ticked"
            )
            raise RefusedError("not_allowed", message)
        changes = {name: value for name, value in asdict(asked).items() if value is not UNSET and name != "activity"}
        if not changes:
            raise RefusedError("invalid", "data of update_activity: nothing to change is given")
        api = self._house.api(athlete.grant)
        raw = await api.put(athlete.grant, f"activities/{asked.activity}", changes)
        known = await athlete.activities.take(one(raw, Activity))
        worker.show()
        return known.data


def _zone_times(told: ActivityZones) -> ZoneTimes:
    ranges = [
        Range(clean.number(one.min), clean.number(one.max), clean.number(one.time) or 0.0)
        for one in told.distribution_buckets or ()
    ]
    return ZoneTimes(told.type or "unknown", ranges)


def _read(command: Command, kind: type[S]) -> S:
    """Return the data of a command as a ``kind``; raises RefusedError."""
    try:
        return msgspec.json.decode(command.data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        message = f"data of {command.name}: {error}"
        raise RefusedError("invalid", message) from error
