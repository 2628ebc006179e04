"""What does actions, on the parts of a running daemon."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from jitney.adapters.errors import RefusedError
from jitney.adapters.secret import Secret
from jitney.daemon.delivery.commands import Target
from jitney.daemon.owners.runtime import Runtimes
from jitney.daemon.routes.actions import Action
from jitney.daemon.routes.allowed import AllowList, Pattern
from jitney.daemon.routes.settings import GrantSettings
from jitney.daemon.routing.dead import Dead
from jitney.daemon.routing.deeds import Deeds
from jitney.daemon.routing.executor import Executor
from jitney.daemon.routing.grants import Grants
from jitney.daemon.routing.planned import Planned, plan
from jitney.daemon.routing.secrets import Secrets
from jitney.daemon.routing.sharing import Sharing
from jitney.daemon.routing.variables import Variables
from jitney.daemon.routing.webhooks import Webhooks
from jitney.topics import Command, Event, Reply, TopicTree
from jitney.topics.messages import ReplyAddress
from tests.daemon.routing.doing import Clock
from tests.daemon.running import Daemon

TREE = TopicTree()


class Door:
    """An adapter that keeps its commands and answers as the test says."""

    def __init__(self, *owners: str) -> None:
        self.commands: list[Command] = []
        self.answers: list[Reply | Exception] = []
        self._owners = owners

    def accepts(self, owner: str) -> bool:
        return owner in self._owners

    async def command(self, command: Command) -> Reply:
        self.commands.append(command)
        answer = self.answers.pop(0) if self.answers else Reply.ok()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def data(self) -> dict[str, object]:
        """Return the data of the last command."""
        decoded: dict[str, object] = msgspec.json.decode(self.commands[-1].data)
        return decoded


class Actors:
    """The parts that a test looks at."""

    def __init__(
        self, daemon: Daemon, *, doors: Mapping[str, Target], types: Mapping[str, str], grants: Sequence[GrantSettings]
    ) -> None:
        app = daemon.app
        self.store = app.parts.store
        self.outbox = app.parts.outbox
        self.counters = app.parts.health._counters
        self.bus = app.parts.runners["played"].context._services.bus
        self.variables = Variables(self.counters)
        self.grants = Grants(grants, tree=TREE, private=lambda _: False)
        self.sharing = Sharing(self.grants, self.outbox, self.store, tree=TREE, counters=self.counters)
        self.hooks: list[str] = []
        self._doors = {**app.parts.runners, **doors}
        self._types = {"played": "played", **types}
        self._replies = app.parts.commands.replies

    def build(self) -> None:
        """Put together what needs the rest; ``hooks`` are the places where webhooks may go."""
        webhooks = Webhooks(
            AllowList(map(Pattern.parse, self.hooks)),
            Secrets(environ={}, folder=Path("/nowhere"), vault=_no_secret).fetch,
            Runtimes(),
        )
        self.deeds = Deeds(
            self.bus,
            self._replies,
            self.store,
            targets=self._doors,
            types=self._types,
            sharing=self.sharing,
            variables=self.variables,
            webhooks=webhooks,
        )
        self.executor = Executor(self.store, self.deeds, counters=self.counters)
        self.dead = Dead(self.store, self.executor, self.outbox, grants=self.grants, tree=TREE)

    async def do(self, action: Action, about: Event, *, address: ReplyAddress | None = None, tries: int = 0) -> Planned:
        """Do an action at once and only once; raises what it raises."""
        (planned,) = plan(about, [action], route="long ride", now=Clock()(), ttl=60, address=address)
        planned = msgspec.structs.replace(planned, tries=tries)
        await self.deeds.do(planned)
        return planned

    async def refused(self, action: Action, about: Event, *, address: ReplyAddress | None = None) -> str:
        """Do an action that is refused and return the code."""
        try:
            await self.do(action, about, address=address)
        except RefusedError as error:
            return error.code
        return ""

    async def accept(self, planned: Sequence[Planned]) -> None:
        for sql, rows in self.executor.rows(planned):
            self.store.write(sql, rows)
        await self.store.committed()
        self.executor.begin(planned)


async def _no_secret(_: str) -> Secret | None:
    return None


@asynccontextmanager
async def acting(
    daemon: Daemon,
    *,
    doors: Mapping[str, Target] | None = None,
    types: Mapping[str, str] | None = None,
    grants: Sequence[GrantSettings] = (),
    hooks: Sequence[str] = (),
) -> AsyncIterator[Actors]:
    """Run an executor beside the parts of a daemon."""
    actors = Actors(daemon, doors=doors or {}, types=types or {}, grants=grants)
    actors.hooks += hooks
    actors.build()
    task = asyncio.create_task(actors.executor.run(), name="executor")
    try:
        yield actors
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()
