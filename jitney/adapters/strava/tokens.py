"""Access tokens: refreshed when they are about to expire, and kept in the vault before they are used.

With each refresh Strava may give another refresh token, after which the older one is dead: one that was answered and
not kept locks the owner out. So whatever has been begun is carried to its end, also when nobody waits for it any more.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Protocol, TypeVar

import msgspec
from msgspec import Struct

from jitney.adapters.base import Vault
from jitney.adapters.secret import Secret
from jitney.adapters.strava.errors import GrantGoneError, InactiveError, StravaError, UnavailableError
from jitney.adapters.strava.grants import Grant
from jitney.adapters.strava.models import TokenAnswer
from jitney.adapters.strava.oauth import OAuth
from jitney.adapters.strava.reading import one
from jitney.topics import JitneyError

LEAVE: Final = 2.0
"""Seconds that a refresh which has begun may take on after a stop: its answer is the only copy of new tokens."""

MARGIN: Final = 300.0
"""Seconds before its end in which an access token is no longer used."""

_A_WHILE: Final = 3600.0
"""Seconds that a new access token is good for at least, where Strava does not say."""

T = TypeVar("T")


class Audit(Protocol):
    """Where it is told that a token was refreshed: ``audit`` of the context."""

    def __call__(self, owner: str, what: str, /, *, outcome: str = "ok", detail: str = "") -> None:
        """Tell it."""


class Tokens:
    """The tokens of all grants of one adapter; ``oauths`` by the name of the app, the clock tells Unix seconds.

    ``audit`` is told of each refresh.
    """

    def __init__(
        self,
        vault: Vault,
        oauths: Mapping[str, OAuth],
        *,
        clock: Callable[[], float] = time.time,
        audit: Audit = lambda *_, **__: None,
    ) -> None:
        self._vault = vault
        self._oauths = oauths
        self._clock = clock
        self._audit = audit
        self._held: dict[tuple[str, int], _Held] = {}

    async def keep(self, grant: Grant, answer: TokenAnswer) -> None:
        """Keep the tokens of a sign-in; they are in the vault when this returns.

        Raises what the vault raises, RefusedError above all; then those of before, if any, are kept.
        """
        held = self._of(grant)
        async with held.lock:
            await _to_the_end(self._keep(grant, held, answer), f"keep the tokens of {grant.owner}")

    async def access(self, grant: Grant) -> Secret:
        """Return an access token that is good for a while.

        Raises GrantGoneError when the athlete must sign in again, UnavailableError when there is none now or it cannot
        be kept, and what ``OAuth.refresh`` raises.
        """
        held = self._of(grant)
        if held.usable and held.is_good(self._clock()):
            return held.kept.access_token
        return await self._brought(grant, held, None)

    async def refreshed(self, grant: Grant, stale: Secret) -> Secret:
        """Return another access token than the one that Strava refused; raises as ``access`` does."""
        return await self._brought(grant, self._of(grant), stale)

    async def revoke(self, grant: Grant) -> None:
        """End the permission at Strava and erase the tokens, whatever Strava says.

        Raises StravaError, after erasing, when it has not ended there, and RefusedError when it cannot be erased.
        """
        held = self._of(grant)
        async with held.lock:
            await _to_the_end(self._revoke(grant, held), f"revoke the tokens of {grant.owner}")

    async def forget(self, grant: Grant) -> None:
        """Erase the tokens here; raises RefusedError when that cannot be done."""
        held = self._of(grant)
        async with held.lock:
            await _to_the_end(self._erase(grant, held), f"erase the tokens of {grant.owner}")

    def _of(self, grant: Grant) -> "_Held":
        return self._held.setdefault((grant.app, grant.athlete), _Held())

    async def _brought(self, grant: Grant, held: "_Held", stale: Secret | None) -> Secret:
        """Return a usable token other than ``stale``; who waits meanwhile shares the outcome."""
        failures = held.failures
        async with held.lock:
            if held.failures != failures and held.failed is not None:
                raise held.failed.with_traceback(None)
            held.failed = None
            try:
                return await _to_the_end(self._bring(grant, held, stale), f"refresh the token of {grant.owner}")
            except StravaError as error:
                held.failed = error
                held.failures += 1
                raise

    async def _bring(self, grant: Grant, held: "_Held", stale: Secret | None) -> Secret:
        if held.unsaved:
            await self._save(grant, held)
        else:
            held.take(await self._load(grant))
        kept = held.kept
        if held.dead == kept.refresh_token:
            raise GrantGoneError(f"Strava no longer knows the permission of {grant.owner}: sign in again")
        if kept.access_token == stale or not held.is_good(self._clock()):
            await self._refresh(grant, held)
        return held.kept.access_token

    async def _refresh(self, grant: Grant, held: "_Held") -> None:
        used = held.kept.refresh_token
        try:
            answer = await self._oauth(grant).refresh(used)
        except GrantGoneError:
            held.dead = used
            self._audit(grant.owner, "token_refresh", outcome="refused", detail=f"app {grant.app}")
            raise
        self._audit(grant.owner, "token_refresh", detail=f"app {grant.app}")
        held.take(_Kept.of(grant, answer), unsaved=True)
        held.notice_clock(answer, self._clock())
        await self._save(grant, held)

    async def _save(self, grant: Grant, held: "_Held") -> None:
        """Put the tokens into the vault; raises UnavailableError when it refuses: they stay, and are not used."""
        try:
            await self._vault.put(grant.owner, _name(grant), held.kept.secret())
        except JitneyError as error:
            message = (
                f"the new tokens of {grant.owner} cannot be kept ({error}): they are used only when they can be;"
                " if Jitney is stopped before that, sign in again"
            )
            raise UnavailableError(message) from error
        held.unsaved = False

    async def _load(self, grant: Grant) -> "_Kept":
        """Return the tokens in the vault; raises GrantGoneError when there are none of this athlete."""
        secret = await self._vault.get(grant.owner, _name(grant))
        if secret is None:
            raise GrantGoneError(f"there are no tokens of {grant.owner}: sign in")
        try:
            kept = one(secret.reveal().encode(), _Kept)
        except UnavailableError:
            raise GrantGoneError(f"the kept tokens of {grant.owner} cannot be read: sign in again") from None
        if kept.athlete != grant.athlete:
            raise GrantGoneError(f"the kept tokens of {grant.owner} are another athlete's: sign in again")
        return kept

    async def _keep(self, grant: Grant, held: "_Held", answer: TokenAnswer) -> None:
        kept = _Kept.of(grant, answer)
        await self._vault.put(grant.owner, _name(grant), kept.secret())
        held.take(kept)
        held.dead = held.failed = None
        held.notice_clock(answer, self._clock())

    async def _revoke(self, grant: Grant, held: "_Held") -> None:
        try:
            kept = held.kept if held.unsaved else await self._load(grant)
            if kept.refresh_token != held.dead:
                await self._oauth(grant).revoke(kept.refresh_token, access=kept.access_token)
        except GrantGoneError:
            return
        finally:
            await self._erase(grant, held)

    async def _erase(self, grant: Grant, held: "_Held") -> None:
        held.clear()
        await self._vault.delete(grant.owner, _name(grant))

    def _oauth(self, grant: Grant) -> OAuth:
        try:
            return self._oauths[grant.app]
        except KeyError:
            message = f"{grant.owner} signed in through the app {grant.app}, which is no longer configured"
            raise InactiveError(message) from None


class _Kept(Struct, frozen=True, kw_only=True):
    """Both tokens of a grant, as one entry of the vault; ``expires_at`` in Unix seconds."""

    athlete: int
    access_token: Secret
    refresh_token: Secret
    expires_at: float

    @classmethod
    def of(cls, grant: Grant, answer: TokenAnswer) -> "_Kept":
        """Return the tokens of an answer."""
        return cls(
            athlete=grant.athlete,
            access_token=answer.access_token,
            refresh_token=answer.refresh_token,
            expires_at=answer.expires_at,
        )

    def secret(self) -> Secret:
        """Return all of it as one secret."""
        return Secret(msgspec.json.encode(self, enc_hook=_revealed).decode())


_NOTHING: Final = _Kept(athlete=0, access_token=Secret(""), refresh_token=Secret(""), expires_at=0.0)


class _Held:
    """What is known of one grant while the bus runs.

    ``unsaved``: newer than what the vault has. ``dead``: the refresh token that Strava refused. ``behind``: what to add
    to our clock, by which a token that was just made has expired. ``failed``: the last of so many ``failures``.
    """

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.kept = _NOTHING
        self.unsaved = False
        self.dead: Secret | None = None
        self.behind = 0.0
        self.failed: StravaError | None = None
        self.failures = 0

    @property
    def usable(self) -> bool:
        """Whether there is a token that may be used without a look into the vault."""
        return bool(self.kept.access_token) and not self.unsaved and self.kept.refresh_token != self.dead

    def is_good(self, now: float) -> bool:
        """Tell whether the access token is good for a while."""
        return self.kept.expires_at - (now + self.behind) >= MARGIN

    def take(self, kept: _Kept, *, unsaved: bool = False) -> None:
        """Have these tokens from now on."""
        self.kept = kept
        self.unsaved = unsaved

    def notice_clock(self, answer: TokenAnswer, now: float) -> None:
        """Notice a clock that is ahead: without that, every token would be refreshed again and again."""
        lasts = answer.expires_in or _A_WHILE
        self.behind = 0.0
        if not self.is_good(now) and lasts > MARGIN:
            self.behind = answer.expires_at - lasts - now

    def clear(self) -> None:
        """Have nothing."""
        self.kept = _NOTHING
        self.unsaved = False


async def _to_the_end(work: Coroutine[Any, Any, T], name: str) -> T:
    """Await ``work``; when that is cancelled, it has ``LEAVE`` seconds to finish before the cancellation goes on."""
    task = asyncio.create_task(work, name=name)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        until = asyncio.get_running_loop().time() + LEAVE
        while not task.done() and (left := until - asyncio.get_running_loop().time()) > 0:
            try:
                await asyncio.wait((task,), timeout=left)
            except asyncio.CancelledError:
                continue
        task.cancel()
        await asyncio.wait((task,))
        if not task.cancelled():
            task.exception()
        raise


def _name(grant: Grant) -> str:
    return f"tokens/{grant.app}"


def _revealed(secret: object) -> object:
    if isinstance(secret, Secret):
        return secret.reveal()
    message = f"{type(secret).__name__} is not kept"
    raise NotImplementedError(message)
