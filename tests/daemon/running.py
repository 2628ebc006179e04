"""A whole daemon in the test's process, an adapter that the test plays, and an observer at the broker."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import aiomqtt
import msgspec
from msgspec import Struct
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from jitney.adapters.base import Context
from jitney.adapters.errors import RefusedError
from jitney.daemon.app import App
from jitney.daemon.config.schema import (
    AdapterSettings,
    Config,
    HttpSettings,
    MqttSettings,
    OutboxSettings,
    OwnerSettings,
    RetrySettings,
)
from jitney.topics import Command, Event, EventData, Reply, cloudevents, event
from tests.waiting import DEADLINE, until


class Ticked(EventData, frozen=True):
    """A tick."""

    type = "played.ticked"
    number: int


class Nothing(Struct, frozen=True):
    """No keys."""


class Played:
    """An adapter whose every step the test decides: ``act`` is what one attempt does."""

    name: ClassVar[str] = "played"
    Config: ClassVar[type[Struct]] = Nothing
    Identity: ClassVar[type[Struct] | None] = None
    durable: ClassVar[bool] = False
    kinds: ClassVar[tuple[type[EventData], ...]] = (Ticked,)

    act: ClassVar[Callable[["Played", Context], Any] | None] = None

    def __init__(self, name: str, config: object) -> None:
        del config
        self.adapter = name
        self.attempts = 0

    async def run(self, ctx: Context) -> None:
        self.attempts += 1
        if Played.act is not None:
            await Played.act(self, ctx)
            return
        ctx.online()
        await asyncio.Event().wait()

    async def command(self, command: Command) -> Reply:
        if command.name == "echo":
            return Reply.ok(msgspec.json.decode(command.data))
        if command.name == "crash":
            raise ZeroDivisionError
        raise RefusedError("unknown_command", f"there is no command {command.name!r}")


def tick(number: int, *, owner: str = "alice", adapter: str = "played", id: str = "") -> Event:  # noqa: A002
    return event(Ticked(number), adapter=adapter, owner=owner, id=id or f"{adapter}-{owner}-{number}")


def config(url: str, **changes: Any) -> Config:  # noqa: ANN401
    settings: dict[str, Any] = {
        "durable": changes.pop("durable", False),
        "retry": changes.pop("retry", RetrySettings(first=0.01, longest=0.05, unauthorised=0.2)),
    }
    adapters = {
        name: AdapterSettings(name=name, type=Played, config=Nothing(), owner=owner, **settings)
        for name, owner in changes.pop("adapters", {"played": "_house"}).items()
    }
    return Config(
        mqtt=MqttSettings(url=url, keepalive=5, **changes.pop("mqtt", {})),
        http=HttpSettings(listen=changes.pop("http", "")),
        outbox=changes.pop("outbox", OutboxSettings()),
        owners={owner: OwnerSettings(id=owner, name=owner.title()) for owner in ("alice", "bob")},
        adapters=adapters,
        **changes,
    )


class Daemon:
    """A running App and a way to its first adapter's context."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.task: asyncio.Task[None] | None = None

    def context(self, adapter: str = "played") -> Context:
        return self.app.parts.runners[adapter].context

    async def connected(self) -> None:
        async with asyncio.timeout(DEADLINE):
            await self.app.parts.connection.reconciled.wait()

    async def drained(self) -> None:
        """Wait until the broker has confirmed everything."""
        app = self.app
        await until(
            lambda: (
                not (sum(app.parts.outbox.waiting()) or len(app.parts.connection.window) or app.parts.ledger.waiting())
            )
        )

    async def stop(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.wait([self.task], timeout=DEADLINE)
        if not self.task.cancelled():
            self.task.result()


@asynccontextmanager
async def running(settings: Config, state: Path) -> AsyncIterator[Daemon]:
    async with App(settings, state_dir=state) as app:
        daemon = Daemon(app)
        daemon.task = asyncio.create_task(app.run(), name="daemon")
        try:
            yield daemon
        finally:
            await daemon.stop()


class Observer:
    """An MQTT 5 client that keeps what it gets; each wait has a deadline."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.messages: list[aiomqtt.Message] = []
        self._on: defaultdict[str, list[aiomqtt.Message]] = defaultdict(list)
        self._events: defaultdict[str, list[Event]] = defaultdict(list)
        self._client = client
        self._news = asyncio.Event()

    async def listen(self) -> None:
        async for message in self._client.messages:
            self.messages.append(message)
            self._on[str(message.topic)].append(message)
            self._news.set()

    async def until(self, done: Callable[[], Any]) -> Any:  # noqa: ANN401
        try:
            async with asyncio.timeout(DEADLINE):
                while not (found := done()):
                    self._news.clear()
                    await self._news.wait()
                return found
        except TimeoutError:
            seen = [(str(message.topic), message.payload) for message in self.messages[-20:]]
            raise AssertionError(f"not seen in time; the last messages were {seen}") from None

    async def message(self, topic: str) -> aiomqtt.Message:
        """Wait for a message on a topic and return the newest."""
        await self.until(lambda: self.on(topic))
        return self.on(topic)[-1]

    def on(self, topic: str) -> list[aiomqtt.Message]:
        return list(self._on[topic])

    def events(self, topic: str) -> list[Event]:
        """Return what was decoded on a topic, each message once: waiting asks again and again."""
        decoded = self._events[topic]
        decoded += [cloudevents.decode(payload(message)) for message in self._on[topic][len(decoded) :]]
        return list(decoded)

    def forget(self) -> None:
        """Begin anew with nothing."""
        for kept in (self.messages, self._on, self._events):
            kept.clear()

    async def publish(self, topic: str, body: bytes, **properties: Any) -> None:  # noqa: ANN401
        retain = properties.pop("retain", False)
        packed = Properties(PacketTypes.PUBLISH)
        for name, value in properties.items():
            setattr(packed, name, value)
        await self._client.publish(topic, body, qos=1, retain=retain, properties=packed)


def payload(message: aiomqtt.Message) -> bytes:
    assert isinstance(message.payload, bytes)
    return message.payload


@asynccontextmanager
async def observing(port: int, *filters: str, **options: Any) -> AsyncIterator[Observer]:  # noqa: ANN401
    async with (
        aiomqtt.Client("127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V5, **options) as client,
        asyncio.TaskGroup() as group,
    ):
        observer = Observer(client)
        listening = group.create_task(observer.listen(), name="observer")
        for pattern in filters or ("jitney/#",):
            await client.subscribe(pattern, qos=1)
        yield observer
        listening.cancel()


async def retained(port: int, pattern: str = "jitney/#") -> dict[str, bytes]:
    """Return what the broker holds, read with a marker that comes after it."""
    async with observing(port, pattern, "marker") as observer:
        await observer.publish("marker", b"")
        await observer.message("marker")
        return {str(m.topic): payload(m) for m in observer.messages if m.retain and payload(m)}
