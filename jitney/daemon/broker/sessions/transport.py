"""The way to a broker by its URL: TCP, TLS, unix socket or websocket."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from jitney.adapters.errors import MisconfiguredError
from jitney.daemon.broker.session import BrokerRefusedError, BrokerUnreachableError, ConnectOptions

PORTS: Final = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443, "unix": 0}
"""The port of each scheme where the URL names none."""

_WEBSOCKET: Final = ("ws", "wss")
_WEBSOCKET_PATH: Final = "/mqtt"
_IPV6_FIRST_SECONDS: Final = 0.25

_ALERT_SECONDS: Final = 3.0
"""How long a broker is listened to that may have something against our certificate."""

_NAME_MISMATCH: Final = frozenset({62, 64})
_NOT_YET, _EXPIRED = 9, 10
"""What OpenSSL calls X509_V_ERR_HOSTNAME_MISMATCH, IP_ADDRESS_MISMATCH, CERT_NOT_YET_VALID and CERT_HAS_EXPIRED."""

_OURS: Final = {
    "CERTIFICATE_REQUIRED": "wants a certificate of ours: set [mqtt] cert_file and key_file",
    "HANDSHAKE_FAILURE": "does not shake hands: it may want a certificate of ours, [mqtt] cert_file and key_file",
    "CERTIFICATE_EXPIRED": "says that our certificate has expired: have a new one made for [mqtt] cert_file",
    "CERTIFICATE_REVOKED": "says that our certificate was revoked: have a new one made for [mqtt] cert_file",
    "UNKNOWN_CA": "does not know who has signed our certificate: [mqtt] cert_file has to be signed by one it trusts",
    "CERTIFICATE": "does not accept our certificate: is [mqtt] cert_file the one that was made for it?",
}
"""What a broker means by the alert that ends a handshake (RFC 8446, 6.2); the first word that fits counts."""


class Endpoint(Struct, frozen=True):
    """Where a broker listens. ``path`` is that of a unix socket or of a websocket, else empty."""

    scheme: str
    host: str
    port: int
    path: str
    query: str = ""

    @property
    def place(self) -> str:
        """The URL for a person, complete and without anything secret."""
        if self.scheme == "unix":
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken there."""
        return self.scheme in ("mqtts", "wss")

    @property
    def websocket(self) -> bool:
        """Whether MQTT is spoken through a websocket there."""
        return self.scheme in _WEBSOCKET


def endpoint(url: str) -> Endpoint:
    """Take the URL of a broker apart. Raises MisconfiguredError when it is not one."""
    try:
        parts = urlsplit(url)
        port = parts.port
        problem = _problem(parts)
    except ValueError as error:
        port, problem = None, str(error)
    if problem:
        message = f"[mqtt] url: {problem}"
        raise MisconfiguredError(message)
    path = parts.path if parts.scheme == "unix" else ""
    if parts.scheme in _WEBSOCKET:
        path = parts.path or _WEBSOCKET_PATH
    return Endpoint(parts.scheme, parts.hostname or "", port or PORTS[parts.scheme], path, parts.query)


async def open_transport(options: ConnectOptions, protocol: asyncio.BufferedProtocol) -> None:
    """Connect ``protocol`` to the broker. Raises BrokerUnreachableError, or BrokerRefusedError for a TLS file."""
    target = endpoint(options.url)
    async with reaching(target, options.timeout):
        await _open(options, target, protocol)


