"""What can go wrong between Strava and a client, to be played for the calls of one's choice.

When a connection ends without an answer, aiohttp repeats a GET once by itself: to fail it, that is played twice.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec
from aiohttp import web

from tests.fakes.strava import answers
from tests.fakes.strava.asked import Asked
from tests.fakes.strava.photos import PLACEHOLDER
from tests.fakes.strava.record import Call, Record, glob

_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with no time to linger: closing sends a reset."""


@dataclass(frozen=True)
class Scene:
    """A call to play trouble for. ``answer`` does what was asked; ``rehearse`` what must not count when it is lost."""

    asked: Asked
    answer: Callable[[], Awaitable[web.Response]]
    rehearse: Callable[[], Awaitable[web.Response]]
    origin: str
    playing: "Playing"


@dataclass(frozen=True)
class Trouble:
    """One way to go wrong; ``bare``: the answer says nothing of rate limits."""

    name: str
    act: Callable[[Scene], Awaitable[web.StreamResponse]]
    bare: bool = False


@dataclass(eq=False)
class Playing:
    """A trouble that is played for matching calls, ``left`` more times."""

    trouble: Trouble
    method: str
    path: str
    app: str
    athlete: int
    left: float
    record: Record
    played: int = 0
    waiting: int = 0
    """Calls that hang now."""
    going: asyncio.Event = field(default_factory=asyncio.Event)
    torn: bool = False

    def fits(self, call: Call) -> bool:
        """Tell whether it is played for a call."""
        return (
            self.left > 0
            and self.method in {"*", call.method}
            and glob(self.path).fullmatch(call.path) is not None
            and self.app in {"", call.app}
            and self.athlete in {0, call.athlete}
        )

    def stop(self) -> None:
        """Play it no more; calls that hang go on hanging."""
        self.left = 0

    def release(self) -> None:
        """Answer the calls that hang, and those that would have hung."""
        self.going.set()

    def cut(self) -> None:
        """Tear the connections of calls that hang, and of those that would have hung."""
        self.torn = True
        self.going.set()


class Troubles:
    """Those that are being played, the oldest first."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._playing: list[Playing] = []

    def add(self, trouble: Trouble, path: str, *, method: str, times: float, app: str, athlete: int) -> Playing:
        """Play a trouble from now on."""
        playing = Playing(trouble, method, path, app, athlete, times, self._record)
        self._playing.append(playing)
        return playing

    def pick(self, call: Call) -> Playing | None:
        """Return what is to be played for a call, None when it is answered as usual."""
        found = next((one for one in self._playing if one.fits(call)), None)
        if found is not None:
            found.left -= 1
            found.played += 1
        return found

    def end(self) -> None:
        """End all of them, and what hangs."""
        for playing in self._playing:
            playing.stop()
            playing.cut()


def status(code: int, body: str = "", *, content_type: str = "text/plain") -> Trouble:
    """Answer with a status and a text instead."""

    async def act(_: Scene) -> web.StreamResponse:
        return web.Response(status=code, text=body, content_type=content_type)

    return Trouble(f"status {code}", act)


def html(code: int = 503) -> Trouble:
    """Answer with the page of a proxy instead; 200 is possible."""

    async def act(_: Scene) -> web.StreamResponse:
        return answers.html(code)

    return Trouble(f"html {code}", act)


def truncated() -> Trouble:
    """Answer with the first half of the JSON, as if it were all."""

    async def act(scene: Scene) -> web.StreamResponse:
        response = await scene.rehearse()
        response.body = _bytes(response)[: len(_bytes(response)) // 2]
        return response

    return Trouble("truncated", act)


def cut_off() -> Trouble:
    """Tear the connection in the middle of the answer."""

    async def act(scene: Scene) -> web.StreamResponse:
        whole = await scene.rehearse()
        body = _bytes(whole)
        response = web.StreamResponse(status=whole.status, headers={"Content-Length": str(len(body))})
        response.content_type = "application/json"
        await response.prepare(scene.asked.request)
        await response.write(body[: len(body) // 2])
        _abort(scene.asked)
        return response

    return Trouble("cut off", act)


def wrong_type(content_type: str = "text/html") -> Trouble:
    """Answer as usual, but call the JSON something else."""

    async def act(scene: Scene) -> web.StreamResponse:
        response = await scene.answer()
        response.content_type = content_type
        return response

    return Trouble(f"called {content_type}", act)


def hang() -> Trouble:
    """Say nothing until the test releases the call, which is answered then, or cuts it."""

    async def act(scene: Scene) -> web.StreamResponse:
        playing = scene.playing
        playing.waiting += 1
        playing.record.changed()
        try:
            await playing.going.wait()
        finally:
            playing.waiting -= 1
            playing.record.changed()
        if playing.torn:
            _abort(scene.asked)
        if scene.asked.gone:
            return web.Response(status=499)
        return await scene.answer()

    return Trouble("hang", act)


def reset() -> Trouble:
    """Reset the connection instead of answering."""

    async def act(scene: Scene) -> web.StreamResponse:
        _abort(scene.asked)
        return web.Response(status=499)

    return Trouble("reset", act)


def bare() -> Trouble:
    """Answer as usual, without the headers about rate limits."""

    async def act(scene: Scene) -> web.StreamResponse:
        return await scene.answer()

    return Trouble("bare", act, bare=True)


def unauthorised() -> Trouble:
    """Call the access token invalid, whatever it is."""

    async def act(_: Scene) -> web.StreamResponse:
        return answers.invalid_token()

    return Trouble("401", act)


def limited(retry_after: int = 0, *, old: bool = False) -> Trouble:
    """Tell that the limit is used up; ``old`` in the older form, ``retry_after`` seconds as a header."""

    async def act(_: Scene) -> web.StreamResponse:
        response = answers.limited_as_it_was() if old else answers.limited("read rate limit")
        if retry_after:
            response.headers["Retry-After"] = str(retry_after)
        return response

    return Trouble("429", act)


def inactive() -> Trouble:
    """Tell that the app is stopped."""

    async def act(_: Scene) -> web.StreamResponse:
        return answers.inactive()

    return Trouble("inactive", act)


def placeholders() -> Trouble:
    """Show every photo of the answer as one that is still being processed."""

    async def act(scene: Scene) -> web.StreamResponse:
        response = await scene.answer()
        rows = msgspec.json.decode(_bytes(response))
        url = f"{scene.origin}{PLACEHOLDER}"
        for row in rows:
            row["urls"] = dict.fromkeys(row["urls"], url)
            row["placeholder_image"] = {"light_url": url, "dark_url": url}
        response.body = answers.encode(rows)
        return response

    return Trouble("placeholders", act)


def _bytes(response: web.Response) -> bytes:
    body = response.body
    assert isinstance(body, bytes)
    return body


def _abort(asked: Asked) -> None:
    transport = asked.request.transport
    if transport is None:
        return
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
