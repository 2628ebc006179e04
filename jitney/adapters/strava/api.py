"""Calls to Strava's API for one app: each waits for its turn and ends as bytes or as an error that says what to do."""

import aiohttp
import msgspec
from msgspec import Struct

from jitney.adapters.secret import Secret
from jitney.adapters.strava.errors import LimitedError
from jitney.adapters.strava.faults import explained, refuses_token
from jitney.adapters.strava.grants import Grant
from jitney.adapters.strava.http import Answer, ask, place
from jitney.adapters.strava.limiter import Limiter
from jitney.adapters.strava.tokens import Tokens
from jitney.adapters.strava.waiting import Priority

_TOO_MANY = 429


class Api:
    """The API as the athletes of one app see it.

    A call raises UnavailableError when there is no usable answer, LimitedError when its turn would come too late,
    GrantGoneError, ScopeMissingError, NotFoundError, InactiveError, and StravaError for any other refusal; besides
    these only MisconfiguredError, when the vault cannot be read.
    """

    def __init__(
        self, http: aiohttp.ClientSession, *, api_url: str, limiter: Limiter, tokens: Tokens, timeout: float
    ) -> None:
        self._http = http
        self._url = api_url.rstrip("/")
        self._limiter = limiter
        self._tokens = tokens
        self._timeout = timeout

    async def get(
        self, grant: Grant, path: str, *, priority: Priority, patience: float | None = None, **query: str | int
    ) -> bytes:
        """Return the JSON at ``path``, like ``activities/5``; ``patience`` in seconds as of ``Limiter.turn``."""
        words = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in query.items()}
        return await self._call(grant, _Request("GET", self._address(path), words, None), priority, patience)

    async def put(
        self,
        grant: Grant,
        path: str,
        body: object,
        *,
        priority: Priority = Priority.EVENT,
        patience: float | None = None,
    ) -> bytes:
        """Change the fields in ``body`` of what is at ``path``; return it. After UnavailableError it may be done."""
        request = _Request("PUT", self._address(path), {}, msgspec.json.encode(body))
        return await self._call(grant, request, priority, patience)

    async def _call(self, grant: Grant, request: "_Request", priority: Priority, patience: float | None) -> bytes:
        await self._tokens.access(grant)  # who has none is not let to wait for a turn
        token, answer = await self._attempt(grant, request, priority, patience)
        if refuses_token(answer):
            await self._tokens.refreshed(grant, token)
            token, answer = await self._attempt(grant, request, priority, patience)
        if answer.good:
            return answer.body
        raise explained(answer, _where(grant, request), hide=(token,))

    async def _attempt(
        self, grant: Grant, request: "_Request", priority: Priority, patience: float | None
    ) -> tuple[Secret, Answer]:
        """Send a request in its turn; return the token that it had, and the answer."""
        with await self._limiter.turn(priority, grant.owner, patience=patience) as turn:
            token = await self._tokens.access(grant)
            headers = {"Authorization": f"Bearer {token.reveal()}"}
            if request.body is not None:
                headers["Content-Type"] = "application/json"
            answer = await ask(
                self._http,
                request.method,
                request.url,
                timeout=self._timeout,
                headers=headers,
                query=request.query,
                body=request.body,
            )
            turn.answered(answer.headers)
        if answer.status == _TOO_MANY:
            until = self._limiter.exceeded(answer.retry_after)
            raise LimitedError(f"{_where(grant, request)}: the calls of this app are used up", until=until)
        return token, answer

    def _address(self, path: str) -> str:
        return f"{self._url}/{path.lstrip('/')}"


class _Request(Struct, frozen=True):
    method: str
    url: str
    query: dict[str, str]
    body: bytes | None


def _where(grant: Grant, request: _Request) -> str:
    return f"{place(request.method, request.url)} for {grant.owner}"
