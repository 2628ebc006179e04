"""Why a call to Strava did not give what was asked: each type says what to do about it."""

from jitney.topics import JitneyError


class StravaError(JitneyError):
    """Strava did not do what was asked; raised itself when no subclass fits: do not repeat the same call."""


class UnavailableError(StravaError):
    """No usable answer (5xx, time-out, HTML, truncated): the same call may work in a while."""


class LimitedError(StravaError):
    """The app's calls are used up: none before ``until``, in Unix seconds."""

    def __init__(self, reason: str, *, until: float) -> None:
        super().__init__(reason)
        self.until = until


class GrantGoneError(StravaError):
    """The athlete's permission is gone: a person must sign in again."""


class ScopeMissingError(StravaError):
    """The athlete did not allow this; ``scope`` is what is missing, as Strava names it."""

    def __init__(self, reason: str, *, scope: str) -> None:
        super().__init__(reason)
        self.scope = scope


class NotFoundError(StravaError):
    """It does not exist, or this athlete may not see it."""


class InactiveError(StravaError):
    """Strava has stopped the whole app (its owner has no subscription, its secret is wrong): no athlete can mend it."""
