"""What can be configured: Strava apps, how often is looked, what is kept, and who an owner is."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from jitney.adapters.base import Owner
from jitney.adapters.secret import Secret
from jitney.adapters.strava.sports import SPORTS

Seconds = Annotated[float, Meta(gt=0)]
Url = Annotated[str, Meta(extra={"expects": "a URL"})]

_CLIENT_ID: Final = re.compile(r"[0-9]{1,12}")
_ATHLETE: Final = re.compile(r"[1-9][0-9]{0,17}")
_NEAR: Final = 0.65
"""How alike two words must be for one to be a slip for the other; 1 is the same."""


class App(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One application registered at Strava: its client id and secret."""

    client_id: str
    client_secret: Secret

    def __post_init__(self) -> None:
        if _CLIENT_ID.fullmatch(self.client_id) is None:
            message = 'client_id: expected the number that strava.com/settings/api shows, in quotes, like "12345"'
            raise ValueError(message)
        if not self.client_secret:
            message = "client_secret: empty: strava.com/settings/api shows it"
            raise ValueError(message)


class Privacy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of an activity leaves the adapter. ``photo_files``: photos are downloaded too, not only linked."""

    coordinates: bool = True
    polylines: bool = True
    photos: bool = True
    photo_files: bool = False

    def __post_init__(self) -> None:
        if self.photo_files and not self.photos:
            message = "photo_files: needs photos = true beside it"
            raise ValueError(message)


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of ``[adapters.<name>]`` for type strava; times in seconds.

    ``mode`` auto: webhooks where `[http] public_url` is set, else polling. ``activities`` latest ones are kept as
    state. ``write`` asks for the permission to change activities. ``reserve`` is the share of each rate limit window
    that is kept for what webhooks announce. ``photo_mb`` limits the photos of one owner on disk.
    """

    apps: Annotated[Mapping[str, App], Meta(min_length=1)]
    api_url: Url = "https://www.strava.com/api/v3"
    oauth_url: Url = "https://www.strava.com/oauth"
    subscription_url: Url = ""
    mode: Literal["auto", "webhook", "poll"] = "auto"
    poll: Annotated[float, Meta(ge=60, le=86_400)] = 900.0
    reconcile: Annotated[float, Meta(ge=600, le=86_400)] = 14_400.0
    activities: Annotated[int, Meta(ge=1, le=10)] = 5
    write: bool = False
    privacy: Privacy = field(default_factory=Privacy)
    photo_mb: Annotated[int, Meta(ge=1, le=10_000)] = 100
    reserve: Annotated[float, Meta(ge=0, le=0.9)] = 0.2
    timeout: Annotated[float, Meta(gt=0, le=300)] = 20.0

    def __post_init__(self) -> None:
        for name in ("api_url", "oauth_url", "subscription_url"):
            url: str = getattr(self, name)
            if url and (urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc):
                message = f"{name}: expected an address that begins with https://, got {url!r}"
                raise ValueError(message)
        taken: dict[str, str] = {}
        for name, app in self.apps.items():
            other = taken.setdefault(app.client_id, name)
            if other != name:
                message = (
                    f"apps: {name} has the client_id of {other}, {app.client_id}: one app serves several owners,"
                    " so leave one of the two out"
                )
                raise ValueError(message)

    @property
    def subscriptions(self) -> str:
        """The address of the webhook subscriptions."""
        return self.subscription_url or f"{self.api_url.rstrip('/')}/push_subscriptions"

    def claims(self) -> Iterator[str]:
        """Yield what only one adapter can have."""
        for app in self.apps.values():
            yield app.client_id


class Show(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of an owner's Strava is shown in Home Assistant.

    ``sports`` are sport types as Strava names them, each with its latest activity; none: those that the owner did
    lately. ``recent`` latest activities of all sports are shown, and the ``gear`` that was used most. ``photos`` are
    shown one after the other, each for ``photo_seconds``.
    """

    sports: tuple[str, ...] = ()
    recent: Annotated[int, Meta(ge=1, le=10)] = 1
    gear: Annotated[int, Meta(ge=0, le=20)] = 3
    statistics: bool = True
    photos: bool = False
    photo_seconds: Annotated[int, Meta(ge=15, le=86_400)] = 60

    def __post_init__(self) -> None:
        for sport in self.sports:
            if sport not in SPORTS:
                message = f'sports: Strava has no sport type "{sport}": {_meant(sport)}'
                raise ValueError(message)
        if len(set(self.sports)) != len(self.sports):
            message = "sports: the same one stands there twice"
            raise ValueError(message)


class Identity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who an owner is at Strava: through which ``app`` they sign in (empty: the only one), and as which ``athlete``.

    ``athlete`` is the number in the address of one's profile; 0 takes whoever signs in first.
    """

    app: str = ""
    athlete: Annotated[int, Meta(ge=0)] = 0
    show: Show = field(default_factory=Show)

    def claims(self) -> Iterator[str]:
        """Yield what only one owner can be."""
        if self.athlete:
            yield str(self.athlete)

    @staticmethod
    def claimed_as(external_id: str) -> str:
        """Return the key of an external id: the number of an athlete; empty for anything else."""
        return "athlete" if _ATHLETE.fullmatch(external_id) else ""


_ANYBODY: Final = Identity()


def identity(owner: Owner | None) -> Identity:
    """Return who a configured person is at Strava; one of whom nothing is said can be anybody."""
    return owner.identity if owner is not None and isinstance(owner.identity, Identity) else _ANYBODY


def _meant(sport: str) -> str:
    """Return a remedy for a sport type that there is not."""
    from difflib import get_close_matches  # noqa: PLC0415 - memory for whoever has mistyped something

    known = {one.lower(): one for one in SPORTS}
    near = get_close_matches(sport.lower(), known, n=1, cutoff=_NEAR)
    return f'did you mean "{known[near[0]]}"?' if near else 'expected one such as "Ride", "Run" or "TrailRun"'
