"""The whole daemon, built from a configuration: it owns the one TaskGroup and the order of start and stop."""

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from jitney import __version__
from jitney.daemon.broker.connection import Connection
from jitney.daemon.broker.inbound import Inbound
from jitney.daemon.broker.ledger import Ledger
from jitney.daemon.broker.retained import RetainedTree
from jitney.daemon.broker.session import ConnectOptions, Message, Subscription
from jitney.daemon.config.schema import Config
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.administration import Administration
from jitney.daemon.delivery.bus import Bus
from jitney.daemon.delivery.commands import Commands
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.delivery.publisher import Publisher
from jitney.daemon.delivery.reception import Reception
from jitney.daemon.delivery.replies import Replies
from jitney.daemon.delivery.retention import Retention
from jitney.daemon.delivery.turns import Turns
from jitney.daemon.log import get
from jitney.daemon.owners.registry import Owners
from jitney.daemon.owners.vault import Vault
from jitney.daemon.routing import routeless
from jitney.daemon.store import outbox as outbox_rows
from jitney.daemon.store.kept import Kept
from jitney.daemon.store.meta import client_id
from jitney.daemon.store.secrets import Entry
from jitney.daemon.store.store import Store
from jitney.daemon.store.tables import DATABASE
from jitney.daemon.supervision.context import Services
from jitney.daemon.supervision.doors import Doors
from jitney.daemon.supervision.erasure import Erasure
from jitney.daemon.supervision.runner import Runner, build
from jitney.daemon.web.health import Health
from jitney.topics import HOUSE, RESERVED, TopicTree
from jitney.topics.messages import ROUTE
from jitney.topics.tree import CommandTopic, InboxTopic

if TYPE_CHECKING:
    from jitney.daemon.discovery.announcer import Announcer
    from jitney.daemon.routing.assembly import Routing

DRAIN_SECONDS: Final = 3.0
"""How long a stop waits for the broker to confirm what is on its way; the rest waits on disk for the next start."""

DISCOVERY: Final = "discovery"
"""Under this name it is kept and counted what Home Assistant is told."""

_log = get("app")


