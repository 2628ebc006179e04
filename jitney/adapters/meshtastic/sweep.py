"""A sweep: one traceroute after the other to every node heard lately, slowly, and only while the air is quiet."""

import asyncio
from contextlib import suppress
from typing import Final, NoReturn

from msgspec import Struct

from jitney.adapters.base import Context
from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic import kinds_sending
from jitney.adapters.meshtastic.addresses import node_id
from jitney.adapters.meshtastic.asked import StartSweep
from jitney.adapters.meshtastic.kinds_sending import Step
from jitney.adapters.meshtastic.limits import Limits
from jitney.adapters.meshtastic.nodes import Nodes
from jitney.adapters.meshtastic.outcomes import failed
from jitney.adapters.meshtastic.outgoing import Outgoing, Priority
from jitney.adapters.meshtastic.requests import SWEEP_PATIENCE, SWEEP_TIME_TO_LIVE, Requests
from jitney.adapters.meshtastic.sender import Sender
from jitney.topics import Command, Reply, event

LOOK_AGAIN: Final = 15.0
"""Seconds between two looks at whether the air is quiet again."""

MOST_BACK_OFF: Final = 4
"""How often the time between two nodes is doubled while none answers."""

_HOUR: Final = 3600.0
_LAST_WORD: Final = 1.0


class _Plan(Struct):
    id: str
    owner: str
    nodes: tuple[int, ...]
    hop_limit: int | None
    ended: asyncio.Event
    hops: int = 0
    cause: str = ""
    traceparent: str = ""
    done: int = 0
    reached: int = 0
    why: str = ""


class Sweeps:
    """The sweeps over one connection, one at a time; one that is under way ends with the connection."""

    def __init__(
        self, ctx: Context, limits: Limits, *, sender: Sender, requests: Requests, nodes: Nodes, own: int
    ) -> None:
        self._ctx = ctx
        self._limits = limits
        self._sender = sender
        self._timing = sender.timing
        self._requests = requests
        self._nodes = nodes
        self._own = own
        self._plan: _Plan | None = None
        self._begin = asyncio.Event()

    async def run(self) -> NoReturn:
        """Carry out the sweeps that are started; cancelled to stop it."""
        while True:
            await self._begin.wait()
            self._begin.clear()
            plan = self._plan
            if plan is not None:
                try:
                    await self._sweep(plan)
                finally:
                    self._plan = None

    def command(self, command: Command, asked: StartSweep) -> Reply:
        """Start or stop a sweep; raises RefusedError."""
        return self._stop(command) if asked.stop else self._start(command, asked)

    def _start(self, command: Command, asked: StartSweep) -> Reply:
        if self._plan is not None:
            message = f"a sweep of {self._plan.owner} is under way: wait for its end, or stop it with stop = true"
            raise RefusedError("busy", message)
        nodes = self._heard(command.owner, self._timing.unix() - asked.hours * _HOUR)
        if not nodes:
            message = f"no node of {command.owner} was heard by radio in the last {asked.hours:g} hours"
            raise RefusedError("nothing_to_do", message)
        self._plan = _Plan(
            command.id,
            command.owner,
            nodes,
            asked.hop_limit,
            asyncio.Event(),
            hops=command.hops,
            cause=command.causation or command.id,
            traceparent=command.traceparent,
        )
        self._begin.set()
        seconds = round(len(nodes) * self._limits.sweep_every)
        return Reply.ok({"id": command.id, "total": len(nodes), "at_least_seconds": seconds})

    def _stop(self, command: Command) -> Reply:
        plan = self._plan
        if plan is None:
            raise RefusedError("nothing_to_do", "no sweep is under way")
        if command.owner not in (plan.owner, self._ctx.default_owner):
            raise RefusedError("not_allowed", f"this sweep is one of {plan.owner}")
        plan.why = f"stopped by {command.owner}"
        plan.ended.set()
        self._sender.wake()
        return Reply.ok({"id": plan.id, "done": plan.done, "total": len(plan.nodes)})

    def _heard(self, owner: str, since: float) -> tuple[int, ...]:
        """Return the nodes of an owner that were heard by radio, the nearest in time first."""
        nodes = [
            node
            for node in self._nodes.of_owner(owner)
            if node.number != self._own and node.seen >= since and not node.via_mqtt
        ]
        return tuple(node.number for node in sorted(nodes, key=lambda node: node.seen, reverse=True))

    async def _sweep(self, plan: _Plan) -> None:
        try:
            await self._tell(plan, "started")
            step = await self._steps(plan)
        except asyncio.CancelledError:
            plan.why = "the connection to the radio ended"
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORD):
                    await self._tell(plan, "stopped", reason=plan.why)
            raise
        await self._tell(plan, step, reason=plan.why)

    async def _steps(self, plan: _Plan) -> Step:
        """Try one node after the other; return how it ended."""
        failures = 0
        for number in plan.nodes:
            await self._until_quiet(plan)
            if plan.ended.is_set():
                return "stopped"
            item = await self._trace(plan, number)
            if plan.ended.is_set():
                return "stopped"
            plan.done += 1
            if item.state == "delivered":
                plan.reached += 1
                failures = 0
                await self._tell(plan, "reached", node=number)
            else:
                failures += 1
                await self._tell(plan, "missed", node=number, reason=item.reason)
            if failures >= self._limits.sweep_failures:
                plan.why = f"{failures} nodes in a row did not answer"
                return "given_up"
            if plan.done < len(plan.nodes):
                pause = self._limits.sweep_every * 2 ** min(failures, MOST_BACK_OFF)
                await self._timing.wait(plan.ended, pause)
        return "finished"

    async def _trace(self, plan: _Plan, number: int) -> Outgoing:
        """Ask for the way to a node; return what became of that."""
        item = self._requests.step(
            plan.owner,
            number,
            hop_limit=plan.hop_limit,
            hops=plan.hops,
            causation=plan.cause,
            traceparent=plan.traceparent,
        )
        try:
            await self._sender.accept([item])
        except RefusedError as error:
            return failed(item, error.code, str(error))
        seconds = SWEEP_TIME_TO_LIVE + SWEEP_PATIENCE
        (item,) = await self._sender.reach([item], "delivered", seconds=seconds, going=lambda: not plan.ended.is_set())
        self._sender.withdraw(item)
        return item

    async def _until_quiet(self, plan: _Plan) -> None:
        """Wait while the air is too busy for a sweep."""
        why = self._held()
        if not why:
            return
        await self._tell(plan, "paused", reason=why)
        while self._held() and not plan.ended.is_set():
            await self._timing.wait(plan.ended, LOOK_AGAIN)
        if not plan.ended.is_set():
            await self._tell(plan, "resumed")

    def _held(self) -> str:
        return self._sender.airtime.holds(Priority.SWEEP, self._timing.now())

    async def _tell(self, plan: _Plan, step: Step, *, node: int = 0, reason: str = "") -> None:
        data = kinds_sending.Sweep(
            id=plan.id,
            step=step,
            total=len(plan.nodes),
            done=plan.done,
            reached=plan.reached,
            node=node_id(node) if node else "",
            reason=reason,
        )
        try:
            await self._ctx.emit(
                event(
                    data,
                    adapter=self._ctx.name,
                    owner=plan.owner,
                    subject=plan.id,
                    causation=plan.cause,
                    hops=plan.hops,
                    traceparent=plan.traceparent,
                )
            )
        except RefusedError:
            self._ctx.count("sending_not_told")
