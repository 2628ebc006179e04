"""What Strava calls: the challenge when a subscription is made, and a delivery whenever something happened.

Nothing signs a delivery, so it is believed to be no more than a hint about an athlete who is connected. It is checked,
kept and answered; what it announces is looked up later (developers.strava.com/docs/webhooks).
"""

import re
import time
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Final, Literal, NoReturn

import msgspec
from msgspec import Meta, Raw, Struct

from jitney.adapters.base import Clock, Context, HttpRequest, HttpResponse
from jitney.adapters.errors import RefusedError
from jitney.adapters.strava.deliveries import Deliveries, Delivery, delivery
from jitney.adapters.strava.errors import UnavailableError
from jitney.adapters.strava.grants import Grants
from jitney.adapters.strava.reading import one
from jitney.adapters.strava.subscription import Subscriptions

MOST_BYTES: Final = 4096
"""Bytes of a delivery; Strava's have some 200."""

LOG_EVERY: Final = 60.0
"""Seconds between two log lines about the same kind of useless delivery."""

_MOST_ID: Final = 2**63 - 1
_LAST_SECOND: Final = 253_402_300_799
"""The end of the year 9999, beyond which nothing is a date."""

_DIGITS: Final = re.compile(r"[0-9]{1,19}")

_FINE: Final = HttpResponse(200, b"{}")
_MALFORMED: Final = HttpResponse(400, b"{}")
_WRONG_TOKEN: Final = HttpResponse(403, b"{}")
_NOT_FOUND: Final = HttpResponse(404, b"{}")
_WRONG_METHOD: Final = HttpResponse(405, b"{}", headers={"Allow": "GET, POST"})
_COME_AGAIN: Final = HttpResponse(503, b"{}")

_encode = msgspec.json.Encoder(order="sorted").encode


