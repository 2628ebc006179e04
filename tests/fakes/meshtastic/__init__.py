"""A Meshtastic radio on a real socket, with simulated nodes around it, built on the package's own protobufs."""

from tests.fakes.meshtastic.answers import DELIVERED, RELAYED, UNHEARD, Answer
from tests.fakes.meshtastic.client import Client, Handshake
from tests.fakes.meshtastic.limits import Violation
from tests.fakes.meshtastic.nodes import BROADCAST, Node
from tests.fakes.meshtastic.radio import Radio
from tests.fakes.meshtastic.settings import SECRETS, Settings

__all__ = [
    "BROADCAST",
    "DELIVERED",
    "RELAYED",
    "SECRETS",
    "UNHEARD",
    "Answer",
    "Client",
    "Handshake",
    "Node",
    "Radio",
    "Settings",
    "Violation",
]
