"""Reception: what the broker delivers to us becomes a command or an event, and is acknowledged once it is safe."""

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from msgspec import Struct

from jitney.adapters.errors import RefusedError
from jitney.daemon.broker.inbound import Inbound, Taken
from jitney.daemon.broker.session import Incoming, Session
from jitney.daemon.config.resting import DISABLED, why
from jitney.daemon.counters import Counters
from jitney.daemon.delivery import inbox
from jitney.daemon.delivery.administration import Administration
from jitney.daemon.delivery.bus import Bus
from jitney.daemon.delivery.commands import Commands
from jitney.daemon.log import Decay, Tally, get
from jitney.daemon.owners.audit import REFUSALS, UNHEARD, Auditing
from jitney.daemon.pulse import Pulse
from jitney.daemon.store.store import Store, StoreError
from jitney.topics import Command, Event, InvalidTopicError, Reply, TopicTree
from jitney.topics.messages import ReplyAddress
from jitney.topics.tree import CommandTopic, InboxTopic, RequestTopic

PATIENCE: Final = 5.0
"""Seconds that are waited for a state file that cannot be written, before the broker is made to send again."""

_log: Final = get("reception")


class _Handed(Struct, frozen=True):
    """An event from the inbox, the message that it came in, and where an answer to it is wanted."""

    item: Taken
    event: Event
    answer: ReplyAddress | None


