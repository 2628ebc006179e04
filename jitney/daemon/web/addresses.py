"""Who asks: the address of whoever is at the other end, also behind a proxy that is trusted."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from multidict import MultiMapping

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

HERE: Final = IPv4Address("127.0.0.1")
"""Whoever comes through a Unix socket is on this machine."""

FORWARDED: Final = "X-Forwarded-For"

PROXIES: Final = ("Forwarded", FORWARDED, "X-Real-IP", "Via")
"""The headers by which a request shows that it came through a proxy."""

MOST_HOPS: Final = 16
"""Addresses of X-Forwarded-For that are looked at, the last ones first."""

_HOME: Final = 64
"""The length of an IPv6 prefix within which one person can choose addresses as they like."""


class Addresses:
    """Finds out who asks. ``proxies`` are believed what they say of others; ``near`` may see what names people."""

    def __init__(self, *, proxies: Iterable[str] = (), near: Iterable[str] = ()) -> None:
        self._proxies = networks(proxies)
        self._near = networks(near)

    def is_proxy(self, peer: Address) -> bool:
        """Tell whether an address is that of a proxy that is trusted."""
        return _inside(peer, self._proxies)

    def client(self, peer: Address, headers: MultiMapping[str]) -> Address:
        """Return who asks: what the nearest trusted proxies say, else the peer itself."""
        if not self.is_proxy(peer):
            return peer
        found = peer
        hops = ",".join(headers.getall(FORWARDED, [])).split(",")
        for hop in reversed(hops[-MOST_HOPS:]):
            address = parsed(hop)
            if address is None:
                break
            found = address
            if not self.is_proxy(address):
                break
        return found

    def may_see(self, peer: Address, headers: MultiMapping[str]) -> bool:
        """Tell whether who asks may see what names people: who is near, and comes through no proxy or a trusted one.

        That somebody behind a proxy were on this machine is believed of nobody.
        """
        if not any(name in headers for name in PROXIES):
            return _inside(peer, self._near)
        client = self.client(peer, headers)
        return client != peer and not client.is_loopback and _inside(client, self._near)


def parsed(text: str) -> Address | None:
    """Return the address that a proxy or a socket names, with or without a port; None for what is none."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def of_peer(peer: object) -> Address:
    """Return the address of what a transport names as its peer."""
    host = peer[0] if isinstance(peer, tuple) and peer else ""
    return parsed(str(host)) or HERE


def house(address: Address) -> Address:
    """Return the address under which a client is counted: of IPv6 its /64, which belongs to one of them."""
    if isinstance(address, IPv4Address):
        return address
    return IPv6Address(int(address) >> _HOME << _HOME)


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return addresses and networks as networks; raises ValueError for what is none."""
    return tuple(ip_network(text, strict=False) for text in texts)


def _inside(address: Address, known: Iterable[Network]) -> bool:
    return any(address in network for network in known)
