"""The kinds of events about a node that no packet of it says."""

from typing import ClassVar

from jitney.topics import EventData


class NodeNew(EventData, frozen=True, kw_only=True, omit_defaults=True):
    """A node was heard that neither the radio nor the bus knew; its names are often known only later."""

    type: ClassVar[str] = "meshtastic.node_new"

    node: str
    long_name: str = ""
    short_name: str = ""
    hops: int | None = None
    snr: float | None = None
    via_mqtt: bool = False


class NodeSilent(EventData, frozen=True, kw_only=True, omit_defaults=True):
    """A node has not been heard for ``hours``, while the radio was listening. Told once, until it is heard again."""

    type: ClassVar[str] = "meshtastic.node_silent"

    node: str
    hours: float
    last_heard: str
    long_name: str = ""
    short_name: str = ""


class BatteryLow(EventData, frozen=True, kw_only=True, omit_defaults=True):
    """A node's battery fell to ``battery_level`` % or below the limit. Told once, until it has recovered."""

    type: ClassVar[str] = "meshtastic.battery_low"

    node: str
    battery_level: int
    limit: int
    voltage: float | None = None
    long_name: str = ""
    short_name: str = ""


class KeyChanged(EventData, frozen=True, kw_only=True, omit_defaults=True):
    """A node shows another public key (base64) than before: it was reset, or somebody pretends to be it.

    ``proved``: whoever sent this has the new key; else it is only what a packet claims.
    """

    type: ClassVar[str] = "meshtastic.key_changed"

    node: str
    public_key: str
    before: str
    proved: bool = False
    long_name: str = ""
    short_name: str = ""
