"""The calls to Strava about the webhook subscription of an app (developers.strava.com/docs/webhooks)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import aiohttp

from jitney.adapters.secret import Secret
from jitney.adapters.strava.config import App
from jitney.adapters.strava.errors import InactiveError, LimitedError, NotFoundError, StravaError, UnavailableError
from jitney.adapters.strava.faults import app_stopped, explained, fault_of
from jitney.adapters.strava.http import Answer, ask, place
from jitney.adapters.strava.limiter import Limiter
from jitney.adapters.strava.models import Odd, Subscription, each, ignore, one

_EXISTS: Final = "already exists"
_REMEDIES: Final[Mapping[str, str]] = {
    "get to callback url does not return 200": (
        "Strava does not reach Jitney at http.public_url: all below that address must come through from outside,"
        " without a login, a bot check or a redirect"
    ),
    "not verifiable": (
        "at http.public_url something else than Jitney answers Strava, or it takes longer than 2 s: look where the"
        " proxy or tunnel leads"
    ),
}
"""What to do, by Strava's code in lower case."""


class Subscribing:
    """Lists, makes and deletes; ``name`` is the app's in the configuration, ``url`` where Strava keeps subscriptions.

    Every method raises StravaError: UnavailableError and LimitedError are worth another try, the others say what a
    person has to do.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        *,
        name: str,
        app: App,
        url: str,
        limiter: Limiter,
        timeout: float,
        odd: Odd = ignore,
    ) -> None:
        self._http = http
        self._name = name
        self._app = app
        self._url = url.rstrip("/")
        self._limiter = limiter
        self._timeout = timeout
        self._odd = odd

    async def all(self) -> list[Subscription]:
        """Return what there is: none or one."""
        answer = await self._ask("GET", self._url, query=self._credentials())
        return each(answer.body, Subscription, self._odd)

    async def create(self, callback: str, verify_token: Secret) -> int:
        """Make one and return its number; before this returns Strava asks ``callback`` whether it wants it."""
        form = {**self._credentials(), "callback_url": callback, "verify_token": verify_token.reveal()}
        answer = await self._ask("POST", self._url, form=form, hide=(verify_token, Secret(callback)))
        return one(answer.body, Subscription).id

    async def remove(self, number: int) -> None:
        """Delete one; no error when it is gone already."""
        try:
            await self._ask("DELETE", f"{self._url}/{number}", query=self._credentials())
        except NotFoundError:
            return

    def _credentials(self) -> dict[str, str]:
        return {"client_id": self._app.client_id, "client_secret": self._app.client_secret.reveal()}

    async def _ask(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        hide: tuple[Secret, ...] = (),
    ) -> Answer:
        until = self._limiter.quota.blocked_until
        if not until:
            answer = await ask(self._http, method, url, timeout=self._timeout, query=query, form=form)
            self._limiter.learn(answer.headers)
            if answer.good:
                return answer
            if answer.status != HTTPStatus.TOO_MANY_REQUESTS:
                raise self._explained(answer, place(method, url), (self._app.client_secret, *hide))
            until = self._limiter.exceeded(answer.retry_after)
        raise LimitedError(f"{place(method, url)}: the calls of the app {self._name} are used up for now", until=until)

    def _explained(self, answer: Answer, where: str, hide: tuple[Secret, ...]) -> StravaError:
        """Return the error that an answer is, with what to do."""
        fault = fault_of(answer)
        for detail in fault.details if fault is not None else ():
            code = detail.code.lower()
            if code == _EXISTS:
                return UnavailableError(f"{where}: somebody has just made another one: it is looked at again soon")
            if code in _REMEDIES:
                return StravaError(_REMEDIES[code])
        if answer.status == HTTPStatus.UNAUTHORIZED and fault is not None:
            stopped = app_stopped(answer, where, hide=hide)
            return stopped or InactiveError(f"{where}: Strava refuses this app: compare client_id and client_secret")
        return explained(answer, where, hide=hide)
