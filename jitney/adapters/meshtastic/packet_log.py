"""The last packets of one radio, for whoever wants to look."""

from collections import deque
from typing import Final

from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import replace

from jitney.adapters.meshtastic.addresses import address, node_id
from jitney.adapters.meshtastic.heading import instant
from jitney.adapters.meshtastic.kinds import Traceroute
from jitney.adapters.meshtastic.packets import Packet
from jitney.topics import Event

MOST_RETURNED: Final = 1000


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A packet in the log; units are those of the events. ``type`` and ``data`` are its event's, where it had one.

    ``port`` is -1 for an encrypted packet, whose ``channel`` is a hash. ``arrived`` is when it came, ``time`` when the
    radio heard it. ``copy``: it had been heard before.
    """

    arrived: str
    time: str
    node: str
    to: str
    port: int
    port_name: str
    packet_id: int
    channel: int
    size: int
    hops: int | None = None
    snr: float | None = None
    rssi: int | None = None
    via_mqtt: bool = False
    pki: bool = False
    copy: bool = False
    type: str = ""
    data: Raw | UnsetType = UNSET


class _Kept(Struct, frozen=True):
    """What is kept of a packet: the bytes of its event are shared with the event."""

    owner: str
    packet: Packet
    size: int
    event: Event | None
    copy: bool


class PacketLog:
    """At most ``most`` packets of the radio of ``owner``; the oldest go first.

    Whoever owns an event sees it; the owner of the radio sees besides that there was a packet, but not what it said.
    """

    def __init__(self, owner: str, *, most: int = 500) -> None:
        self._owner = owner
        self._kept: deque[_Kept] = deque(maxlen=most)

    def __len__(self) -> int:
        return len(self._kept)

    def note(self, packet: Packet, *, owner: str, event: Event | None, copy: bool = False) -> None:
        """Keep a packet of an owner with its event, None where it had none."""
        slim = replace(packet, payload=b"", content=None)
        self._kept.append(_Kept(owner, slim, len(packet.payload), event, copy))

    def entries(
        self, viewer: str, *, node: int | None = None, port: int | None = None, since: float = 0.0, limit: int = 100
    ) -> list[Entry]:
        """Return the newest packets that ``viewer`` may see, at most ``limit``, the oldest of them first.

        Only from or to a ``node``, only of a ``port`` (-1: encrypted), only what arrived after ``since`` (Unix
        seconds), where given.
        """
        found: list[Entry] = []
        most = min(limit, MOST_RETURNED)
        for kept in reversed(self._kept):
            if len(found) >= most:
                break
            packet = kept.packet
            if (
                viewer in (kept.owner, self._owner)
                and (node is None or node in (packet.sender, packet.to))
                and (port is None or port == packet.port)
                and packet.arrived > since
            ):
                found.append(_entry(kept, whole=viewer == kept.owner))
        return found[::-1]

    def route(self, request_id: int, target: int) -> Raw | None:
        """Return what a node has answered to the traceroute of that packet id, None where that is not kept."""
        for kept in reversed(self._kept):
            packet, event = kept.packet, kept.event
            if packet.request_id == request_id and packet.sender == target and event and event.type == Traceroute.type:
                return event.data
        return None

    def forget(self, owner: str) -> None:
        """Remove the packets of an owner."""
        rest = [kept for kept in self._kept if kept.owner != owner]
        self._kept.clear()
        self._kept.extend(rest)


def _entry(kept: _Kept, *, whole: bool) -> Entry:
    packet, event = kept.packet, kept.event
    return Entry(
        arrived=instant(packet.arrived),
        time=instant(packet.time),
        node=node_id(packet.sender),
        to=address(packet.to),
        port=packet.port,
        port_name=packet.port_name,
        packet_id=packet.id,
        channel=packet.channel,
        size=kept.size,
        hops=packet.hops,
        snr=packet.snr,
        rssi=packet.rssi,
        via_mqtt=packet.via_mqtt,
        pki=packet.pki,
        copy=kept.copy,
        type=event.type if event is not None else "",
        data=event.data if event is not None and whole else UNSET,
    )
