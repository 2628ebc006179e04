"""A process of a Python file does not outlast the bus, whatever it is doing and however the bus ends."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.daemon.scripts.hosting import running
from tests.waiting import DEADLINE, until

REPOSITORY = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "body",
    [
        "time.sleep(1000)",
        "\n    while True: pass",
        "re.match('(a+)+$', 'a' * 60 + 'b')",
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64)); time.sleep(1000)",
        "os.close(1); os.close(2); os.closerange(3, 6); time.sleep(1000)",
        "pass",
        "n = os.fork() or time.sleep(1000)",
        "os.fork() or time.sleep(1000); time.sleep(1000)",
    ],
)
async def test_when_the_bus_is_killed_so_is_all_that_it_has_started(tmp_path: Path, body: str) -> None:
    pids = tmp_path / "pids"
    source = f"""
import os, re, signal, time
async def tick(event, bus):
    os.register_at_fork(after_in_child=note)
    note()
    {body}
def note():
    with open({str(pids)!r}, "a") as file: print(os.getpid(), file=file)
"""
    (tmp_path / "source").write_text(source, encoding="utf-8")
    bus = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.daemon.scripts.hosting_until_killed", str(tmp_path), cwd=REPOSITORY
    )
    expected = 1 + body.count("fork")

    def noted() -> list[int]:
        return [int(line) for line in pids.read_text().split()] if pids.exists() else []

    try:
        await until(lambda: len(noted()) == expected)
        assert all(map(running, noted()))
    finally:
        bus.kill()
    async with asyncio.timeout(DEADLINE):
        await bus.wait()
    await until(lambda: not any(map(running, noted())))
