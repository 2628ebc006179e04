"""Reaching Home Assistant and being let in; whatever fails says what a person can do about it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final, Literal, NoReturn, TypeAlias

import aiohttp
import msgspec
from aiohttp import WSMsgType

from jitney.adapters.errors import DisconnectedError, MisconfiguredError, UnauthorisedError
from jitney.adapters.homeassistant.config import Config
from jitney.adapters.homeassistant.frames import ERRORS

WebSocket: TypeAlias = aiohttp.ClientWebSocketResponse[Literal[False]]

SLOWLY: Final = 60.0
"""Seconds until the next attempt where only a person can change the outcome."""

SOON: Final = 4.0
"""Seconds until the next attempt otherwise: a restart is noticed soon, and a try costs Home Assistant nothing."""

_CLOSING: Final = 2.0
"""Seconds that a hung Home Assistant may take to say goodbye."""


class _Message(msgspec.Struct):
    type: str = ""
    message: str = ""
    ha_version: str = ""


_decode = msgspec.json.Decoder(_Message).decode
_encode = msgspec.json.encode


@asynccontextmanager
async def websocket(config: Config) -> AsyncIterator[WebSocket]:
    """Yield an authenticated websocket and close it at the end.

    Raises DisconnectedError, UnauthorisedError or MisconfiguredError.
    """
    context = await _tls(config)
    async with aiohttp.ClientSession() as session:
        try:
            async with asyncio.timeout(config.timeout):
                socket = await session.ws_connect(
                    config.websocket,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSING),
                    heartbeat=config.heartbeat,
                    max_msg_size=config.max_msg_size_mb << 20,
                    ssl=context,
                    decode_text=False,
                )
        except TimeoutError:
            _unreachable(config, f"it does not answer within {config.timeout:g} s")
        except aiohttp.WSServerHandshakeError as error:
            _refused(config, error.status)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            _not_connected(config, error)
        try:
            await _authenticate(socket, config)
            yield socket
        finally:
            await socket.close()


async def _tls(config: Config) -> ssl.SSLContext | bool:
    if not config.ca_file:
        return True
    try:
        return await asyncio.to_thread(ssl.create_default_context, cafile=config.ca_file)
    except OSError as error:
        message = f"ca_file {config.ca_file}: {error.strerror or error}: give a readable file of PEM certificates"
        raise MisconfiguredError(message) from error


async def _authenticate(socket: WebSocket, config: Config) -> None:
    first = await _receive(socket, config, "its greeting")
    if first.type != "auth_required":
        _unreachable(config, f"it greets with {first.type!r} and not as Home Assistant does: check url", after=SLOWLY)
    auth = _encode({"type": "auth", "access_token": config.token.reveal()})
    try:
        await socket.send_frame(auth, WSMsgType.TEXT)
    except (aiohttp.ClientError, OSError) as error:
        _unreachable(config, f"it hung up before the token was sent ({error})")
    answer = await _receive(socket, config, "its answer to the token")
    if answer.type == "auth_invalid":
        message = f"Home Assistant at {config.url} does not accept the token {config.token}: {answer.message}"
        raise UnauthorisedError(message, remedy=_LET_IN, link=config.profile)
    if answer.type != "auth_ok":
        _unreachable(config, f"it answers the token with {answer.type!r}")


async def _receive(socket: WebSocket, config: Config, what: str) -> _Message:
    try:
        async with asyncio.timeout(config.timeout):
            frame = await socket.receive()
    except TimeoutError:
        _unreachable(config, f"it has not sent {what} within {config.timeout:g} s")
    if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
        _unreachable(config, f"it hung up instead of sending {what}")
    try:
        return _decode(frame.data)
    except ERRORS:
        _unreachable(config, "it does not speak as Home Assistant does: check url", after=SLOWLY)


_LET_IN: Final = (
    "make a new long-lived access token in Home Assistant (your profile, Security; the user must be active and, from "
    "another network, not limited to the local one), give it as token of this adapter and reload"
)

_NOT_TRUSTED: Final = (
    "if login attempts failed before, this address is banned: remove it from ip_bans.yaml of Home Assistant and "
    "restart it; if a proxy stands between, let it pass websockets and list it under http: trusted_proxies"
)


def _refused(config: Config, status: int) -> NoReturn:
    """Raise what an HTTP status instead of a websocket means."""
    match status:
        case HTTPStatus.UNAUTHORIZED:
            message = f"Home Assistant at {config.url} or a proxy before it asks for a login (HTTP 401)"
            raise UnauthorisedError(message, remedy=_LET_IN, link=config.profile)
        case HTTPStatus.FORBIDDEN:
            message = f"Home Assistant at {config.url} answers HTTP 403: banned, or the proxy is not trusted"
            raise UnauthorisedError(message, remedy=_NOT_TRUSTED)
        case HTTPStatus.BAD_REQUEST:
            reason = "it answers HTTP 400: list your reverse proxy under http: trusted_proxies, or check url"
            _unreachable(config, reason, after=SLOWLY)
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            _unreachable(config, f"it or a proxy before it is not ready (HTTP {status})")
        case _:
            _unreachable(config, f"this is not a Home Assistant websocket (HTTP {status}): check url", after=SLOWLY)


def _not_connected(config: Config, error: Exception) -> NoReturn:
    """Raise why there is no connection."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            reason = (
                f"its certificate is not trusted ({error.certificate_error}): give ca_file, or a url that it is for"
            )
            _unreachable(config, reason, after=SLOWLY, cause=error)
        case aiohttp.ClientSSLError() | ssl.SSLError():
            _unreachable(config, f"TLS failed ({error}): does it really speak https there?", after=SLOWLY, cause=error)
        case aiohttp.ClientConnectorDNSError():
            _unreachable(config, "its name is not known to the name server", cause=error)
        case aiohttp.ClientConnectorError():
            _unreachable(config, error.strerror or str(error), cause=error)
        case _:
            _unreachable(config, str(error) or type(error).__name__, cause=error)


def _unreachable(config: Config, reason: str, *, after: float = 0.0, cause: Exception | None = None) -> NoReturn:
    message = f"Home Assistant at {config.url}: {reason}"
    raise DisconnectedError(message, after=after, within=SOON) from cause
