"""The HTTP port and what Strava calls there: aiohttp's parser, the daemon's pages, the webhook and a real store."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from hypothesis import strategies as st

from fuzz.lasting import Lasting
from fuzz.oracle import check
from fuzz.publishing import json
from fuzz.wire import Wire, pieces, turns
from jitney.adapters.secret import Secret
from jitney.adapters.strava import Strava, http
from jitney.adapters.strava.apps import Apps
from jitney.adapters.strava.config import App as StravaApp
from jitney.adapters.strava.config import Config as StravaConfig
from jitney.adapters.strava.deliveries import Delivery
from jitney.adapters.strava.grants import Grant
from jitney.adapters.strava.house import House
from jitney.adapters.strava.timing import Timing
from jitney.adapters.strava.webhook import Webhook
from jitney.daemon.app import App
from jitney.daemon.config.schema import (
    AdapterSettings,
    Config,
    HttpSettings,
    MqttSettings,
    OwnerSettings,
    RetrySettings,
)
from jitney.topics import HOUSE

if TYPE_CHECKING:
    from jitney.daemon.web.port import Port

WORDS = (
    b"POST /strava/webhook/main/word HTTP/1.1\r\nHost: x\r\n",
    b"GET /strava/webhook/main/word?hub.mode=subscribe&hub.challenge=c&hub.verify_token=word HTTP/1.1\r\n\r\n",
    b"Content-Length: ",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: upgrade\r\n",
    b"X-Forwarded-For: 192.0.2.1\r\n",
    b"0\r\n\r\n",
    b"\r\n\r\n",
    b"/strava/callback?state=x&code=y",
    b"/strava/connect/alice/word",
    b"/health",
    b"%2e%2e%2f",
    b"%00",
    b'"owner_id":22',
    b'"object_id":9223372036854775808',
    b'"updates":{"authorized":"false"}',
)
_ATHLETES: Final = {"alice": 11, "bob": 22}
_SUBSCRIPTION: Final = 555
_PATH: Final = "/strava/webhook/main/word"
_QUIET: Final = 12
"""Turns of the loop without anything new after which a request that is not answered waits for more."""

_MOST_TURNS: Final = 20_000
_LONGEST_ANSWER: Final = 300_000
_FINE: Final = frozenset(
    {100, 200, 204, 302, 303, 400, 401, 403, 404, 405, 408, 410, 411, 413, 414, 415, 417, 429, 431, 503}
)


class _Caller(Wire):
    """A connection from somewhere else each time, for each address may guess only so often."""

    number = 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - asyncio's
        if name == "peername":
            _Caller.number = (_Caller.number + 1) % 2**16
            return (f"10.1.{_Caller.number >> 8}.{_Caller.number & 255}", 40_000)
        return default


class Office:
    """A daemon with a port, at which a Strava of alice and bob is awaited."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="jitney-fuzz-")
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._open())

    def close(self) -> None:
        """End it."""
        self._loop.run_until_complete(self._close())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
        self._folder.cleanup()

    def call(self, data: bytes, size: int) -> tuple[bytes, list[tuple[str, Delivery]]]:
        """Send bytes to the port, so many at a time; return what is answered, and what waits for whom because of it."""
        return self._loop.run_until_complete(self._call(data, size))

    async def _call(self, data: bytes, size: int) -> tuple[bytes, list[tuple[str, Delivery]]]:
        before = self._waiting()
        # The one factory that asyncio itself asks for every connection.
        protocol: Any = self._port._listening[0]._protocol_factory()  # type: ignore[attr-defined]
        wire = _Caller(protocol)
        protocol.connection_made(wire)
        for piece in pieces(data, size):
            if wire.is_closing():
                break
            protocol.data_received(piece)
            await turns(1)
        await self._settled(wire)
        wire.close()
        await turns()
        after = self._waiting()
        return bytes(wire.written), [found for key, found in after.items() if key not in before]

    async def _settled(self, wire: Wire) -> None:
        quiet, written = 0, -1
        for _ in range(_MOST_TURNS):
            busy = self._app.parts.store._committing or len(wire.written) != written
            quiet, written = 0 if busy else quiet + 1, len(wire.written)
            if quiet > _QUIET or wire.is_closing():
                return
            await asyncio.sleep(0)

    def _waiting(self) -> dict[str, tuple[str, Delivery]]:
        return {one.key: (owner, one) for owner in _ATHLETES for one in self._house.deliveries.waiting(owner)}

    async def _open(self) -> None:
        self._app = app = App(_household(), state_dir=Path(self._folder.name))
        await app.__aenter__()
        self._port = cast("Port", app._port)  # there is one, for the configuration wants it
        ctx, settings = app.parts.runners["strava"].context, app.parts.runners["strava"].settings.config
        for name in ("webhook-path/main", "webhook-verify/main"):
            await ctx.vault.put(HOUSE, name, Secret("word"))
        await ctx.save("subscription/main", str(_SUBSCRIPTION).encode())
        self._http, timing = http.session(), Timing()
        self._apps = Apps(ctx, settings, self._http, webhooks=True, timing=timing)
        await self._apps.load()
        self._house = house = House(ctx, settings, self._apps, http=self._http, webhooks=True, timing=timing)
        await house.load()
        for owner, athlete in _ATHLETES.items():
            await house.grants.add(Grant(owner=owner, app="main", athlete=athlete, scopes=("activity:read_all",)))
        webhook = Webhook(ctx, self._apps.subscriptions, grants=house.grants, deliveries=house.deliveries)
        ctx.serve(_doors(webhook, house))

    async def _close(self) -> None:
        await self._http.close()
        await self._app.__aexit__(None, None, None)


