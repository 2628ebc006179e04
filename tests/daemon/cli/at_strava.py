"""A daemon with the real Strava adapter at a fake Strava, and `jitney` in a shell or at a terminal beside it."""

import asyncio
import codecs
import os
import pty
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from jitney.daemon import log
from jitney.daemon.cli import main
from jitney.daemon.cli.desk import Desk
from jitney.daemon.config.load import load
from tests.daemon.running import Daemon, running
from tests.fakes.mosquitto import Broker
from tests.fakes.strava import App, Athlete, FakeStrava
from tests.waiting import DEADLINE, until

PUBLIC = "https://jitney.example"
SECRET = "canary-4be1c07d52"

_CONFIG = """
[mqtt]
url = "{broker}"
topic_root = "{root}"
protocol = "{protocol}"
[http]
listen = "{listen}"
public_url = "{public_url}"
{owners}
[adapters.strava]
type = "strava"
api_url = "{api_url}"
oauth_url = "{oauth_url}"
write = {write}
apps.main = {{ client_id = "100", client_secret = "{secret}" }}
"""


class Terminal:
    """A program at a terminal: what it shows, and what a person types."""

    def __init__(self, process: asyncio.subprocess.Process, line: int) -> None:
        self.process = process
        self.shown = ""
        self._line = line
        self._news = asyncio.Event()
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        asyncio.get_running_loop().add_reader(line, self._take)

    def type(self, text: str) -> None:
        os.write(self._line, text.encode())

    async def until(self, text: str) -> str:
        """Wait until a text is shown and return all that was."""
        try:
            async with asyncio.timeout(DEADLINE):
                while text not in self.shown:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{text!r} is not shown, but {self.shown!r}") from None
        return self.shown

    async def link(self) -> str:
        """Wait until the link to Strava is shown and return it."""
        shown = await self.until("Ctrl-C ends the waiting")
        return next(line for line in shown.splitlines() if line.startswith("http"))

    async def ended(self) -> int:
        """Wait until the program has ended and return its status."""
        async with asyncio.timeout(DEADLINE):
            return await self.process.wait()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._line)

    def _take(self) -> None:
        try:
            chunk = os.read(self._line, 4096)
        except OSError:  # the other end is closed
            chunk = b""
        if not chunk:
            self.close()
        self.shown = (self.shown + self._decode(chunk)).replace("\r\n", "\n")
        self._news.set()


@asynccontextmanager
async def terminal(*arguments: str) -> AsyncIterator[Terminal]:
    """Run `jitney` at a terminal."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jitney.daemon.cli", *arguments),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = Terminal(process, ours)
    try:
        yield shown
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        shown.close()
        os.close(ours)


class House:
    """The daemon of a household, its configuration as a file, and the Strava that it talks to."""

    def __init__(self, daemon: Daemon, strava: FakeStrava, app: App, *, path: Path) -> None:
        self.daemon = daemon
        self.strava = strava
        self.app = app
        self.path = path

    @property
    def port(self) -> int:
        """The port of the daemon's pages."""
        return self.daemon.app.parts.doors.port

    async def run(self, *arguments: str) -> int:
        """Run `jitney` with this configuration where nobody sits at a terminal."""
        return await asyncio.to_thread(main, [*arguments, "-c", str(self.path)])

    @asynccontextmanager
    async def at_terminal(self, *arguments: str) -> AsyncIterator[Terminal]:
        """Run `jitney` with this configuration at a terminal."""
        async with terminal(*arguments, "-c", str(self.path)) as shown:
            yield shown

    async def link(self, owner: str) -> str:
        """Return a link with which an owner signs in."""
        desk = Desk(load(self.path, environ={}), named="", seconds=DEADLINE)
        return (await desk.link(owner, local=False, take_over=False)).link

    async def connect(self, owner: str, number: int, **consent: Any) -> Athlete:  # noqa: ANN401
        """Let an owner sign in with a browser as a new athlete."""
        athlete = self.strava.athlete(number, firstname=owner.title())
        landing = await self.strava.consent(await self.link(owner), athlete, **consent)
        assert landing.status == 200
        return athlete

    def states(self, owner: str) -> set[str]:
        """Return the subjects that the bus retains of an owner."""
        lines = self.daemon.app.parts.ledger.lines
        return {
            topic.rpartition("/")[2] for topic, line in lines.items() if f"/{owner}/state/" in topic and line.payload
        }


class AtHome(Protocol):
    """Run a daemon with other owners, with a public address, with other words in its configuration."""

    def __call__(
        self, *, owners: tuple[str, ...] = ("alice", "bob"), public: bool = False, **words: str
    ) -> AbstractAsyncContextManager[House]: ...


@asynccontextmanager
async def household(
    strava: FakeStrava,
    broker: Broker,
    folder: Path,
    *,
    owners: tuple[str, ...] = ("alice", "bob"),
    public: bool = False,
    **words: str,
) -> AsyncIterator[House]:
    """Run a daemon whose state lies in a folder; ``words`` are more of its configuration."""
    app = strava.world.apps.get("100") or strava.app("100", SECRET)
    path = folder / "config.toml"
    people = "".join(f'[owners.{owner}]\nname = "{owner.title()}"\n' for owner in owners)
    defaults = {"root": "jitney", "protocol": "auto", "listen": "127.0.0.1:0", "write": "false"}
    path.write_text(
        _CONFIG.format_map(
            {
                **defaults,
                **words,
                "broker": broker.url,
                "public_url": PUBLIC if public else "",
                "owners": people,
                "api_url": strava.api_url,
                "oauth_url": strava.oauth_url,
                "secret": SECRET,
            }
        )
    )
    path.chmod(0o600)
    log.configure("console", "warning")
    async with running(load(path, environ={}), folder / "state") as daemon:
        strava.lead(PUBLIC, f"http://127.0.0.1:{daemon.app.parts.doors.port}")
        await daemon.connected()
        await until(lambda: daemon.app.parts.runners["strava"].context.is_online)
        yield House(daemon, strava, app, path=path)
