"""What keeps a process from outlasting the bus, and from taking the machine with it."""

import faulthandler
import fcntl
import os
import resource
import select
import signal
import sys
from contextlib import suppress
from typing import Final

NICER: Final = 5
"""How far behind the bus it stands when both want the processor."""

FIRST_TO_GO: Final = "500"
"""How early the kernel ends it when memory runs out, from -1000 to 1000; the bus has 0."""

TELL: Final = signal.SIGUSR1
"""Lets it write what it is doing to its standard error, whatever that is."""


def protect(socket: int, life: int, *, megabytes: int) -> None:
    """End with the bus, have so much memory, and tell what it is doing when asked.

    The kernel kills the process and everything that it has started when the other end of the pipe ``life`` is closed,
    which needs nobody's help: neither a handler that blocks nor one that catches signals can prevent it.
    """
    fcntl.fcntl(life, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)
    poll = select.poll()
    poll.register(life, 0)
    if poll.poll(0):
        os._exit(0)
    _limit(megabytes << 20)
    faulthandler.register(TELL, all_threads=False)
    os.register_at_fork(after_in_child=lambda: _cut_off(socket))
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr] # nobody has replaced it yet


def _limit(memory: int) -> None:
    """Take so many bytes of memory at most, and stand behind the bus, as far as the service is allowed to say so."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    with suppress(OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (memory if most < 0 else min(memory, most),) * 2)
    with suppress(OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        os.nice(NICER)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123 - pathlib takes a megabyte
        score.write(FIRST_TO_GO)


def _cut_off(socket: int) -> None:
    """Take the way to the bus from a process that was forked: two that speak at once are understood by nobody."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, socket)
    os.close(nothing)
