"""`jitney log`: watching the log of a running bus, and changing what it tells."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from jitney.daemon import log
from jitney.daemon.cli import main
from jitney.daemon.config.schema import BusSettings, Config
from tests.daemon.running import config, running
from tests.fakes.mosquitto import Broker
from tests.waiting import until


@pytest.fixture(autouse=True)
def unconfigured() -> Iterator[None]:
    log.reset()
    yield
    log.reset()


def with_level(broker: Broker, level: str) -> Config:
    return replace(config(broker.url), bus=msgspec.convert({"log_mqtt": level}, BusSettings))


async def called(*arguments: str) -> tuple[int, str, str]:
    """Run the command as a program of its own; returns its exit status, output and notes."""
    process = await program(*arguments)
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def program(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "jitney.daemon.cli",
        "log",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_a_level_is_changed_and_told(broker: Broker, tmp_path: Path) -> None:
    async with running(with_level(broker, "warning"), tmp_path) as daemon:
        await daemon.connected()
        log.configure("json", "info")
        status, _, notes = await called("--mqtt", broker.url, "--level", "debug", "--part", "broker", "--only-set")
        assert (status, notes) == (0, "broker writes from debug on for a time\n")
        assert daemon.app.parts.logbook._changed == {"broker": "debug"}


async def test_lines_are_shown_as_they_come(broker: Broker, tmp_path: Path) -> None:
    log.configure("json", "info")
    async with running(with_level(broker, "info"), tmp_path) as daemon:
        await daemon.connected()
        process = await program("--mqtt", broker.url)
        assert process.stdout is not None
        seen: asyncio.Queue[str] = asyncio.Queue()

        async def watch() -> None:
            async for line in process.stdout or ():
                seen.put_nowait(line.decode())

        watching = asyncio.create_task(watch(), name="watch")

        async def arrived() -> bool:
            log.get("app").warning("something", number=3)
            return not seen.empty()

        await until(arrived, seconds=30)
        process.terminate()
        await process.wait()
        await watching
    assert seen.get_nowait().split()[1:] == ["warning", "app", "something", "number=3"]


async def test_where_nothing_is_sent_the_remedy_is_said(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        status, _, notes = await called("--mqtt", broker.url)
    assert status == 1
    assert 'set log_mqtt = "info" in [bus]' in notes


async def test_an_unknown_part_is_refused_with_those_there_are(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        status, _, notes = await called("--mqtt", broker.url, "--level", "debug", "--part", "brokr")
    assert status == 1
    assert "there is no part 'brokr': known here are" in notes


def test_a_part_without_a_level_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "--mqtt", "mqtt://127.0.0.1:1", "--part", "broker"]) == 2
    assert "go with --level" in capsys.readouterr().err
