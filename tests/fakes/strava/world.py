"""What exists at Strava: apps, athletes, and who allowed what to whom."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.fakes.strava.activities import Activity
from tests.fakes.strava.athletes import Athlete
from tests.fakes.strava.grants import Grant, Grants
from tests.fakes.strava.quota import Limits, Quota


@dataclass(eq=False)
class App:
    """An application: ``capacity`` athletes may use it, and a new refresh token comes with each refresh (``rotate``).

    ``active`` False: its owner does not pay. ``callback_domain``: where people may be sent back to after consent.
    ``capacity_at``: where one athlete too many is told so. ``closed_until`` is the end of the last 429.
    """

    client_id: str
    secret: str
    quota: Quota
    callback_domain: str = "jitney.example"
    capacity: int = 10
    capacity_at: Literal["consent", "exchange"] = "exchange"
    rotate: bool = True
    active: bool = True
    closed_until: float = 0.0
    refused_at: float = 0.0
    """When the last 429 was sent (monotonic)."""
    refused: set[str] = field(default_factory=set)
    """The calls that were answered 429 in the closed window."""


@dataclass(frozen=True)
class Change:
    """What happened to an activity, or (no activity, aspect ``revoked``) to the grant of an athlete."""

    athlete: Athlete
    activity: Activity | None
    aspect: Literal["create", "update", "delete", "revoked"]
    updates: dict[str, str]
    app: App | None = None


class World:
    """Everything that Strava knows; ``listeners`` are told of each change that is worth an event."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.origin = ""
        self.apps: dict[str, App] = {}
        self.athletes: dict[int, Athlete] = {}
        self.activities: dict[int, Activity] = {}
        """The activities of all athletes."""
        self.grants = Grants(clock)
        self.listeners: list[Callable[[Change], None]] = []
        self._activity = 16_500_000_000
        self._gear = 12_000_000

    def add_app(self, client_id: str, secret: str, *, limits: Limits | None = None, **fields: Any) -> App:  # noqa: ANN401
        """Register an app; ``fields`` as of ``App``."""
        app = App(client_id, secret, Quota(self.clock, limits or Limits()), **fields)
        self.apps[client_id] = app
        return app

    def add_athlete(self, number: int, *, firstname: str, **fields: Any) -> Athlete:  # noqa: ANN401
        """Register an athlete; ``fields`` as of ``Athlete``."""
        athlete = Athlete(self, number, firstname, **fields)
        self.athletes[number] = athlete
        return athlete

    def athletes_of(self, app: App) -> list[Athlete]:
        """Return who uses an app."""
        return [grant.athlete for grant in self.grants.alive() if grant.app is app]

    def full_for(self, app: App, athlete: Athlete) -> bool:
        """Tell whether this athlete would be one too many."""
        others = [known for known in self.athletes_of(app) if known is not athlete]
        return len(others) >= app.capacity

    def revoke(self, grant: Grant, *, by: Literal["athlete", "client"]) -> None:
        """End a grant and all its tokens."""
        self.grants.end(grant, by=by)
        self._tell(Change(grant.athlete, None, "revoked", {"authorized": "false"}, grant.app))

    def activity_changed(
        self, activity: Activity, aspect: Literal["create", "update", "delete"], updates: dict[str, str]
    ) -> None:
        """Note that an activity has changed, and tell the listeners."""
        self.activities[activity.id] = activity
        if aspect == "delete":
            del self.activities[activity.id]
        self._tell(Change(activity.athlete, activity, aspect, updates))

    def next_activity(self) -> int:
        """Return a number for a new activity."""
        self._activity += 7
        return self._activity

    def next_gear(self) -> int:
        """Return a number for a new gear."""
        self._gear += 1
        return self._gear

    def _tell(self, change: Change) -> None:
        for listener in list(self.listeners):
            listener(change)
