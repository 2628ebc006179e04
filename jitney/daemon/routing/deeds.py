"""How each kind of action is done, once: through the same doors as what comes from outside, and only as its owner."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from msgspec import UNSET, Raw

from jitney.adapters.errors import RefusedError
from jitney.daemon.delivery.bus import Bus
from jitney.daemon.delivery.commands import Target
from jitney.daemon.delivery.replies import Replies
from jitney.daemon.routes.actions import (
    Forward,
    Notify,
    PublishEvent,
    PublishState,
    Reply,
    RunHandler,
    SendCommand,
    SetVariable,
    Webhook,
)
from jitney.daemon.routing.notices import Ask, answer, notice
from jitney.daemon.routing.planned import Planned
from jitney.daemon.routing.sharing import Sharing
from jitney.daemon.routing.variables import VariableError, Variables
from jitney.daemon.routing.webhooks import Webhooks
from jitney.daemon.store import route_memory
from jitney.daemon.store.store import Store
from jitney.topics import EMPTY, MAX_HOPS, Command, Event, State, derived_id, utc_now
from jitney.topics import messages as said
from jitney.topics.messages import ROUTE
from jitney.topics.traceparent import follow

if TYPE_CHECKING:
    from jitney.daemon.routing.handlers import Handlers

ANSWER: Final = 55.0
"""Seconds that an adapter has for a command."""


class Deeds:
    """Does actions. ``targets`` are the doors of the configured adapters and ``types`` their types, by name.

    ``handlers`` None: there are no Python routes.
    """

    def __init__(
        self,
        bus: Bus,
        replies: Replies,
        store: Store,
        *,
        targets: Mapping[str, Target],
        types: Mapping[str, str],
        sharing: Sharing,
        variables: Variables,
        webhooks: Webhooks,
        handlers: "Handlers | None" = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bus = bus
        self._replies = replies
        self._store = store
        self._targets = targets
        self.types = types
        self._sharing = sharing
        self._variables = variables
        self._webhooks = webhooks
        self._handlers = handlers
        self._clock = clock

    async def do(self, planned: Planned) -> None:
        """Do an action; raises RefusedError or FailedError, or another JitneyError, when it could not be done.

        To drop an event is not among them: that is over once it is planned.
        """
        await self.answer(planned)

    async def answer(self, planned: Planned) -> Raw:
        """Do an action as ``do`` does, and return the data of the reply to a command."""
        match planned.action:
            case SendCommand(adapter=adapter, command=name, data=data):
                return await self._command(planned, Ask(adapter, name, data))
            case Notify() as notify:
                await self._command(planned, notice(notify, self._type(notify.adapter, planned.owner)))
            case Reply() as reply:
                await self._reply(planned, reply)
            case PublishEvent() as publish:
                await self._publish(planned, publish)
            case PublishState(subject=subject, data=data, expiry=expiry):
                value = None if data is UNSET else data
                self._bus.set_state(State(planned.owner, subject, value, expiry), adapter=ROUTE, durable=True)
            case Webhook() as webhook:
                await self._webhooks.send(webhook, owner=planned.owner, traceparent=follow(planned.traceparent))
            case Forward(to=to):
                await self._share(planned, to)
            case SetVariable() as variable:
                self._set(planned.owner, variable)
            case RunHandler() as handler:
                await self._handle(planned, handler)
        return EMPTY

    def change(self, handlers: "Handlers | None") -> None:
        """Let other Python routes answer from now on."""
        self._handlers = handlers

    async def close(self) -> None:
        """Close the connections of webhooks, and end what runs of Python routes."""
        await self._webhooks.close()
        if self._handlers is not None:
            await self._handlers.close()

    async def _command(self, planned: Planned, ask: Ask) -> Raw:
        """Command an adapter of the owner and return the data of its reply; a failed reply is a failure.

        A try that may have had its effect is repeated under the same id, so that an adapter can know it again.
        """
        _check_hops(planned)
        target = self._targets.get(ask.adapter)
        if target is None or not target.accepts(planned.owner):
            raise _no_adapter(planned.owner, ask.adapter)
        certain = planned.tries - planned.unsure
        command = Command(
            id=derived_id(planned.id, str(certain)) if certain else planned.id,
            owner=planned.owner,
            adapter=ask.adapter,
            name=ask.name,
            data=ask.data,
            deadline=self._clock() + ANSWER,
            hops=planned.hops + 1,
            causation=planned.event_id,
            traceparent=follow(planned.traceparent),
        )
        reply = await target.command(command)
        if reply.error:
            raise RefusedError(reply.error.code, reply.error.message)
        return reply.data

    async def _share(self, planned: Planned, to: str) -> None:
        if planned.event is None:
            raise RefusedError("unreadable", "the event that was to be shown was not kept")
        await self._sharing.share(planned.event, to)

    async def _handle(self, planned: Planned, handler: RunHandler) -> None:
        if self._handlers is None:
            raise RefusedError("unknown_handler", f"{handler.file} is not named in [routing] python any more")
        await self._handlers.run(planned, handler, self.answer)

    async def _reply(self, planned: Planned, reply: Reply) -> None:
        """Answer whoever the event came from."""
        origin = planned.origin
        if origin.node:
            await self._command(planned, answer(reply, origin, adapter=planned.adapter))
            return
        if origin.address is None:
            message = f"{planned.event_type} of {planned.adapter} comes from nobody who can be answered"
            raise RefusedError("no_origin", message)
        asked = Command(
            id=planned.event_id,
            owner=planned.owner,
            adapter=planned.adapter,
            name=planned.event_type,
            client=origin.address.client,
            transaction=origin.address.transaction,
            response_topic=origin.address.response_topic,
            correlation=origin.address.correlation,
        )
        if not self._replies.allows(asked):
            message = "the response topic of the event is not inside the same owner's reply tree"
            raise RefusedError("foreign_response_topic", message)
        self._replies.send(asked, said.Reply.ok({"text": reply.text} if reply.text else reply.data))

    async def _publish(self, planned: Planned, publish: PublishEvent) -> None:
        """Publish an event of the owner; the same one when it is tried again."""
        _check_hops(planned)
        now = utc_now()
        event = Event(
            id=derived_id(ROUTE, planned.id),
            source=f"/{ROUTE}",
            type=f"{ROUTE}.{publish.kind}",
            subject=publish.subject or UNSET,
            time=now,
            observed=now,
            owner=planned.owner,
            hops=planned.hops + 1,
            actor=publish.source,
            causationid=planned.event_id,
            traceparent=follow(planned.traceparent) or UNSET,
            data=publish.data,
        )
        await self._bus.emit([event], durable=True)

    def _set(self, owner: str, wanted: SetVariable) -> None:
        try:
            if wanted.value is UNSET:
                self._variables.remove(owner, wanted.name)
            else:
                value = Raw(bytes(wanted.value))
                self._variables.set(owner, wanted.name, value, now=self._clock(), expiry=wanted.expiry)
        except VariableError as error:
            raise RefusedError("invalid", str(error)) from error
        for sql, rows in route_memory.writes(self._variables.rows()):
            self._store.write(sql, rows)

    def _type(self, adapter: str, owner: str) -> str:
        kind = self.types.get(adapter)
        if kind is None:
            raise _no_adapter(owner, adapter)
        return kind


def _check_hops(planned: Planned) -> None:
    if planned.hops >= MAX_HOPS:
        message = f"{planned.event_type} was caused through {planned.hops} events: this is a loop"
        raise RefusedError("loop", message)


def _no_adapter(owner: str, adapter: str) -> RefusedError:
    return RefusedError("unknown_adapter", f"{owner} has no adapter {adapter!r}")
