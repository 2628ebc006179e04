"""What speaks with a Strava in tests: one that behaves, and one that answers whatever a test gives it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import ClientSession, web

from jitney.adapters.secret import Secret
from jitney.adapters.strava.api import Api
from jitney.adapters.strava.config import App
from jitney.adapters.strava.grants import Grant
from jitney.adapters.strava.http import session
from jitney.adapters.strava.limiter import Limiter, Priority
from jitney.adapters.strava.models import AthleteInfo, TokenAnswer
from jitney.adapters.strava.oauth import OAuth
from jitney.adapters.strava.tokens import Tokens
from tests.adapters.strava.turning import TurnedClock, outcome
from tests.fakes.context import RecordingVault
from tests.fakes.strava import ALL_SCOPES, Athlete, FakeStrava
from tests.fakes.strava import App as FakeApp

CLIENT_ID: Final = "12345"
CLIENT_SECRET: Final = "client-secret-0123456789abcdef"
SECONDS: Final = 5.0
SECRET: Final = "access-0123456789abcdef"


def app() -> App:
    return App(client_id=CLIENT_ID, client_secret=Secret(CLIENT_SECRET))


def grant_of(owner: str, athlete: int) -> Grant:
    return Grant(owner=owner, app="main", athlete=athlete, scopes=ALL_SCOPES)


def tokens_of(
    access: str, refresh: str, *, expires_at: float, expires_in: float | None = None, athlete: int = 0
) -> TokenAnswer:
    return TokenAnswer(
        access_token=Secret(access),
        refresh_token=Secret(refresh),
        expires_at=expires_at,
        expires_in=expires_in,
        athlete=AthleteInfo(id=athlete) if athlete else None,
    )


class Side:
    """One app of a fake Strava and our side of it; ``clock`` is Strava's, ``ours`` the one that Jitney reads."""

    def __init__(self, fake: FakeStrava, http: ClientSession, clock: TurnedClock, *, timeout: float) -> None:
        self.fake = fake
        self.http = http
        self.clock = clock
        self.ours = TurnedClock(clock.now)
        self.app: FakeApp = fake.app(CLIENT_ID, CLIENT_SECRET)
        self.vault = RecordingVault()
        self.limiter = Limiter(reserve=0.2, clock=self.ours, pause=self.ours.pause, jitter=lambda: 2.0)
        self.oauth = OAuth(http, app(), oauth_url=fake.oauth_url, timeout=timeout, clock=self.ours)
        self.timeout = timeout
        self.restart()

    def restart(self) -> None:
        """Forget everything that is only in memory."""
        self.tokens = Tokens(self.vault, {"main": self.oauth}, clock=self.ours)
        self.api = Api(
            self.http, api_url=self.fake.api_url, limiter=self.limiter, tokens=self.tokens, timeout=self.timeout
        )

    async def join(self, owner: str, athlete: int) -> tuple[Athlete, Grant]:
        """Let an owner sign in."""
        made = self.fake.athlete(athlete, firstname=owner.title())
        access = self.fake.grant(self.app, made)
        grant = grant_of(owner, athlete)
        answer = tokens_of(access.token, access.grant.refresh_token, expires_at=access.expires_at, expires_in=21_600)
        await self.tokens.keep(grant, answer)
        return made, grant

    def refresh_token(self, athlete: Athlete) -> str:
        """Return the only refresh token that is good."""
        grant = self.fake.grant_of(self.app, athlete)
        assert grant is not None
        return grant.refresh_token

    def turn(self, seconds: float) -> None:
        """Turn both clocks."""
        self.clock.now += seconds
        self.ours.now += seconds

    @property
    def refreshes(self) -> int:
        """How often tokens were asked for."""
        return self.fake.count("POST", "/oauth/token")


@asynccontextmanager
async def side(*, allow: tuple[str, ...] = (), seconds: float = SECONDS) -> AsyncIterator[Side]:
    clock = TurnedClock()
    async with FakeStrava(clock=clock, allow=allow) as fake, session() as http:
        yield Side(fake, http, clock, timeout=seconds)


@dataclass
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Answering:
    """A server that gives its answers one after the other, and the last one for ever."""

    answers: list[web.Response | None] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    hanging: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Give the next answer; None is no answer at all."""
        body = await request.read()
        self.asked.append(Asked(request.method, request.path, dict(request.query), request.headers.copy(), body))
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if found is None:
            await self.hanging.wait()
            return web.Response(status=499)
        return web.Response(status=found.status, body=found.body, headers=found.headers)


@asynccontextmanager
async def answering(*answers: web.Response | None) -> AsyncIterator[Answering]:
    made = Answering(list(answers))
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", made.serve)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        made.hanging.set()
        await runner.cleanup()


def said(status: int, text: str, *, content_type: str = "application/json", **headers: str) -> web.Response:
    return web.Response(
        status=status,
        body=text.encode(),
        headers={"Content-Type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}},
    )


def fault(status: int, resource: str, field_name: str, code: str, *, message: str = "Bad Request") -> web.Response:
    return said(
        status,
        f'{{"message":"{message}","errors":[{{"resource":"{resource}","field":"{field_name}","code":"{code}"}}]}}',
    )


def kept(at: Side, owner: str = "alice") -> str:
    return at.vault.secrets[owner, "tokens/main"].reveal()


async def is_good(at: Side, athlete: Athlete, token: Secret) -> bool:
    grant = at.fake.grant_of(at.app, athlete)
    access = at.fake.world.grants.accesses.get(token.reveal())
    return access is not None and access.grant is grant and at.fake.world.grants.good(access)


def api_at(at: Side, server: Answering) -> Api:
    return Api(at.http, api_url=server.url, limiter=at.limiter, tokens=at.tokens, timeout=at.timeout)


async def asked(at: Side, server: Answering, **query: Any) -> tuple[Grant, object]:  # noqa: ANN401 - any query
    """Return what comes of a GET for alice, whose token is SECRET."""
    alice, grant = await at.join("alice", 5)
    answer = tokens_of(SECRET, at.refresh_token(alice), expires_at=at.clock.now + 21_600)
    await at.tokens.keep(grant, answer)
    found = await outcome(api_at(at, server).get(grant, "activities/7", priority=Priority.EVENT, **query))
    assert SECRET not in repr(found)
    return grant, found
