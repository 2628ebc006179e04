"""Discovery as the rest of the daemon knows it: on, off, or begun anew with another configuration."""

import asyncio
from typing import TYPE_CHECKING, Final

from jitney import __version__
from jitney.daemon.broker.ledger import GONE, Ledger
from jitney.daemon.broker.session import Incoming, Message
from jitney.daemon.config.schema import Config
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.replies import Replies
from jitney.daemon.discovery.names import BRANCH
from jitney.daemon.pulse import Pulse
from jitney.daemon.store.kept import Kept
from jitney.daemon.store.store import Store
from jitney.daemon.supervision.declarations import Declarations
from jitney.topics import TopicTree

if TYPE_CHECKING:
    from jitney.daemon.discovery.announcer import Announcer

NAME: Final = "discovery"
"""Under this name it is kept and counted what Home Assistant is told."""


class Discovery:
    """Shows devices in Home Assistant as long as the configuration wants it. ``use`` comes first, then ``run``."""

    def __init__(
        self,
        tree: TopicTree,
        ledger: Ledger,
        *,
        store: Store,
        replies: Replies,
        declarations: Declarations,
        counters: Counters,
    ) -> None:
        self.pulse = Pulse(NAME)
        self._tree = tree
        self._ledger = ledger
        self._kept = Kept(store, f"/{NAME}")  # which no adapter is called
        self._replies = replies
        self._declarations = declarations
        self._counters = counters
        self._announcer: Announcer | None = None
        self._group: asyncio.TaskGroup | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def patterns(self) -> list[str]:
        """The filters under which everything that this instance announces lies."""
        return self._announcer.patterns if self._announcer is not None else []

    @property
    def subscriptions(self) -> list[str]:
        """What has to be heard."""
        return self._announcer.subscriptions if self._announcer is not None else []

    @property
    def settled_down(self) -> bool:
        """Whether everything that was declared until now has been announced."""
        return self._announcer is None or self._announcer.settled_down

    def whose(self, topic: str) -> tuple[str, str] | None:
        """Return the owner and the name in the ledger of a topic of ours, None for any other."""
        return self._announcer.whose(topic) if self._announcer is not None else None

    def heard(self, incoming: Incoming) -> bool:
        """Take a message that a Home Assistant has sent; False when it is none."""
        return self._announcer is not None and self._announcer.heard(incoming)

    def forget(self, owner: str) -> None:
        """Forget what was taken back of an owner."""
        if self._announcer is not None:
            self._announcer.forget(owner)

    def prepare(self, config: Config) -> None:
        """Know what is wanted, before anything is loaded."""
        self._announcer = self._build(config)

    async def load(self) -> None:
        """Take back what an earlier run has announced and nobody can declare any more."""
        if self._announcer is not None:
            await self._announcer.load()
            self._declarations.listen(self._announcer)

    async def use(self, config: Config) -> None:
        """Do as another configuration wants it, while it runs; raises StoreError, then it is to be done again."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        self._declarations.listen(None)
        self.prepare(config)
        if self._announcer is None:
            for topic, line in list(self._ledger.lines.items()):
                if line.adapter.startswith(BRANCH):
                    self._ledger.put(topic, GONE, owner=line.owner, adapter=line.adapter)
        await self.load()
        if self._group is not None:
            self._start(self._group)

    async def run(self) -> None:
        """Announce what changes; cancelled to stop it."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._start(group)
            try:
                await asyncio.Event().wait()
            finally:
                self._group = None

    def _start(self, group: asyncio.TaskGroup) -> None:
        if self._announcer is not None:
            self._task = group.create_task(self._announcer.run(), name="announcer")

    def _build(self, config: Config) -> "Announcer | None":
        if not config.discovery.enabled:
            return None
        from jitney.daemon.discovery.announcer import Announcer  # noqa: PLC0415 - memory for those who want it
        from jitney.daemon.discovery.declared import Declared  # noqa: PLC0415

        return Announcer(
            config,
            self._ledger,
            Declared(config, self._tree, version=__version__),
            kept=self._kept,
            send=self._send,
            pulse=self.pulse,
            counters=self._counters,
        )

    def _send(self, message: Message, owner: str) -> None:
        self._replies.publish(message, owner=owner, adapter=NAME)