class Reception:
    """Handles received messages in batches: one commit, then all their acknowledgements, in order.

    ``elsewhere`` takes what comes on topics outside of the tree, and says whether it did; ``foreign`` what somebody
    else has published on topics of ours.
    """

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
        self.elsewhere: Callable[[Incoming], bool] = lambda _: False
        self.foreign: Callable[[Incoming], bool] = lambda _: False
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
        self.resting: Collection[str] = ()
        """The people who are disabled: what they hand in is refused."""
        self.audit: Auditing = UNHEARD
        self._tally = Tally(_log)
        self._decay = Decay(_log)
        self.pulse = Pulse("reception", waiting=lambda: len(inbound) > 0)

    def serve(self, owners: Collection[str], adapters: Collection[str]) -> None:
        """Know these people and adapters from now on."""
        self._owners = owners
        self._adapters = adapters

    async def run(self) -> None:
        """Handle messages for ever; cancelled to stop it."""
        while True:
            taken = await self._inbound.take()
            try:
                with self.pulse:
                    begun = await self._keep(taken)
            except StoreError as error:
                self._decay.failed("what the broker sent cannot be kept", reason=str(error))
                await self._store.writable(PATIENCE)  # it comes again at once: not many times a second
                session = self._session()
                if session is not None:
                    session.abort()
                continue
            self._decay.over("what the broker sends is kept again")
            self._inbound.done(taken, self._session())
            for command in begun:
                self._commands.begin(command)

    async def _keep(self, taken: list[Taken]) -> list[Command]:
        """Write all that was received; returns the commands to begin. Raises StoreError when nothing is safe."""
        commands: list[Command] = []
        handed: dict[tuple[str, str], list[_Handed]] = {}
        for item in taken:
            try:
                self._take(item, commands, handed)
            except InvalidTopicError as error:
                self._refuse(item, "invalid", str(error))
        results = await asyncio.gather(*map(self._emit, handed.values()), return_exceptions=True)
        for failure in filter(None, results):
            raise failure
        await self._store.committed()
        return commands

    def _take(self, item: Taken, commands: list[Command], handed: dict[tuple[str, str], list[_Handed]]) -> None:
        """Add what a message asks for to ``commands`` or ``handed``. Raises InvalidTopicError."""
        if item.verdict != "admitted":
            if item.verdict == "answered":
                self._decline(item.incoming)
            return
        incoming = item.incoming
        if self.elsewhere(incoming) or self.foreign(incoming):
            return
        if incoming.retain and not incoming.payload:
            return  # it clears a retained message, and asks for nothing
        address = self._tree.parse(incoming.topic)
        if isinstance(address, CommandTopic) and self._knows(item, address.owner):
            command = self._commands.keep(incoming, address)
            commands += [command] if command is not None else []
        elif isinstance(address, InboxTopic) and self._knows(item, address.owner):
            try:
                one = self._handed(item, address)
            except RefusedError as error:
                self._answer(item, address, inbox.asker(incoming), error)
            else:
                handed.setdefault((address.owner, address.source), []).append(one)
        elif isinstance(address, RequestTopic):
            self._administration.begin(incoming, address)
        # Anything else is our own: a 3.1.1 broker echoes what is published while the replay is subscribed.

    def _knows(self, item: Taken, owner: str) -> bool:
        if owner not in self._owners:
            self._refuse(item, "unknown_owner", f"{owner!r} is not a configured owner")
        return owner in self._owners

    def _handed(self, item: Taken, address: InboxTopic) -> _Handed:
        """Return the event that was handed in; raises RefusedError."""
        if address.owner in self.resting:
            raise RefusedError(DISABLED, why(address.owner))
        event, answer = inbox.received(item.incoming, address, adapters=self._adapters, most_bytes=self._bus.most_bytes)
        if answer is not None and not self._commands.replies.allows(_asking(address, answer)):
            raise RefusedError(
                "foreign_response_topic", "the response topic must be inside the same owner's reply tree"
            )
        if not self._bus.admit(address.owner, address.source):
            raise RefusedError(
                "too_many_sources", f"{address.owner} has used too many words as source: use one of them"
            )
        return _Handed(item, event, answer)

    async def _emit(self, handed: list[_Handed]) -> None:
        """Let the bus accept the events of one source. Raises StoreError when they are not safe."""
        answers: dict[str, ReplyAddress] = {}
        for one in handed:
            if one.answer is not None:
                answers.setdefault(one.event.id, one.answer)
        for event_id, answer in answers.items():
            self._bus.plans.answer_to(handed[0].event.owner, event_id, answer)
        try:
            await self._bus.emit([one.event for one in handed], durable=True)
        except RefusedError as error:
            if error.code != "outbox_full":
                raise StoreError(str(error)) from error
            for one in handed:
                address = InboxTopic(one.event.owner, one.event.adapter, one.event.kind)
                self._answer(one.item, address, one.answer or ReplyAddress(), error)

    def _decline(self, incoming: Incoming) -> None:
        """Tell whoever sent a message that it is over the limit. Raises InvalidTopicError."""
        error = RefusedError("rate_limited", "too much came at once: send less, or raise the limit in [limits]")
        address = self._tree.parse(incoming.topic)
        if isinstance(address, CommandTopic):
            self._commands.decline(incoming, address, error)
        elif isinstance(address, InboxTopic):
            asked = _asking(address, inbox.asker(incoming))
            self._commands.replies.send(asked, Reply.failed(error.code, str(error)))

    def _answer(self, item: Taken, address: InboxTopic, answer: ReplyAddress, error: RefusedError) -> None:
        """Tell whoever handed in an event that it is refused."""
        self._refuse(item, error.code, str(error), owner=address.owner)
        self._commands.replies.send(_asking(address, answer), Reply.failed(error.code, str(error)))

    def _refuse(self, item: Taken, code: str, text: str, *, owner: str = "") -> None:
        """Tell why a message is not taken; ``owner`` is in whose inbox it was."""
        self._counters.add("dropped", owner=owner, adapter="inbox" if owner else "inbound", reason=code)
        if code in REFUSALS:
            self.audit.asked("message", code, owner=owner, detail=f"on {item.incoming.topic}")
        topic = item.incoming.topic[:200]
        self._tally.add("refused a message", key=f"{owner}/{code}", topic=topic, code=code, reason=text)


def _asking(address: InboxTopic, answer: ReplyAddress) -> Command:
    """Return what was handed in as something that wants an answer."""
    return Command(
        id="",
        owner=address.owner,
        adapter=inbox.TYPE,
        name=address.kind,
        client=answer.client,
        transaction=answer.transaction,
        response_topic=answer.response_topic,
        correlation=answer.correlation,
    )
