"""The process of a Python file, started with clean hands: no secret in its environment, no file but its own."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from jitney.daemon.scripts.link import LARGEST

WORKER: Final = "jitney.daemon.scripts.worker"

GENTLE: Final = 1.0
"""Seconds that a process has to end by itself, before it is killed."""

LAST_WORDS: Final = 0.5
"""Seconds in which what a process has written before its end is read."""

_PASSED_ON: Final = frozenset({"HOME", "LANG", "LANGUAGE", "PATH", "PYTHONPATH", "TZ"})


class Process:
    """A running process, from ``start`` on, with everything that it starts itself."""

    def __init__(self, child: asyncio.subprocess.Process, life: int) -> None:
        self._child = child
        self._life = life
        self._killing: asyncio.TimerHandle | None = None

    @property
    def status(self) -> int | None:
        """How it has ended: its exit status, or the negative number of a signal; None while it runs."""
        return self._child.returncode

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        if self._child.returncode is None:
            with suppress(ProcessLookupError):
                self._child.send_signal(number)

    def kill(self) -> None:
        """Kill it, and what it has started."""
        if self._child.returncode is None:
            self._signal(signal.SIGKILL)

    def end(self) -> None:
        """Let it end by itself, and kill it if it does not."""
        if self._child.returncode is None and self._killing is None:
            self._signal(signal.SIGTERM)
            self._killing = asyncio.get_running_loop().call_later(GENTLE, self.kill)

    async def ended(self) -> None:
        """Wait until it has ended, and kill what it has started."""
        try:
            await self._child.wait()
        finally:
            self._signal(signal.SIGKILL)
            if self._killing is not None:
                self._killing.cancel()
            os.close(self._life)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, number)


class Started:
    """A process and the ways to it."""

    def __init__(
        self,
        process: Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        output: asyncio.ReadTransport,
    ) -> None:
        self.process = process
        self.reader = reader
        self.writer = writer
        self.output = output


async def start(printed: Callable[[], asyncio.Protocol], *, environ: Mapping[str, str], folder: Path) -> Started:
    """Start a process in a folder; what it writes goes to ``printed``. Raises OSError."""
    with ExitStack() as stack:
        ours, theirs = (stack.enter_context(end) for end in socket.socketpair())
        life, out = _Pipe(stack), _Pipe(stack)
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", WORKER, str(theirs.fileno()), str(life.read)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out.write,
            stderr=out.write,
            pass_fds=(theirs.fileno(), life.read),
            start_new_session=True,
            env=clean(environ),
            cwd=folder,
        )
        process = Process(child, life.take_write())
        output: asyncio.ReadTransport | None = None
        try:
            output, _ = await asyncio.get_running_loop().connect_read_pipe(printed, os.fdopen(out.take_read(), "rb", 0))
            reader, writer = await asyncio.open_unix_connection(sock=ours.dup(), limit=LARGEST)
        except BaseException:
            if output is not None:
                output.close()
            process.kill()
            await process.ended()
            raise
    return Started(process, reader, writer, output=output)


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what of the environment a process gets: where programs and modules are, language, time zone."""
    passed = {name: value for name, value in environ.items() if name in _PASSED_ON or name.startswith("LC_")}
    if "PYTHONPATH" in passed:
        passed["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, passed["PYTHONPATH"].split(os.pathsep)))
    return passed


class _Pipe:
    """A pipe whose ends are closed with a stack, unless they were taken."""

    def __init__(self, stack: ExitStack) -> None:
        self.read, self.write = os.pipe()
        self._open = {self.read, self.write}
        stack.callback(self._close)

    def take_read(self) -> int:
        self._open.discard(self.read)
        return self.read

    def take_write(self) -> int:
        self._open.discard(self.write)
        return self.write

    def _close(self) -> None:
        for end in self._open:
            os.close(end)
