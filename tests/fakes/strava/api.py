"""What athletes' tokens can ask for, below ``/api/v3``."""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
from aiohttp import web

from tests.fakes.strava import answers
from tests.fakes.strava.activities import Activity
from tests.fakes.strava.admission import CREDENTIALS, Admission
from tests.fakes.strava.asked import FORMS, Asked, Room
from tests.fakes.strava.grants import Access
from tests.fakes.strava.record import Record
from tests.fakes.strava.world import World

MOST_PER_PAGE: Final = 200
_PER_PAGE: Final = "30"
_SEE: Final = ("activity:read", "activity:read_all")
_READ_ALL: Final = "activity:read_all"
_WRITABLE: Final = {
    "name": str,
    "sport_type": str,
    "description": str,
    "gear_id": str,
    "trainer": bool,
    "commute": bool,
    "hide_from_home": bool,
    "private_note": str,
}
Endpoint = Callable[["Api", Asked, Access, int], web.Response]


class Api(Room):
    """The calls that need an access token."""

    def __init__(self, world: World, record: Record, admission: Admission) -> None:
        self._world = world
        self._record = record
        self._admission = admission

    def identify(self, asked: Asked) -> None:
        self._admission.identify(asked)

    def admit(self, asked: Asked) -> web.Response | None:
        return self._admission.admit(asked)

    async def answer(self, asked: Asked) -> web.Response:
        access = asked.access
        assert access is not None
        for method, expression, endpoint, parameters in _ENDPOINTS:
            found = expression.fullmatch(asked.path)
            if found and method == asked.call.method:
                if unknown := asked.query.keys() - parameters - CREDENTIALS:
                    self._blame(asked, f"parameters that change nothing: {', '.join(sorted(unknown))}")
                return endpoint(self, asked, access, int(found.groupdict().get("number") or 0))
        self._blame(asked, "there is no such path")
        return answers.not_found("Path")

    def finish(self, asked: Asked, response: web.Response) -> None:
        if asked.app is None:
            return
        response.headers.update(asked.app.quota.headers())
        if response.status == 429:
            self._admission.close(asked, asked.app, response)

    def athlete(self, asked: Asked, access: Access, _: int) -> web.Response:
        """Return who the token's athlete is; without ``profile:read_all`` only what everybody may see."""
        del asked
        athlete = access.grant.athlete
        return answers.json(athlete.detail() if "profile:read_all" in access.scopes else athlete.summary())

    def athlete_zones(self, asked: Asked, access: Access, _: int) -> web.Response:
        """Return the athlete's zones."""
        del asked
        if "profile:read_all" not in access.scopes:
            return answers.missing_scope("profile:read_permission")
        return answers.json(access.grant.athlete.zones())

    def stats(self, asked: Asked, access: Access, number: int) -> web.Response:
        """Return the athlete's own statistics."""
        if number != access.grant.athlete.id:
            self._blame(asked, f"statistics of athlete {number} asked for with the token of another athlete")
            return answers.error(403, "Forbidden", ("Athlete", "id", "forbidden"))
        return answers.json(access.grant.athlete.stats())

    def activities(self, asked: Asked, access: Access, _: int) -> web.Response:
        """Return one page of the athlete's activities, newest first; with ``after`` oldest first."""
        if not set(_SEE) & set(access.scopes):
            return answers.missing_scope("activity:read_permission")
        page, per_page = self._whole(asked, "page", "1"), self._whole(asked, "per_page", _PER_PAGE)
        before, after = self._whole(asked, "before", "0"), self._whole(asked, "after", "0")
        if page < 1 or not 1 <= per_page <= MOST_PER_PAGE or before < 0 or after < 0:
            self._blame(asked, f"page {page} of {per_page} activities before {before} after {after} is absurd")
            return answers.bad_request("Activity", "per_page", "invalid")
        found = [
            one
            for one in access.grant.athlete.activities
            if one.start > after and ("before" not in asked.query or one.start < before)
        ]
        found.sort(key=lambda one: (one.start, one.id), reverse="after" not in asked.query)
        # What may not be seen leaves a gap: a page can be short, or even empty, before the last one.
        rows = found[(page - 1) * per_page : page * per_page]
        return answers.json([one.summary() for one in rows if not one.unlisted and _visible(one, access)])

    def activity(self, asked: Asked, access: Access, number: int) -> web.Response:
        """Return one activity."""
        return self._seen(asked, access, number, Activity.detail)

    def photos(self, asked: Asked, access: Access, number: int) -> web.Response:
        """Return the photos of an activity, in ``size`` pixels or as thumbnails."""
        size = self._whole(asked, "size", "0")
        if not 0 <= size <= 10_000:
            self._blame(asked, f"photos of {size} pixels are absurd")
            return answers.bad_request("Photo", "size", "invalid")

        def shown(one: Activity) -> object:
            owner, taken = one.athlete.id, (str(one.fields["start_date"]), str(one.fields["start_date_local"]))
            origin = self._world.origin
            return [
                photo.shown(origin, athlete=owner, activity=one.id, taken=taken, size=size)
                | {"activity_name": one.fields["name"]}
                for photo in one.photos
            ]

        return self._seen(asked, access, number, shown)

    def activity_zones(self, asked: Asked, access: Access, number: int) -> web.Response:
        """Return the zones of an activity, to athletes who pay."""
        if not access.grant.athlete.subscriber:
            return answers.error(402, "Payment Required", ("Athlete", "subscription", "required"))
        buckets = [{"min": 0, "max": 115, "time": 300}, {"min": 190, "max": -1, "time": 0}]
        zones = [{"type": "heartrate", "sensor_based": True, "distribution_buckets": buckets}]
        return self._seen(asked, access, number, lambda _: zones)

    def streams(self, asked: Asked, access: Access, number: int) -> web.Response:
        """Return the 404 of an activity without streams, which is what this fake has."""
        return self._seen(asked, access, number, lambda _: None)

    def update(self, asked: Asked, access: Access, number: int) -> web.Response:
        """Change an activity; of a form the booleans are not applied."""
        if "activity:write" not in access.scopes:
            return answers.missing_scope("activity:write_permission")
        activity = self._find(asked, access, number)
        if activity is None:
            return answers.not_found("Activity")
        changes = self._changes(asked)
        if changes is None:
            return answers.bad_request("Activity", "", "invalid")
        if changes.get("gear_id") == "none":
            changes["gear_id"] = None
        elif "gear_id" in changes and changes["gear_id"] not in activity.athlete.gear:
            return answers.bad_request("Activity", "gear_id", "invalid")
        activity.edit(**changes)
        return answers.json(activity.detail())

    def gear(self, asked: Asked, access: Access, _: int) -> web.Response:
        """Return a bike or a pair of shoes of the athlete."""
        name = asked.path.removeprefix("/gear/")
        found = access.grant.athlete.gear.get(name)
        if found is not None:
            return answers.json(found.detail())
        if any(name in athlete.gear for athlete in self._world.athletes.values()):
            self._blame(asked, f"gear {name} asked for with the token of another athlete")
        return answers.not_found("Gear")

    def _changes(self, asked: Asked) -> dict[str, Any] | None:
        if asked.content_type != "application/json":
            self._blame(asked, f"a change as {asked.content_type!r} instead of JSON")
            if asked.content_type not in FORMS:
                return None
            return {key: value for key, value in asked.form.items() if _WRITABLE.get(key) is str}
        try:
            body = msgspec.json.decode(asked.body, type=dict[str, str | bool])
        except msgspec.MsgspecError as error:
            self._blame(asked, f"a change that is no object of texts and booleans: {error}")
            return None
        for key, value in body.items():
            kind = _WRITABLE.get(key)
            if kind is None or not isinstance(value, kind):
                self._blame(asked, f"{key} cannot be changed to {value!r}")
        return {key: value for key, value in body.items() if key in _WRITABLE and isinstance(value, _WRITABLE[key])}

    def _seen(self, asked: Asked, access: Access, number: int, show: Callable[[Activity], object]) -> web.Response:
        if not set(_SEE) & set(access.scopes):
            return answers.missing_scope("activity:read_permission")
        activity = self._find(asked, access, number)
        body = show(activity) if activity else None
        return answers.not_found("Activity") if body is None else answers.json(body)

    def _find(self, asked: Asked, access: Access, number: int) -> Activity | None:
        activity = self._world.activities.get(number)
        if activity is None:
            return None
        if activity.athlete is not access.grant.athlete:
            self._blame(asked, f"activity {number} asked for with the token of another athlete")
            return None
        return activity if _visible(activity, access) else None

    def _whole(self, asked: Asked, key: str, default: str) -> int:
        text = asked.query.get(key, default)
        if re.fullmatch("[0-9]{1,12}", text) is None:
            return -1
        return int(text)

    def _blame(self, asked: Asked, what: str) -> None:
        self._record.blame(asked.call, what)


