"""One attempt, once the radio is connected: what it hears becomes events, and what owners want is sent by it."""

import asyncio
from collections.abc import Sequence
from typing import Final

from jitney.adapters.base import Context
from jitney.adapters.delivering import deliver
from jitney.adapters.errors import DisconnectedError
from jitney.adapters.groups import most_telling
from jitney.adapters.meshtastic import last_messages, showing, statistics, uplink
from jitney.adapters.meshtastic.commands import Commands
from jitney.adapters.meshtastic.config import Config
from jitney.adapters.meshtastic.duplicates import EVERYWHERE
from jitney.adapters.meshtastic.heard import Heard, Notice, Proxied, Received
from jitney.adapters.meshtastic.link import Link
from jitney.adapters.meshtastic.memory import Memory
from jitney.adapters.meshtastic.nodes import Nodes
from jitney.adapters.meshtastic.owners import NodeOwners
from jitney.adapters.meshtastic.sender import Sender
from jitney.adapters.meshtastic.translate import Listeners, Translator
from jitney.topics import Command, Event, Reply

LOOK: Final = 1.0
"""Seconds between two looks at what is due: states, silent nodes, writing the node database."""


class Session:
    """One connection to a radio, followed."""

    def __init__(self, ctx: Context, config: Config, memory: Memory, *, link: Link) -> None:
        self._ctx = ctx
        self._link = link
        self._timing = memory.timing
        self._log = memory.log(ctx.default_owner)
        self._guard = memory.guard
        self._dropped = 0
        self._unreadable = 0
        info = link.info
        owners = NodeOwners(ctx.owners, ctx.default_owner)
        self._nodes = Nodes(
            ctx,
            owners,
            radio=info.number,
            silent_after=config.silent_after,
            low_battery=config.low_battery,
            most=config.nodes,
            keep=showing.named(config, owners),
        )
        self._showing = showing.Showing(ctx, config, info=info, nodes=self._nodes, owners=owners)
        self._messages = last_messages.LastMessages(ctx)
        self._statistics = statistics.Statistics(ctx, since=self._timing.unix())
        self._uplink = uplink.Uplink(ctx, info)
        memory.airtime.region(info.region)
        self._sender = Sender(
            ctx,
            config.limits,
            link_of=lambda: link,
            own=info.number,
            pacing=memory.pacing,
            airtime=memory.airtime,
            timing=memory.timing,
        )
        listeners = Listeners(
            nodes=self._nodes,
            statistics=self._statistics,
            uplink=self._uplink,
            log=self._log,
            guard=self._guard,
            messages=self._messages,
        )
        self._translator = Translator(
            ctx, info, owners=owners, duplicates=EVERYWHERE, listeners=listeners, request=self._sender.answered_by
        )
        self._commands = Commands(
            ctx,
            config,
            link=link,
            sender=self._sender,
            nodes=self._nodes,
            owners=owners,
            log=self._log,
            guard=self._guard,
        )

    async def run(self) -> None:
        """Follow until the connection ends, which raises DisconnectedError."""
        await self._begin()
        name = self._ctx.name
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._sender.run(), name=f"{name}: sender")
                group.create_task(self._commands.sweeps.run(), name=f"{name}: sweeps")
                group.create_task(self._look_after(), name=f"{name}: node database")
                await self._follow()
        except ExceptionGroup as group:
            error = most_telling(group)
            if isinstance(error, DisconnectedError):
                await self._deliver([self._translator.disconnected(self._timing.unix(), str(error))])
            raise error from None
        finally:
            await self._nodes.save(self._timing.unix(), at_once=True)

    async def command(self, command: Command) -> Reply:
        """Carry out a command; raises RefusedError."""
        return await self._commands.carry_out(command)

    async def erase(self, owner: str) -> None:
        """Forget an owner's nodes, packets, texts and what they wanted sent; raises RefusedError."""
        self._log.forget(owner)
        self._guard.forget(owner)
        await self._sender.forget(owner)
        if owner == self._ctx.default_owner:
            self._messages.forget()
        try:
            await self._nodes.erase(owner)
        finally:
            self._showing.look(self._timing.unix(), at_once=True)

    async def _begin(self) -> None:
        """Take up what an earlier attempt has left, compare it with what the radio knows, and tell that it works."""
        now, default = self._timing.unix(), self._ctx.default_owner
        await self._nodes.load()
        await self._sender.load()
        changed = self._nodes.meet(self._link.known, now)
        own = ((default, subject) for subject in (statistics.SUBJECT, uplink.SUBJECT, *last_messages.SUBJECTS))
        self._ctx.keep_states([*self._nodes.subjects(), *own])
        self._showing.look(now, at_once=True)
        self._ctx.online()
        await self._deliver([self._translator.connected(now), *changed])

    async def _follow(self) -> None:
        while True:
            items = await self._link.next()
            await self._deliver([event for item in items for event in self._events(item)])
            self._count_losses()

    def _events(self, item: Heard) -> list[Event]:
        """Return the events of what was heard; the sender learns from it too."""
        self._sender.heard(item)
        match item:
            case Received():
                return self._translator.events(item)
            case Notice():
                return [self._translator.notice(item)]
            case Proxied():
                self._uplink.proxied(item.arrived)
        return []

    async def _deliver(self, events: Sequence[Event]) -> None:
        """Give events to the bus; those of an owner whose events it cannot keep are counted and gone."""
        async for _, number in deliver(self._ctx, events):
            self._ctx.count("refused_by_the_bus", number)

    async def _look_after(self) -> None:
        """Publish what is due, tell which nodes have fallen silent, and write the node database."""
        while True:
            now = self._timing.unix()
            await self._deliver(self._nodes.silent(now))
            self._nodes.publish(now)
            self._publish_counts(now)
            self._uplink.publish()
            self._messages.publish(self._timing.now())
            announced = self._showing.look(now)
            await self._nodes.save(now, at_once=announced)
            await asyncio.sleep(LOOK)

    def _publish_counts(self, now: float) -> None:
        self._statistics.nodes = len(self._nodes)
        self._statistics.nodes_online = self._nodes.online(now)
        self._statistics.waiting = self._sender.waiting
        self._statistics.publish()

    def _count_losses(self) -> None:
        """Count what was dropped because it came faster than the bus takes it, and what could not be decoded."""
        dropped, unreadable = self._link.dropped, self._link.unreadable
        if dropped > self._dropped:
            self._ctx.count("dropped", dropped - self._dropped)
        if unreadable > self._unreadable:
            self._ctx.count("undecodable", unreadable - self._unreadable)
        self._dropped, self._unreadable = dropped, unreadable
