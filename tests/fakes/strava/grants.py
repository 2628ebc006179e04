"""What athletes allowed to apps: codes, access tokens and refresh tokens, each with its own end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from secrets import token_hex
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.strava.asked import Asked
    from tests.fakes.strava.athletes import Athlete
    from tests.fakes.strava.world import App

LIFETIME: Final = 21_600
"""Seconds that an access token is good for."""
KEPT: Final = 3_600
"""An access token that is good for longer than this comes back from a refresh."""
CODE_SECONDS: Final = 600


@dataclass(eq=False)
class Grant:
    """What one athlete allowed to one app; a new consent after its end makes a new one."""

    app: App
    athlete: Athlete
    scopes: tuple[str, ...]
    refresh_token: str = ""
    ended_by: Literal["", "athlete", "client"] = ""
    ended_at: float = 0.0
    """When it ended, monotonic."""
    refused_at: float = 0.0
    """When a refresh was first refused because of that, monotonic; 0 when none was."""
    refreshing: list[Asked] = field(default_factory=list)
    """Refreshes that are not answered yet."""

    def __str__(self) -> str:
        return f"the grant of athlete {self.athlete.id} to the app {self.app.client_id}"


@dataclass(eq=False)
class Access:
    """An access token; ``refused`` counts the times that it was answered 401."""

    token: str
    grant: Grant
    scopes: tuple[str, ...]
    expires_at: int
    refused: int = 0


@dataclass(eq=False)
class Code:
    """What a browser brings back from the consent page."""

    code: str
    app: App
    athlete: Athlete
    scopes: tuple[str, ...]
    expires_at: float
    used: bool = False


@dataclass
class Grants:
    """Every grant, and every code and token that was ever given out."""

    clock: Callable[[], float]
    codes: dict[str, Code] = field(default_factory=dict)
    accesses: dict[str, Access] = field(default_factory=dict)
    refreshes: dict[str, Grant] = field(default_factory=dict)
    """Refresh tokens, dead ones too: only ``Grant.refresh_token`` is good."""
    _grants: dict[tuple[str, int], Grant] = field(default_factory=dict)

    def alive(self) -> list[Grant]:
        """Return the grants that have not ended."""
        return [grant for grant in self._grants.values() if not grant.ended_by]

    def of(self, app: App, athlete: Athlete) -> Grant | None:
        """Return the grant of an athlete to an app, None when there is none or it has ended."""
        grant = self._grants.get((app.client_id, athlete.id))
        return grant if grant and not grant.ended_by else None

    def code(self, app: App, athlete: Athlete, scopes: tuple[str, ...]) -> Code:
        """Return a new code for somebody who consented."""
        made = Code(token_hex(20), app, athlete, scopes, self.clock() + CODE_SECONDS)
        self.codes[made.code] = made
        return made

    def grant(self, app: App, athlete: Athlete, scopes: tuple[str, ...]) -> Access:
        """Let an app in, or change what it may do; returns an access token with these scopes."""
        grant = self.of(app, athlete)
        if grant is None:
            grant = self._grants[app.client_id, athlete.id] = Grant(app, athlete, scopes)
        if not grant.refresh_token or grant.scopes != scopes or app.rotate:
            self._rotate(grant)
        grant.scopes = scopes
        return self._access(grant)

    def refresh(self, grant: Grant) -> Access:
        """Return the newest access token, or a new one when that is good for an hour at most."""
        if grant.app.rotate:
            self._rotate(grant)
        return self._access(grant)

    def good(self, access: Access) -> bool:
        """Tell whether an access token is."""
        return not access.grant.ended_by and self.clock() < access.expires_at

    def end(self, grant: Grant, *, by: Literal["athlete", "client"]) -> None:
        """End a grant: none of its tokens is good any more."""
        grant.ended_by = by
        grant.ended_at = time.monotonic()
        grant.refresh_token = ""

    def spoil(self, grant: Grant) -> None:
        """End the access tokens of a grant before their time; the refresh token stays good."""
        now = int(self.clock())
        for access in self.accesses.values():
            if access.grant is grant:
                access.expires_at = min(access.expires_at, now)

    def _access(self, grant: Grant) -> Access:
        now = self.clock()
        for access in self.accesses.values():
            if access.grant is grant and access.scopes == grant.scopes and access.expires_at - now > KEPT:
                return access
        made = Access(token_hex(20), grant, grant.scopes, int(now) + LIFETIME)
        self.accesses[made.token] = made
        return made

    def _rotate(self, grant: Grant) -> None:
        grant.refresh_token = token_hex(20)
        self.refreshes[grant.refresh_token] = grant
