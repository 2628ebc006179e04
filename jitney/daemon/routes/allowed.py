"""Where webhooks may go: the list of the configuration, and no private address that is not on it."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import unquote

from msgspec import Struct

EXAMPLE: Final = "https://hooks.example.org/*"

LONGEST: Final = 2000
"""Characters of a URL."""

PORTS: Final = {"http": 80, "https": 443}

_PATTERN: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[^\s/:@?#\[\]\\]+)(?::(?P<port>[0-9]{1,5}))?(?P<path>/[^\s#]*)",
    re.IGNORECASE,
)
_HOST: Final = re.compile(r"(?:\*|(?:\*\.)?[^*]+)")
_MOST_STARS: Final = 4
_LAST_PORT: Final = 65_535
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
_HOME: Final = (".local", ".lan", ".home", ".internal", ".home.arpa", ".localhost")
"""Endings of names that mean something only inside a house (RFC 6762, RFC 8375, and habit)."""


class Pattern(Struct, frozen=True):
    """One entry: ``host`` may be ``*`` or begin with ``*.``, in ``path`` (with the query) ``*`` stands for any text."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """Return what a text of the configuration means; raises ValueError."""
        match = _PATTERN.fullmatch(text)
        port = int(match["port"] or PORTS[match["scheme"].lower()]) if match else 0
        host = match["host"].strip("[]").lower() if match else ""
        if match is None or not 0 < port <= _LAST_PORT or _HOST.fullmatch(host) is None or len(text) > LONGEST:
            message = f"expected an address such as {EXAMPLE}, with a path and without user or password"
            raise ValueError(message)
        if match["path"].count("*") > _MOST_STARS:
            message = f"expected at most {_MOST_STARS} times * in the path"
            raise ValueError(message)
        return cls(match["scheme"].lower(), _canonical(host), port, match["path"])

    @property
    def names_host(self) -> bool:
        """Whether it names one host."""
        return "*" not in self.host


class AllowList:
    """What the configuration allows; nothing when it names nothing."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._patterns = tuple((one, _compiled(one.host), _compiled(one.path)) for one in patterns)
        self._named = {(one.host, one.port) for one, *_ in self._patterns if one.names_host}

    def permits(self, scheme: str, host: str, port: int, *, path: str | None) -> bool:
        """Tell whether a URL is on the list, by its parts; ``path`` is as it is sent, with the query.

        Without a path, whether one with some path is.
        """
        host = _canonical(host.lower())
        return (path is None or not _climbs(path)) and any(
            one.scheme == scheme
            and one.port == port
            and hosts.fullmatch(host)
            and (path is None or paths.fullmatch(path))
            for one, hosts, paths in self._patterns
        )

    def reaches(self, host: str, port: int, address: str) -> bool:
        """Tell whether a host may lead to an IP address.

        To any public one. To another one only if the list names that, or names the host and it is one of the house:
        a name that everybody can register must not lead into it.
        """
        if is_public(address) or (_canonical(address), port) in self._named:
            return True
        host = host.lower()
        return ("." not in host or host.endswith(_HOME)) and (host, port) in self._named


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the whole world: not of this machine, this house or a provider's inside."""
    try:
        ip: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _TRANSLATED else None)
        if inner is not None:
            ip = inner
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _canonical(host: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        return host


def _climbs(path: str) -> bool:
    """Tell whether a path leads out of where it seems to be."""
    plain = unquote(path.partition("?")[0]).replace("\\", "/")
    return any(step in (".", "..") for step in plain.split("/"))


def _compiled(glob: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, glob.split("*"))), re.DOTALL)
