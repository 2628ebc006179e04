"""Who has allowed what: one athlete for each owner, one owner for each athlete."""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from jitney.adapters.base import Context
from jitney.adapters.errors import RefusedError
from jitney.adapters.strava.config import Identity, identity

ACTIVITY: tuple[str, ...] = ("activity:read", "activity:read_all")
"""Scopes of which one is needed to see activities and to be told of them."""

PROFILE = "profile:read_all"
"""The scope without which Strava tells nothing of gear and zones."""

WRITE = "activity:write"

_PREFIX: Final = "grant/"


class Grant(Struct, frozen=True, kw_only=True):
    """An athlete's permission: whose, through which app (its name in the configuration), with which scopes."""

    owner: str
    app: str
    athlete: int
    scopes: tuple[str, ...]

    def allows(self, *scopes: str) -> bool:
        """Tell whether one of ``scopes`` was granted."""
        return not set(scopes).isdisjoint(self.scopes)


class Grants:
    """Every grant of one adapter, kept over restarts; ``apps`` are the names of its apps in the configuration.

    ``load`` comes first. Grants of people who are no longer configured stay: only ``remove`` forgets one.
    """

    _ctx: Context

    def __init__(self, apps: Iterable[str]) -> None:
        self._apps = tuple(apps)
        self._by_owner: dict[str, Grant] = {}
        self._by_athlete: dict[int, Grant] = {}

    async def load(self, ctx: Context) -> None:
        """Read what is kept; what cannot be read is counted, logged and left as it is."""
        self._ctx = ctx
        kept = await ctx.load_all(_PREFIX)
        self._by_owner.clear()
        self._by_athlete.clear()
        for key, raw in kept.items():
            try:
                grant = msgspec.json.decode(raw, type=Grant)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                ctx.count("unreadable")
                ctx.log.warning("a kept grant cannot be read: its owner has to connect anew", key=key)
            else:
                self._enter(grant)

    def of(self, owner: str) -> Grant | None:
        """Return the grant of an owner."""
        return self._by_owner.get(owner)

    def by_athlete(self, athlete: int) -> Grant | None:
        """Return the grant of an athlete, through whichever app."""
        return self._by_athlete.get(athlete)

    def all(self) -> list[Grant]:
        """Return every grant, by owner."""
        return [self._by_owner[owner] for owner in sorted(self._by_owner)]

    def app_of(self, owner: str) -> str:
        """Return the name of the app through which an owner signs in; raises RefusedError."""
        name = self._identity(owner).app or (self._apps[0] if len(self._apps) == 1 else "")
        if name in self._apps:
            return name
        known = " or ".join(f'"{app}"' for app in self._apps)
        if name:
            message = f'owners.{owner}.strava: app = "{name}" is no app of {self._ctx.name}: use {known}'
            raise RefusedError("unknown_app", message)
        message = f"{self._ctx.name} has several apps: set app = {known} in owners.{owner}.strava"
        raise RefusedError("no_app", message)

    def check(self, grant: Grant) -> None:
        """Raise RefusedError when an owner cannot have this athlete; the text names neither athletes nor owners.

        ``foreign_athlete``: another one is configured, or was connected before. ``claimed_athlete``: somebody else's.
        """
        wanted = self._identity(grant.owner).athlete
        if wanted not in (0, grant.athlete):
            message = (
                f"this is not the Strava account whose number owners.{grant.owner}.strava has as athlete:"
                " log out of strava.com in that browser and begin again with the right account"
            )
            raise RefusedError("foreign_athlete", message)
        before = self._by_owner.get(grant.owner)
        if before is not None and before.athlete != grant.athlete:
            message = (
                f"{grant.owner} was connected as another Strava account: begin again with that one, or first let it go"
                f" with  jitney strava disconnect {grant.owner}"
            )
            raise RefusedError("foreign_athlete", message)
        if self._is_claimed(grant):
            message = (
                "this Strava account belongs to somebody else here: log out of strava.com in that browser and begin"
                " again with the right account"
            )
            raise RefusedError("claimed_athlete", message)

    def expects(self, owner: str) -> bool:
        """Tell whether it is configured that an owner signs in here, through one of these apps."""
        known = self._ctx.owners.get(owner)
        return known is not None and known.identity is not None and identity(known).app in ("", *self._apps)

    async def add(self, grant: Grant) -> None:
        """Keep a grant in place of the owner's one before it; it is on disk when this returns.

        Raises RefusedError as ``check`` does, and when it cannot be kept; then all is as before.
        """
        self.check(grant)
        before = self._by_owner.get(grant.owner)
        self._enter(grant)
        try:
            await self._ctx.save(_PREFIX + grant.owner, msgspec.json.encode(grant))
        except BaseException:
            self._leave(grant.owner)
            if before is not None:
                self._enter(before)
            raise

    async def remove(self, owner: str) -> None:
        """Forget the grant of an owner, if there is one; raises RefusedError when that cannot be kept."""
        await self._ctx.save(_PREFIX + owner, None)
        self._leave(owner)

    def _identity(self, owner: str) -> Identity:
        return identity(self._ctx.owners.get(owner))

    def _is_claimed(self, grant: Grant) -> bool:
        holder = self._by_athlete.get(grant.athlete)
        if holder is not None and holder.owner != grant.owner:
            return True
        return any(self._identity(owner).athlete == grant.athlete for owner in self._ctx.owners if owner != grant.owner)

    def _enter(self, grant: Grant) -> None:
        self._leave(grant.owner)
        self._by_owner[grant.owner] = grant
        self._by_athlete[grant.athlete] = grant

    def _leave(self, owner: str) -> None:
        grant = self._by_owner.pop(owner, None)
        if grant is not None and self._by_athlete.get(grant.athlete) is grant:
            del self._by_athlete[grant.athlete]