def _doors(webhook: Webhook, house: House) -> Any:  # noqa: ANN401 - a handler
    """Return what answers below /strava/, as the adapter divides it."""

    async def answer(request: Any) -> Any:  # noqa: ANN401 - a request and a response
        is_webhook = request.path.partition("/")[0] == "webhook"
        return await (webhook.handle(request) if is_webhook else house.signin.page(request))

    return answer


def _household() -> Config:
    nowhere = "http://127.0.0.1:1"
    strava = StravaConfig(
        apps={"main": StravaApp(client_id="12345", client_secret=Secret("secret-secret-secret"))},
        api_url=nowhere,
        oauth_url=nowhere,
        timeout=1.0,
    )
    adapter = AdapterSettings(
        name="strava", type=cast("Any", Strava), config=strava, owner=HOUSE, durable=True, retry=RetrySettings()
    )
    return Config(
        mqtt=MqttSettings(url="mqtt://127.0.0.1:1"),
        http=HttpSettings(listen="127.0.0.1:0", public_url="https://bus.example.org", metrics=True),
        owners={owner: OwnerSettings(id=owner, name=owner.title()) for owner in _ATHLETES},
        adapters={"strava": adapter},
    )


_OFFICE: Final = Lasting(Office, uses=3000)


def one(data: bytes) -> None:
    """Feed a byte (how many bytes come at a time) and what comes over a connection to the port."""
    answer, deliveries = _OFFICE.get().call(data[1:], data[0] if data else 0)
    check(len(answer) <= _LONGEST_ANSWER, f"an answer of {len(answer)} bytes")
    check(b"Traceback" not in answer, "an answer shows a traceback")
    check(b"secret-secret-secret" not in answer, "an answer shows a secret")
    if answer:
        check(answer.startswith(b"HTTP/"), f"an answer that is no HTTP: {answer[:40]!r}")
        status = int(answer[9:12])
        check(status in _FINE, f"the answer is {status}")
    for owner, delivery in deliveries:
        check(delivery.owner == owner, f"a delivery of {delivery.owner} waits for {owner}")
        digits = str(_ATHLETES[owner]).encode()
        check(digits in data or b"\\u" in data or _in_chunks(data), f"a delivery for {owner} without the athlete")


def _in_chunks(data: bytes) -> bool:
    """Tell whether a body may come in chunks, so that a number need not stand in one piece."""
    return b"chunked" in data.lower()


def _post(body: bytes, *, path: str = _PATH, head: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: bus\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _push(**fields: Any) -> bytes:  # noqa: ANN401 - any JSON
    whole = {
        "object_type": "activity",
        "object_id": 16_500_000_007,
        "aspect_type": "create",
        "event_time": 1_795_240_800,
        "owner_id": 11,
        "subscription_id": _SUBSCRIPTION,
        "updates": {},
    }
    return msgspec.json.encode({**whole, **fields})


def seeds() -> Iterable[bytes]:
    """Return deliveries for alice, bob and nobody, a challenge, pages, and what is no HTTP."""
    yield b"\x00" + _post(_push())
    yield b"\x07" + _post(_push(owner_id="22", aspect_type="update", updates={"title": "Évening", "private": True}))
    yield b"\x00" + _post(_push(owner_id=33)) + _post(_push(subscription_id=1))
    yield b"\x00" + _post(_push(object_type="athlete", object_id=22, owner_id=22, updates={"authorized": "false"}))
    yield b"\x00" + _post(b"[" * 4000)
    yield b"\x00" + _post(b"{}", path="/strava/webhook/main/wrong")
    chunk = b"%x\r\n%s\r\n0\r\n\r\n"
    body = _push(owner_id=22, object_id=9)
    yield (
        b"\x00POST "
        + _PATH.encode()
        + b" HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n"
        + chunk % (len(body), body)
    )
    for path in (
        f"{_PATH}?hub.mode=subscribe&hub.challenge=c&hub.verify_token=word",
        "/strava/callback?state=x&code=y&scope=read",
        "/strava/connect/alice/word",
        "/health",
        "/metrics",
        "/%2e%2e/strava//webhook",
    ):
        yield f"\x00GET {path} HTTP/1.1\r\nHost: bus\r\n\r\n".encode()
    yield b"\x00\x16\x03\x01\x02\x00\x01\x00\x01\xfc"
    yield b"\x00GET / HTTP/1.1\r\n" + b"a: b\r\n" * 300 + b"\r\n"
    yield b"\x01POST /strava/webhook/main/word HTTP/1.1\r\nHost: b\r\nContent-Length: 99999\r\n\r\n{"


def inputs() -> st.SearchStrategy[bytes]:
    """Return requests, most of them deliveries that nearly are some."""
    values: st.SearchStrategy[Any] = st.sampled_from(
        [0, 1, 11, 22, "22", _SUBSCRIPTION, 2**63, -1, None, True, "x", {}, "activity", "athlete"]
    )
    keys = st.sampled_from(["object_type", "object_id", "aspect_type", "event_time", "owner_id", "subscription_id"])
    pushes = st.dictionaries(keys, values, max_size=2).map(lambda fields: _push(**fields))
    heads = st.sampled_from(["", "Content-Encoding: gzip\r\n", "Expect: 100-continue\r\n", "Content-Type: x\r\n"])
    paths = st.sampled_from([_PATH, "/strava/callback", "/x", "/strava/connect/bob/word", "/"])
    requests = st.builds(lambda body, path, head: _post(body, path=path, head=head), pushes | json(), paths, heads)
    stream = st.lists(requests | st.binary(max_size=20), max_size=3).map(b"".join)
    return st.builds(lambda size, rest: bytes([size]) + rest, st.sampled_from([0, 1, 50]), stream)
