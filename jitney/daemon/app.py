"""The whole daemon, built from a configuration: it owns the one TaskGroup and the order of start and stop."""

import asyncio
import os
import socket
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from jitney import __version__
from jitney.daemon.access.guard import BOARD, Guard
from jitney.daemon.broker.connection import Connection
from jitney.daemon.broker.inbound import Inbound
from jitney.daemon.broker.ledger import Ledger
from jitney.daemon.broker.retained import RetainedTree
from jitney.daemon.broker.session import ConnectOptions, Message, Subscription
from jitney.daemon.config.plan import Plan, plan, with_fixed
from jitney.daemon.config.schema import Config
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.administration import Administration, Handler, late
from jitney.daemon.delivery.bus import Bus
from jitney.daemon.delivery.commands import Commands
from jitney.daemon.delivery.logbook import Logbook
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.delivery.publisher import Publisher
from jitney.daemon.delivery.reception import Reception
from jitney.daemon.delivery.replies import Replies
from jitney.daemon.delivery.retention import Retention
from jitney.daemon.delivery.turns import Turns
from jitney.daemon.discovery.lifecycle import Discovery
from jitney.daemon.log import get
from jitney.daemon.owners.registry import Owners
from jitney.daemon.owners.vault import Vault
from jitney.daemon.routing.lifecycle import Routes
from jitney.daemon.service.signs import Signs
from jitney.daemon.service.watch import Watch
from jitney.daemon.store.meta import client_id
from jitney.daemon.store.secrets import Entry
from jitney.daemon.store.store import Store
from jitney.daemon.store.tables import DATABASE
from jitney.daemon.supervision.context import Services
from jitney.daemon.supervision.doors import Doors
from jitney.daemon.supervision.erasure import Erasure
from jitney.daemon.supervision.fleet import Fleet
from jitney.daemon.supervision.runner import Runner, build
from jitney.daemon.supervision.status import StatusBoard
from jitney.daemon.web.bulletin import Bulletin
from jitney.daemon.web.health import Health
from jitney.daemon.web.parts import Parts
from jitney.topics import HOUSE, RESERVED, TopicTree
from jitney.topics.messages import ROUTE
from jitney.topics.tree import CommandTopic, InboxTopic

if TYPE_CHECKING:
    from jitney.daemon.web.port import Port

DRAIN_SECONDS: Final = 3.0
"""How long after its begin a stop waits for the broker to confirm what is on its way; the rest waits on disk."""

DRAIN_LEAST: Final = 0.3
"""How long it does so at least, when the adapters have taken long to end."""

_log = get("app")


