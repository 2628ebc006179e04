"""Reception: what the broker delivers to us becomes a command or an event, and is acknowledged once it is safe."""

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from jitney.adapters.errors import RefusedError
from jitney.daemon.broker.inbound import Inbound, Taken
from jitney.daemon.broker.session import Session
from jitney.daemon.counters import Counters
from jitney.daemon.delivery import inbox
from jitney.daemon.delivery.administration import Administration
from jitney.daemon.delivery.bus import Bus
from jitney.daemon.delivery.commands import Commands
from jitney.daemon.log import Tally, get
from jitney.daemon.store.store import Store, StoreError
from jitney.topics import Command, Event, InvalidPayloadError, InvalidTopicError, TopicTree
from jitney.topics.tree import CommandTopic, InboxTopic, RequestTopic

_log: Final = get("reception")


class Reception:
    """Handles received messages in batches: one commit, then all their acknowledgements, in order."""

    def __init__(
        self,
        tree: TopicTree,
        inbound: Inbound,
        bus: Bus,
        *,
        commands: Commands,
        administration: Administration,
        store: Store,
        adapters: Collection[str],
        owners: Collection[str],
        session: Callable[[], Session | None],
        counters: Counters,
    ) -> None:
        self._tree = tree
        self._inbound = inbound
        self._bus = bus
        self._commands = commands
        self._administration = administration
        self._store = store
        self._adapters = adapters
        self._owners = owners
        self._session = session
        self._counters = counters
        self._tally = Tally(_log)

    async def run(self) -> None:
        """Handle messages for ever; cancelled to stop it."""
        while True:
            taken = await self._inbound.take()
            try:
                begun = await self._keep(taken)
            except StoreError as error:
                self._tally.add("what the broker sent cannot be kept", key="store", reason=str(error))
                session = self._session()
                if session is not None:
                    session.abort()
                continue
            self._inbound.done(taken, self._session())
            for command in begun:
                self._commands.begin(command)

    async def _keep(self, taken: list[Taken]) -> list[Command]:
        """Write all that was received; returns the commands to begin. Raises StoreError when nothing is safe."""
        commands: list[Command] = []
        events: dict[str, list[Event]] = {}
        for item in taken:
            try:
                address = self._tree.parse(item.incoming.topic)
                if isinstance(address, CommandTopic) and self._knows(item, address.owner):
                    command = self._commands.keep(item.incoming, address)
                    commands += [command] if command is not None else []
                elif isinstance(address, InboxTopic) and self._knows(item, address.owner):
                    events.setdefault(address.owner, []).append(self._event(item, address))
                elif isinstance(address, RequestTopic):
                    self._administration.begin(item.incoming, address)
                # Anything else is our own: a 3.1.1 broker echoes what is published while the replay is subscribed.
            except (InvalidTopicError, InvalidPayloadError) as error:
                self._refuse(item, "invalid", str(error))
        results = await asyncio.gather(
            *(self._bus.emit(accepted, durable=True) for accepted in events.values()), return_exceptions=True
        )
        for (owner, accepted), result in zip(events.items(), results, strict=True):
            if isinstance(result, RefusedError) and result.code == "outbox_full":
                self._counters.add("dropped", len(accepted), owner=owner, adapter="inbox", reason=result.code)
            elif result is not None:
                raise StoreError(str(result)) from result
        await self._store.committed()
        return commands

    def _knows(self, item: Taken, owner: str) -> bool:
        if owner not in self._owners:
            self._refuse(item, "unknown_owner", f"{owner!r} is not a configured owner")
        return owner in self._owners

    def _event(self, item: Taken, address: InboxTopic) -> Event:
        event, answer = inbox.received(item.incoming, address, adapters=self._adapters)
        if not self._bus.admit(address.owner, address.source):
            message = f"{address.owner} has used too many words as source: use one of them"
            raise InvalidPayloadError(message)
        if answer is not None:
            self._bus.plans.answer_to(event.id, answer)
        return event

    def _refuse(self, item: Taken, reason: str, text: str) -> None:
        self._counters.add("dropped", adapter="inbound", reason=reason)
        self._tally.add("refused a message", key=reason, topic=item.incoming.topic[:200], reason=text)
