"""The whole daemon at work: it owns the one TaskGroup, the order of start and stop, and the swap of a reload."""

import asyncio
import socket
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from jitney import __version__
from jitney.daemon.broker.session import Subscription
from jitney.daemon.config.plan import Plan, plan, with_fixed
from jitney.daemon.config.resting import at_rest, running, without_resting
from jitney.daemon.config.schema import Config
from jitney.daemon.delivery.administration import Handler
from jitney.daemon.log import get
from jitney.daemon.machinery import Machinery
from jitney.daemon.owners.registry import Owners
from jitney.daemon.service.signs import Signs
from jitney.daemon.store import secrets as rows
from jitney.daemon.store.meta import hear
from jitney.daemon.store.store import Store
from jitney.daemon.store.tables import DATABASE
from jitney.daemon.supervision.runner import Runner, build
from jitney.topics import RESERVED
from jitney.topics.messages import ROUTE

if TYPE_CHECKING:
    from jitney.daemon.web.port import Port

DRAIN_SECONDS: Final = 3.0
"""How long after its begin a stop waits for the broker to confirm what is on its way; the rest waits on disk."""

DRAIN_LEAST: Final = 0.3
"""How long it does so at least, when the adapters have taken long to end."""

_log = get("app")


class App:
    """One instance of the bus: ``async with App(…) as app: await app.run()``. ``parts`` are there when entered."""

    parts: Machinery

    def __init__(self, config: Config, *, state_dir: Path, handed: Sequence[socket.socket] = ()) -> None:
        self.config = config
        self.broker_url = config.mqtt.url
        self._state_dir = state_dir
        self._handed = handed
        self._port: Port | None = None
        self._stack = AsyncExitStack()
        self._reloading = asyncio.Lock()
        self.unfinished = False
        """Whether routes or discovery do not do yet what the configuration in force wants."""

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, asyncio.CancelledError):
            self.parts.audit.add("stop")
        await self._stack.aclose()

    async def run(self) -> None:
        """Run until cancelled; on the way out everything accepted is confirmed by the broker or on disk."""
        parts = self.parts
        async with asyncio.TaskGroup() as core:
            for name, work in (
                ("connection", parts.connection.run()),
                ("outbox", parts.outbox.run()),
                ("commands", parts.commands.run()),
                ("reception", parts.reception.run()),
                ("doorkeeper", parts.doorkeeper.run()),
                ("usage", parts.usage.run()),
                ("administration", parts.administration.run()),
                ("retention", parts.retention.run()),
                ("health", parts.bulletin.run()),
                ("routes", parts.routes.run()),
                ("runtimes", parts.services.runtimes.run()),
                ("discovery", parts.discovery.run()),
                ("access", parts.guard.run()),
                ("audit", parts.audit.run()),
            ):
                core.create_task(work, name=name)
            try:
                async with asyncio.TaskGroup() as adapters:
                    adapters.create_task(parts.fleet.run(), name="adapters")
                    adapters.create_task(parts.tracing.run(), name="tracing")
                    try:
                        await asyncio.Event().wait()
                    finally:
                        drained = asyncio.get_running_loop().time() + DRAIN_SECONDS
                        if self._port is not None:
                            await self._port.close()
            finally:
                await self._leave(drained)

    @property
    def administration(self) -> dict[str, Handler]:
        """What can be asked of the bus itself, by name."""
        return self.parts.administration.handlers

    @property
    def signs(self) -> Signs:
        """Whether every part lives and can do its work."""
        return self.parts.signs

    def plan(self, config: Config) -> Plan:
        """Return what another configuration would change."""
        return plan(self.config, config)

    def tell_configuration(self, *, refused: Sequence[str] = ()) -> None:
        """Publish that a configuration is in force now, or why another one was ``refused``, line by line."""
        self.parts.bulletin.configured(refused)

    async def reload(self, config: Config) -> Plan:
        """Put another configuration in force and return what has changed; whoever that does not concern goes on.

        What counts from the next start on stays as it is. Raises JitneyError; then nothing has changed, or it is
        ``unfinished``: to be done by another reload, also with the same.
        """
        parts = self.parts
        async with self._reloading:
            found = plan(self.config, config)
            if found.changes:
                await self._swap(found, with_fixed(config, self.config))
            elif self.unfinished:
                await self._finish()
            await parts.connection.subscribe([Subscription(pattern) for pattern in parts.discovery.subscriptions])
            await parts.connection.watch()
            hear(parts.store, parts.connection.held)
            return found

    async def vault_mark(self) -> tuple[int, ...]:
        """Return numbers that are others when a secret of the configuration was kept or erased; raises StoreError."""
        return await self.parts.store.read(rows.mark)

    async def _swap(self, found: Plan, config: Config) -> None:
        """Build the new beside the old, and put it in its place."""
        parts, owners = self.parts, Owners(config.owners)
        enabled, rests = running(config), at_rest(config)
        begun = {
            name: build(enabled[name], parts.services, tree=parts.tree, owners=owners)
            for name, how in found.adapters.items()
            if how != "removed"
        }
        async with asyncio.TaskGroup() as ends:
            for name, how in found.adapters.items():
                if how != "added":
                    left = {rests[name]} if name in rests else ()
                    ends.create_task(self._end(name, begun.get(name), owners, left), name=f"end of adapter {name}")
        self.config = parts.config = config
        parts.audit.use(config.audit)
        parts.audit.reloaded(found)
        parts.guard.use(config)
        parts.tracing.use(config.tracing)
        parts.logbook.use(config.bus.log_mqtt)
        parts.limits.use(config)
        self._serve(owners, enabled)
        await parts.doorkeeper.settle()
        parts.rest.use(config)
        self.unfinished = True
        try:
            await self._finish()
        finally:
            for runner in begun.values():
                parts.fleet.begin(runner)

    async def _finish(self) -> None:
        """Let routes and discovery do as the configuration wants it, which needs the state; raises StoreError."""
        await self.parts.routes.use(self.config)
        await self.parts.discovery.use(without_resting(self.config))
        self.unfinished = False

    async def _end(self, name: str, successor: Runner | None, owners: Owners, left: Collection[str]) -> None:
        """End an adapter, and take back what its successor, if there is one, will not tell anew, but of ``left``."""
        parts = self.parts
        served = owners.served_by(successor.settings) if successor is not None else left
        parts.services.unclaimed.forget(name)
        await parts.doors.close(name)
        await parts.fleet.end(name, successor=successor, owners=served)
        parts.services.declarations.forget(name)
        parts.bus.resting.forget(adapter=name)

    def _serve(self, owners: Owners, adapters: Collection[str]) -> None:
        """Let every part know the people and the adapters of now."""
        parts = self.parts
        people, names = owners.ids | RESERVED, {*adapters, *at_rest(self.config), ROUTE}
        parts.bus.serve(owners.ids)
        for quota in parts.outbox.quotas:
            quota.serve(people)
        parts.doorkeeper.serve(people)
        parts.reception.serve(people, names)
        parts.retained.serve(people, names)
        parts.doors.adapters = adapters

    async def _open(self) -> None:
        config, enter = self.config, self._stack.enter_async_context
        store = await enter(Store(self._state_dir / DATABASE, synchronous=config.outbox.synchronous))
        if config.mqtt.url.startswith("embedded:"):
            from jitney.daemon.broker.sessions.embedded import EmbeddedBroker  # noqa: PLC0415 - an extra, heavy to import

            self.broker_url = (await enter(EmbeddedBroker())).url
        parts = Machinery(config, store, state_dir=self._state_dir, broker_url=self.broker_url)
        await parts.build()
        self.parts = parts
        await self._load()
        if config.http.listen or self._handed:
            from jitney.daemon.web.server import serve  # noqa: PLC0415 - costs memory where no port is wanted

            self._port = await enter(serve(config.http, parts.health, parts.doors, handed=self._handed))

    async def _load(self) -> None:
        """Let every part find what an earlier run has left; what this one will leave is kept at its end."""
        parts, config = self.parts, self.config
        in_order = await parts.audit.load()
        self._stack.push_async_callback(parts.audit.close)
        self._stack.callback(parts.foreign.close)
        parts.audit.add("start", outcome="ok" if in_order else "unclean", detail=f"version {__version__}")
        await parts.routes.withdraw()
        await parts.outbox.load()
        self._stack.push_async_callback(self._keep_the_rest)
        await parts.ledger.load()
        parts.retained.begin()
        parts.over.withdraw()
        self._serve(Owners(config.owners), parts.doors.adapters)
        parts.rest.use(config)
        await parts.discovery.load()
        await parts.routes.load()
        await self._stack.enter_async_context(parts.logbook)

    async def _leave(self, until: float) -> None:
        parts = self.parts
        for runner in parts.runners.values():
            runner.board.set("offline", "the bus has stopped")
        parts.routes.leave()
        parts.retained.say("state", parts.retained.state("offline"))
        try:
            async with asyncio.timeout_at(max(until, asyncio.get_running_loop().time() + DRAIN_LEAST)):
                await parts.connection.drained(empty=lambda: not parts.turns)
                await parts.connection.close()
        except TimeoutError:
            _log.warning("the broker did not confirm everything in time: the rest is kept for the next start")

    async def _keep_the_rest(self) -> None:
        parts = self.parts
        await parts.outbox.close(parts.publisher.entries(parts.connection.window.unconfirmed()))
