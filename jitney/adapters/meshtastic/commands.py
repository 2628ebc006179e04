"""The commands of a radio: what owners ask of it, and the replies they get. Imports the library."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from jitney.adapters.base import Context
from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic import control, lookup, sender
from jitney.adapters.meshtastic.asked import (
    Asked,
    GetNodes,
    GetPackets,
    RequestPosition,
    RequestTelemetry,
    Respond,
    SendAlert,
    SendPosition,
    SendText,
    SendWaypoint,
    StartSweep,
    Traceroute,
    read,
)
from jitney.adapters.meshtastic.autoreply import Guard
from jitney.adapters.meshtastic.config import Config
from jitney.adapters.meshtastic.control import Control
from jitney.adapters.meshtastic.destinations import Destinations
from jitney.adapters.meshtastic.kinds_sending import Progress
from jitney.adapters.meshtastic.nodes import Nodes
from jitney.adapters.meshtastic.outgoing import Outgoing
from jitney.adapters.meshtastic.owners import NodeOwners
from jitney.adapters.meshtastic.packet_log import PacketLog
from jitney.adapters.meshtastic.requests import Requests
from jitney.adapters.meshtastic.sender import Sender
from jitney.adapters.meshtastic.sweep import Sweeps
from jitney.topics import Command, Reply, ReplyError

SENDING: Final[Mapping[str, type[Asked]]] = {
    "send_text": SendText,
    "respond": Respond,
    "send_alert": SendAlert,
    "send_position": SendPosition,
    "send_waypoint": SendWaypoint,
    "traceroute": Traceroute,
    "request_position": RequestPosition,
    "request_telemetry": RequestTelemetry,
}
"""What goes through the queue."""

READING: Final[Mapping[str, type[Struct]]] = {"get_nodes": GetNodes, "get_packets": GetPackets}

COMMANDS: Final[Mapping[str, type[Struct]]] = {**SENDING, "sweep": StartSweep, **READING, **control.COMMANDS}
"""Every command of a radio with the data that it takes."""

PATIENCE: Final = 60.0
"""Seconds to wait for an outcome where the command has no deadline."""

MARGIN: Final = 0.5
"""Seconds before its deadline at which a command that waits is answered."""

_WORST: Final[tuple[Progress, ...]] = ("failed", "expired", "unknown", "queued", "sent", "relayed", "delivered")
_BAD: Final = frozenset({"failed", "expired", "unknown"})


class Link(sender.Link, control.Link, Protocol):
    """The connection to a radio."""


class Sent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far the packets of a command have come: the ``state`` of the one that is furthest behind.

    ``ids`` are those in the events ``meshtastic.sending``, one for each part; ``packet_ids`` of those already sent.
    ``traceroute`` is the data of the event ``meshtastic.traceroute`` that was waited for.
    """

    state: Progress
    ids: tuple[str, ...]
    packet_ids: tuple[int, ...] = ()
    waypoint_id: int = 0
    traceroute: Raw | UnsetType = UNSET
    code: str = ""
    reason: str = ""


class Commands:
    """Carries out the commands of owners over one connection; ``sweeps`` has to be run beside it."""

    def __init__(
        self,
        ctx: Context,
        config: Config,
        *,
        link: Link,
        sender: Sender,
        nodes: Nodes,
        owners: NodeOwners,
        log: PacketLog,
        guard: Guard,
    ) -> None:
        own = link.info.number
        limits = config.limits
        destinations = Destinations(nodes.number, link.info)
        self._sender = sender
        self._timing = sender.timing
        self._nodes = nodes
        self._log = log
        self._guard = guard
        self._answering = asyncio.Lock()
        self._requests = Requests(limits, destinations, owners, own=own, timing=sender.timing)
        self._control = Control(ctx, config, link)
        self.sweeps = Sweeps(ctx, limits, sender=sender, requests=self._requests, nodes=nodes, own=own)

    async def carry_out(self, command: Command) -> Reply:
        """Return the reply to a command; raises RefusedError."""
        if command.name in SENDING:
            return await self._send(command, read(command, SENDING[command.name]))
        if command.name in control.COMMANDS:
            return await self._control.carry_out(command)
        match command.name:
            case "sweep":
                return self.sweeps.command(command, read(command, StartSweep))
            case "get_nodes":
                asked = read(command, GetNodes)
                found = lookup.nodes(self._nodes, command.owner, asked, unix=self._timing.unix())
                return Reply.ok({"nodes": found})
            case "get_packets":
                wanted = read(command, GetPackets)
                entries = lookup.packets(self._log, self._nodes, command.owner, wanted, unix=self._timing.unix())
                return Reply.ok({"packets": entries})
        raise RefusedError("unknown_command", f"a radio cannot {command.name}: it can {', '.join(COMMANDS)}")

    async def _send(self, command: Command, asked: Asked) -> Reply:
        items: Sequence[Outgoing] = self._sender.of_command(command.id)
        if not items:
            items = await (self._answer(command, asked) if isinstance(asked, Respond) else self._ask(command, asked))
        if asked.wait != "queued":
            left = command.deadline - self._timing.unix() - MARGIN if command.deadline else PATIENCE
            items = await self._sender.reach(items, asked.wait, seconds=max(0.0, left))
        return _reply(items, route=self._route(items))

    def _route(self, items: Sequence[Outgoing]) -> Raw | UnsetType:
        """Return the way that a traceroute has found, UNSET where there is none or the log has no room for it."""
        (item, *_) = items
        found = item.what == "traceroute" and item.state == "delivered"
        return (self._log.route(item.packet_id, item.packet.to) or UNSET) if found else UNSET

    async def _ask(self, command: Command, asked: Asked) -> Sequence[Outgoing]:
        return await self._sender.accept(self._requests.packets(command, asked))

    async def _answer(self, command: Command, asked: Respond) -> Sequence[Outgoing]:
        """Accept an automatic answer, one after the other: each counts for the next. Raises RefusedError."""
        async with self._answering:
            now, answers = self._timing.now(), self._sender.answers()
            text = self._guard.question(command.owner, asked.reply_to, answers=answers, now=now)
            item = self._requests.answer(command, asked, asker=text.sender if text else 0)
            self._guard.pace(item, answers=answers, now=now)
            items = await self._sender.accept([item])
            if text is not None:
                self._guard.answered(text, item.text, now)
            return items


def _reply(items: Sequence[Outgoing], *, route: Raw | UnsetType) -> Reply:
    """Return how far packets have come; that one has failed, or nobody knows, is an error with the same data."""
    worst = min(items, key=lambda item: _WORST.index(item.state))
    sent = Sent(
        state=worst.state,
        ids=tuple(item.id for item in items),
        packet_ids=tuple(item.packet_id for item in items if item.packet_id),
        waypoint_id=worst.waypoint_id,
        traceroute=route,
        code=worst.code,
        reason=worst.reason,
    )
    if worst.state in _BAD:
        data = Raw(msgspec.json.encode(sent))
        return Reply(status="error", data=data, error=ReplyError(worst.code, worst.reason))
    return Reply.ok(sent)
