"""The kinds of events that come from a radio.

Nodes are named by their id (``!a1b2c3d4``), times are RFC 3339 in UTC, what a packet does not say is left out. Numbers
are SI units, angles in degrees, SNR in dB and RSSI in dBm, unless a kind says otherwise.
"""

from typing import ClassVar, Literal

from msgspec import Struct, field

from jitney.adapters.meshtastic.kinds_nodes import BatteryLow, KeyChanged, NodeNew, NodeSilent
from jitney.topics import EventData


class Heard(EventData, frozen=True, kw_only=True, omit_defaults=True):
    """What every packet says.

    ``node`` sent it ``to`` a node or ``broadcast``; ``packet_id`` is what a reply or reaction refers to. ``own``: the
    radio itself sent it. ``direct``: it is for this radio alone. ``hops`` between sender and radio, left out where the
    sender does not tell. ``snr`` and ``rssi`` describe the last hop; only ``first_hand`` they are the sender's.
    ``via_mqtt``: on its way it went over MQTT. Who sent a packet can be forged by anybody who has the channel's key.
    """

    node: str
    to: str
    packet_id: int
    own: bool = False
    direct: bool = False
    hops: int | None = None
    snr: float | None = None
    rssi: int | None = None
    first_hand: bool = False
    via_mqtt: bool = False


class Readable(Heard, frozen=True, kw_only=True, omit_defaults=True):
    """What every packet says whose content could be read.

    ``channel`` is its index. ``pki``: encrypted for the receiver alone, and the sender is proved by a key.
    ``request_id``: it answers the packet of that id.
    """

    channel: int
    pki: bool = False
    request_id: int = 0


