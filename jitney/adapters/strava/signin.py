"""Signing in at Strava: from a link for one owner to their grant (developers.strava.com/docs/authentication).

Strava sends the browser back to ``callback`` with a code, or the person pastes the address that it led to: both take
the same road.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Final, Literal

from msgspec import Struct, structs

from jitney.adapters.base import Clock, Context, HttpRequest, HttpResponse
from jitney.adapters.errors import RefusedError
from jitney.adapters.secret import Secret
from jitney.adapters.strava import pages
from jitney.adapters.strava.callback import allowed, read_answer
from jitney.adapters.strava.errors import (
    GrantGoneError,
    InactiveError,
    LimitedError,
    StravaError,
    UnavailableError,
)
from jitney.adapters.strava.grants import ACTIVITY, PROFILE, WRITE, Grant, Grants
from jitney.adapters.strava.models import TokenAnswer
from jitney.adapters.strava.oauth import OAuth
from jitney.adapters.strava.tokens import Tokens

LIFE: Final = 900.0
"""Seconds that a link can be used."""

MOST: Final = 4
"""Links of one owner that can be used; a newer one takes the place of the oldest."""

PATIENCE: Final = 8.0
"""Seconds that Strava has to exchange a code: the browser is told before the bus gives up on the page."""

SCOPES: Final = ("read", *ACTIVITY, PROFILE)

INVITATION: Final = "invitation"
"""The name of an owner's lasting link in the vault."""

_BYTES: Final = 24
_LIMIT: Final = "Limit of connected athletes exceeded"
"""What Strava says, in a plain StravaError: nothing else tells it from other errors."""

_CODES: Final[Mapping[type[StravaError], str]] = {
    InactiveError: "inactive",
    LimitedError: "limited",
    UnavailableError: "unavailable",
    GrantGoneError: "bad_code",
}

Redirect = Literal["auto", "public", "local"]