class Webhook:
    """Answers Strava for every app of one adapter, by its subscription. Raises nothing."""

    def __init__(
        self,
        ctx: Context,
        subscriptions: Mapping[str, Subscriptions],
        *,
        grants: Grants,
        deliveries: Deliveries,
        clock: Clock = time.time,
    ) -> None:
        self._ctx = ctx
        self._subscriptions = subscriptions
        self._grants = grants
        self._deliveries = deliveries
        self._clock = clock
        self._oddities = _Oddities(ctx, clock)

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer a request to ``webhook/{app}/{secret}``: a delivery is on disk before its 200.

        404 for a wrong path, 403 for a wrong verify token, 400 for what is no delivery, 503 for what cannot be kept
        now; what concerns nobody here is answered 200 and counted.
        """
        app = self._app(request.path)
        if app is None:
            self._ctx.count("wrong_path")
            return _NOT_FOUND
        if request.method == "GET":
            return self._challenge(app, request.query)
        if request.method == "POST":
            return await self._deliver(app, request.body)
        return _WRONG_METHOD

    def _app(self, path: str) -> str | None:
        found = None
        for app, subscription in self._subscriptions.items():
            if subscription.is_path(path):
                found = app
        return found

    def _challenge(self, app: str, query: Mapping[str, str]) -> HttpResponse:
        challenge = query.get("hub.challenge", "")
        is_ours = self._subscriptions[app].is_verify_token(query.get("hub.verify_token", ""))
        if not is_ours or query.get("hub.mode") != "subscribe" or not challenge:
            self._oddities.note("wrong_challenge", app)
            return _WRONG_TOKEN
        return HttpResponse(200, msgspec.json.encode({"hub.challenge": challenge}))

    async def _deliver(self, app: str, body: bytes) -> HttpResponse:
        push = read_push(body)
        if push is None:
            self._oddities.note("malformed", app)
            return _MALFORMED
        is_ours = self._subscriptions[app].is_id(push.subscription_id)
        if is_ours is None:
            self._oddities.note("early", app)
            return _COME_AGAIN
        grant = self._grants.by_athlete(push.owner_id) if is_ours else None
        if grant is None or grant.app != app or grant.owner not in self._ctx.owners:
            if is_ours and grant is None:
                self._ctx.unclaimed("athlete", str(push.owner_id))
            self._oddities.note("unknown_athlete" if is_ours else "unknown_subscription", app)
            return _FINE
        return await self._keep(
            delivery(
                app=app,
                owner=grant.owner,
                subscription=push.subscription_id,
                object_type=push.object_type,
                object_id=push.object_id,
                aspect=push.aspect_type,
                event_time=push.event_time,
                updates=push.updates,
                arrived=self._clock(),
            )
        )

    async def _keep(self, told: Delivery) -> HttpResponse:
        try:
            is_new = await self._deliveries.add(told)
        except RefusedError as error:
            self._oddities.note(error.code, told.app)
            return _COME_AGAIN
        self._ctx.count("deliveries" if is_new else "duplicates")
        return _FINE


class Push(Struct, frozen=True):
    """A delivery as Strava writes it, checked."""

    object_type: Literal["activity", "athlete"]
    object_id: int
    aspect_type: Literal["create", "update", "delete"]
    event_time: int
    owner_id: int
    subscription_id: int
    updates: dict[str, str]


def read_push(body: bytes) -> Push | None:
    """Return what a body says, None when it is no delivery. Numbers may be written as texts."""
    if len(body) > MOST_BYTES:
        return None
    try:
        raw = one(body, _Raw, _refuse)
        push = Push(
            object_type=raw.object_type,
            object_id=_number(raw.object_id),
            aspect_type=raw.aspect_type,
            event_time=_number(raw.event_time, most=_LAST_SECOND),
            owner_id=_number(raw.owner_id),
            subscription_id=_number(raw.subscription_id),
            updates={name: _text(value) for name, value in (raw.updates or {}).items()},
        )
    except (UnavailableError, msgspec.MsgspecError, ValueError, RecursionError):
        return None
    is_about_oneself = push.object_type == "activity" or push.object_id == push.owner_id
    return push if is_about_oneself else None


class _Raw(Struct):
    object_type: Literal["activity", "athlete"]
    object_id: int | str
    aspect_type: Literal["create", "update", "delete"]
    event_time: int | str
    owner_id: int | str
    subscription_id: int | str
    updates: Annotated[dict[str, Raw], Meta(max_length=32)] | None = None


def _refuse(_kind: str, detail: str) -> NoReturn:
    """Let no field be left out because it cannot be read."""
    raise ValueError(detail)


def _number(value: int | str, *, most: int = _MOST_ID) -> int:
    """Return a number from 1 to ``most``; raises ValueError."""
    if isinstance(value, str) and _DIGITS.fullmatch(value) is None:
        raise ValueError("not a number")
    number = int(value)
    if not 0 < number <= most:
        raise ValueError("out of range")
    return number


def _text(value: Raw) -> str:
    """Return a text as it is and anything else as JSON writes it; raises MsgspecError or RecursionError."""
    told = msgspec.json.decode(value)
    return told if isinstance(told, str) else _encode(told).decode()


class _Oddities:
    """Counts what should not come, and logs each kind once and then at most once a minute."""

    def __init__(self, ctx: Context, clock: Clock) -> None:
        self._ctx = ctx
        self._clock = clock
        self._unsaid: Counter[tuple[str, str]] = Counter()
        self._due: dict[tuple[str, str], float] = {}

    def note(self, kind: str, app: str) -> None:
        """Count one of a ``kind``, which is one of a few words."""
        self._ctx.count(kind)
        self._unsaid[kind, app] += 1
        if self._clock() >= self._due.get((kind, app), 0.0):
            self._due[kind, app] = self._clock() + LOG_EVERY
            times = self._unsaid.pop((kind, app))
            self._ctx.log.warning("a webhook delivery was not taken", kind=kind, app=app, times=times)
