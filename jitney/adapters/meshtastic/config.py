"""What can be configured: one radio, who may control it, and which nodes of the mesh are an owner's."""

import re
from collections.abc import Iterator
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from jitney.adapters.meshtastic.addresses import node_number
from jitney.adapters.meshtastic.limits import Limits

Action = Literal["get_device_config", "set_owner", "set_mqtt", "reboot", "shutdown", "factory_reset", "*"]
"""What an owner can be allowed to do with the radio itself; ``*`` is all of it but ``factory_reset``."""

TCP_PORT: Final = 4403
EXPECTED: Final = "tcp://HOST, serial:///dev/ttyUSB0 or ble://AA:BB:CC:DD:EE:FF"

_DEVICE: Final = re.compile(r"/dev/[\w.:@+,/-]+")
_BLUETOOTH: Final = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


OWN: Final = "own"
FAVOURITES: Final = "favourites"


class Tcp(Struct, frozen=True):
    """A radio on the network."""

    host: str
    port: int = TCP_PORT

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == TCP_PORT else f"{host}:{self.port}"


class Serial(Struct, frozen=True):
    """A radio on a cable, ``path`` is its device."""

    path: str

    def __str__(self) -> str:
        return self.path


class Ble(Struct, frozen=True):
    """A radio on Bluetooth."""

    address: str

    def __str__(self) -> str:
        return self.address


Endpoint = Tcp | Serial | Ble


def endpoint(connection: str) -> Endpoint:
    """Return where a radio is; raises ValueError for a text that does not say it."""
    scheme, _, address = connection.partition("://")
    if scheme == "ble" and _BLUETOOTH.fullmatch(address):
        return Ble(address)
    if scheme == "serial" and _DEVICE.fullmatch(address):
        return Serial(address)
    try:
        parts = urlsplit(connection)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"expected {EXPECTED}, got {connection!r} ({error})") from None
    plain = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username)
    if scheme == "tcp" and plain and host and port != 0:
        return Tcp(host, TCP_PORT if port is None else port)
    raise ValueError(f"expected {EXPECTED}, got {connection!r}")


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One radio.

    ``connection`` is where it is: ``tcp://HOST``, ``serial:///dev/ttyUSB0`` or ``ble://AA:BB:CC:DD:EE:FF``. ``allow``
    says by owner what they may do with the radio itself: get_device_config, set_owner, set_mqtt, reboot, shutdown,
    factory_reset, or ``*`` for all of these but factory_reset, which must be named. ``limits`` are those of sending.

    ``timeout`` is in seconds for each step of connecting, ``heartbeat`` in seconds between two signs of life that are
    asked of the radio: after two without one it counts as gone. ``queue`` is how many packets may wait for the bus.

    A node is silent when nothing was heard of it for ``silent_after`` hours (0: never), its battery is low at
    ``low_battery`` percent. ``nodes`` are kept at most in the node database, ``packets`` in the log.

    Home Assistant is shown the nodes in ``show``: ``own`` are those that people named as theirs, ``favourites`` those
    of the radio, all others are named by their ids.
    """

    connection: Annotated[str, Meta(extra={"expects": EXPECTED})]
    allow: dict[str, tuple[Action, ...] | Literal["*"]] = {}
    limits: Limits = field(default_factory=Limits)
    timeout: Annotated[float, Meta(gt=0, le=600)] = 30.0
    heartbeat: Annotated[float, Meta(gt=0, le=45)] = 30.0
    queue: Annotated[int, Meta(ge=10, le=100_000)] = 2000
    silent_after: Annotated[float, Meta(ge=0, le=8760)] = 24.0
    low_battery: Annotated[int, Meta(ge=0, le=100)] = 20
    nodes: Annotated[int, Meta(ge=10, le=10_000)] = 500
    packets: Annotated[int, Meta(ge=0, le=10_000)] = 500
    show: tuple[str, ...] = (OWN,)

    def __post_init__(self) -> None:
        for word in self.show:
            if word not in (OWN, FAVOURITES) and node_number(word) is None:
                message = f'show: expected "{OWN}", "{FAVOURITES}" or the id of a node like "!a1b2c3d4", got "{word}"'
                raise ValueError(message)
        try:
            endpoint(self.connection)
        except ValueError as error:
            message = f"connection: {error}"
            raise ValueError(message) from None

    @property
    def endpoint(self) -> Endpoint:
        """Where the radio is."""
        return endpoint(self.connection)

    def claims(self) -> Iterator[str]:
        """Yield the place of the radio, which takes only one client."""
        place = str(self.endpoint)
        yield place if isinstance(self.endpoint, Serial) else place.lower()

    def people(self) -> Iterator[tuple[str, str]]:
        """Yield whom the keys name."""
        for owner in self.allow:
            yield "allow", owner

    def allows(self, owner: str, action: str) -> bool:
        """Tell whether an owner may do something with the radio itself."""
        allowed = self.allow.get(owner, ())
        return action in allowed or ("*" in allowed and action != "factory_reset")


class Identity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who an owner is on the mesh: ``nodes`` are theirs, each as ``!a1b2c3d4``."""

    nodes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for node in self.nodes:
            if node_number(node) is None:
                message = f'nodes: expected the id of a node like "!a1b2c3d4", got "{node}"'
                raise ValueError(message)

    def claims(self) -> Iterator[str]:
        """Yield what only one owner can be, in one spelling."""
        for node in self.nodes:
            yield f"!{node_number(node):08x}"

    @staticmethod
    def claimed_as(external_id: str) -> str:
        """Return the key of an external id: the id of a node; empty for anything else."""
        return "nodes" if external_id.startswith("!") and node_number(external_id) is not None else ""
