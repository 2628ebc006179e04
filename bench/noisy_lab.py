"""What makes the noise: an upstream that refuses a token, and clients that flood the broker."""

import asyncio
import os
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from bench.lab import REPOSITORY

PATIENCE: Final = 30.0


class Upstream:
    """An HTTP server that has no news, and says of those in ``bad`` that their token is broken."""

    def __init__(self) -> None:
        self.port = 0
        self.bad: set[str] = set()
        self._waiting: dict[str, set[asyncio.StreamWriter]] = defaultdict(set)
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answer until the end of this."""
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def refuse(self, owner: str) -> None:
        """Break the token of an owner."""
        self.bad.add(owner)
        for writer in self._waiting.pop(owner, ()):
            writer.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            owner = head.split(b" ")[1].strip(b"/").decode()
            if owner in self.bad:
                writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            else:
                self._waiting[owner].add(writer)
                writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
                await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()


@asynccontextmanager
async def flooding(port: int, floods: Iterable[tuple[str, float]]) -> AsyncIterator[None]:
    """Flood topics, each at a rate, from processes that give way to everybody else's."""
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.flood", str(port), str(rate), topic),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            cwd=REPOSITORY,
            preexec_fn=lambda: os.nice(10),
        )
        for topic, rate in floods
    ]
    try:
        yield
    finally:
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in processes:
            try:
                await asyncio.wait_for(process.wait(), PATIENCE)
            except TimeoutError:
                process.kill()
                await process.wait()


def install(folder: Path) -> None:
    """Make the adapters types that the daemon finds as it finds every third party's: by entry point."""
    about = folder / "jitney_bench_noisy-0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: jitney-bench-noisy\nVersion: 0\n", encoding="ascii")
    types = "".join(f"{name.lower()} = bench.noisy_feed:{name}\n" for name in ("Steady", "Hoard", "Broken"))
    (about / "entry_points.txt").write_text(f"[jitney.adapters]\n{types}", encoding="ascii")
