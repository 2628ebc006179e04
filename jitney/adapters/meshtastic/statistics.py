"""What a radio hears, counted by port, and how much of the air is taken: the state ``statistics``."""

import time
from collections import Counter
from typing import Final

from msgspec import Struct

from jitney.adapters.base import Clock, Context
from jitney.adapters.meshtastic import kinds
from jitney.adapters.meshtastic.heading import instant
from jitney.adapters.meshtastic.packets import Packet
from jitney.adapters.meshtastic.retained import Retained
from jitney.adapters.meshtastic.rolling import Rolling
from jitney.topics import EventData

SUBJECT: Final = "statistics"

EVERY: Final = 30.0
"""Seconds between two states."""

OTHER: Final = "other"
"""Counts together the ports beyond the ``MOST_PORTS`` first."""

MOST_PORTS: Final = 64


class Count(Struct, frozen=True):
    """How many packets since the bus began to listen, in the last hour and in the last minute."""

    total: int
    hour: int
    minute: int


class StatisticsState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The retained value ``statistics`` of a radio, since the bus began to listen to it, ``since`` as RFC 3339.

    ``packets`` are all, ``ports`` those of each port by its name, ``ENCRYPTED`` what could not be read. ``duplicates``
    had been heard before, ``via_mqtt`` had come over MQTT on their way, ``unreadable`` were none at all. ``nodes`` are
    known, ``nodes_online`` of them were heard in the last two hours. ``waiting`` packets are to be sent.
    ``channel_utilization`` (% of the time in which the channel is busy) and ``air_util_tx`` (% of the last hour in
    which it sent) are what the radio itself measured last.
    """

    since: str
    packets: Count
    ports: dict[str, Count]
    duplicates: int
    via_mqtt: int
    unreadable: int
    nodes: int
    nodes_online: int
    waiting: int
    channel_utilization: float | None = None
    air_util_tx: float | None = None


class Statistics:
    """Counts for one radio, ``since`` when in Unix seconds."""

    def __init__(self, ctx: Context, *, since: float, clock: Clock = time.monotonic) -> None:
        self.nodes = 0
        """How many nodes are known; told by who knows, as the next two are."""
        self.nodes_online = 0
        self.waiting = 0
        self.channel_utilization: float | None = None
        """How busy the channel is in percent, None while the radio has not said."""
        self.air_util_tx: float | None = None
        """How much of the last hour the radio sent in percent, None while it has not said."""
        self._clock = clock
        self._since = since
        self._all = Rolling()
        self._ports: dict[str, Rolling] = {}
        self._counts: Counter[str] = Counter()
        self._state = Retained(ctx, SUBJECT, every=EVERY)

    def heard(self, packet: Packet, data: EventData | None, *, own: bool, first: bool = True) -> None:
        """Count a packet; ``own``: the radio itself sent it, ``first``: it had not been heard before."""
        now = self._clock()
        self._all.add(now)
        self._port(packet.port_name).add(now)
        if not first:
            self._counts["duplicates"] += 1
        if packet.via_mqtt:
            self._counts["via_mqtt"] += 1
        if own and isinstance(data, kinds.Telemetry):
            self.channel_utilization = data.values.get("channel_utilization", self.channel_utilization)
            self.air_util_tx = data.values.get("air_util_tx", self.air_util_tx)

    def unreadable(self) -> None:
        """Count what was no packet."""
        self._counts["unreadable"] += 1

    def publish(self) -> None:
        """Publish the counts, at most every half minute and only when they changed."""
        now = self._clock()
        if self._state.is_due(now):
            self._state.put(self.state(), now)

    def state(self) -> StatisticsState:
        """Return the counts as they are now."""
        now = self._clock()
        return StatisticsState(
            since=instant(self._since),
            packets=_count(self._all, now),
            ports={name: _count(port, now) for name, port in sorted(self._ports.items())},
            duplicates=self._counts["duplicates"],
            via_mqtt=self._counts["via_mqtt"],
            unreadable=self._counts["unreadable"],
            nodes=self.nodes,
            nodes_online=self.nodes_online,
            waiting=self.waiting,
            channel_utilization=self.channel_utilization,
            air_util_tx=self.air_util_tx,
        )

    def _port(self, name: str) -> Rolling:
        found = self._ports.get(name)
        if found is None:
            found = self._ports.setdefault(name if len(self._ports) < MOST_PORTS else OTHER, Rolling())
        return found


def _count(rolling: Rolling, now: float) -> Count:
    return Count(rolling.total, rolling.hour(now), rolling.minute(now))
