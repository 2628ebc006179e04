"""What of a node decides how it is shown: its names and which values it has, but none of these values."""

from typing import Final

from msgspec import Struct

from jitney.adapters.meshtastic.addresses import node_id
from jitney.adapters.meshtastic.measurements import SENSORS
from jitney.adapters.meshtastic.node_record import Node
from jitney.adapters.meshtastic.node_state import subject

_OWN_VALUES: Final = tuple(path for path in SENSORS if "." not in path)


class Outline(Struct, frozen=True, kw_only=True):
    """A node as it is shown. ``measured`` are paths in its state. ``writable``: people read what is sent to it."""

    number: int
    name: str
    hardware: str = ""
    measured: frozenset[str] = frozenset()
    has_place: bool = False
    writable: bool = True

    @property
    def id(self) -> str:
        """The number as people write it."""
        return node_id(self.number)

    @property
    def subject(self) -> str:
        """The subject of its state, which is also the key of its device."""
        return subject(self.number)


def default_name(number: int) -> str:
    """Return how the firmware calls a node to which nobody has given a name."""
    return f"Meshtastic {number & 0xFFFF:04x}"


def outline(node: Node) -> Outline:
    """Return how a node is shown."""
    own = (path for path in _OWN_VALUES if getattr(node, path) is not None)
    further = (f"{kind}.{name}" for kind, values in node.metrics.items() for name in values)
    return Outline(
        number=node.number,
        name=node.long_name or node.short_name or default_name(node.number),
        hardware=node.hardware,
        measured=frozenset(path for path in (*own, *further) if path in SENSORS),
        has_place=node.place is not None,
        writable=not node.unmessagable,
    )
