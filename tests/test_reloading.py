"""The file of the configuration is saved, and the running daemon follows it or says why not."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from tests.daemon.running import Observer, observing, payload
from tests.fakes.mosquitto import Broker

BASE = """
[mqtt]
url = "{url}"
[bus]
state_dir = "{state}"
[http]
listen = ""
[owners.alice]
[owners.bob]
[adapters.hers]
type = "demo"
owner = "alice"
"""

HIS = '[adapters.his]\ntype = "demo"\nowner = "bob"\n'


class House:
    """A running `jitney run` with its configuration file, and an observer at its broker."""

    def __init__(self, path: Path, base: str, observer: Observer, process: asyncio.subprocess.Process) -> None:
        self.path = path
        self.base = base
        self.observer = observer
        self.process = process

    def save(self, text: str) -> None:
        """Write the file as editors do: beside, then in its place."""
        beside = self.path.with_suffix(".new")
        beside.write_text(self.base + text)
        beside.replace(self.path)

    async def status(self, topic: str, state: str) -> None:
        """Wait until a status topic says a word; empty: until it is cleared."""

        def newest() -> bool:
            found = self.observer.on(topic)
            return bool(found) and (state.encode() in payload(found[-1]) if state else not payload(found[-1]))

        await self.observer.until(newest)

    async def refused(self) -> list[str]:
        """Wait until the daemon says why it does not take the file."""

        def newest() -> list[str]:
            found = self.observer.on("jitney/_bus/main/info")
            return list(msgspec.json.decode(payload(found[-1]))["refused"]) if found else []

        lines: list[str] = await self.observer.until(newest)
        return lines

    async def cli(self, *arguments: str) -> tuple[int, str, str]:
        """Run `jitney` with the same file."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "jitney.daemon.cli", *arguments, "-c", str(self.path)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, errors = await process.communicate()
        return process.returncode or 0, out.decode(), errors.decode()


@pytest.fixture
async def house(broker: Broker, tmp_path: Path) -> AsyncIterator[House]:
    async with at_home(broker, tmp_path) as found:
        yield found


@asynccontextmanager
async def at_home(broker: Broker, folder: Path) -> AsyncIterator[House]:
    path = folder / "config.toml"
    base = BASE.format(url=broker.url, state=folder / "state")
    path.write_text(base)
    async with observing(broker.port) as observer:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "jitney.daemon.cli", "run", "-c", str(path)),
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "JITNEY_TEST": "1"},
        )
        try:
            house = House(path, base, observer, process)
            await house.status("jitney/alice/status/hers", "online")
            yield house
        finally:
            if process.returncode is None:
                process.terminate()
            async with asyncio.timeout(20):
                await process.wait()


async def test_saving_the_file_is_enough(house: House) -> None:
    house.save(HIS)
    await house.status("jitney/bob/status/his", "online")
    house.save("")
    await house.status("jitney/bob/status/his", "")
    assert house.process.returncode is None


async def test_somebody_who_is_disabled_or_added_on_the_command_line_is_so_in_the_running_bus(house: House) -> None:
    house.save(HIS)
    await house.status("jitney/bob/status/his", "online")
    told = len(house.observer.on("jitney/bob/status/his"))
    code, out, errors = await house.cli("owners", "disable", "alice")
    assert (code, "+enabled = false" in out) == (0, True), errors
    await house.status("jitney/alice/status/hers", "alice is disabled")
    code, out, errors = await house.cli("owners", "enable", "alice")
    assert (code, "-enabled = false" in out) == (0, True), errors
    await house.status("jitney/alice/status/hers", "online")
    assert (await house.cli("owners", "add", "carol"))[0] == 0
    assert (await house.cli("reload"))[0] == 0
    await house.observer.publish("jitney/carol/inbox/desk/said", b"{}")
    await house.observer.message("jitney/carol/event/desk/said")
    assert len(house.observer.on("jitney/bob/status/his")) == told


async def test_a_wrong_file_changes_nothing_and_is_told_with_its_line(house: House) -> None:
    house.save(HIS + "nonsense = 1\n")
    (line,) = await house.refused()
    assert "adapters.his.nonsense: unknown key" in line
    assert f"{house.path}:" in line
    assert not house.observer.on("jitney/bob/status/his")
    house.save(HIS)
    await house.status("jitney/bob/status/his", "online")
    await house.observer.until(
        lambda: not msgspec.json.decode(payload(house.observer.on("jitney/_bus/main/info")[-1]))["refused"]
    )


async def test_sighup_reads_it_again(house: House) -> None:
    house.save(HIS)
    house.process.send_signal(signal.SIGHUP)
    await house.status("jitney/bob/status/his", "online")


async def test_the_command_line_shows_the_plan_does_it_and_says_what_is_wrong(house: House) -> None:
    code, out, errors = await house.cli("reload")
    assert (code, out, errors) == (0, "", "Nothing has changed.\n")
    house.path.write_text(house.base + HIS + '[routing]\nwebhooks = ["https://hooks.example.org/*"]\n')
    code, out, errors = await house.cli("reload", "--plan")
    planned = ["routing changed: webhooks", "adapters.his added", "adapter his: begins"]
    assert (code, out.splitlines()) == (0, planned) or not out
    code, out, errors = await house.cli("reload")
    assert code == 0
    await house.status("jitney/bob/status/his", "online")
    house.path.write_text(house.base + "[adapters.his]\n")
    code, out, errors = await house.cli("reload")
    assert code == 78
    assert "adapters.his.type: missing" in errors
    await house.refused()


async def test_the_request_tells_the_problems_of_the_file(house: House) -> None:
    house.save("[adapters.his]\n")
    await house.observer.publish("jitney/_bus/main/request/reload", b'{"transaction":"7"}')
    reply = msgspec.json.decode(payload(await house.observer.message("jitney/_bus/main/response/reload")))
    assert reply["error"]["code"] == "invalid_configuration"
    assert "adapters.his.type: missing" in reply["error"]["message"]


async def test_what_counts_from_the_next_start_on_is_said(house: House) -> None:
    house.path.write_text(house.base.replace("[bus]", '[bus]\ninstance = "attic"'))
    code, out, _ = await house.cli("reload", "--plan", "--instance", "main")
    assert code == 0
    assert "bus.instance: counts from the next start on" in out
