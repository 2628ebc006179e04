"""The webhook subscription of an app: Strava has one for each app, which serves all athletes of the app."""

import asyncio
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Final, Literal
from urllib.parse import quote, unquote, urlsplit

import aiohttp

from jitney.adapters.base import Context
from jitney.adapters.errors import RefusedError
from jitney.adapters.secret import Secret
from jitney.adapters.strava.config import App
from jitney.adapters.strava.errors import LimitedError, StravaError, UnavailableError
from jitney.adapters.strava.limiter import Limiter
from jitney.adapters.strava.models import Subscription
from jitney.adapters.strava.subscribing import Subscribing
from jitney.topics import HOUSE

LONGEST_CALLBACK: Final = 255
"""Characters that Strava takes."""

_BYTES: Final = 24
_NOT_KNOWN: Final = 0
_PORTS: Final = {"http": 80, "https": 443}

State = Literal["active", "missing", "foreign", "failed", "off"]


class Subscriptions:
    """One app's subscription: made when there is none, kept over restarts, never taken from another program unasked.

    ``name`` is the app's in the configuration, ``url`` where Strava keeps subscriptions, ``public_url`` where Strava
    reaches this adapter (empty: no webhooks). ``load`` comes first, then the webhook is served, then ``ensure``.
    """

    def __init__(
        self,
        ctx: Context,
        http: aiohttp.ClientSession,
        *,
        name: str,
        app: App,
        url: str,
        public_url: str,
        limiter: Limiter,
        timeout: float,
    ) -> None:
        self._ctx = ctx
        self._subscribing = Subscribing(
            http, name=name, app=app, url=url, limiter=limiter, timeout=timeout, odd=lambda kind, _: ctx.count(kind)
        )
        self._name = name
        self._public_url = public_url.rstrip("/")
        self._secret = Secret("")
        self._verify_token = Secret("")
        self._changing = asyncio.Lock()
        self.id = _NOT_KNOWN
        """Strava's number of it, 0 while it is not known."""
        self.state: State = "missing"
        self.reason = ""
        """What is wrong and what to do, empty while all is well; a subscription can be active all the same."""

    async def load(self) -> None:
        """Read the number, and the secrets, which are made the first time; raises what the vault raises."""
        self._secret = await self._made_once(f"webhook-path/{self._name}")
        self._verify_token = await self._made_once(f"webhook-verify/{self._name}")
        kept = await self._ctx.load(self._key) or b""
        self.id = int(kept) if kept.isdigit() else _NOT_KNOWN

    def is_path(self, path: str) -> bool:
        """Tell whether a path, percent-encoded or not, is the one that only Strava knows."""
        given = path.strip("/").encode("utf-8", "replace")
        ours = self._path
        return compare_digest(given, ours.encode()) | compare_digest(given, unquote(ours).encode())

    def is_verify_token(self, token: str) -> bool:
        """Tell whether a challenge has the word that was given to Strava."""
        ours = self._verify_token.reveal().encode()
        return compare_digest(token.encode("utf-8", "replace"), ours) and bool(ours)

    def is_id(self, number: int) -> bool | None:
        """Tell whether a delivery is of this subscription; None while that cannot be known yet."""
        if self.id == _NOT_KNOWN and self.state in ("missing", "failed"):
            return None
        return number == self.id

    async def ensure(self, *, take_over: bool = False) -> None:
        """Have a subscription, and tell in ``state`` and ``reason`` how that went.

        ``take_over`` deletes another program's, which gets no deliveries any more. While Strava cannot be asked, one
        that is known stays active.
        """
        async with self._changing:
            try:
                await self._ensure(take_over=take_over)
            except (UnavailableError, LimitedError) as error:
                self._settle("failed" if self.id == _NOT_KNOWN else "active", str(error))
            except StravaError as error:
                self._settle("failed", str(error))

    async def delete(self) -> None:
        """Give the subscription up, when the adapter or the app is removed for good; raises StravaError."""
        async with self._changing:
            if self.id != _NOT_KNOWN:
                await self._subscribing.remove(self.id)
                await self._note(_NOT_KNOWN)
            self._settle("off" if not self._public_url else "missing", "")

    @property
    def _key(self) -> str:
        return f"subscription/{self._name}"

    @property
    def _path(self) -> str:
        return f"webhook/{quote(self._name, safe='')}/{self._secret.reveal()}"

    async def _made_once(self, name: str) -> Secret:
        secret = await self._ctx.vault.get(HOUSE, name)
        if secret is None:
            secret = Secret(token_urlsafe(_BYTES))
            await self._ctx.vault.put(HOUSE, name, secret)
        return secret

    async def _ensure(self, *, take_over: bool) -> None:
        if not self._public_url:
            self._settle("off", "no webhooks: http.public_url is not set, or mode is poll")
            return
        callback = f"{self._public_url}/{self._path}"
        if len(callback) > LONGEST_CALLBACK:
            long = f"http.public_url is too long by {len(callback) - LONGEST_CALLBACK} characters for Strava"
            raise StravaError(long)
        found = await self._subscribing.all()
        here = [one for one in found if normalised(one.callback_url or "") == normalised(callback)]
        if here:
            await self._have(here[0].id)
            return
        foreign = [one for one in found if one.id != self.id]
        if foreign and not take_over:
            await self._note(_NOT_KNOWN)
            self._settle("foreign", self._about_foreign(foreign[0]))
            return
        for one in found:
            await self._subscribing.remove(one.id)
        await self._note(_NOT_KNOWN)
        self.state = "missing"
        await self._have(await self._subscribing.create(callback, self._verify_token))

    async def _have(self, number: int) -> None:
        await self._note(number)
        self._settle("active", "")

    async def _note(self, number: int) -> None:
        """Remember the number; when that cannot be kept it is found again by its callback."""
        if number == self.id:
            return
        self.id = number
        try:
            await self._ctx.save(self._key, str(number).encode() if number else None)
        except RefusedError as error:
            self._ctx.count(error.code)

    def _settle(self, state: State, reason: str) -> None:
        if (state, reason) == (self.state, self.reason):
            return
        self.state, self.reason = state, reason
        write = self._ctx.log.warning if reason and state != "off" else self._ctx.log.info
        write("webhook subscription", app=self._name, state=state, reason=reason)

    def _about_foreign(self, foreign: Subscription) -> str:
        place = _host(foreign.callback_url or "") or "another place"
        return (
            f"another program, at {place}, gets the webhooks of the app {self._name}, and Strava has only one for each"
            " app: give Jitney an app of its own, or take it over with  jitney strava connect OWNER --take-over"
        )


def normalised(url: str) -> str:
    """Return an address in the form in which equal ones are the same text; what is none stays as it is."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return url
    if not host:
        return url
    at = f"{host}:{port or _PORTS.get(parts.scheme)}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{at}{parts.path.rstrip('/')}{query}"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
