"""The way to a broker by its URL: TCP, TLS, unix socket or websocket."""

import asyncio
import socket
import ssl
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from jitney.adapters.errors import MisconfiguredError
from jitney.daemon.broker.session import BrokerRefusedError, BrokerUnreachableError, ConnectOptions

PORTS: Final = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
"""The port of each scheme where the URL names none."""

_WEBSOCKET_PATH = "/mqtt"
_IPV6_FIRST_SECONDS = 0.25


class Endpoint(Struct, frozen=True):
    """Where a broker listens. ``path`` is that of a unix socket or of a websocket, else empty."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def place(self) -> str:
        """The URL for a person, complete and without anything secret."""
        if self.scheme == "unix":
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path.partition('?')[0]}"

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken there."""
        return self.scheme in ("mqtts", "wss")

    @property
    def websocket(self) -> bool:
        """Whether MQTT is spoken through a websocket there."""
        return self.scheme in ("ws", "wss")


def endpoint(url: str) -> Endpoint:
    """Take the URL of a broker apart. Raises MisconfiguredError when it is not one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _wrong(str(error)) from None
    if parts.scheme == "unix":
        if parts.netloc or not parts.path.startswith("/"):
            raise _wrong("a unix socket is written with three slashes: unix:///run/mosquitto/mosquitto.sock")
        return Endpoint("unix", "", 0, parts.path)
    if parts.scheme not in PORTS:
        raise _wrong(f"expected mqtt://, mqtts://, unix://, ws:// or wss://, got {parts.scheme or 'no scheme'!r}")
    if not parts.hostname:
        raise _wrong(f"it names no host: {parts.scheme}://localhost")
    if "@" in parts.netloc:
        raise _wrong("user name and password are not part of it: set [mqtt] username and password")
    path = ""
    if parts.scheme in ("ws", "wss"):
        path = (parts.path or _WEBSOCKET_PATH) + (f"?{parts.query}" if parts.query else "")
    elif parts.path not in ("", "/"):
        raise _wrong(f"{parts.scheme}:// takes no path, got {parts.path!r}")
    return Endpoint(parts.scheme, parts.hostname, port or PORTS[parts.scheme], path)


async def open_transport(options: ConnectOptions, protocol: asyncio.Protocol) -> None:
    """Connect ``protocol`` to the broker. Raises BrokerUnreachableError, or BrokerRefusedError for a TLS file."""
    target = endpoint(options.url)
    try:
        async with asyncio.timeout(options.timeout):
            await _open(options, target, protocol)
    except TimeoutError:
        message = (
            f"{target.place} did not take the connection within {options.timeout:g} s: "
            "is the host up, and does no firewall stand between?"
        )
        raise BrokerUnreachableError(message) from None
    except OSError as error:
        raise unreachable(target, error) from error


async def tls_context(options: ConnectOptions, target: Endpoint) -> ssl.SSLContext | None:
    """Return what TLS needs, None where it is not spoken. Raises BrokerRefusedError for a file that does not fit."""
    return await asyncio.to_thread(_tls_context, options) if target.secure else None


def unreachable(target: Endpoint, error: OSError) -> BrokerUnreachableError:
    """Say in words what a failed connection means and what to look at."""
    match error:
        case ssl.SSLCertVerificationError():
            text = f"has a certificate that is not trusted ({error.verify_message}): check [mqtt] ca_file and the name"
        case ssl.SSLError():
            text = f"failed in TLS ({error.reason}): does this port speak TLS, and does it want a [mqtt] cert_file?"
        case ConnectionRefusedError() | FileNotFoundError():
            text = "is not there: is the broker running, and is [mqtt] url right?"
        case socket.gaierror():
            text = f"has a name that nobody knows ({error.strerror}): check [mqtt] url and the DNS"
        case PermissionError():
            text = f"may not be opened by this user ({error.strerror}): check the rights of the socket"
        case ConnectionError():
            hint = "does this port speak TLS?" if target.secure else "the broker's log may say why"
            text = f"cut the connection ({error}): {hint}"
        case _:
            text = f"cannot be reached ({error}): is the broker running, and is [mqtt] url right?"
    return BrokerUnreachableError(f"{target.place} {text}")


async def _open(options: ConnectOptions, target: Endpoint, protocol: asyncio.Protocol) -> None:
    loop = asyncio.get_running_loop()
    if target.scheme == "unix":
        await loop.create_unix_connection(lambda: protocol, target.path)
        return
    context = await tls_context(options, target)
    if target.websocket:
        from jitney.daemon.broker.websocket import open_websocket  # noqa: PLC0415 - aiohttp costs 280 ms to import

        await open_websocket(target, context, protocol)
        return
    await loop.create_connection(
        lambda: protocol, target.host, target.port, ssl=context, happy_eyeballs_delay=_IPV6_FIRST_SECONDS
    )


def _tls_context(options: ConnectOptions) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.ca_file or None)
    except OSError as error:
        raise _unusable("ca_file", options.ca_file, error) from error
    if options.cert_file:
        try:
            # Without a password OpenSSL would ask for one on the terminal.
            context.load_cert_chain(options.cert_file, options.key_file or None, password="")
        except OSError as error:
            raise _unusable("cert_file or key_file", options.cert_file, error) from error
    return context


def _unusable(key: str, path: str, error: OSError) -> BrokerRefusedError:
    reason = error.strerror or str(error)
    return BrokerRefusedError(f"[mqtt] {key}: {path} cannot be used for TLS: {reason}")


def _wrong(reason: str) -> MisconfiguredError:
    return MisconfiguredError(f"[mqtt] url: {reason}")
