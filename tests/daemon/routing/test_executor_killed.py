"""kill -9 between the acceptance of an event and its action: the action still runs."""

import asyncio
import sys
import time
from pathlib import Path

import pytest

from tests.daemon.routing.doing import performing
from tests.daemon.routing.done_until_killed import DONE, ROUTES
from tests.waiting import DEADLINE, until

REPOSITORY = Path(__file__).parents[3]


MODULE = "tests.daemon.routing.done_until_killed"


async def accepted_by_child(folder: Path, run: int, *, least: int) -> list[str]:
    """Return the names of what a child has accepted until it was killed."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", MODULE, str(folder), str(run), cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    lines: list[bytes] = []
    async with asyncio.timeout(DEADLINE):
        while len(lines) < least:
            lines.append(await child.stdout.readline())
        child.kill()
        rest = await child.stdout.read()
        await child.wait()
    return b"".join([*lines, rest]).decode().split()


@pytest.mark.parametrize("least", [1, 40])
async def test_what_was_accepted_before_a_kill_is_done_at_least_once_and_in_order(
    tmp_path: Path, *, least: int
) -> None:
    accepted = [name for run in range(3) for name in await accepted_by_child(tmp_path, run, least=least)]
    async with performing(tmp_path, clock=time.time) as stage:

        async def nothing_left() -> bool:
            return await stage.rows() == []

        await until(nothing_left)
        assert await stage.rows("dead") == []
        done = [*(tmp_path / DONE).read_text().split(), *stage.player.names()]
    assert set(accepted) <= set(done)
    places = [tuple(map(int, name.split("/"))) for name in dict.fromkeys(done)]
    for route in range(ROUTES):
        of_route = [place for place in places if place[1] % ROUTES == route]
        assert of_route == sorted(of_route)
