"""Ways through the mesh: what a traceroute found, and who hears whom."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from jitney.adapters.meshtastic.addresses import BROADCAST, address, node_id
from jitney.adapters.meshtastic.kinds import Hop
from jitney.adapters.meshtastic.packets import I32, U32, Packet

_UNKNOWN: Final = -128
_QUARTERS: Final = 4
_FARTHEST: Final = 1000.0


class Traced(Struct, frozen=True):
    """A way from ``origin``, who asked, towards ``target``, and back where that is known."""

    origin: str
    target: str
    towards: tuple[Hop, ...]
    back: tuple[Hop, ...] | None


class Neighbourhood(Struct, frozen=True):
    """Whom the node ``of`` hears, and every how many seconds it tells."""

    of: str
    neighbours: tuple[Hop, ...]
    interval: int


class _Discovery(Struct, frozen=True, rename="camel", gc=False):
    route: tuple[U32, ...] = ()
    snr_towards: tuple[I32, ...] = ()
    route_back: tuple[U32, ...] = ()
    snr_back: tuple[I32, ...] = ()


class _Neighbour(Struct, frozen=True, rename="camel", gc=False):
    node_id: U32 = 0
    snr: float | str = 0.0


class _Neighbours(Struct, frozen=True, rename="camel", gc=False):
    node_id: U32 = 0
    node_broadcast_interval_secs: U32 = 0
    neighbors: tuple[_Neighbour, ...] = ()


def traced(packet: Packet) -> Traced | None:
    """Return the way that a traceroute's question or answer came, None unless every hop is in it.

    Every node adds itself to the route, one that cannot say who it is the address of all, and how well it heard the
    one before. The end adds only the latter, so a complete way has one SNR more than nodes between. Raises
    msgspec.ValidationError.
    """
    found = msgspec.convert(packet.content, _Discovery)
    origin, target = packet.sender, packet.to
    if packet.request_id:
        origin, target = target, origin
    towards = _way(found.route, found.snr_towards, target)
    if towards is None:
        return None
    back = _way(found.route_back, found.snr_back, origin) if packet.request_id else None
    return Traced(address(origin), address(target), towards, back)


def neighbourhood(packet: Packet) -> Neighbourhood:
    """Return whom a node hears; raises msgspec.ValidationError."""
    found = msgspec.convert(packet.content, _Neighbours)
    return Neighbourhood(
        of=node_id(found.node_id or packet.sender),
        neighbours=tuple(Hop(node_id(one.node_id), _decibels(one.snr)) for one in found.neighbors if one.node_id),
        interval=found.node_broadcast_interval_secs,
    )


def _way(between: Sequence[int], quarters: Sequence[int], end: int) -> tuple[Hop, ...] | None:
    if len(quarters) != len(between) + 1:
        return None
    nodes = (*between, end)
    return tuple(
        Hop(None if node == BROADCAST else node_id(node), None if snr == _UNKNOWN else snr / _QUARTERS)
        for node, snr in zip(nodes, quarters, strict=True)
    )


def _decibels(snr: float | str) -> float | None:
    return snr if isinstance(snr, float) and abs(snr) < _FARTHEST else None