def _visible(activity: Activity, access: Access) -> bool:
    return _READ_ALL in access.scopes or not activity.private


def _endpoint(
    method: str, expression: str, endpoint: Endpoint, *parameters: str
) -> tuple[str, re.Pattern[str], Endpoint, frozenset[str]]:
    return method, re.compile(expression), endpoint, frozenset(parameters)


_ENDPOINTS: Final = (
    _endpoint("GET", "/athlete", Api.athlete),
    _endpoint("GET", "/athlete/zones", Api.athlete_zones),
    _endpoint("GET", "/athlete/activities", Api.activities, "before", "after", "page", "per_page"),
    _endpoint("GET", "/athletes/(?P<number>[0-9]+)/stats", Api.stats),
    _endpoint("GET", "/activities/(?P<number>[0-9]+)", Api.activity, "include_all_efforts"),
    _endpoint("PUT", "/activities/(?P<number>[0-9]+)", Api.update),
    _endpoint("GET", "/activities/(?P<number>[0-9]+)/photos", Api.photos, "size", "photo_sources"),
    _endpoint("GET", "/activities/(?P<number>[0-9]+)/zones", Api.activity_zones),
    _endpoint("GET", "/activities/(?P<number>[0-9]+)/streams", Api.streams, "keys", "key_by_type"),
    _endpoint("GET", "/gear/[bg][0-9]+", Api.gear),
)
