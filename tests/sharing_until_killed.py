"""A daemon that accepts events of alice, who shows them to bob, until it is killed: `python -m … URL FOLDER FIRST`.

The number of every event is a line of its output once that is accepted.
"""

import asyncio
import sys
from itertools import count
from pathlib import Path

from jitney.adapters.base import Context
from jitney.daemon.routes.settings import GrantSettings
from tests.daemon.running import Played, config, running, tick

GRANT = GrantSettings(from_="alice", to="bob", kinds="played.*")


async def main(url: str, folder: Path, first: int) -> None:
    async def emit(_: Played, ctx: Context) -> None:
        ctx.online()
        for number in count(first):
            await ctx.emit(tick(number))
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()

    Played.act = emit
    async with running(config(url, durable=True, grants=(GRANT,)), folder):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
