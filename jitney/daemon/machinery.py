"""The parts of the daemon, built from a configuration and connected with each other; they are set going elsewhere."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import token_hex
from typing import Final

from jitney import __version__
from jitney.daemon.access.guard import BOARD, Guard
from jitney.daemon.broker.connection import Connection
from jitney.daemon.broker.inbound import Inbound
from jitney.daemon.broker.ledger import Ledger
from jitney.daemon.broker.options import options
from jitney.daemon.broker.retained import RetainedTree
from jitney.daemon.broker.session import ConnectOptions, Message, Subscription
from jitney.daemon.config.resting import at_rest, forgetful, running, without_resting
from jitney.daemon.config.schema import Config
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.administration import Administration, Handler, late
from jitney.daemon.delivery.bus import Bus
from jitney.daemon.delivery.commands import Commands
from jitney.daemon.delivery.doorkeeper import Doorkeeper
from jitney.daemon.delivery.foreign import ALERT, MESSAGE, Foreign
from jitney.daemon.delivery.logbook import Logbook
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.delivery.publisher import Publisher
from jitney.daemon.delivery.reception import Reception
from jitney.daemon.delivery.replies import Replies
from jitney.daemon.delivery.retention import Retention
from jitney.daemon.delivery.turns import Turns
from jitney.daemon.delivery.usage import Usage
from jitney.daemon.discovery.lifecycle import Discovery
from jitney.daemon.log import get
from jitney.daemon.owners.audit import Audit
from jitney.daemon.owners.limits import Limits
from jitney.daemon.owners.registry import Owners
from jitney.daemon.owners.sealing import SEALS
from jitney.daemon.owners.vault import Vault
from jitney.daemon.routing.lifecycle import Routes
from jitney.daemon.service.signs import Signs
from jitney.daemon.service.watch import Watch
from jitney.daemon.store.meta import client_id, hear, heard
from jitney.daemon.store.secrets import Entry
from jitney.daemon.store.store import Store
from jitney.daemon.supervision.context import Services
from jitney.daemon.supervision.doors import Doors
from jitney.daemon.supervision.erasure import Erasure
from jitney.daemon.supervision.fleet import Fleet
from jitney.daemon.supervision.resting import Rest
from jitney.daemon.supervision.runner import build
from jitney.daemon.supervision.status import StatusBoard
from jitney.daemon.tracing.export import Export
from jitney.daemon.web.bulletin import Bulletin
from jitney.daemon.web.health import Health
from jitney.daemon.web.parts import Parts
from jitney.topics import HOUSE, RESERVED, TopicTree
from jitney.topics.messages import ROUTE
from jitney.topics.tree import CommandTopic, InboxTopic

_log: Final = get("app")


class Machinery:
    """Every part, by name. ``config`` is the configuration in force, ``broker_url`` where the broker really is.

    Nothing is there before ``build``, and nothing moves before somebody runs it.
    """

    def __init__(self, config: Config, store: Store, *, state_dir: Path, broker_url: str) -> None:
        self.config = config
        self.store = store
        self._state_dir = state_dir
        self._broker_url = broker_url

    async def build(self) -> None:
        """Build all parts, from the road of an event to what looks at it."""
        self._deliver()
        self._serve_adapters()
        self._know_the_broker(await client_id(self.store, f"jitney-{self.config.bus.instance}-{token_hex(8)}"))
        await self._connect()
        self._receive()
        self._look()
        self._route()
        self._answer()

    def _deliver(self) -> None:
        """Build what takes events and states, and keeps them until the broker has them."""
        config, store = self.config, self.store
        self.counters = counters = Counters()
        self.tree = tree = TopicTree(config.mqtt.topic_root)
        self.turns = Turns(lambda: self.connection.wake())  # noqa: PLW0108 - that is built after it
        self.ledger = ledger = Ledger(store, marked=self.turns.ready)
        self.limits = Limits(config)
        self.over = StatusBoard(tree, ledger, adapter="_limits", owners=())
        self.outbox = Outbox(store, config.outbox, turns=self.turns, counters=counters)
        self.outbox.most = lambda owner: self.limits.of(owner).outbox_mb * 1_000_000
        self.publisher = Publisher(self.turns, self.outbox, ledger, counters=counters)
        self.replies = Replies(tree, self.turns, counters)
        self.retention = Retention(ledger, store)
        self.bus = Bus(
            tree,
            self.outbox,
            ledger,
            store=store,
            owners=Owners(config.owners).ids,
            settings=config.outbox,
            limits=self.limits,
            counters=counters,
        )

    def _serve_adapters(self) -> None:
        """Build what adapters are run with and by."""
        config, store, counters = self.config, self.store, self.counters
        self.vault = vault = Vault(store, self._state_dir, environ=os.environ)
        seals = lambda: vault.derived(SEALS)  # noqa: E731 - whenever the log is sealed
        self.audit = Audit(store, config.audit, counters=counters, key=seals, folder=self._state_dir)
        self.doors = Doors(config.http.public_url, running(config))
        self.services = Services(
            self.bus,
            self.ledger,
            store,
            counters=counters,
            doors=self.doors,
            vault=vault.for_adapter,
            state_dir=self._state_dir,
        )
        self.fleet = Fleet(self.ledger)
        self.runners = self.fleet.runners
        owners = Owners(config.owners)
        for adapter in running(config).values():
            self.runners[adapter.name] = build(adapter, self.services, tree=self.tree, owners=owners)

    def _know_the_broker(self, client: str) -> None:
        """Build what is at the broker, and what the bus tells it of itself, as the MQTT client of this id."""
        config, ledger, counters = self.config, self.ledger, self.counters
        adapters = {*running(config), *at_rest(config), ROUTE}
        instance = config.bus.instance
        self.retained = RetainedTree(self.tree, ledger, instance=instance, adapters=adapters, version=__version__)
        self.discovery = Discovery(
            self.tree,
            ledger,
            store=self.store,
            replies=self.replies,
            declarations=self.services.declarations,
            counters=counters,
        )
        self.discovery.prepare(without_resting(config))
        self.retained.branch = self.discovery
        self.administration = Administration(self.tree, self.replies, instance=instance, counters=counters)
        self.doorkeeper = Doorkeeper(
            self.tree, self.limits, connection=lambda: self.connection, notice=self.over.tell, counters=counters
        )
        self.doorkeeper.serve(Owners(config.owners).ids | RESERVED)
        self.usage = Usage(
            self.limits,
            self.doorkeeper,
            ledger=ledger,
            outbox=self.outbox,
            counters=counters,
            notice=self.over.tell,
        )
        self._options = self._introduced(client)

    async def _connect(self) -> None:
        """Build the connection to the broker."""
        tree, mqtt = self.tree, self.config.mqtt
        self.inbound = Inbound(self.doorkeeper.judge)
        self.connection = Connection(
            self._options,
            self.publisher,
            self.retained,
            inbound=self.inbound,
            window=mqtt.window,
            subscriptions=[
                *self.doorkeeper.subscriptions,
                *map(Subscription, (self.administration.pattern, *self.discovery.subscriptions)),
            ],
            earlier=await heard(self.store) or [tree.filter(CommandTopic), tree.filter(InboxTopic)],
            replays=lambda: self.retained.patterns,
            protocol=mqtt.protocol,
        )
        hear(self.store, self.connection.held)

    def _receive(self) -> None:
        """Build what takes commands and events from the broker, and notices what should not be there."""
        config, counters, ledger = self.config, self.counters, self.ledger
        self.commands = Commands(self.replies, self.store, targets=self.runners, counters=counters)
        self.commands.traces = traces = self.outbox.traces
        self.tracing = Export(config.tracing, traces, instance=config.bus.instance, counters=counters)
        self.reception = Reception(
            self.tree,
            self.inbound,
            self.bus,
            commands=self.commands,
            administration=self.administration,
            store=self.store,
            adapters={*running(config), ROUTE},
            owners=Owners(config.owners).ids | RESERVED,
            session=lambda: self.connection.session,
            counters=counters,
        )
        self.reception.elsewhere = self.discovery.heard
        self.board = board = StatusBoard(self.tree, ledger, adapter=BOARD, owners=())
        self.guard = Guard(config, board, ready=self.connection.reconciled.wait, counters=counters)
        self.foreign = Foreign(
            self.tree,
            ledger,
            instance=config.bus.instance,
            names=lambda: {*self.runners, *at_rest(self.config), ROUTE},
            hears=lambda: self.connection.health.protocol == "5",
            alarm=lambda: board.alert(HOUSE, ALERT, message=MESSAGE),
            counters=counters,
        )
        self.connection.watched, self.reception.foreign = self.foreign.subscriptions, self.foreign.noticed
        self.connection.taken_over = self._taken_over
        for part in (self.services, self.commands, self.reception, self.administration, self.foreign):
            part.audit = self.audit
        self.rest = Rest(
            self.tree, ledger, bus=self.bus, commands=self.commands, reception=self.reception, runners=self.runners
        )

    def _look(self) -> None:
        """Build what tells how the bus is."""
        self.health = Health(
            Parts(
                connection=self.connection,
                outbox=self.outbox,
                ledger=self.ledger,
                store=self.store,
                runners=self.runners,
                retained=self.retained,
                publisher=self.publisher,
                usage=self.usage,
                counters=self.counters,
                actions=lambda: self.routes.waiting(),  # noqa: PLW0108 - they are built after it
            )
        )
        self.bulletin = Bulletin(self.health)
        self.health.audited = lambda: str(self.audit.head)
        self.audit.tell = self.bulletin.inform
        self.logbook = Logbook(self.tree, self.turns, instance=self.config.bus.instance, counters=self.counters)
        self.logbook.use(self.config.bus.log_mqtt)
        watched = (self.outbox, self.reception, self.retention, self.discovery)
        self.signs = Signs(
            connection=self.connection,
            outbox=self.outbox,
            turns=self.turns,
            store=self.store,
            runners=self.runners,
            pulses=[part.pulse for part in watched],
        )
        self.health.verdict.stuck = Watch(self.signs.lives, clock=time.monotonic).overdue

    def _route(self) -> None:
        """Build the routes."""
        self.routes = Routes(
            self.services,
            self.tree,
            outbox=self.outbox,
            replies=self.replies,
            runners=self.runners,
            administration=self.administration,
            environ=os.environ,
            vault=lambda name: self.vault.get(Entry("", HOUSE, name)),
            watch=self.signs.lives.append,
        )
        self.routes.prepare(self.config)

    def _answer(self) -> None:
        """Build what answers those who ask the bus itself; what few ask for is built when they do."""
        self.erasure = Erasure(
            self.ledger,
            self.outbox,
            self.store,
            vault=self.vault.erase,
            others=self._forget,
            runners=self.runners,
            state_dir=self._state_dir,
            connected=lambda: self.connection.session is not None,
            devices=self._forget_devices,
            asleep=lambda owner: forgetful(self.config, owner),
        )
        handlers = self.administration.handlers
        handlers["log_level"] = self.logbook.requested
        handlers["erase_owner"] = self.erasure.requested
        handlers.update(late(("owner_usage", "owner_export", "owner_file"), self._kept_of_owners))
        handlers.update(late(("trace",), self._traces))
        handlers.update(late(("audit_list", "audit_verify", "audit_note"), self._audits))
        handlers.update(late(("unclaimed", "owner_status"), self._people))

    def _kept_of_owners(self) -> Mapping[str, Handler]:
        from jitney.daemon.service.holdings import Holdings  # noqa: PLC0415 - memory for those who ask

        adapters = lambda: self.config.adapters  # noqa: E731 - those of now, whenever it is asked
        holdings = Holdings(self.store, self.ledger, self.outbox, adapters=adapters, state_dir=self._state_dir)
        holdings.audit = self.audit
        return holdings.handlers()

    def _people(self) -> Mapping[str, Handler]:
        from jitney.daemon.supervision.people import PeopleRequests  # noqa: PLC0415 - memory for those who ask

        known = self.services.unclaimed
        return PeopleRequests(lambda: self.config, known, runners=self.runners, rest=self.rest).handlers()

    def _audits(self) -> Mapping[str, Handler]:
        from jitney.daemon.service.audit_requests import AuditRequests  # noqa: PLC0415 - memory for those who ask

        return AuditRequests(self.audit, self.store).handlers()

    def _traces(self) -> Mapping[str, Handler]:
        from jitney.daemon.delivery.trace_requests import TraceRequests  # noqa: PLC0415 - memory for those who ask

        return {"trace": TraceRequests(self.outbox.traces).requested}

    def _forget_devices(self, owner: str) -> Sequence[str]:
        from jitney.daemon.access.devices import FileDevices  # noqa: PLC0415 - memory for those who erase

        return FileDevices(self._state_dir).forget(owner)

    async def _forget(self, owner: str) -> None:
        await self.routes.erase(owner)
        self.discovery.forget(owner)
        await self.audit.erase(owner)
        self.bus.resting.forget(owner=owner)
        await self.services.runtimes.drop(owner)

    def _taken_over(self, why: str) -> None:
        """Tell that somebody else is at the broker with our client id."""
        _log.warning("somebody else has our client id", remedy=why)
        self.audit.add("refused", outcome="taken_over", detail=why)
        self.board.alert(HOUSE, "taken_over", message=why)

    def _introduced(self, client: str) -> ConnectOptions:
        will = Message(self.retained.state_topic, self.retained.state("offline"), retain=True)
        return options(self.config.mqtt, url=self._broker_url, client=client, will=will)
