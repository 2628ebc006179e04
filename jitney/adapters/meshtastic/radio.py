"""What a radio says of itself and of the nodes that it knows, without anything secret."""

from msgspec import Struct


class Channel(Struct, frozen=True):
    """A channel in use. ``uplink``, ``downlink``: what the radio does with it and MQTT. Its key is left out."""

    index: int
    name: str
    role: str
    uplink: bool
    downlink: bool


class MqttModule(Struct, frozen=True):
    """How a radio uses MQTT itself; ``address`` is only the host. Its sign-in is left out."""

    enabled: bool = False
    address: str = ""
    root: str = ""
    encryption: bool = False
    json: bool = False
    tls: bool = False
    map_reporting: bool = False
    proxy: bool = False


class RadioInfo(Struct, frozen=True, kw_only=True):
    """A radio as it describes itself when a client comes."""

    number: int
    node_id: str
    long_name: str = ""
    short_name: str = ""
    hardware: str = ""
    firmware: str = ""
    role: str = ""
    region: str = ""
    modem_preset: str = ""
    hop_limit: int = 0
    tx_enabled: bool = True
    channels: tuple[Channel, ...] = ()
    mqtt: MqttModule = MqttModule()


class KnownPosition(Struct, frozen=True, kw_only=True):
    """Where a node was, in degrees and metres, at ``time`` in Unix seconds (0: not known).

    ``precision_bits`` below 32: blurred on purpose; 0: not told.
    """

    latitude: float
    longitude: float
    altitude: int | None = None
    time: int = 0
    precision_bits: int = 0


class KnownNode(Struct, frozen=True, kw_only=True):
    """A node in a radio's own database; ``last_heard`` in Unix seconds, 0 when never.

    ``snr`` in dB, of the last hop. ``battery`` in percent, 101 on mains. ``public_key`` is in base64. An empty
    ``long_name``: the radio does not know its names yet.
    """

    number: int
    node_id: str
    long_name: str = ""
    short_name: str = ""
    hardware: str = ""
    role: str = ""
    last_heard: int = 0
    snr: float | None = None
    hops: int | None = None
    battery: int | None = None
    voltage: float | None = None
    position: KnownPosition | None = None
    public_key: str = ""
    channel: int = 0
    via_mqtt: bool = False
    favourite: bool = False
    ignored: bool = False
    licensed: bool = False
    unmessagable: bool = False
