"""Port numbers: what kind of content a packet has (specification: meshtastic/protobufs, portnums.proto)."""

from enum import IntEnum
from typing import Final


class Port(IntEnum):
    """The ports that have a name."""

    UNKNOWN_APP = 0
    TEXT_MESSAGE_APP = 1
    REMOTE_HARDWARE_APP = 2
    POSITION_APP = 3
    NODEINFO_APP = 4
    ROUTING_APP = 5
    ADMIN_APP = 6
    TEXT_MESSAGE_COMPRESSED_APP = 7
    WAYPOINT_APP = 8
    AUDIO_APP = 9
    DETECTION_SENSOR_APP = 10
    ALERT_APP = 11
    KEY_VERIFICATION_APP = 12
    REMOTE_SHELL_APP = 13
    REPLY_APP = 32
    IP_TUNNEL_APP = 33
    PAXCOUNTER_APP = 34
    STORE_FORWARD_PLUSPLUS_APP = 35
    NODE_STATUS_APP = 36
    SERIAL_APP = 64
    STORE_FORWARD_APP = 65
    RANGE_TEST_APP = 66
    TELEMETRY_APP = 67
    ZPS_APP = 68
    SIMULATOR_APP = 69
    TRACEROUTE_APP = 70
    NEIGHBORINFO_APP = 71
    ATAK_PLUGIN = 72
    MAP_REPORT_APP = 73
    POWERSTRESS_APP = 74
    LORAWAN_BRIDGE = 75
    RETICULUM_TUNNEL_APP = 76
    CAYENNE_APP = 77
    ATAK_PLUGIN_V2 = 78
    GROUPALARM_APP = 112
    PRIVATE_APP = 256
    ATAK_FORWARDER = 257
    MAX = 511


NO_PORT: Final = -1
"""The port of a packet whose content is encrypted, and of a name that this list does not know."""

ENCRYPTED: Final = "ENCRYPTED"
"""Stands for the port's name where there is none to be read."""

_NUMBERS: Final = {port.name: int(port) for port in Port}
_NAMES: Final = {number: name for name, number in _NUMBERS.items()}
_SUFFIX: Final = "_APP"


def port_number(name: str) -> int:
    """Return the number of a port's name, ``NO_PORT`` for a name that is not known."""
    return _NUMBERS.get(name, NO_PORT)


def port_name(number: int) -> str:
    """Return the name of a port, its number in digits when it has none."""
    return _NAMES.get(number) or str(number)


def find_port(text: str) -> int | None:
    """Return the port that a person means: ``text_message``, ``TEXT_MESSAGE_APP`` or ``1``; None for no port."""
    word = text.strip().upper()
    if word.isascii() and word.isdecimal():
        number = int(word) if len(word) <= len(str(int(Port.MAX))) else NO_PORT
        return number if 0 <= number <= Port.MAX else None
    number = _NUMBERS.get(word, _NUMBERS.get(word + _SUFFIX, NO_PORT))
    return None if number == NO_PORT else number
