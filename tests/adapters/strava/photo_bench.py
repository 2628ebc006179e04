"""A server of pictures, a session as the adapter has it, and the photo files of one owner."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientSession, CookieJar, web
from aiohttp.test_utils import TestServer

from jitney.adapters.strava.kinds import PhotoData
from jitney.adapters.strava.photos import PhotoFiles

JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Cdn:
    """A server of pictures that keeps what it was asked; ``answers`` replaces the picture of a path."""

    def __init__(self) -> None:
        self.requests: list[web.Request] = []
        self.answers: dict[str, Handler] = {}
        self.server = TestServer(self._app())

    @property
    def origin(self) -> str:
        return f"http://{self.server.host}:{self.server.port}"

    def photo(self, name: str, day: int | None = 1) -> PhotoData:
        created = None if day is None else f"2026-11-{day:02}T08:00:00.000Z"
        return PhotoData(unique_id=name, activity=1, url=f"{self.origin}/{name}.jpg", created=created)

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{name}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        handler = self.answers.get(request.path)
        if handler is not None:
            return await handler(request)
        return web.Response(body=JPEG, content_type="image/jpeg")


class Bench:
    """A server, a session as the adapter has it, and the files of one owner."""

    def __init__(self, cdn: Cdn, http: ClientSession, folder: Path) -> None:
        self.cdn = cdn
        self.http = http
        self.folder = folder
        self.files = self.made()

    def made(self, *, most_bytes: int = 1_000_000, most: int = 100) -> PhotoFiles:
        return PhotoFiles(self.folder, most_bytes, most=most, origin=self.cdn.origin)

    async def fetch(self, name: str, day: int | None = 1) -> Path | None:
        return await self.files.fetch(self.http, self.cdn.photo(name, day))

    def on_disk(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.exists() else []


@asynccontextmanager
async def a_bench(folder: Path) -> AsyncIterator[Bench]:
    cdn = Cdn()
    async with (
        cdn.server,
        ClientSession(headers={"Authorization": "Bearer secret"}, cookie_jar=CookieJar(unsafe=True)) as http,
    ):
        http.cookie_jar.update_cookies({"session": "secret"}, cdn.server.make_url("/"))
        yield Bench(cdn, http, folder)


def answering(**response: object) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(**response)  # type: ignore[arg-type] # what a Response takes

    return answer
