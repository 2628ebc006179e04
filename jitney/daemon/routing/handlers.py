"""Python routes as actions: what a function asks for is done like everything that routes do, as the event's owner."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw
from msgspec.structs import replace

from jitney.adapters.errors import RefusedError
from jitney.daemon.config.schema import Config
from jitney.daemon.routes.actions import (
    Action,
    Notify,
    PublishEvent,
    PublishState,
    Reply,
    RunHandler,
    SendCommand,
    SetVariable,
)
from jitney.daemon.routes.actions import encode as encode_action
from jitney.daemon.routing.failures import FailedError, judge
from jitney.daemon.routing.planned import Planned
from jitney.daemon.routing.variables import Variables
from jitney.daemon.scripts.errors import HandlerError
from jitney.daemon.scripts.host import Host, Limits, Task
from jitney.daemon.scripts.standing import Standing
from jitney.daemon.scripts.wire import Ask, AskCommand, AskNotify, AskPublish, AskReply, AskState, Change
from jitney.daemon.supervision.status import StatusBoard
from jitney.topics import EMPTY, Event, JitneyError, cloudevents, derived_id

MOST_BYTES: Final = 1 << 20
"""Of what is remembered for events that are answered again."""

Do = Callable[[Planned], Awaitable[Raw]]
"""Does an action and returns the data of the reply, if it has one; raises a JitneyError."""

_encode = msgspec.json.Encoder().encode


class Handlers:
    """Lets functions of Python files answer events. ``names`` are those of the owners by id."""

    def __init__(
        self, host: Host, variables: Variables, *, names: Mapping[str, str], clock: Callable[[], float] = time.time
    ) -> None:
        self._host = host
        self._variables = variables
        self._names = names
        self._clock = clock
        self._memory = _Memory()

    async def run(self, planned: Planned, action: RunHandler, do: Do) -> None:
        """Let a function answer the event; its variables are set when it ends well. Raises FailedError or a refusal."""
        event = planned.event
        if event is None:
            raise RefusedError("unreadable", "the event that was to be answered was not kept")
        task = Task(
            file=action.file,
            handler=action.handler,
            route=planned.route,
            owner=planned.owner,
            owner_name=self._names.get(planned.owner, ""),
            event=_told(event),
            variables=Raw(_encode(dict(self._variables.of(planned.owner, self._clock())))),
        )
        try:
            changes = await self._host.run(task, _Desk(planned, do, self._memory).done)
        except HandlerError as error:
            raise FailedError(error.code, str(error), after=error.after) from error
        for change in changes:
            await do(replace(planned, action=_variable(change), event=None))
        self._memory.forget(planned.id)

    async def forget(self, owner: str) -> None:
        """End what runs for an owner."""
        await self._host.forget(owner)

    async def close(self) -> None:
        """End every process."""
        await self._host.close()


def build(config: Config, board: StatusBoard, variables: Variables, *, environ: Mapping[str, str]) -> Handlers:
    """Return the handlers of a configuration; ``board`` tells their owners how they are doing."""
    zone = {"TZ": config.bus.time_zone} if config.bus.time_zone else {}
    host = Host(
        config.scripts,
        Standing(board),
        environ={**environ, **zone},
        folder=Path(config.folder),
        limits=Limits(seconds=config.routing.python_seconds, megabytes=config.routing.python_mb),
    )
    names = {owner.id: owner.name or owner.id for owner in config.owners.values()}
    return Handlers(host, variables, names=names)


class _Desk:
    """Does what is asked for about one event, each thing once: what an earlier try has had done is only told again."""

    def __init__(self, planned: Planned, do: Do, memory: "_Memory") -> None:
        self._planned = planned
        self._do = do
        self._memory = memory
        self._asked: Counter[bytes] = Counter()

    async def done(self, ask: Ask) -> Raw:
        """Do it and return the data of the reply; raises RefusedError."""
        planned = self._planned
        action = _action(ask, planned.route)
        what = encode_action(action)
        self._asked[what] += 1
        which = derived_id(planned.id, what.decode(), str(self._asked[what]))
        known = self._memory.get(planned.id, which)
        if known is not None:
            return known
        try:
            data = await self._do(replace(planned, id=which, action=action, event=None))
        except JitneyError as error:
            failure = judge(error)
            if not (failure.declined and isinstance(ask, AskReply)):
                text = failure.reason.removeprefix(f"{failure.code}: ")
                raise RefusedError(failure.code, text) from error
            data = EMPTY
        self._memory.put(planned.id, which, data)
        return data


class _Memory:
    """What was done about events that may have to be answered again, as long as there is room; the oldest give way."""

    def __init__(self) -> None:
        self._done: dict[str, dict[str, Raw]] = {}
        self._bytes = 0

    def get(self, action: str, which: str) -> Raw | None:
        """Return what came of something that was done, None if it was not."""
        return self._done.get(action, {}).get(which)

    def put(self, action: str, which: str, data: Raw) -> None:
        """Remember that something was done."""
        self._done.setdefault(action, {})[which] = data
        self._bytes += _size(data)
        while self._bytes > MOST_BYTES:
            self.forget(next(iter(self._done)))

    def forget(self, action: str) -> None:
        """Forget all that was done about an event."""
        self._bytes -= sum(map(_size, self._done.pop(action, {}).values()))


def _size(data: Raw) -> int:
    return 200 + len(bytes(data))


def _told(event: Event) -> Raw:
    """Return an event with data that can be read."""
    try:
        msgspec.json.decode(event.data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        event = replace(event, data=EMPTY)
    return Raw(cloudevents.encode(event))


def _action(ask: Ask, route: str) -> Action:
    """Return what is asked for as an action; raises RefusedError."""
    match ask:
        case AskCommand(command=command, data=data):
            adapter, _, name = command.partition(".")
            if not adapter or not name:
                message = f"expected an adapter and its command, such as base.send_text, got {command!r}"
                raise RefusedError("invalid", message)
            return SendCommand(adapter=adapter, command=name, data=_raw(data))
        case AskPublish(kind=kind, data=data, subject=subject):
            return PublishEvent(kind=kind, data=_raw(data), subject=subject, source=route)
        case AskState(subject=subject, data=data, expiry=expiry):
            return PublishState(subject=subject, data=UNSET if data is None else _raw(data), expiry=expiry)
        case AskReply(text=text, data=data):
            return Reply(text=text, data=_raw(data))
        case AskNotify(target=target, message=message, title=title, data=data):
            return Notify(target=target, message=message, title=title, data=_raw(data))


def _raw(data: dict[str, Any]) -> Raw:
    return Raw(_encode(data))


def _variable(change: Change) -> SetVariable:
    value = UNSET if change.value is None else Raw(change.value.encode())
    return SetVariable(name=change.name, value=value, expiry=change.expiry)