class Message(Readable, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody wrote a text.

    The text is as it was sent, except that U+FFFD stands for control characters other than newline and tab, and for
    what is not UTF-8. ``reply_id`` is the packet that it answers. ``reaction``: the text is an emoji put to the packet
    ``reply_id``. ``name`` is what the sender's node calls itself, once it has told; anybody can choose any name.
    """

    type: ClassVar[str] = "meshtastic.message"
    private: ClassVar[bool] = True

    text: str
    name: str = ""
    reply_id: int = 0
    reaction: bool = False


class Position(Readable, frozen=True, kw_only=True, omit_defaults=True):
    """A node told where it is: degrees (WGS 84), ``altitude`` in metres above sea level, ``fixed`` the time of the fix.

    ``precision_bits`` below 32: deliberately blurred. ``accuracy`` is the radius in metres that follows from the blur
    or from what the receiver claims. ``ground_speed`` in m/s, ``ground_track`` in degrees from north, ``pdop`` the
    dilution of precision, ``location_source`` like ``LOC_INTERNAL`` or ``LOC_MANUAL``.
    """

    type: ClassVar[str] = "meshtastic.position"
    private: ClassVar[bool] = True

    latitude: float
    longitude: float
    altitude: int | None = None
    fixed: str = ""
    precision_bits: int = 0
    accuracy: float | None = None
    ground_speed: int | None = None
    ground_track: float | None = None
    satellites: int = 0
    pdop: float | None = None
    location_source: str = ""


class NodeInfo(Readable, frozen=True, kw_only=True, omit_defaults=True):
    """A node told its names, hardware, role, and the public key it says is its own (base64)."""

    type: ClassVar[str] = "meshtastic.node"

    long_name: str = ""
    short_name: str = ""
    hardware: str = ""
    role: str = "CLIENT"
    licensed: bool = False
    unmessagable: bool = False
    public_key: str = ""


TelemetryKind = Literal["device", "environment", "air_quality", "power", "local_stats", "health", "host", "traffic"]


class Telemetry(Readable, frozen=True, kw_only=True, omit_defaults=True):
    """A node told measurements: ``values`` by name, ``measured`` when; what is no finite number is left out.

    ``device``: battery_level %, voltage V, channel_utilization %, air_util_tx % (of the last hour), uptime_seconds.
    ``powered``: it is on mains, which nodes send as a battery_level of 101 and here is 100.
    ``environment``: temperature, soil_temperature and one_wire_temperature_1… °C, relative_humidity and soil_moisture
    %, barometric_pressure hPa, gas_resistance MΩ, iaq 0 to 500, lux, white_lux, ir_lux and uv_lux lx, wind_direction
    degrees, wind_speed, wind_gust and wind_lull m/s, rainfall_1h and rainfall_24h mm, distance mm, weight kg,
    radiation µR/h, voltage V, current mA.
    ``air_quality``: pm10_…, pm25_…, pm40_… and pm100_… µg/m³ (PM1.0 to PM10), particles_… per 0.1 l, co2 ppm,
    …_temperature °C, …_humidity %, form_formaldehyde ppb, pm_voc_idx, pm_nox_idx, particles_tps µm.
    ``power``: ch1_voltage … ch8_voltage V, ch1_current … ch8_current mA.
    ``local_stats``, since the node started: channel_utilization and air_util_tx %, noise_floor dBm, uptime_seconds,
    heap_…_bytes and num_… counts. ``health``: heart_bpm, sp_o2 %, temperature °C. ``host``, of a Linux node:
    uptime_seconds, freemem_bytes, diskfree1_bytes …, load1, load5 and load15 in hundredths. ``traffic``: counts.
    """

    type: ClassVar[str] = "meshtastic.telemetry"

    kind: TelemetryKind
    values: dict[str, int | float]
    measured: str = ""
    powered: bool = False


class Ack(Readable, frozen=True, kw_only=True, omit_defaults=True):
    """A node answered whether the packet ``request_id`` arrived; else ``error`` says why not, like ``NO_CHANNEL``.

    ``own`` and acknowledged: somebody passed the packet on, which does not mean that it arrived.
    """

    type: ClassVar[str] = "meshtastic.ack"

    acknowledged: bool
    error: str = ""


class Hop(Struct, frozen=True):
    """A node on a route, null when it did not say which, and how well (dB) it heard the one before, null as well."""

    node: str | None
    snr: float | None


class Traceroute(Readable, frozen=True, kw_only=True, omit_defaults=True):
    """The way between two nodes: from ``origin``, who asked, ``towards`` ``target``, and ``back`` where it is known.

    Each way lists who heard the packet in turn, the last one being its end. With a ``request_id`` it is the target's
    answer, else a question on its way.
    """

    type: ClassVar[str] = "meshtastic.traceroute"

    origin: str
    target: str
    towards: tuple[Hop, ...]
    back: tuple[Hop, ...] | None = None


class Neighbours(Readable, frozen=True, kw_only=True, omit_defaults=True):
    """A node told whom it hears itself and how well; ``of`` is that node, ``interval`` how often it tells (s)."""

    type: ClassVar[str] = "meshtastic.neighbours"

    of: str
    neighbours: tuple[Hop, ...]
    interval: int = 0


class Waypoint(Readable, frozen=True, kw_only=True, omit_defaults=True):
    """A place that somebody marked, changed or ``deleted``; ``locked_to`` is the one node that may change it."""

    type: ClassVar[str] = "meshtastic.waypoint"

    waypoint_id: int
    latitude: float | None = None
    longitude: float | None = None
    name: str = ""
    description: str = ""
    icon: str = ""
    expires: str = ""
    locked_to: str = ""
    deleted: bool = False


class Alert(Readable, frozen=True, kw_only=True, omit_defaults=True):
    """A node raised the alarm."""

    type: ClassVar[str] = "meshtastic.alert"

    text: str


class Detection(Readable, frozen=True, kw_only=True, omit_defaults=True):
    """The sensor of a node detected something: ``text`` as its owner configured it."""

    type: ClassVar[str] = "meshtastic.detection"

    text: str


class RangeTest(Readable, frozen=True, kw_only=True, omit_defaults=True):
    """A packet of a range test; ``text`` is usually its sequence number."""

    type: ClassVar[str] = "meshtastic.range_test"

    text: str


class StoreForward(Readable, frozen=True, kw_only=True, omit_defaults=True):
    """A store-and-forward router or its client spoke: ``message`` like ``ROUTER_TEXT_DIRECT`` or ``ROUTER_STATS``.

    ``text`` is a stored text passed on; ``values`` are numbers of its statistics, history or heartbeat, as sent.
    """

    type: ClassVar[str] = "meshtastic.store_forward"
    private: ClassVar[bool] = True

    message: str
    text: str = ""
    values: dict[str, int | float] = field(default_factory=dict)


class Paxcounter(Readable, frozen=True, kw_only=True, omit_defaults=True):
    """A node counted devices around it, which are roughly people; ``uptime`` in seconds."""

    type: ClassVar[str] = "meshtastic.paxcounter"

    wifi: int = 0
    ble: int = 0
    uptime: int = 0


class MapReport(Readable, frozen=True, kw_only=True, omit_defaults=True):
    """A node put itself on the public map; ``altitude`` in metres, ``online_nodes`` it hears."""

    type: ClassVar[str] = "meshtastic.map_report"

    long_name: str = ""
    short_name: str = ""
    role: str = "CLIENT"
    hardware: str = ""
    firmware: str = ""
    region: str = ""
    modem_preset: str = ""
    latitude: float | None = None
    longitude: float | None = None
    altitude: int | None = None
    precision_bits: int = 0
    online_nodes: int = 0


class Unknown(Readable, frozen=True, kw_only=True, omit_defaults=True):
    """A packet of another ``port``, or one that could not be understood; ``payload`` in base64, ``size`` in bytes.

    ``port`` is left out where only a name is known. The payload is left out where it may be a secret.
    """

    type: ClassVar[str] = "meshtastic.unknown"
    private: ClassVar[bool] = True

    port: int | None = None
    port_name: str
    size: int
    payload: str = ""


class Encrypted(Heard, frozen=True, kw_only=True, omit_defaults=True):
    """A packet for whose channel the radio has no key: ``channel_hash`` tells channels apart, ``size`` in bytes."""

    type: ClassVar[str] = "meshtastic.encrypted"

    channel_hash: int
    size: int


class Radio(EventData, frozen=True, kw_only=True, omit_defaults=True):
    """The link to a radio came, or went for a ``reason``; ``node`` is the radio's own."""

    type: ClassVar[str] = "meshtastic.radio"

    state: Literal["connected", "disconnected"]
    node: str
    reason: str = ""
    long_name: str = ""
    short_name: str = ""
    hardware: str = ""
    firmware: str = ""
    region: str = ""
    modem_preset: str = ""


class Notification(EventData, frozen=True, kw_only=True, omit_defaults=True):
    """The firmware of the radio says something, like that it refuses to send so often; ``level`` like ``WARNING``.

    ``request_id`` is the packet that it is about.
    """

    type: ClassVar[str] = "meshtastic.notification"

    level: str
    message: str
    request_id: int = 0


KINDS: tuple[type[EventData], ...] = (
    Message,
    Position,
    NodeInfo,
    Telemetry,
    Ack,
    Traceroute,
    Neighbours,
    Waypoint,
    Alert,
    Detection,
    RangeTest,
    StoreForward,
    Paxcounter,
    MapReport,
    Unknown,
    Encrypted,
    Radio,
    Notification,
    NodeNew,
    NodeSilent,
    BatteryLow,
    KeyChanged,
)
"""What a radio can tell; what becomes of what is sent is in ``kinds_sending``."""
