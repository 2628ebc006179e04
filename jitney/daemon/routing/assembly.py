"""Everything that routes need while the bus runs, put together from the configuration."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jitney.daemon.config.resting import resting, without_resting
from jitney.daemon.config.routes import compiled, kinds
from jitney.daemon.config.schema import Config
from jitney.daemon.delivery.administration import Administration
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.delivery.replies import Replies
from jitney.daemon.pulse import Pulse
from jitney.daemon.routes.allowed import AllowList, Pattern
from jitney.daemon.routes.compiled import Route
from jitney.daemon.routes.settings import HandlerSettings
from jitney.daemon.routes.zones import zone
from jitney.daemon.routing import dead_requests
from jitney.daemon.routing.breaker import Alert
from jitney.daemon.routing.dead import Dead
from jitney.daemon.routing.deeds import Deeds
from jitney.daemon.routing.executor import Executor
from jitney.daemon.routing.grants import Grants
from jitney.daemon.routing.journal import Verdict
from jitney.daemon.routing.journal_requests import JournalRequests
from jitney.daemon.routing.planned import Planned
from jitney.daemon.routing.replay import Replay
from jitney.daemon.routing.resting import RestingDoer
from jitney.daemon.routing.router import Router
from jitney.daemon.routing.secrets import InVault, Secrets
from jitney.daemon.routing.sharing import Sharing
from jitney.daemon.routing.variables import Variables
from jitney.daemon.routing.webhooks import Webhooks
from jitney.daemon.supervision.context import Services
from jitney.daemon.supervision.runner import Runner
from jitney.daemon.supervision.status import StatusBoard
from jitney.topics import HOUSE, RESERVED, TopicTree
from jitney.topics.messages import ROUTE

if TYPE_CHECKING:
    from jitney.daemon.routing.handlers import Handlers


class Routing:
    """The routes, what they have planned, and the grants. ``load`` comes first, then ``run``."""

    def __init__(
        self,
        config: Config,
        services: Services,
        *,
        outbox: Outbox,
        replies: Replies,
        runners: Mapping[str, Runner],
        tree: TopicTree,
        environ: Mapping[str, str],
        vault: InVault,
    ) -> None:
        bus, store, counters = services.bus, services.store, services.counters
        routes = compiled(config)[0]
        house = zone(config.bus.time_zone)
        self._grants = grants = Grants(without_resting(config).grants, tree=tree, private=kinds(config), zone=house)
        variables = Variables(counters)
        self._sharing = Sharing(grants, outbox, store, tree=tree, counters=counters)
        served, away = _with_python(config, routes), resting(config)
        self._board = StatusBoard(tree, services.ledger, adapter=ROUTE, owners=served, resting=away)
        self._environ = environ
        self._variables = variables
        self._python = _python(config)
        self._places = config.routing.webhooks
        self._handlers = _handlers(config, self._board, variables, environ) if config.scripts else None
        self._webhooks = Webhooks(
            _allowed(config),
            Secrets(environ=environ, folder=Path(config.folder), vault=vault).fetch,
            services.runtimes,
        )
        self._deeds = deeds = Deeds(
            bus,
            replies,
            store,
            targets=runners,
            types=_types(config),
            sharing=self._sharing,
            variables=variables,
            webhooks=self._webhooks,
            handlers=self._handlers,
        )
        doer = RestingDoer(deeds, lambda: bus.resting.owners)
        self.executor = Executor(store, doer, counters=counters)
        self.router = Router(
            store,
            self.executor,
            routes=routes,
            names=_awake(config),
            variables=variables,
            alerts=self._alert,
            zone=house,
            counters=counters,
            shared=grants.copies,
        )
        self.executor.declined = self._declined
        self.executor.traces = outbox.traces
        services.came_online = self.executor.reached
        self.dead = Dead(store, self.executor, outbox, grants=grants, tree=tree)
        replay = Replay(bus, self.router, outbox)
        self._requests = JournalRequests(self.router, replay, owners=config.owners, started=time.time())

    async def use(self, config: Config) -> None:
        """Answer as another configuration wants it, while it runs; what is under way is finished as it was begun."""
        routes = compiled(config)[0]
        self._grants.change(without_resting(config).grants, private=kinds(config))
        self._board.rest(resting(config))
        self._board.serve(_with_python(config, routes))
        if _python(config) != self._python:
            old, self._python = self._handlers, _python(config)
            self._handlers = _handlers(config, self._board, self._variables, self._environ) if config.scripts else None
            self._deeds.change(self._handlers)
            if old is not None:
                await old.close()
        if config.routing.webhooks != self._places:
            self._places = config.routing.webhooks
            await self._webhooks.change(_allowed(config))
        self._deeds.types = _types(config)
        self._requests.owners = frozenset(config.owners) | RESERVED
        self.router.use(routes, names=_awake(config))

    def administer(self, administration: Administration) -> None:
        """Let dead letters and the journal be asked for."""
        administration.handlers.update(dead_requests.handlers(self.dead))
        administration.handlers.update(self._requests.handlers())

    async def withdraw(self) -> None:
        """Take back what an earlier run would still show to somebody who may not see it any more.

        To be called before the outbox reads what waits.
        """
        await self._sharing.withdraw()

    async def load(self) -> None:
        """Read what an earlier run remembered."""
        await self.router.load()

    @property
    def pulse(self) -> Pulse:
        """The signs of life of what time brings about."""
        return self.router.pulse

    async def run(self) -> None:
        """Do what is planned and what time brings about; cancelled to stop it."""
        self._board.set("online")
        async with asyncio.TaskGroup() as group:
            group.create_task(self.executor.run(), name="actions")
            group.create_task(self.router.run(), name="routes")

    def leave(self) -> None:
        """Tell whoever has Python routes that the bus stops."""
        self._board.set("offline", "the bus has stopped")

    async def erase(self, owner: str) -> None:
        """Forget an owner: what is planned, remembered and set."""
        self.router.forget(owner)
        await self.executor.erase(owner)
        if self._handlers is not None:
            await self._handlers.forget(owner)

    def _declined(self, planned: Planned, why: str) -> None:
        entry = self.router.journal.find(planned.event_id, planned.owner)
        if entry is not None:
            self.router.journal.amend(entry.event, Verdict(planned.route, "held", why))

    def _alert(self, alert: Alert) -> None:
        if alert.message:
            self._board.alert(alert.owner, alert.route, message=alert.message)
        else:
            self._board.resolve(alert.owner, alert.route)


def _python(config: Config) -> tuple[object, ...]:
    """Return all that the processes of Python routes depend on."""
    return config.scripts, config.routing.python_seconds, config.routing.python_mb, _names(config)


def _types(config: Config) -> dict[str, str]:
    return {name: adapter.type.name for name, adapter in config.adapters.items()}


def _names(config: Config) -> dict[str, str]:
    return {owner.id: owner.name or owner.id for owner in config.owners.values()}


def _awake(config: Config) -> dict[str, str]:
    """Return the names of those who do not rest: for whom routes remember anything, and time brings anything about."""
    away = resting(config)
    return {owner: name for owner, name in _names(config).items() if owner not in away}


def _allowed(config: Config) -> AllowList:
    return AllowList(Pattern.parse(text) for text in config.routing.webhooks)


def _with_python(config: Config, routes: Sequence[Route]) -> list[str]:
    """Return the owners who have Python routes."""
    handled = [route for route in routes if isinstance(route.settings, HandlerSettings)]
    return [owner for owner in (*config.owners, HOUSE) if any(route.serves(owner) for route in handled)]


def _handlers(config: Config, board: StatusBoard, variables: Variables, environ: Mapping[str, str]) -> "Handlers":
    from jitney.daemon.routing.handlers import build  # noqa: PLC0415 - memory for those who have Python routes

    return build(config, board, variables, environ=environ)
