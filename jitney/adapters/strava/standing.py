"""What commands say about signing in and out, and how it stands with an owner."""

from typing import Literal

from msgspec import Struct


class Link(Struct, frozen=True):
    """Where an owner signs in, good for ``seconds``; ``returns_to`` is where Strava leads the browser back to."""

    link: str
    seconds: int
    returns_to: str


class Standing(Struct, frozen=True, kw_only=True):
    """How it stands with an owner, times in Unix seconds; the calls left are the app's, which its athletes share."""

    owner: str
    connected: bool
    reason: str = ""
    app: str = ""
    athlete: int = 0
    scopes: tuple[str, ...] = ()
    since: float = 0.0
    signed_in: float = 0.0
    """The last sign-in since the adapter runs, 0 for none."""
    mode: Literal["webhook", "poll"] = "poll"
    subscription: str = ""
    last_event: float = 0.0
    activities: int = 0
    waiting: int = 0
    calls_left_quarter: int = 0
    calls_left_day: int = 0


class Disconnected(Struct, frozen=True):
    """What became of the permission: ``revoked`` at Strava, or only forgotten here, for a ``reason``."""

    revoked: bool
    reason: str = ""
