"""How a radio and MQTT get on, as far as that can be seen from here: the state ``mqtt``.

The radio has no status for its connection to a broker. What it is configured to do, and whether packets are seen that
came that way, is all there is.
"""

import time
from typing import Final, Literal

from msgspec import Struct

from jitney.adapters.base import Clock, Context
from jitney.adapters.meshtastic.heading import instant
from jitney.adapters.meshtastic.packets import Packet
from jitney.adapters.meshtastic.radio import Channel, RadioInfo
from jitney.adapters.meshtastic.retained import Retained
from jitney.adapters.meshtastic.rolling import Rolling

SUBJECT: Final = "mqtt"

EVERY: Final = 30.0
"""Seconds between two states."""

Health = Literal["off", "no_channel", "no_traffic", "traffic"]


class Traffic(Struct, frozen=True, omit_defaults=True):
    """Packets since the bus began to listen and in the last hour, and when the last one came, as RFC 3339."""

    total: int
    hour: int
    last: str = ""


class UplinkState(Struct, frozen=True, kw_only=True):
    """The retained value ``mqtt`` of a radio.

    ``health``: ``off`` the module is not enabled; ``no_channel`` no channel is passed on in either direction;
    ``no_traffic`` in the last hour nothing was seen of it; ``traffic`` something was. ``address`` is the broker's host.
    ``received`` came to this radio from its broker, ``via_mqtt`` had been on MQTT anywhere on their way, ``proxied``
    passed between the radio and its broker through this connection.
    """

    health: Health
    enabled: bool
    address: str
    root: str
    encryption: bool
    json: bool
    tls: bool
    map_reporting: bool
    proxy: bool
    channels: tuple[Channel, ...]
    received: Traffic
    via_mqtt: Traffic
    proxied: Traffic


class _Seen:
    """Packets of one sort."""

    def __init__(self) -> None:
        self._rolling = Rolling()
        self._last: float | None = None

    def add(self, now: float, at: float) -> None:
        self._rolling.add(now)
        self._last = at

    def traffic(self, now: float) -> Traffic:
        return Traffic(self._rolling.total, self._rolling.hour(now), instant(self._last))


class Uplink:
    """Watches the MQTT of one radio."""

    def __init__(self, ctx: Context, info: RadioInfo, *, clock: Clock = time.monotonic) -> None:
        self._info = info
        self._clock = clock
        self._received = _Seen()
        self._via_mqtt = _Seen()
        self._proxied = _Seen()
        self._state = Retained(ctx, SUBJECT, every=EVERY)

    def heard(self, packet: Packet) -> None:
        """Look at a packet."""
        if packet.via_mqtt:
            self._via_mqtt.add(self._clock(), packet.arrived)
        if packet.over_mqtt:
            self._received.add(self._clock(), packet.arrived)

    def proxied(self, at: float) -> None:
        """Note a message between the radio and its broker that passed through here at ``at`` (Unix seconds)."""
        self._proxied.add(self._clock(), at)

    def publish(self) -> None:
        """Publish what was seen, at most every half minute and only when it changed."""
        now = self._clock()
        if self._state.is_due(now):
            self._state.put(self.state(), now)

    def state(self) -> UplinkState:
        """Return what is known now."""
        now = self._clock()
        mqtt = self._info.mqtt
        received, via_mqtt, proxied = (seen.traffic(now) for seen in (self._received, self._via_mqtt, self._proxied))
        return UplinkState(
            health=self._health(seen=received.hour + via_mqtt.hour + proxied.hour > 0),
            enabled=mqtt.enabled,
            address=mqtt.address,
            root=mqtt.root,
            encryption=mqtt.encryption,
            json=mqtt.json,
            tls=mqtt.tls,
            map_reporting=mqtt.map_reporting,
            proxy=mqtt.proxy,
            channels=self._info.channels,
            received=received,
            via_mqtt=via_mqtt,
            proxied=proxied,
        )

    def _health(self, *, seen: bool) -> Health:
        if not self._info.mqtt.enabled:
            return "off"
        if not any(channel.uplink or channel.downlink for channel in self._info.channels):
            return "no_channel"
        return "traffic" if seen else "no_traffic"