@asynccontextmanager
async def reaching(target: Endpoint, seconds: float) -> AsyncIterator[None]:
    """Bound what connects to ``target``, and raise BrokerUnreachableError with words for a person when it fails."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        message = (
            f"{target.place} did not take the connection within {seconds:g} s: "
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
            text = f"has a certificate that is not trusted ({error.verify_message}): {_untrusted(error.verify_code)}"
        case ssl.SSLError() if ours := next((text for word, text in _OURS.items() if _alert(error, word)), ""):
            text = ours
        case ssl.SSLError():
            text = f"failed in TLS ({error}): does this port speak TLS, and does it want a [mqtt] cert_file?"
        case ConnectionRefusedError() | FileNotFoundError():
            text = "is not there: is the broker running, and is [mqtt] url right?"
        case socket.gaierror():
            text = f"has a name that nobody knows ({error.strerror}): check [mqtt] url and the DNS"
        case PermissionError():
            text = f"may not be opened by this user ({error.strerror}): check the rights of the socket"
        case ConnectionError():
            text = f"cut the connection ({error}): {_hint(target)}"
        case _:
            text = f"cannot be reached ({error}): is the broker running, and is [mqtt] url right?"
    return BrokerUnreachableError(f"{target.place} {text}")


async def alerted(options: ConnectOptions) -> BrokerUnreachableError | None:
    """Return what a broker has against our certificate, None for nothing or where no TLS is spoken.

    With TLS 1.3 it says so after the handshake, and whoever has sent something by then may never read it: so this
    connects, and listens. Raises BrokerRefusedError for a file that does not fit.
    """
    target = endpoint(options.url)
    context = await tls_context(options, target)
    return await asyncio.to_thread(_listen, target, context) if context is not None else None


def _listen(target: Endpoint, context: ssl.SSLContext) -> BrokerUnreachableError | None:
    try:
        with (
            socket.create_connection((target.host, target.port), timeout=_ALERT_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=target.host) as secure,
        ):
            secure.recv(1)
    except TimeoutError:
        return None
    except ssl.SSLError as error:
        return unreachable(target, error)
    except OSError:
        return None
    return None


def _alert(error: ssl.SSLError, word: str) -> bool:
    return f"ALERT_{word}" in str(error) or f"ALERT_BAD_{word}" in str(error)


def _untrusted(code: int) -> str:
    if code in _NAME_MISMATCH:
        return "use a name in [mqtt] url for which it was made"
    if code == _EXPIRED:
        return "have the broker's renewed, and see that the clock of this machine is right"
    if code == _NOT_YET:
        return "see that the clock of this machine is right"
    return "give who has signed it as [mqtt] ca_file"


async def _open(options: ConnectOptions, target: Endpoint, protocol: asyncio.BufferedProtocol) -> None:
    loop = asyncio.get_running_loop()
    if target.scheme == "unix":
        await loop.create_unix_connection(lambda: protocol, target.path)
        return
    context = await tls_context(options, target)
    if target.websocket:
        from jitney.daemon.broker.sessions.websocket import open_websocket  # noqa: PLC0415 - aiohttp costs 280 ms to import

        await open_websocket(target, context, protocol)
        return
    # The race of addresses loses a connected socket when it is cancelled (CPython 3.11): none is held for one address.
    delay = None if _is_address(target.host) else _IPV6_FIRST_SECONDS
    await loop.create_connection(lambda: protocol, target.host, target.port, ssl=context, happy_eyeballs_delay=delay)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _tls_context(options: ConnectOptions) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.ca_file or None)
    except OSError as error:
        raise _unusable(key="ca_file", path=options.ca_file, error=error) from error
    if options.cert_file:
        try:
            # Without a password OpenSSL would ask for one on the terminal.
            context.load_cert_chain(options.cert_file, options.key_file or None, password="")
        except OSError as error:
            raise _unusable(key="cert_file and key_file", path=options.cert_file, error=error) from error
    return context


def _unusable(*, key: str, path: str, error: OSError) -> BrokerRefusedError:
    return BrokerRefusedError(f"[mqtt] {key}: {path} cannot be used for TLS: {error.strerror or error}")


def _hint(target: Endpoint) -> str:
    if target.websocket:
        return "is this port its websocket listener, and is the path in [mqtt] url right?"
    return "does this port speak TLS?" if target.secure else "the broker's log may say why"


def _problem(parts: SplitResult) -> str:
    """Return what is wrong with the URL of a broker, nothing when all is well."""
    if parts.scheme not in PORTS:
        return f"expected mqtt://, mqtts://, unix://, ws:// or wss://, got {parts.scheme or 'no scheme'}"
    if parts.scheme == "unix":
        whole = not parts.netloc and parts.path.startswith("/")
        return "" if whole else "a unix socket has three slashes: unix:///run/mosquitto/mosquitto.sock"
    if not parts.hostname:
        return f"it names no host: {parts.scheme}://localhost"
    if "@" in parts.netloc:
        return "user name and password do not belong here: set [mqtt] username and password"
    if parts.scheme not in _WEBSOCKET and parts.path not in ("", "/"):
        return f"{parts.scheme}:// takes no path, got {parts.path}"
    return ""