class App:
    """One instance of the bus: ``async with App(…) as app: await app.run()``."""

    def __init__(self, config: Config, *, state_dir: Path, handed: Sequence[socket.socket] = ()) -> None:
        self.config = config
        self.broker_url = config.mqtt.url
        self._state_dir = state_dir
        self._handed = handed
        self._port: Port | None = None
        self._stack = AsyncExitStack()
        self._reloading = asyncio.Lock()

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
        await self._stack.aclose()

    async def run(self) -> None:
        """Run until cancelled; on the way out everything accepted is confirmed by the broker or on disk."""
        async with asyncio.TaskGroup() as core:
            for name, work in (
                ("connection", self._connection.run()),
                ("outbox", self._outbox.run()),
                ("commands", self._commands.run()),
                ("reception", self._reception.run()),
                ("administration", self._administration.run()),
                ("retention", self._retention.run()),
                ("health", self._bulletin.run()),
                ("routes", self._routes.run()),
                ("discovery", self._discovery.run()),
                ("access", self._guard.run()),
            ):
                core.create_task(work, name=name)
            try:
                async with asyncio.TaskGroup() as adapters:
                    adapters.create_task(self._fleet.run(), name="adapters")
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
        return self._administration.handlers

    def plan(self, config: Config) -> Plan:
        """Return what another configuration would change."""
        return plan(self.config, config)

    def tell_configuration(self, *, refused: Sequence[str] = ()) -> None:
        """Publish that a configuration is in force now, or why another one was ``refused``, line by line."""
        self._bulletin.configured(refused)

    async def reload(self, config: Config) -> Plan:
        """Put another configuration in force and return what has changed; whoever that does not concern goes on.

        What counts from the next start on stays as it is. Raises JitneyError; then nothing has changed.
        """
        async with self._reloading:
            found = plan(self.config, config)
            if found.changes:
                await self._swap(found, with_fixed(config, self.config))
            return found

    async def _swap(self, found: Plan, config: Config) -> None:
        """Build the new beside the old, and put it in its place."""
        owners = Owners(config.owners)
        enabled = {name: adapter for name, adapter in config.adapters.items() if adapter.enabled}
        begun = {
            name: build(enabled[name], self._services, tree=self._tree, owners=owners)
            for name, how in found.adapters.items()
            if how != "removed"
        }
        async with asyncio.TaskGroup() as ends:
            for name, how in found.adapters.items():
                if how != "added":
                    ends.create_task(self._end(name, begun.get(name), owners), name=f"end of adapter {name}")
        self.config = config
        self._guard.use(config)
        self._logbook.use(config.bus.log_mqtt)
        self._serve(owners, enabled)
        try:
            await self._routes.use(config)
            await self._discovery.use(config)
        finally:
            for runner in begun.values():
                self._fleet.begin(runner)
        await self._connection.subscribe([Subscription(pattern) for pattern in self._discovery.subscriptions])

    async def _end(self, name: str, successor: Runner | None, owners: Owners) -> None:
        """End an adapter, and take back what its successor, if there is one, will not tell anew."""
        served = owners.served_by(successor.settings) if successor is not None else ()
        await self._doors.close(name)
        await self._fleet.end(name, successor=successor, owners=served)
        self._services.declarations.forget(name)

    def _serve(self, owners: Owners, adapters: Collection[str]) -> None:
        """Let every part know the people and the adapters of now."""
        people, names = owners.ids | RESERVED, {*adapters, ROUTE}
        self._bus.serve(owners.ids)
        self._reception.serve(people, names)
        self._retained.serve(people, names)
        self._doors.adapters = adapters

    async def _open(self) -> None:
        config, enter = self.config, self._stack.enter_async_context
        store = await enter(Store(self._state_dir / DATABASE, synchronous=config.outbox.synchronous))
        if config.mqtt.url.startswith("embedded:"):
            from jitney.daemon.broker.sessions.embedded import EmbeddedBroker  # noqa: PLC0415 - an extra, heavy to import

            self.broker_url = (await enter(EmbeddedBroker())).url
        await self._build(store)
        await self._routes.withdraw()
        await self._outbox.load()
        self._stack.push_async_callback(self._keep_the_rest)
        await self._ledger.load()
        self._retained.begin()
        self._serve(Owners(config.owners), self._doors.adapters)
        await self._discovery.load()
        await self._routes.load()
        await enter(self._logbook)
        if config.http.listen or self._handed:
            from jitney.daemon.web.server import serve  # noqa: PLC0415 - costs memory where no port is wanted

            http = config.http
            page = serve(http.listen, self._health, self._doors, handed=self._handed, metrics=http.metrics)
            self._port = await enter(page)

    async def _build(self, store: Store) -> None:
        self._store = store
        config = self.config
        enabled = {name: adapter for name, adapter in config.adapters.items() if adapter.enabled}
        owners = Owners(config.owners)
        self._tree = tree = TopicTree(config.mqtt.topic_root)
        counters = Counters()
        self._turns = turns = Turns(self._wake)
        self._ledger = ledger = Ledger(store, marked=turns.ready)
        self._fleet = Fleet(ledger)
        self._runners = self._fleet.runners
        self._outbox = Outbox(store, config.outbox, turns=turns, counters=counters)
        self._publisher = Publisher(turns, self._outbox, ledger, counters=counters)
        self._retained = RetainedTree(
            tree, ledger, instance=config.bus.instance, adapters={*enabled, ROUTE}, version=__version__
        )
        replies = Replies(tree, turns, counters)
        bus = self._bus = Bus(
            tree, self._outbox, ledger, store=store, owners=owners.ids, settings=config.outbox, counters=counters
        )
        vault = Vault(store, self._state_dir, environ=os.environ)
        self._doors = Doors(config.http.public_url, enabled)
        self._services = services = Services(
            bus,
            ledger,
            store,
            counters=counters,
            doors=self._doors,
            vault=vault.for_adapter,
            state_dir=self._state_dir,
        )
        self._discovery = Discovery(
            tree, ledger, store=store, replies=replies, declarations=services.declarations, counters=counters
        )
        self._discovery.prepare(config)
        self._retained.branch = self._discovery
        self._administration = Administration(tree, replies, instance=config.bus.instance, counters=counters)
        self._retention = Retention(ledger, store)
        inbound = Inbound()
        self._connection = Connection(
            self._options(await client_id(store, f"jitney-{config.bus.instance}-{token_hex(8)}")),
            self._publisher,
            self._retained,
            inbound=inbound,
            window=config.mqtt.window,
            subscriptions=[
                Subscription(pattern)
                for pattern in (
                    tree.filter(CommandTopic),
                    tree.filter(InboxTopic),
                    self._administration.pattern,
                    *self._discovery.subscriptions,
                )
            ],
            replays=lambda: self._retained.patterns,
            protocol=config.mqtt.protocol,
        )
        board = StatusBoard(tree, ledger, adapter=BOARD, owners=())
        self._guard = Guard(config, board, ready=self._connection.reconciled.wait, counters=counters)
        self._commands = Commands(replies, store, targets=self._runners, counters=counters)
        self._reception = Reception(
            tree,
            inbound,
            bus,
            commands=self._commands,
            administration=self._administration,
            store=store,
            adapters={*enabled, ROUTE},
            owners=owners.ids | RESERVED,
            session=lambda: self._connection.session,
            counters=counters,
        )
        self._reception.elsewhere = self._discovery.heard
        for adapter in enabled.values():
            self._runners[adapter.name] = build(adapter, services, tree=tree, owners=owners)
        self._erasure = Erasure(
            ledger,
            self._outbox,
            store,
            vault=vault.erase,
            others=self._forget,
            runners=self._runners,
            state_dir=self._state_dir,
            connected=lambda: self._connection.session is not None,
        )
        self._logbook = Logbook(tree, turns, instance=config.bus.instance, counters=counters)
        self._logbook.use(config.bus.log_mqtt)
        self._administration.handlers["log_level"] = self._logbook.requested
        self._administration.handlers["erase_owner"] = self._erasure.requested
        self._administration.handlers.update(late(("owner_usage", "owner_export", "owner_file"), self._kept_of_owners))
        self._administration.handlers.update(late(("trace",), self._traces))
        self._health = Health(
            Parts(
                connection=self._connection,
                outbox=self._outbox,
                ledger=ledger,
                store=store,
                runners=self._runners,
                retained=self._retained,
                publisher=self._publisher,
                counters=counters,
                actions=lambda: self._routes.waiting(),  # noqa: PLW0108 - they are built after it
            )
        )
        self._bulletin = Bulletin(self._health)
        watched = (self._outbox, self._reception, self._retention, self._discovery)
        self.signs = Signs(
            connection=self._connection,
            outbox=self._outbox,
            turns=turns,
            store=store,
            runners=self._runners,
            pulses=[part.pulse for part in watched],
        )
        self._health.verdict.stuck = Watch(self.signs.lives, clock=time.monotonic).overdue
        self._routes = Routes(
            services,
            tree,
            outbox=self._outbox,
            replies=replies,
            runners=self._runners,
            administration=self._administration,
            environ=os.environ,
            vault=lambda name: vault.get(Entry("", HOUSE, name)),
            watch=self.signs.lives.append,
        )
        self._routes.prepare(config)

    def _kept_of_owners(self) -> Mapping[str, Handler]:
        from jitney.daemon.service.holdings import Holdings  # noqa: PLC0415 - memory for those who ask

        adapters = lambda: self.config.adapters  # noqa: E731 - those of now, whenever it is asked
        return Holdings(
            self._store, self._ledger, self._outbox, adapters=adapters, state_dir=self._state_dir
        ).handlers()

    def _traces(self) -> Mapping[str, Handler]:
        from jitney.daemon.delivery.trace_requests import TraceRequests  # noqa: PLC0415 - memory for those who ask

        return {"trace": TraceRequests(self._outbox.traces).requested}

    async def _forget(self, owner: str) -> None:
        await self._routes.erase(owner)
        self._discovery.forget(owner)

    def _options(self, client: str) -> ConnectOptions:
        mqtt = self.config.mqtt
        will = Message(self._retained.state_topic, self._retained.state("offline"), retain=True)
        return ConnectOptions(
            url=self.broker_url,
            client_id=client,
            username=mqtt.username,
            password=mqtt.password,
            ca_file=mqtt.ca_file,
            cert_file=mqtt.cert_file,
            key_file=mqtt.key_file,
            keepalive=mqtt.keepalive,
            will=will,
        )

    def _wake(self) -> None:
        self._connection.wake()

    async def _leave(self, until: float) -> None:
        for runner in self._runners.values():
            runner.board.set("offline", "the bus has stopped")
        self._routes.leave()
        self._retained.say("state", self._retained.state("offline"))
        try:
            async with asyncio.timeout_at(max(until, asyncio.get_running_loop().time() + DRAIN_LEAST)):
                await self._connection.drained(empty=lambda: not self._turns)
                await self._connection.close()
        except TimeoutError:
            _log.warning("the broker did not confirm everything in time: the rest is kept for the next start")

    async def _keep_the_rest(self) -> None:
        await self._outbox.close(self._publisher.entries(self._connection.window.unconfirmed()))
