"""Commands: taken from the broker, kept until answered, carried out by their adapter."""

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final, Protocol

import msgspec

from jitney.adapters.errors import RefusedError
from jitney.daemon.broker.session import Incoming
from jitney.daemon.config.resting import DISABLED, why
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.asked import LONGEST_NAME, read
from jitney.daemon.delivery.replies import Replies
from jitney.daemon.delivery.traces import Traces
from jitney.daemon.log import Tally, bound, get
from jitney.daemon.owners.audit import UNHEARD, Auditing
from jitney.daemon.store.store import Store, told
from jitney.topics import MAX_HOPS, Command, Reply, made_at, new_id, requests
from jitney.topics.traceparent import follow
from jitney.topics.tree import CommandTopic

MOST_AT_ONCE: Final = 16
"""Commands of one owner that are carried out at the same time; more are refused as busy."""

TIME_TO_LIVE: Final = 60.0
"""Seconds after which a command that was not begun is not carried out any more, unless its message says less."""

_KEEP = "INSERT OR REPLACE INTO command (id, body) VALUES (?, ?)"
_FORGET = "DELETE FROM command WHERE id = ?"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Command).decode
_log = get("commands")


class Target(Protocol):
    """An adapter as commands see it."""

    def accepts(self, owner: str) -> bool:
        """Tell whether an owner may command it."""

    def controls(self, command: str) -> bool:
        """Tell whether a command does something outside, rather than tell something."""

    async def command(self, command: Command) -> Reply:
        """Carry out a command; raises RefusedError."""


class Commands:
    """Carries out commands at least once: they are on disk from their acknowledgement to their answer.

    ``replies`` sends the answers, also those to what is no command.
    """

    def __init__(self, replies: Replies, store: Store, *, targets: Mapping[str, Target], counters: Counters) -> None:
        self.replies = replies
        self.audit: Auditing = UNHEARD
        self.traces = Traces()
        """Where it is told of each command when it was taken and answered."""
        self._store = store
        self._targets = targets
        self._counters = counters
        self._running: Counter[str] = Counter()
        self._group: asyncio.TaskGroup | None = None
        self._tally = Tally(_log)
        self.resting: Collection[str] = ()
        """The people who are disabled: what they ask is refused."""

    async def run(self) -> None:
        """Carry out commands, first those that an earlier run has left; cancelled to stop it."""
        left = await self._store.read(lambda db: db.execute("SELECT body FROM command ORDER BY id").fetchall())
        async with asyncio.TaskGroup() as group:
            self._group = group
            for (body,) in left:
                self.begin(_decode(body))
            await asyncio.Event().wait()

    def keep(self, incoming: Incoming, address: CommandTopic) -> Command | None:
        """Write a command to disk, or answer at once that it is refused; ``begin`` it once it is committed."""
        command = _asked(incoming, address)
        try:
            request = read(incoming, "command")
            command = msgspec.structs.replace(
                command,
                data=request.data,
                client=request.client or command.client,
                transaction=request.transaction or command.transaction,
                hops=max(0, request.hops),
                causation=request.causation,
                traceparent=follow(request.traceparent),
            )
            self._check(command, request)
        except RefusedError as error:
            self._answer(command, Reply.failed(error.code, str(error)))
            return None
        self._store.write(_KEEP, [(command.id, _encode(command))], told)
        self.traces.asked(command, parent=request.traceparent)
        return command

    def decline(self, incoming: Incoming, address: CommandTopic, error: RefusedError) -> None:
        """Answer that a command is refused without a look at what it asks for."""
        try:
            request = read(incoming, "command")
        except RefusedError:
            request = requests.Request()
        client, transaction = request.client or "_", request.transaction or "_"
        command = msgspec.structs.replace(_asked(incoming, address), client=client, transaction=transaction)
        self._answer(command, Reply.failed(error.code, str(error)))

    def begin(self, command: Command) -> None:
        """Start carrying out a command that is on disk."""
        if self._group is None:
            return
        if self._running[command.owner] >= MOST_AT_ONCE:
            self._finish(command, Reply.failed("busy", f"{MOST_AT_ONCE} commands of {command.owner} are under way"))
            return
        self._running[command.owner] += 1
        self._group.create_task(self._carry_out(command), name=f"command {command.owner} {command.id}")

    def _check(self, command: Command, request: requests.Request) -> None:
        if request.owner not in ("", command.owner):
            raise RefusedError(
                "foreign_owner", f"the payload says owner {request.owner!r}, the topic {command.owner!r}"
            )
        if command.owner in self.resting:
            raise RefusedError(DISABLED, why(command.owner))
        if request.hops > MAX_HOPS:
            raise RefusedError("loop", f"it was caused through more than {MAX_HOPS} events: a loop")
        if len(request.causation) > LONGEST_NAME:
            raise RefusedError("invalid", f"causationid has at most {LONGEST_NAME} characters")
        if not self.replies.allows(command):
            raise RefusedError(
                "foreign_response_topic", "the response topic must be inside the same owner's reply tree"
            )
        target = self._targets.get(command.adapter)
        if target is None or not target.accepts(command.owner):
            raise RefusedError("unknown_adapter", f"{command.owner} has no adapter {command.adapter!r}")

    async def _carry_out(self, command: Command) -> None:
        with bound(owner=command.owner, adapter=command.adapter, event_id=command.id):
            try:
                reply = await self._reply(command)
            finally:
                self._running[command.owner] -= 1
            self._finish(command, reply)

    async def _reply(self, command: Command) -> Reply:
        target = self._targets.get(command.adapter)
        if command.owner in self.resting:
            return Reply.failed(DISABLED, why(command.owner))
        if target is None:
            return Reply.failed("unknown_adapter", f"{command.owner} has no adapter {command.adapter!r}")
        if time.time() > command.deadline:
            return Reply.failed("expired", "it waited longer than its time to live")
        try:
            return await target.command(command)
        except RefusedError as error:
            return Reply.failed(error.code, str(error))

    def _finish(self, command: Command, reply: Reply) -> None:
        self.traces.answered(command, reply.error.code if reply.error else "ok")
        self._answer(command, reply)
        self._store.write(_FORGET, [(command.id,)])

    def _answer(self, command: Command, reply: Reply) -> None:
        code = reply.error.code if reply.error else "ok"
        adapter = command.adapter if command.adapter in self._targets else "unknown"
        self._counters.add("commands", owner=command.owner, adapter=adapter, reason=code)
        what = "device" if adapter in self._targets and self._targets[adapter].controls(command.name) else "command"
        who = command.client if command.client != "_" else ""
        self.audit.asked(what, code, owner=command.owner, who=who, adapter=adapter, detail=command.name)
        self._counters.histogram("commands", adapter).add(max(0.0, time.time() - made_at(command.id)))
        if reply.error:
            self._tally.add(
                "a command was not carried out",
                key=f"{command.owner}/{adapter}/{code}",
                owner=command.owner,
                adapter=command.adapter,
                command=command.name,
                code=code,
                reason=reply.error.message,
            )
        self.replies.send(command, reply)


def _asked(incoming: Incoming, address: CommandTopic) -> Command:
    """Return the command of a message, without what its payload says."""
    return Command(
        id=new_id(),
        owner=address.owner,
        adapter=address.adapter,
        name=address.command,
        response_topic=incoming.response_topic,
        correlation=incoming.correlation,
        deadline=time.time() + (incoming.expiry or TIME_TO_LIVE),
    )
