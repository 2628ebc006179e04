"""Signing in at Strava, new tokens for old ones, and the end of it (developers.strava.com/docs/authentication)."""

import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import quote, urlencode

import aiohttp

from jitney.adapters.secret import Secret
from jitney.adapters.strava.config import App
from jitney.adapters.strava.errors import GrantGoneError, InactiveError, LimitedError, StravaError
from jitney.adapters.strava.faults import app_stopped, explained, fault_of, refuses_token
from jitney.adapters.strava.http import Answer, ask, place
from jitney.adapters.strava.meters import QUARTER
from jitney.adapters.strava.models import TokenAnswer
from jitney.adapters.strava.reading import one

_BAD_REQUEST: Final = 400
_UNAUTHORISED: Final = 401
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_TOO_MANY: Final = 429


class OAuth:
    """One app at Strava's sign-in.

    Every request raises UnavailableError when there is no usable answer, InactiveError when the app itself is refused,
    LimitedError after too many calls and StravaError for what is left.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        app: App,
        *,
        oauth_url: str,
        timeout: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._http = http
        self._app = app
        self._url = oauth_url.rstrip("/")
        self._timeout = timeout
        self._clock = clock

    def authorize_url(self, *, redirect_uri: str, state: str, scopes: Sequence[str], force: bool) -> str:
        """Return the page on which an athlete allows ``scopes``; ``force`` asks again what was allowed before."""
        query = {
            "client_id": self._app.client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "approval_prompt": "force" if force else "auto",
            "scope": ",".join(scopes),
            "state": state,
        }
        return f"{self._url}/authorize?{urlencode(query, quote_via=quote, safe=',:')}"

    async def exchange(self, code: str) -> TokenAnswer:
        """Return the first tokens, with the athlete, for the code of a sign-in.

        Raises GrantGoneError when the code was used or has expired: the athlete must sign in again.
        """
        secret = Secret(code)
        answer = await self._token({"code": code, "grant_type": "authorization_code"})
        if answer.good:
            return one(answer.body, TokenAnswer)
        where = place("POST", f"{self._url}/token")
        if answer.status == _BAD_REQUEST and _is_about(answer, "AuthorizationCode"):
            raise GrantGoneError(f"{where}: this sign-in was used already or has expired: begin it again")
        if answer.status == _FORBIDDEN and "connected athletes" in str(fault_of(answer) or ""):
            message = "Limit of connected athletes exceeded: this app has as many athletes as Strava allows it"
            raise StravaError(f"{where}: {message} (https://www.strava.com/settings/api)")
        raise self._error(answer, where, secret)

    async def refresh(self, refresh_token: Secret) -> TokenAnswer:
        """Return new tokens; the refresh token among them is the only one that is good from now on.

        Raises GrantGoneError when Strava says that this one is not: the athlete must sign in again.
        """
        answer = await self._token({"refresh_token": refresh_token.reveal(), "grant_type": "refresh_token"})
        if answer.good:
            return one(answer.body, TokenAnswer)
        where = place("POST", f"{self._url}/token")
        if answer.status == _BAD_REQUEST and _is_about(answer, "RefreshToken"):
            raise GrantGoneError(f"{where}: Strava no longer knows this permission: the athlete must sign in again")
        raise self._error(answer, where, refresh_token)

    async def revoke(self, token: Secret, *, access: Secret | None = None) -> None:
        """End the permission that a token belongs to; no error when it has ended already.

        Where Strava has no ``oauth/revoke`` it is done as it was before, which needs the ``access`` token.
        """
        credentials = f"{self._app.client_id}:{self._app.client_secret.reveal()}"
        basic = f"Basic {b64encode(credentials.encode()).decode()}"
        answer = await self._post("revoke", {"token": token.reveal()}, authorization=basic)
        if answer.status == _NOT_FOUND:
            await self._deauthorize(access or token)
        elif not answer.good:
            raise self._error(answer, place("POST", f"{self._url}/revoke"), token)

    async def _deauthorize(self, access: Secret) -> None:
        answer = await self._post("deauthorize", {}, authorization=f"Bearer {access.reveal()}")
        if answer.good:
            return
        where = place("POST", f"{self._url}/deauthorize")
        if refuses_token(answer):
            raise StravaError(f"{where}: the token has expired: remove the app at https://www.strava.com/settings/apps")
        raise self._error(answer, where, access)

    async def _token(self, form: Mapping[str, str]) -> Answer:
        app = {"client_id": self._app.client_id, "client_secret": self._app.client_secret.reveal()}
        return await self._post("token", {**app, **form})

    async def _post(self, path: str, form: Mapping[str, str], *, authorization: str = "") -> Answer:
        headers = {"Authorization": authorization} if authorization else None
        return await ask(self._http, "POST", f"{self._url}/{path}", timeout=self._timeout, headers=headers, form=form)

    def _error(self, answer: Answer, where: str, *secrets: Secret) -> StravaError:
        hide = (self._app.client_secret, *secrets)
        if answer.status == _TOO_MANY:
            now = self._clock()
            wait = answer.retry_after
            until = (now // QUARTER + 1) * QUARTER if wait is None else now + wait
            return LimitedError(f"{where}: too many calls", until=until)
        if answer.status == _UNAUTHORISED and fault_of(answer) is not None:
            stopped = app_stopped(answer, where, hide=hide)
            return stopped or InactiveError(f"{where}: Strava refuses this app: compare client_id and client_secret")
        return explained(answer, where, hide=hide)


def _is_about(answer: Answer, resource: str) -> bool:
    """Tell whether an answer calls a code or token invalid or expired."""
    fault = fault_of(answer)
    return fault is not None and any(
        one.resource == resource and one.code.lower() in {"invalid", "expired"} for one in fault.details
    )
