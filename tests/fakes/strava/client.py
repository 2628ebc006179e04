"""A client that says what a test tells it to, right or wrong, and a callback that answers what it is told to."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import msgspec
from aiohttp import web

from tests.fakes.strava.athletes import Athlete
from tests.fakes.strava.grants import Access
from tests.fakes.strava.quota import Limits
from tests.fakes.strava.server import ALL_SCOPES, FakeStrava
from tests.fakes.strava.world import App

WITHIN: Final = 10.0
"""Seconds that every answer may take."""
CALLBACK: Final = "http://localhost:8077/strava/callback"
_SCOPE: Final = "read,activity:read,activity:read_all,profile:read_all"


@dataclass
class Clock:
    """A clock that a test turns; it begins at noon UTC, when a quarter of an hour and half a day begin."""

    now: float = 1_795_262_400.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Answer:
    """An answer that was read to its end."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """What it says."""
        return msgspec.json.decode(self.body)

    @property
    def error(self) -> tuple[str, str, str]:
        """The resource, field and code of its only error."""
        (row,) = self.json["errors"]
        return row["resource"], row["field"], row["code"]


class Client:
    """Sends single requests, each over a connection of its own."""

    def __init__(self, http: aiohttp.ClientSession, fake: FakeStrava) -> None:
        self.http = http
        self.fake = fake

    async def ask(self, method: str, url: str, **options: Any) -> Answer:  # noqa: ANN401 - as aiohttp has them
        """Send anything anywhere; redirects are not followed."""
        async with self.http.request(method, url, allow_redirects=False, **options) as answer:
            return Answer(answer.status, await answer.read(), answer.headers)

    async def get(self, path: str, access: Access | str, **query: str | int) -> Answer:
        """Ask the API."""
        return await self.ask("GET", f"{self.fake.api_url}{path}", params=query, headers=bearer(access))

    async def put(self, path: str, access: Access, body: object) -> Answer:
        """Change something."""
        return await self.ask("PUT", f"{self.fake.api_url}{path}", json=body, headers=bearer(access))

    async def token(self, app: App, **fields: str) -> Answer:
        """Ask for tokens; ``fields`` besides those of the app, or instead of them."""
        form = {"client_id": app.client_id, "client_secret": app.secret, **fields}
        return await self.ask("POST", f"{self.fake.oauth_url}/token", data=form)

    async def exchange(self, app: App, code: str) -> Answer:
        """Exchange a code."""
        return await self.token(app, code=code, grant_type="authorization_code")

    async def refresh(self, app: App, refresh_token: str) -> Answer:
        """Refresh."""
        return await self.token(app, refresh_token=refresh_token, grant_type="refresh_token")

    async def revoke(self, app: App, token: str) -> Answer:
        """End a grant."""
        headers = {"Authorization": aiohttp.encode_basic_auth(app.client_id, app.secret)}
        return await self.ask("POST", f"{self.fake.oauth_url}/revoke", data={"token": token}, headers=headers)

    async def subscriptions(self, app: App) -> Answer:
        """List the subscriptions."""
        query = {"client_id": app.client_id, "client_secret": app.secret}
        return await self.ask("GET", self.fake.subscription_url, params=query)

    async def subscribe(self, app: App, callback_url: str, **fields: str) -> Answer:
        """Make a subscription."""
        form = {"client_id": app.client_id, "client_secret": app.secret, "callback_url": callback_url}
        return await self.ask("POST", self.fake.subscription_url, data={**form, "verify_token": "hello", **fields})

    async def unsubscribe(self, app: App, number: int) -> Answer:
        """Delete a subscription."""
        query = {"client_id": app.client_id, "client_secret": app.secret}
        return await self.ask("DELETE", f"{self.fake.subscription_url}/{number}", params=query)


@asynccontextmanager
async def client_of(fake: FakeStrava) -> AsyncIterator[Client]:
    """Open a client."""
    patience = aiohttp.ClientTimeout(total=WITHIN)
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=patience) as http:
        yield Client(http, fake)


def bearer(access: Access | str) -> dict[str, str]:
    """Return the header of an access token."""
    return {"Authorization": f"Bearer {access if isinstance(access, str) else access.token}"}


def link(fake: FakeStrava, app: App, **fields: str) -> str:
    """Return a link to the consent page; an empty field is left out."""
    query = {
        "client_id": app.client_id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "approval_prompt": "auto",
        "scope": _SCOPE,
        "state": "once",
        **fields,
    }
    return f"{fake.oauth_url}/authorize?{urlencode({key: value for key, value in query.items() if value})}"


@dataclass(eq=False)
class Receiver:
    """A callback: ``events`` are what it got, ``answer`` is the status that it gives, once ``going`` is set."""

    url: str = ""
    answer: int = 200
    challenge: str = "echo"
    events: list[Any] = field(default_factory=list)
    queries: list[dict[str, str]] = field(default_factory=list)
    going: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, request: web.Request) -> web.Response:
        """Answer a challenge or an event."""
        if request.method == "GET":
            self.queries.append(dict(request.query))
        else:
            self.events.append(msgspec.json.decode(await request.read()))
        await self.going.wait()
        if request.method == "POST" or self.challenge != "echo":
            return web.Response(status=self.answer, text=self.challenge, headers={"Location": "/elsewhere"})
        return web.json_response({"hub.challenge": request.query["hub.challenge"]}, status=self.answer)


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Run a callback."""
    made = Receiver()
    made.going.set()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", made.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield made
    finally:
        made.going.set()
        await runner.cleanup()


@dataclass(eq=False)
class Stage:
    """A Strava with one app, which alice has let in, a client and a clock."""

    fake: FakeStrava
    client: Client
    clock: Clock
    app: App
    alice: Athlete
    access: Access


@asynccontextmanager
async def stage(
    *,
    scopes: Iterable[str] = ALL_SCOPES,
    limits: Limits | None = None,
    **options: Any,  # noqa: ANN401 - what the fake takes
) -> AsyncIterator[Stage]:
    """Set a stage; ``options`` are those of the fake."""
    clock = Clock()
    async with FakeStrava(clock=clock, **options) as fake, client_of(fake) as client:
        app = fake.app("12345", "secret", limits=limits)
        alice = fake.athlete(1001, firstname="Alice")
        yield Stage(fake, client, clock, app, alice, fake.grant(app, alice, scopes))
