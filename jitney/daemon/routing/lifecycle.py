"""Routes as the rest of the daemon knows them: none, or everything that they need; changed while it runs."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from jitney.daemon.config.schema import Config
from jitney.daemon.delivery.administration import Administration
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.delivery.replies import Replies
from jitney.daemon.pulse import Pulse
from jitney.daemon.routing import routeless
from jitney.daemon.store import outbox as outbox_rows
from jitney.daemon.supervision.context import Services
from jitney.daemon.supervision.runner import Runner
from jitney.topics import TopicTree

if TYPE_CHECKING:
    from jitney.daemon.routing.assembly import Routing
    from jitney.daemon.routing.secrets import InVault


class Routes:
    """Lets routes answer events where the configuration has any, or grants. ``prepare`` comes first, then ``run``.

    ``watch`` is told of the loop that has to turn, once there is one.
    """

    def __init__(
        self,
        services: Services,
        tree: TopicTree,
        *,
        outbox: Outbox,
        replies: Replies,
        runners: Mapping[str, Runner],
        administration: Administration,
        environ: Mapping[str, str],
        vault: "InVault",
        watch: Callable[[Pulse], None],
    ) -> None:
        self._services = services
        self._tree = tree
        self._outbox = outbox
        self._replies = replies
        self._runners = runners
        self._administration = administration
        self._environ = environ
        self._vault = vault
        self._watch = watch
        self._routing: Routing | None = None
        self._group: asyncio.TaskGroup | None = None

    @property
    def routing(self) -> "Routing | None":
        """What routes need; None where there are neither routes nor grants."""
        return self._routing

    def prepare(self, config: Config) -> None:
        """Build what is needed."""
        if config.routes or config.grants:
            self._routing = self._build(config)
            self._put(self._routing)
        else:
            store = self._services.store
            self._administration.handlers.update(routeless.handlers(store, self._outbox, self._tree))

    async def withdraw(self) -> None:
        """Take back what an earlier run would still show to somebody who may not see it any more.

        To be called before the outbox reads what waits.
        """
        if self._routing is not None:
            await self._routing.withdraw()
        else:
            self._services.store.write(outbox_rows.WITHDRAW, [()])
            await self._services.store.committed(quiet=True)

    async def load(self) -> None:
        """Read what an earlier run remembered."""
        if self._routing is not None:
            await self._routing.load()

    async def use(self, config: Config) -> None:
        """Answer as another configuration wants it, while it runs.

        Raises StoreError; then it is to be done again.
        """
        if self._routing is not None:
            await self._routing.use(config)
        elif config.routes or config.grants:
            routing = self._build(config)
            await routing.load()
            self._routing = routing
            self._put(routing)
            if self._group is not None:
                self._start(self._routing, self._group)

    async def run(self) -> None:
        """Do what is planned and what time brings about; cancelled to stop it."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            if self._routing is not None:
                self._start(self._routing, group)
            try:
                await asyncio.Event().wait()
            finally:
                self._group = None

    def leave(self) -> None:
        """Tell whoever is concerned that the bus stops."""
        if self._routing is not None:
            self._routing.leave()

    def waiting(self) -> dict[str, int]:
        """Return how many actions of each owner are not done yet."""
        return self._routing.executor.waiting_of() if self._routing is not None else {}

    async def erase(self, owner: str) -> None:
        """Forget an owner: what is planned, remembered and set."""
        if self._routing is not None:
            await self._routing.erase(owner)

    @staticmethod
    def _start(routing: "Routing", group: asyncio.TaskGroup) -> None:
        group.create_task(routing.run(), name="routing")

    def _build(self, config: Config) -> "Routing":
        from jitney.daemon.routing.assembly import Routing  # noqa: PLC0415 - memory for those who have routes

        return Routing(
            config,
            self._services,
            outbox=self._outbox,
            replies=self._replies,
            runners=self._runners,
            tree=self._tree,
            environ=self._environ,
            vault=self._vault,
        )

    def _put(self, routing: "Routing") -> None:
        """Let it answer, and be asked."""
        self._services.bus.plans = routing.router
        routing.administer(self._administration)
        self._watch(routing.pulse)
