"""Faults in the code of adapters: each is told once with its traceback, counted always, and its end is told."""

import asyncio
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jitney.adapters.base import Context
from jitney.adapters.errors import DisconnectedError, UnauthorisedError
from jitney.daemon import log
from tests.daemon.running import Played, config, observing, running
from tests.fakes.mosquitto import Broker
from tests.waiting import until


@pytest.fixture(autouse=True)
def written() -> Iterator[StringIO]:
    log.reset()
    stream = StringIO()
    log.configure("json", "info", stream=stream)
    yield stream
    log.reset()


@pytest.fixture
def failing() -> Iterator[list[Exception]]:
    """Return what the next attempts end with; then the adapter is online."""
    errors: list[Exception] = []

    async def act(_: Played, ctx: Context) -> None:
        if errors:
            raise errors.pop(0)
        ctx.online()
        await asyncio.Event().wait()

    Played.act = act
    yield errors
    Played.act = None


def lines(written: StringIO, event: str) -> list[dict[str, Any]]:
    return [line for line in map(msgspec.json.decode, written.getvalue().splitlines()) if line["event"] == event]


async def test_an_adapter_that_crashes_again_is_told_once_with_its_traceback(
    broker: Broker, tmp_path: Path, written: StringIO, failing: list[Exception]
) -> None:
    failing += [ZeroDivisionError("at first"), ZeroDivisionError("again"), ZeroDivisionError("and again")]
    async with running(config(broker.url), tmp_path) as daemon:
        await until(lambda: daemon.app.parts.runners["played"].context.is_online)
        assert daemon.app.parts.health._counters.total("retries", adapter="played", reason="crashed") == 3
    (told,) = lines(written, "the adapter crashed: this is a fault in its code")
    assert told["level"] == "error"
    assert "ZeroDivisionError: at first" in told["exception"]
    assert lines(written, "online")[0]["failures"] >= 3


async def test_every_attempt_that_ends_is_counted_by_what_ended_it(
    broker: Broker, tmp_path: Path, failing: list[Exception]
) -> None:
    refused = UnauthorisedError("no longer", remedy="sign in")
    failing += [DisconnectedError("gone"), DisconnectedError("gone"), refused]
    async with running(config(broker.url), tmp_path) as daemon:
        await until(lambda: daemon.app.parts.runners["played"].context.is_online)
        counted = daemon.app.parts.health.detailed().adapters["played"].retries
    assert counted == {"disconnected": 2, "unauthorised": 1}


async def test_a_command_that_crashes_each_time_is_told_once_until_one_works(
    broker: Broker, tmp_path: Path, written: StringIO
) -> None:
    async with running(config(broker.url), tmp_path) as daemon, observing(broker.port) as observer:
        await daemon.connected()
        for number, name in enumerate(["crash", "crash", "echo", "crash"]):
            await observer.publish(f"jitney/alice/command/played/{name}", b'{"client":"c","transaction":"%d"}' % number)
            await observer.message(f"jitney/alice/reply/c/{number}")
    crashes = lines(written, "a command crashed its adapter's code")
    assert [line["level"] for line in crashes] == ["error", "error"]
    (again,) = lines(written, "commands work again")
    assert again["failures"] == 2
