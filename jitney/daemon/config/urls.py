"""What is wrong with a URL or an address of the configuration, in words; empty when nothing is."""

from collections.abc import Sequence
from importlib.util import find_spec
from ipaddress import ip_network
from typing import Final
from urllib.parse import SplitResult, urlsplit

from jitney.daemon.config.words import got

TLS: Final = ("mqtts", "wss")
"""The schemes of brokers that are reached with TLS."""

_BROKERS: Final = ("mqtt", "mqtts", "ws", "wss")
_EMBEDDED: Final = "embedded:"
_SOCKET: Final = "unix:///run/mosquitto/mosquitto.sock"


def broker_fault(url: str) -> str:
    """Return what is wrong with the URL of a broker."""
    if url == _EMBEDDED:
        missing = find_spec("amqtt") is None
        return "the embedded broker is not installed: pip install 'jitney[embedded]'" if missing else ""
    parts = _split(url)
    if parts is not None and parts.scheme == "unix":
        return "" if parts.path.startswith("/") and not parts.netloc else f"expected {_SOCKET}, got {got(url)}"
    if parts is not None and parts.scheme in ("mqtt", "mqtts") and parts.path not in ("", "/") and parts.hostname:
        return f"{parts.scheme}:// takes no path, got {got(url)}"
    return _fault(url, parts, schemes=_BROKERS, example=f"mqtt://localhost:1883, {_SOCKET} or {_EMBEDDED}")


def web_fault(url: str) -> str:
    """Return what is wrong with the URL of a web site."""
    return _fault(url, _split(url), schemes=("http", "https"), example="https://bus.example.org")


def address_fault(address: str) -> str:
    """Return what is wrong with an address to listen on."""
    parts = _split("//" + address)
    if parts is None or parts.port is None or not parts.hostname or parts.netloc != address or "@" in address:
        return f"expected an address and a port such as 127.0.0.1:8077 or [::1]:8077, got {got(address)}"
    return ""


def network_fault(text: str) -> str:
    """Return what is wrong with an address or a network."""
    try:
        ip_network(text, strict=False)
    except ValueError:
        return f"expected an address or a network such as 192.168.1.10, 192.168.1.0/24 or ::1, got {got(text)}"
    return ""


def scheme(url: str) -> str:
    """Return the scheme of a URL, empty when it is none."""
    parts = _split(url)
    return "" if parts is None else parts.scheme


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL; None for what is none, or has a port that is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if url.isprintable() and " " not in url else None


def _fault(url: str, parts: SplitResult | None, *, schemes: Sequence[str], example: str) -> str:
    if parts is not None and parts.hostname and "@" in parts.netloc:
        return "user and password do not belong into the URL: give them as settings of their own, or leave them out"
    if parts is None or parts.scheme not in schemes or not parts.hostname or parts.port == 0:
        return f"expected a URL such as {example}, got {got(url)}"
    return ""
