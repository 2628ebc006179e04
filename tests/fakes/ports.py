"""TCP ports for what must know its port before it listens on it, or keep it while it does not."""

import os
import socket
from itertools import count
from typing import Final

_HOST: Final = "127.0.0.1"
_FIRST: Final = 10_240
_NUMBER: Final = 22_000
_APART: Final = 1_021
_ports = count(os.getpid() * _APART)


def free_port() -> int:
    """Return a port of the loopback that nobody uses, and that nobody else is given soon.

    It is below those that Linux takes for a socket that may have any port (32768 and above), so that none of the
    tests that run at the same time gets it by chance; every process counts up from a place of its own.
    """
    for number in _ports:
        port = _FIRST + number % _NUMBER
        with socket.socket() as probe:
            try:
                probe.bind((_HOST, port))
            except OSError:
                continue
        return port
    raise AssertionError("the numbers have ended")
