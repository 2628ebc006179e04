"""What the guide to adapters adds to its adapter works: `jitney doctor` and Home Assistant take it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any

import pytest

from jitney.adapters.base import Examination, Found
from tests.daemon.discovery.announcing import announced, place
from tests.documents import REPOSITORY, blocks
from tests.waiting import until


@pytest.fixture
def doorbell() -> Iterator[ModuleType]:
    module = ModuleType("doorbell_of_the_guide")
    sys.modules[module.__name__] = module
    for block in blocks(REPOSITORY / "docs" / "adapters.md", "python"):
        exec(compile(block.text, "docs/adapters.md", "exec"), module.__dict__)  # noqa: S102 - our own text
    yield module
    del sys.modules[module.__name__]


async def found(module: ModuleType, port: int, **about: Any) -> list[Found]:  # noqa: ANN401
    settings = module.Settings(host="127.0.0.1", port=port)
    looking: AsyncIterator[Found] = module.examine(settings, Examination(name="front", **about))
    async with asyncio.timeout(10):
        return [one async for one in looking]


async def test_the_doctor_is_told_whether_the_doorbell_is_there(doorbell: ModuleType) -> None:
    called = 0

    async def bell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal called
        called += 1
        writer.close()

    server = await asyncio.start_server(bell, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        (there,) = await found(doorbell, port)
        await until(lambda: called == 1)
        (left_alone,) = await found(doorbell, port, running=True)
        (unsent,) = await found(doorbell, port, offline=True)
    (gone,) = await found(doorbell, port)
    assert (there.level, left_alone.level, unsent.level, gone.level) == ("ok", "ok", "ok", "problem")
    assert "was not tried" in left_alone.text
    assert "was not tried" in unsent.text
    assert "adapters.front.host" in gone.remedy
    assert called == 1


def test_home_assistant_takes_the_device_of_the_doorbell(doorbell: ModuleType) -> None:
    payload = announced(doorbell.DEVICE, place("alice", "front")).payload
    components = payload["components"]
    assert components.keys() == {"press", "ring", "battery"}
    assert components["press"]["state_topic"] == "jitney/alice/event/front/pressed"
    assert components["press"]["event_types"] == ["pressed"]
    assert components["ring"]["command_topic"] == "jitney/alice/command/front/ring"
    assert components["ring"]["command_topic"].rsplit("/", 1)[1] in doorbell.Doorbell.commands
    assert components["battery"]["state_topic"] == "jitney/alice/state/front/front_door"
    assert {kind.type for kind in doorbell.Doorbell.kinds} == {"doorbell.pressed"}
