"""A bus that lets the function `tick` of the file FOLDER/source answer an event, until somebody kills it."""

import asyncio
import sys
from pathlib import Path

from tests.daemon.scripts.hosting import hosting


async def main(folder: Path) -> None:
    source = (folder / "source").read_text(encoding="utf-8")
    async with hosting(folder, source, seconds=600.0) as hosted:
        await hosted.run("tick")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
