"""A process that accepts actions and does them until somebody kills it: `python -m … FOLDER RUN`.

It prints the name of every action once that is accepted, and writes it into the file ``done`` when it is done.
"""

import asyncio
import os
import sys
import time
from itertools import count
from pathlib import Path

from jitney.daemon.routing.planned import Planned
from tests.daemon.routing.doing import command, name, performing, planned

DONE = "done"
ROUTES = 3


async def main(folder: Path, run: int) -> None:
    done = os.open(folder / DONE, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def write(one: Planned) -> None:
        os.write(done, f"{name(one)}\n".encode())

    async with performing(folder, clock=time.time) as stage:
        stage.player.before = write
        for number in count():
            wanted = [command(f"{run}/{number}/{part}") for part in range(2)]
            await stage.accept(planned(*wanted, route=f"r{number % ROUTES}", now=time.time()))
            sys.stdout.write(" ".join(one.command for one in wanted) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