class App:
    """One instance of the bus: ``async with App(…) as app: await app.run()``."""

    def __init__(self, config: Config, *, state_dir: Path) -> None:
        self.config = config
        self.broker_url = config.mqtt.url
        self._state_dir = state_dir
        self._stack = AsyncExitStack()

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
                ("health", self._health.run()),
            ):
                core.create_task(work, name=name)
            if self._routing is not None:
                core.create_task(self._routing.run(), name="routing")
            if self._announcer is not None:
                core.create_task(self._announcer.run(), name="discovery")
            try:
                async with asyncio.TaskGroup() as adapters:
                    for name, runner in self._runners.items():
                        adapters.create_task(runner.run(), name=f"adapter {name}")
                    await asyncio.Event().wait()
            finally:
                await self._leave()

    async def _open(self) -> None:
        config, enter = self.config, self._stack.enter_async_context
        store = await enter(Store(self._state_dir / DATABASE, synchronous=config.outbox.synchronous))
        if config.mqtt.url.startswith("embedded:"):
            from jitney.daemon.broker.sessions.embedded import EmbeddedBroker  # noqa: PLC0415 - an extra, heavy to import

            self.broker_url = (await enter(EmbeddedBroker())).url
        await self._build(store)
        if self._routing is not None:
            await self._routing.withdraw()
        else:
            store.write(outbox_rows.WITHDRAW, [()])
            await store.committed(quiet=True)
        await self._outbox.load()
        self._stack.push_async_callback(self._keep_the_rest)
        await self._ledger.load()
        self._retained.begin()
        if self._announcer is not None:
            await self._announcer.load()
        if self._routing is not None:
            await self._routing.load()
        if config.http.listen:
            from jitney.daemon.web.server import serve  # noqa: PLC0415 - costs memory where no port is wanted

            await enter(serve(config.http.listen, self._health, self._doors))

    async def _build(self, store: Store) -> None:
        self._store = store
        config = self.config
        enabled = {name: adapter for name, adapter in config.adapters.items() if adapter.enabled}
        owners = Owners(config.owners)
        tree = TopicTree(config.mqtt.topic_root)
        counters = Counters()
        self._runners: dict[str, Runner] = {}
        self._turns = turns = Turns(self._wake)
        self._ledger = ledger = Ledger(store, marked=turns.ready)
        self._outbox = Outbox(store, config.outbox, turns=turns, counters=counters)
        self._publisher = Publisher(turns, self._outbox, ledger, counters=counters)
        self._retained = RetainedTree(
            tree, ledger, instance=config.bus.instance, adapters={*enabled, ROUTE}, version=__version__
        )
        replies = Replies(tree, turns, counters)
        self._announcer = _announcer(config, ledger, tree, store=store, replies=replies, counters=counters)
        self._retained.branch = self._announcer
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
                    *(self._announcer.subscriptions if self._announcer is not None else ()),
                )
            ],
            replays=self._retained.patterns,
            protocol=config.mqtt.protocol,
        )
        bus = self._bus = Bus(
            tree, self._outbox, ledger, store=store, owners=owners.ids, settings=config.outbox, counters=counters
        )
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
        if self._announcer is not None:
            self._reception.elsewhere = self._announcer.heard
        vault = Vault(store, self._state_dir, environ=os.environ)
        self._doors = Doors(config.http.public_url, enabled)
        services = Services(
            bus,
            ledger,
            store,
            counters=counters,
            doors=self._doors,
            vault=vault.for_adapter,
            state_dir=self._state_dir,
            announcements=self._announcer,
        )
        for adapter in enabled.values():
            self._runners[adapter.name] = build(adapter, services, tree=tree, owners=owners)
        self._routing = self._routes(services, replies, vault=vault, tree=tree)
        self._erasure = Erasure(
            ledger,
            self._outbox,
            vault=vault.erase,
            others=self._forget,
            runners=self._runners,
            state_dir=self._state_dir,
        )
        self._administration.handlers["erase_owner"] = self._erasure.requested
        self._health = Health(
            connection=self._connection,
            outbox=self._outbox,
            ledger=ledger,
            store=store,
            runners=self._runners,
            retained=self._retained,
            publisher=self._publisher,
            counters=counters,
        )

    def _routes(self, services: Services, replies: Replies, *, vault: Vault, tree: TopicTree) -> "Routing | None":
        """Return what routes need, None where there are none and no grants."""
        config = self.config
        if not (config.routes or config.grants):
            self._administration.handlers.update(routeless.handlers(self._store, self._outbox, tree))
            return None
        from jitney.daemon.config.routes import compiled  # noqa: PLC0415 - memory for those who have routes
        from jitney.daemon.routing.assembly import Routing  # noqa: PLC0415

        routing = Routing(
            config,
            compiled(config)[0],
            services,
            outbox=self._outbox,
            replies=replies,
            runners=self._runners,
            tree=tree,
            environ=os.environ,
            vault=lambda name: vault.get(Entry("", HOUSE, name)),
        )
        services.bus.plans = routing.router
        routing.administer(self._administration)
        return routing

    async def _forget(self, owner: str) -> None:
        if self._routing is not None:
            await self._routing.erase(owner)
        if self._announcer is not None:
            self._announcer.forget(owner)

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

    async def _leave(self) -> None:
        for runner in self._runners.values():
            runner.board.set("offline", "the bus has stopped")
        if self._routing is not None:
            self._routing.leave()
        self._retained.say("state", self._retained.state("offline"))
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._connection.drained(empty=lambda: not self._turns)
                await self._connection.close()
        except TimeoutError:
            _log.warning("the broker did not confirm everything in time: the rest is kept for the next start")

    async def _keep_the_rest(self) -> None:
        await self._outbox.close(self._publisher.entries(self._connection.window.unconfirmed()))


def _announcer(
    config: Config, ledger: Ledger, tree: TopicTree, *, store: Store, replies: Replies, counters: Counters
) -> "Announcer | None":
    """Return what tells Home Assistant about devices, None where that is not wanted."""
    if not config.discovery.enabled:
        return None
    from jitney.daemon.discovery.announcer import Announcer  # noqa: PLC0415 - memory for those who want it
    from jitney.daemon.discovery.declared import Declared  # noqa: PLC0415

    def send(message: Message, owner: str) -> None:
        replies.publish(message, owner=owner, adapter=DISCOVERY)

    declared = Declared(config, tree, version=__version__)
    kept = Kept(store, f"/{DISCOVERY}")  # which no adapter is called
    return Announcer(config, ledger, declared, kept=kept, send=send, counters=counters)
