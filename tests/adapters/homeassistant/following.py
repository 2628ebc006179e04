"""The adapter at work against the fake Home Assistant, one attempt at a time."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import msgspec

from jitney.adapters.base import Owner
from jitney.adapters.homeassistant import HomeAssistant
from jitney.adapters.homeassistant.config import Config, Exclude, Identity, Include
from jitney.adapters.secret import Secret
from jitney.topics import Command, Event, Kinds
from tests.fakes.context import DEADLINE, RecordingContext
from tests.fakes.homeassistant import FakeHomeAssistant

ALICE: Final = Owner("alice", "Alice", Identity(person="person.alice", entities=("*.alice_*",)))
BOB: Final = Owner("bob", "Bob", Identity(person="person.bob"))

_kinds = Kinds(HomeAssistant.kinds)


def adapter_for(home: FakeHomeAssistant, *, token: str = "", **config: Any) -> HomeAssistant:  # noqa: ANN401
    """Return an adapter for a fake, with the token of an administrator unless another one is given."""
    settings = {"timeout": DEADLINE, "heartbeat": DEADLINE, **config}
    for key, kind in (("include", Include), ("exclude", Exclude)):
        if key in settings:
            settings[key] = kind(**settings[key])
    return HomeAssistant("home", Config(url=home.url, token=Secret(token or home.token), **settings))


def context(owners: Iterable[Owner] = (ALICE, BOB), **options: Any) -> RecordingContext:  # noqa: ANN401
    """Return a bus with alice and bob."""
    return RecordingContext(owners=owners, **options)


@asynccontextmanager
async def attempt(adapter: HomeAssistant, ctx: RecordingContext) -> AsyncIterator[asyncio.Task[None]]:
    """Run one attempt and stop it at the end; what it raises is the task's."""
    task = asyncio.create_task(adapter.run(ctx), name="attempt")
    try:
        yield task
    finally:
        task.cancel()
        with suppress(BaseException):
            async with asyncio.timeout(DEADLINE):
                await task


@asynccontextmanager
async def online(adapter: HomeAssistant, ctx: RecordingContext) -> AsyncIterator[asyncio.Task[None]]:
    """Run one attempt that is online."""
    times = ctx.statuses.count(("online", "")) + 1
    async with attempt(adapter, ctx) as task:
        await ctx.until_online(times)
        yield task


async def ended(task: "asyncio.Task[None]") -> None:
    """Wait until an attempt ends by itself, and raise what it raises."""
    async with asyncio.timeout(DEADLINE):
        await task


def changes(ctx: RecordingContext) -> list[tuple[str, str | None, str | None]]:
    """Return (entity, old state, state) of every change that was told, in order."""
    found = []
    for event in ctx.events:
        if event.type == "homeassistant.state_changed":
            data = told(event)
            found.append((data["entity_id"], data["old_state"], data["state"]))
    return found


def told(event: Event) -> Any:  # noqa: ANN401 - any JSON
    """Return the data of an event, after checking it against the schema of its kind."""
    assert _kinds.data(event) is not None
    return msgspec.json.decode(event.data)


def published(ctx: RecordingContext) -> dict[str, tuple[str, str]]:
    """Return (owner, state) of every retained state by entity."""
    found = {}
    for (owner, entity_id), state in ctx.states.items():
        assert state.data is not None
        found[entity_id] = (owner, msgspec.json.decode(state.data)["state"])
    return found


def expected(home: FakeHomeAssistant) -> dict[str, str]:
    """Return the state of every entity as ``get_states`` of the fake would give it."""
    return {entity_id: state.state for entity_id, state in home.states.items()}


def command(name: str, data: object = None, *, owner: str = "alice", deadline: float = 0.0) -> Command:
    """Return a command to the adapter."""
    body = msgspec.Raw(msgspec.json.encode({} if data is None else data))
    return Command(id=f"{name}-1", owner=owner, adapter="home", name=name, data=body, deadline=deadline)