class SignIn:
    """The sign-ins of all owners of one adapter; ``connected`` is called with a grant once all of it is stored."""

    def __init__(
        self,
        ctx: Context,
        grants: Grants,
        tokens: Tokens,
        *,
        oauths: Mapping[str, OAuth],
        connected: Callable[[Grant], Awaitable[None]],
        write: bool = False,
        clock: Clock = time.monotonic,
    ) -> None:
        self._ctx = ctx
        self._grants = grants
        self._tokens = tokens
        self._oauths = oauths
        self._connected = connected
        self._wanted = (*SCOPES, WRITE) if write else SCOPES
        self._clock = clock
        self._asked: dict[str, _Asked] = {}
        self._storing = asyncio.Lock()

    def begin(self, owner: str, *, redirect: Redirect = "auto") -> str:
        """Return the link with which an owner signs in at Strava, good for one sign-in in the next 15 minutes.

        Strava leads back to the public address, where there is one, else to this machine. Raises RefusedError.
        """
        if owner not in self._ctx.owners:
            raise RefusedError("unknown_owner", f"{owner!r} is nobody: the configuration has no owners.{owner}")
        return self._link(owner, self._grants.app_of(owner), self._redirect_uri(redirect))

    async def invite(self, owner: str) -> str:
        """Return a link that lasts until the owner is connected: it opens a page with a fresh link to Strava.

        Empty where no page can be reached. Raises RefusedError.
        """
        base = self._ctx.public_url or self._ctx.local_url
        if not base:
            return ""
        word = await self._ctx.vault.get(owner, INVITATION)
        if word is None:
            word = Secret(token_urlsafe(_BYTES))
            await self._ctx.vault.put(owner, INVITATION, word)
        return f"{base.rstrip('/')}/connect/{owner}/{word.reveal()}"

    async def page(self, request: HttpRequest) -> HttpResponse:
        """Answer ``callback``, to which Strava sends the browser back, and ``connect/…``, where ``invite`` leads."""
        place, _, rest = request.path.strip("/").partition("/")
        if request.method != "GET":
            return HttpResponse(405, headers={"Allow": "GET"})
        if place == "connect":
            return await self._invitation(rest)
        if place == "callback" and not rest:
            return await self._callback(request.query)
        return HttpResponse(404)

    async def finish(self, owner: str, url: str) -> Grant:
        """Take the address to which Strava led the browser of an owner; raises RefusedError with what to do."""
        answer = read_answer(url)
        state = answer.get("state", "")
        asked = self._asked.get(state)
        if asked is not None and asked.owner != owner:
            message = f"this address is not from the link of {owner}: begin with  jitney strava connect {owner}"
            raise RefusedError("other_owner", message)
        asked = self._take(state)
        if asked is None:
            message = (
                f"this sign-in is finished already or older than 15 minutes:  jitney strava status {owner}  tells,"
                f"  jitney strava connect {owner}  gives a new link"
            )
            raise RefusedError("unknown_state", message)
        return await self._complete(asked, answer)

    async def _callback(self, answer: Mapping[str, str]) -> HttpResponse:
        asked = self._take(answer.get("state", ""))
        if asked is None:
            return pages.refused("unknown_state")
        name = self._ctx.owners[asked.owner].name
        try:
            grant = await self._complete(asked, answer)
        except RefusedError as error:
            return pages.refused(error.code, name=name, again=self._link(asked.owner, asked.app, asked.redirect_uri))
        missing = [scope for scope in self._wanted if scope not in grant.scopes]
        again = self._link(asked.owner, asked.app, asked.redirect_uri) if missing else ""
        return pages.connected(name, missing=missing, again=again)

    async def _invitation(self, rest: str) -> HttpResponse:
        owner, _, word = rest.partition("/")
        kept = await self._ctx.vault.get(owner, INVITATION) if owner in self._ctx.owners else None
        if kept is None or not compare_digest(kept.reveal().encode(), word.encode("utf-8", "replace")):
            return pages.refused("unknown_state")
        name = self._ctx.owners[owner].name
        try:
            return pages.invitation(name, self.begin(owner))
        except RefusedError as error:
            return pages.refused(error.code, name=name)

    def _link(self, owner: str, app: str, redirect_uri: str) -> str:
        now = self._clock()
        self._asked = {state: asked for state, asked in self._asked.items() if now < asked.until}
        before = [state for state, asked in self._asked.items() if asked.owner == owner]
        for state in before[: max(0, len(before) - MOST + 1)]:
            del self._asked[state]
        state = token_urlsafe(_BYTES)
        self._asked[state] = _Asked(owner, app, redirect_uri, now + LIFE)
        return self._oauths[app].authorize_url(redirect_uri=redirect_uri, state=state, scopes=self._wanted, force=True)

    def _take(self, state: str) -> "_Asked | None":
        asked = self._asked.pop(state, None)
        return asked if asked is not None and self._clock() < asked.until else None

    def _redirect_uri(self, redirect: Redirect) -> str:
        if redirect == "public" and not self._ctx.public_url:
            message = "no public address: set http.public_url, or take the link for this machine"
            raise RefusedError("no_public_url", message)
        local = self._ctx.local_url or f"http://localhost/{self._ctx.name}"
        base = local if redirect == "local" else self._ctx.public_url or local
        return f"{base.rstrip('/')}/callback"

    async def _complete(self, asked: "_Asked", answer: Mapping[str, str]) -> Grant:
        """Return the grant that an answer leads to, once it is stored; raises RefusedError."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        try:
            code, scopes = allowed(asked.owner, answer)
            told, athlete = await self._exchange(asked.app, code, deadline)
            grant = Grant(owner=asked.owner, app=asked.app, athlete=athlete, scopes=scopes)
            before = await self._store(grant, told, deadline)
        except RefusedError as error:
            self._ctx.count("refused_sign_ins")
            self._ctx.audit(asked.owner, "sign_in", outcome=error.code, detail=f"app {asked.app}")
            self._ctx.log.info("a sign-in at Strava was refused", owner=asked.owner, app=asked.app, code=error.code)
            raise
        self._ctx.count("sign_ins")
        self._ctx.audit(grant.owner, "sign_in", detail=f"app {grant.app}")
        self._ctx.log.info("a Strava account was connected", owner=grant.owner, app=grant.app, scopes=grant.scopes)
        await self._connected(grant)
        if before is not None and before.app != grant.app:
            await self._leave(before)
        return grant

    async def _exchange(self, app: str, code: str, deadline: float) -> tuple[TokenAnswer, int]:
        """Return the tokens for a code and whose they are; raises RefusedError."""
        try:
            async with asyncio.timeout_at(deadline):
                told = await self._oauths[app].exchange(code)
        except TimeoutError:
            raise RefusedError("unavailable", f"Strava did not answer within {PATIENCE:g} s: begin again") from None
        except StravaError as error:
            raise RefusedError(_code(error), f"Strava did not accept the sign-in: {error}") from error
        if told.athlete is None or not told.athlete.id:
            raise RefusedError("unavailable", "Strava did not say who has signed in: begin again")
        return told, told.athlete.id

    async def _store(self, grant: Grant, told: TokenAnswer, deadline: float) -> Grant | None:
        """Keep a grant and its tokens, and return the owner's grant before it; raises RefusedError."""
        try:
            async with self._storing:
                self._grants.check(grant)
                before = self._grants.of(grant.owner)
                await self._tokens.keep(grant, told)
                await self._grants.add(grant)
        except RefusedError as error:
            if error.code in ("foreign_athlete", "claimed_athlete"):
                await self._give_back(grant, told, deadline)
            raise
        await self._ctx.vault.delete(grant.owner, INVITATION)
        return before

    async def _give_back(self, refused: Grant, told: TokenAnswer, deadline: float) -> None:
        """End a permission that is not kept.

        Strava has one permission for each athlete and app. So where this athlete is connected through the same app,
        for somebody else, ending it would end theirs: what Strava has just said of it is kept for them instead.
        """
        theirs = self._grants.by_athlete(refused.athlete)
        if theirs is None or theirs.app != refused.app:
            await self._end(refused.app, told.access_token, deadline)
            return
        try:
            await self._tokens.keep(theirs, told)
            await self._grants.add(structs.replace(theirs, scopes=refused.scopes))
        except RefusedError as error:
            self._ctx.count(error.code)

    async def _end(self, app: str, token: Secret, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._oauths[app].revoke(token)
        except (StravaError, TimeoutError) as error:
            self._not_ended(app, error)

    async def _leave(self, before: Grant) -> None:
        """End the permission through the app that an owner used before."""
        try:
            await self._tokens.revoke(before)
        except (StravaError, RefusedError) as error:
            self._not_ended(before.app, error)

    def _not_ended(self, app: str, error: Exception) -> None:
        self._ctx.count("not_revoked")
        self._ctx.log.warning(
            "a permission could not be ended at Strava: its athlete can do so at strava.com/settings/apps",
            app=app,
            reason=str(error) or "no answer in time",
        )


class _Asked(Struct, frozen=True):
    """A link that was given out: whose it is, through which app, where it leads back to, and until when."""

    owner: str
    app: str
    redirect_uri: str
    until: float


def _code(error: StravaError) -> str:
    if _LIMIT in str(error):
        return "athlete_limit"
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), "failed")
