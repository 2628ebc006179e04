"""Sockets that systemd holds open and hands over (sd_listen_fds(3))."""

import os
import socket
from collections.abc import MutableMapping
from typing import Final

WEBHOOK: Final = "webhook"
"""``FileDescriptorName=`` of the port for HTTP."""

FIRST: Final = 3
"""The descriptor of the first one."""

_VARIABLES: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")


def handed_over(
    environ: MutableMapping[str, str], *, name: str = WEBHOOK, first: int = FIRST
) -> tuple[socket.socket, ...]:
    """Return the sockets of that name that systemd gave to this process, not blocking; what else it gave is closed.

    The variables that tell of them are removed from ``environ``, so that no child takes them for its own.
    """
    pid, number, names, _ = (environ.pop(variable, "") for variable in _VARIABLES)
    if pid != str(os.getpid()) or not number.isdecimal():
        return ()
    descriptors = range(first, first + int(number))
    called = [*names.split(":"), *[""] * len(descriptors)]
    found = []
    for descriptor, its_name in zip(descriptors, called, strict=False):
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - the name of the function says it
        listening = _listening(descriptor) if its_name == name else None
        if listening is None:
            os.close(descriptor)
        else:
            listening.setblocking(False)  # noqa: FBT003 - likewise
            found.append(listening)
    return tuple(found)


def _listening(descriptor: int) -> socket.socket | None:
    """Return a descriptor as a socket, None when nobody can connect to it."""
    try:
        one = socket.socket(fileno=descriptor)
    except OSError:
        return None
    if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return one
    one.detach()
    return None
