"""What Strava sends to the callback of a subscription, and how patient it is."""

import asyncio
import time
from dataclasses import dataclass
from secrets import token_hex
from urllib.parse import urlsplit

import aiohttp
import msgspec


@dataclass(frozen=True)
class Attempt:
    """One delivery: its HTTP status (0: no answer in time), why it failed, and how long it took in seconds."""

    status: int
    reason: str
    seconds: float

    @property
    def good(self) -> bool:
        """Whether Strava is content: with a 200 in time and with nothing else."""
        return self.status == 200


class Callbacks:
    """A client that waits ``answer_seconds`` and follows no redirect.

    ``hosts`` says where a public address leads, such as ``https://jitney.example`` to ``http://127.0.0.1:8077``.
    """

    def __init__(self, *, answer_seconds: float) -> None:
        self.answer_seconds = answer_seconds
        self.hosts: dict[str, str] = {}
        self._http: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Be ready to send; each request takes a connection of its own."""
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        self._http = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    async def close(self) -> None:
        """Close every connection."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    def reach(self, url: str) -> str:
        """Return where an address leads."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        local = self.hosts.get(origin.lower())
        return url if local is None else f"{local}{url[len(origin) :]}"

    async def challenge(self, url: str, verify_token: str) -> str:
        """Ask a callback whether it wants events; returns the code of the error, empty when it does."""
        challenge = token_hex(8)
        query = {"hub.verify_token": verify_token, "hub.challenge": challenge, "hub.mode": "subscribe"}
        attempt, body = await self._send("GET", url, params=query)
        if not attempt.status:
            late = attempt.reason == "no answer in time"
            return "not verifiable" if late else "GET to callback URL does not return 200"
        if not attempt.good:
            return "GET to callback URL does not return 200"
        try:
            answer = msgspec.json.decode(body, type=dict[str, object])
        except msgspec.MsgspecError:
            return "not verifiable"
        return "" if answer.get("hub.challenge") == challenge else "not verifiable"

    async def post(self, url: str, body: bytes) -> Attempt:
        """Deliver an event."""
        attempt, _ = await self._send("POST", url, data=body)
        return attempt

    async def _send(
        self, method: str, url: str, *, params: dict[str, str] | None = None, data: bytes | None = None
    ) -> tuple[Attempt, bytes]:
        assert self._http is not None
        began = time.monotonic()

        def took() -> float:
            return time.monotonic() - began

        headers = {"Content-Type": "application/json"} if data is not None else {}
        try:
            async with (
                asyncio.timeout(self.answer_seconds),
                self._http.request(
                    method, self.reach(url), params=params, data=data, headers=headers, allow_redirects=False
                ) as answer,
            ):
                body = await answer.read()
        except TimeoutError:
            return Attempt(0, "no answer in time", took()), b""
        except (aiohttp.ClientError, OSError) as error:
            return Attempt(0, type(error).__name__, took()), b""
        return Attempt(answer.status, "" if answer.status == 200 else f"status {answer.status}", took()), body
