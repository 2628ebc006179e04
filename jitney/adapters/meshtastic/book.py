"""What was asked to be sent, from its acceptance until some minutes after its end, also over a restart.

A command that is carried out again after a crash finds here what it has already asked for, so nothing is sent twice.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import msgspec
from msgspec.structs import replace

from jitney.adapters.base import Context
from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic.outcomes import REMEMBERED
from jitney.adapters.meshtastic.outgoing import Outgoing

PREFIX: Final = "out/"

MOST: Final = 500
"""Packets that are remembered after their end; the oldest are forgotten."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Outgoing).decode


class Book:
    """Every packet in its newest state, by its id."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._items: dict[str, Outgoing] = {}
        self._ends: dict[str, float] = {}

    async def load(self, unix: float) -> list[Outgoing]:
        """Read what was kept and return it in the order of its acceptance; what cannot be read is removed."""
        unreadable: dict[str, bytes | None] = {}
        for key, value in (await self._ctx.load_all(PREFIX)).items():
            try:
                item = _decode(value)
            except msgspec.MsgspecError:
                unreadable[key] = None
            else:
                self.put(item, unix)
        if unreadable:
            self._ctx.count("unreadable_outgoing", len(unreadable))
            with suppress(RefusedError):
                await self._ctx.save_all(unreadable)
        return sorted(self._items.values(), key=lambda item: (item.accepted, item.command, item.part))

    def put(self, item: Outgoing, unix: float) -> None:
        """Remember the newest state of a packet."""
        self._items[item.id] = item
        if item.is_final:
            self._ends.setdefault(item.id, unix)

    def __contains__(self, item: Outgoing) -> bool:
        return item.id in self._items

    def newest(self, item: Outgoing) -> Outgoing:
        """Return a packet in its newest state, as it was given when it is forgotten."""
        return self._items.get(item.id, item)

    def of_command(self, command: str) -> tuple[Outgoing, ...]:
        """Return what a command has asked for, part by part."""
        found = [item for item in self._items.values() if command and item.command == command]
        return tuple(sorted(found, key=lambda item: item.part))

    def of_kind(self, what: str) -> list[Outgoing]:
        """Return all packets that are the same thing, like an ``answer``."""
        return [item for item in self._items.values() if item.what == what]

    async def write(self, items: Iterable[Outgoing]) -> None:
        """Put the states of packets on disk, all or none; raises RefusedError."""
        values = {PREFIX + item.id: _encode(_kept(item)) for item in items if item.persistent}
        if values:
            await self._ctx.save_all(values)

    async def purge(self, unix: float) -> None:
        """Forget what ended long ago and whose command cannot come again; raises RefusedError."""
        too_many = len(self._ends) - MOST
        await self._remove(
            [
                key
                for number, (key, end) in enumerate(self._ends.items())
                if number < too_many or not end <= unix < max(end + REMEMBERED, self._items[key].deadline)
            ]
        )

    async def forget(self, owner: str) -> None:
        """Forget all packets of an owner; raises RefusedError."""
        await self._remove([item.id for item in self._items.values() if item.owner == owner])

    async def _remove(self, ids: list[str]) -> None:
        kept = [PREFIX + key for key in ids if self._items[key].persistent]
        for key in ids:
            del self._items[key]
            self._ends.pop(key, None)
        if kept:
            await self._ctx.save_all(dict.fromkeys(kept))


def _kept(item: Outgoing) -> Outgoing:
    """Return what is kept of a packet: of one that has ended no content."""
    if not item.is_final:
        return item
    return replace(item, text="", packet=replace(item.packet, payload=b""))
