"""What every adapter type that is built in keeps to (contract: jitney.adapters.base)."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from jitney.adapters.base import Adapter, Owner
from jitney.adapters.errors import RefusedError
from jitney.adapters.registry import BUILT_IN, adapter_type
from jitney.adapters.secret import Secret
from jitney.adapters.strava.config import App
from jitney.topics import Command, EventData, Kinds, TopicTree
from jitney.topics.tree import EventTopic
from tests.fakes.context import RecordingContext
from tests.fakes.homeassistant import FakeHomeAssistant
from tests.fakes.meshtastic import Radio
from tests.fakes.strava import FakeStrava

TYPES = sorted(BUILT_IN)


Happen = Callable[[Adapter, RecordingContext], Awaitable[None]]
"""Lets something happen to an adapter that is online."""


@asynccontextmanager
async def outside(name: str) -> AsyncIterator[tuple[Any, Happen]]:
    """Yield a ``Config`` of an adapter type with which it comes online, and what lets something happen there."""
    match name:
        case "homeassistant":
            async with FakeHomeAssistant() as home:
                yield adapter_type(name).Config(url=home.url, token=Secret(home.token)), partial(switch, home)
        case "meshtastic":
            async with Radio() as radio:
                yield adapter_type(name).Config(connection=radio.connection), partial(call, radio)
        case "strava":
            async with FakeStrava() as strava:
                app = App(client_id=strava.app("100", "secret").client_id, client_secret=Secret("secret"))
                urls = {"api_url": strava.api_url, "oauth_url": strava.oauth_url}
                yield adapter_type(name).Config(apps={"main": app}, **urls), partial(ride, strava)
        case _:
            yield adapter_type(name).Config(rate=100.0), wait


async def wait(_adapter: Adapter, _ctx: RecordingContext) -> None:
    """Wait for what happens by itself."""


async def switch(home: FakeHomeAssistant, _adapter: Adapter, _ctx: RecordingContext) -> None:
    """Change a state three times."""
    for state in ("one", "two", "three"):
        home.set_state("light.contract", state)


async def call(radio: Radio, _adapter: Adapter, _ctx: RecordingContext) -> None:
    """Let a node write three times."""
    node = radio.node(0xB0B00001)
    for text in ("one", "two", "three"):
        node.text(text)


async def ride(strava: FakeStrava, adapter: Adapter, ctx: RecordingContext) -> None:
    """Let alice sign in, and record three activities."""
    athlete = strava.athlete(1001)

    async def command(command: str, **data: str) -> dict[str, Any]:
        raw = msgspec.Raw(msgspec.json.encode(data))
        reply = await adapter.command(Command(id="1", owner="alice", adapter="it", name=command, data=raw))
        answer: dict[str, Any] = msgspec.json.decode(reply.data)
        return answer

    link = (await command("connect"))["link"]
    await command("connect", url=(await strava.consent(link, athlete, follow=False)).url)
    await ctx.until(lambda: ("alice", "stats") in ctx.states)
    for _ in range(3):
        athlete.add_activity()
    await command("refresh")


@asynccontextmanager
async def configured(name: str) -> AsyncIterator[Any]:
    """Yield only the ``Config``."""
    async with outside(name) as (settings, _):
        yield settings


@pytest.mark.parametrize("name", TYPES)
def test_it_declares_what_the_bus_needs_to_know(name: str) -> None:
    declared = adapter_type(name)
    assert declared.name == name
    assert issubclass(declared.Config, msgspec.Struct)
    assert isinstance(declared.durable, bool)
    for kind in declared.kinds:
        assert issubclass(kind, EventData)
        assert re.fullmatch(rf"{name}\.[a-z0-9_.]+", kind.type)
        assert kind.__doc__
        assert not kind.__doc__.startswith(kind.__name__ + "(")
        tree = TopicTree()
        word = kind.type.partition(".")[2]
        assert tree.name(EventTopic("alice", name, word)).endswith(f"/{word}")
    assert set(Kinds(declared.kinds).schemas()) == {kind.type for kind in declared.kinds}


@pytest.mark.parametrize("name", TYPES)
async def test_constructing_it_opens_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with configured(name) as settings:
        tasks = asyncio.all_tasks()
        with monkeypatch.context() as patched:
            patched.setattr(socket, "socket", lambda *_, **__: pytest.fail("a constructor opened a socket"))
            adapter_type(name)("it", settings)
        assert asyncio.all_tasks() == tasks


def of_the_fake(task: "asyncio.Task[Any]") -> bool:
    return "fake" in task.get_name() or "RequestHandler" in repr(task)


@pytest.mark.parametrize("name", TYPES)
async def test_it_comes_online_and_stops_promptly_without_leaving_a_task(name: str) -> None:
    async with configured(name) as settings:
        adapter = adapter_type(name)("it", settings)
        ctx = RecordingContext(name="it", owners=[Owner("alice", "Alice")])
        before = asyncio.all_tasks()
        running = asyncio.create_task(adapter.run(ctx), name="adapter")
        await ctx.until_online()
        running.cancel()
        done, _ = await asyncio.wait([running], timeout=2)
        assert done == {running}
        assert running.cancelled()
        assert not {task for task in asyncio.all_tasks() - before if not of_the_fake(task)}


@pytest.mark.parametrize("name", TYPES)
async def test_it_refuses_an_unknown_command_also_when_it_does_not_run(name: str) -> None:
    command = Command(id="1", owner="alice", adapter="it", name="no_such_command")
    async with configured(name) as settings:
        adapter = adapter_type(name)("it", settings)
        with pytest.raises(RefusedError):
            await adapter.command(command)
        ctx = RecordingContext(name="it", owners=[Owner("alice", "Alice")])
        async with asyncio.TaskGroup() as group:
            running = group.create_task(adapter.run(ctx), name="adapter")
            await ctx.until_online()
            with pytest.raises(RefusedError):
                await adapter.command(command)
            running.cancel()


@pytest.mark.parametrize("name", TYPES)
async def test_it_knows_every_command_that_it_declares(name: str) -> None:
    declared: Any = adapter_type(name)
    async with configured(name) as settings:
        adapter = declared("it", settings)
        ctx = RecordingContext(name="it", owners=[Owner("alice", "Alice")])
        async with asyncio.TaskGroup() as group:
            running = group.create_task(adapter.run(ctx), name="adapter")
            await ctx.until_online()
            for one in declared.commands:
                command = Command(
                    id=one, owner="alice", adapter="it", name=one, data=Raw(b'{"there is no such key":1}')
                )
                with pytest.raises(RefusedError) as refused:
                    await adapter.command(command)
                assert refused.value.code != "unknown_command"
            running.cancel()


@pytest.mark.parametrize("name", TYPES)
async def test_its_events_are_its_own_kinds_with_data_that_fits_their_schema(name: str, tmp_path: Path) -> None:
    declared = adapter_type(name)
    kinds = Kinds(declared.kinds)
    ctx = RecordingContext(name="it", owners=[Owner("alice", "Alice")], folders=tmp_path)
    async with outside(name) as (settings, happen), asyncio.TaskGroup() as group:
        adapter = declared("it", settings)
        running = group.create_task(adapter.run(ctx), name="adapter")
        await ctx.until_online()
        await happen(adapter, ctx)
        for event in await ctx.until_events(3):
            assert event.source == "/it"
            assert kinds.data(event) is not None
        running.cancel()
