"""Forgetting an owner: what the adapters keep, the vault, what waits, what is retained, and files."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Raw, Struct

from jitney.adapters.errors import MisconfiguredError, RefusedError
from jitney.daemon.broker.ledger import Ledger
from jitney.daemon.config.resting import why
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.log import get
from jitney.daemon.owners.files import folder
from jitney.daemon.store import kept, space
from jitney.daemon.store import outbox as rows
from jitney.daemon.store.store import Store, StoreError
from jitney.daemon.supervision.runner import Runner
from jitney.topics import InvalidOwnerError, JitneyError, owners

PATIENCE: Final = 30.0
"""Seconds that an adapter has to end what was granted outside."""

CLEAR_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.05
"""How long and how often it is looked whether the broker has cleared what it retained."""

_log = get("erasure")


class Erased(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was erased of an owner; ``unfinished`` says by adapter what is left to do outside of the bus.

    ``devices`` are the names of those that were forgotten; their logins are left at the broker.
    ``traces``: whoever searches the raw state file may still find some of it, until the bus is started again.
    """

    owner: str
    states: int
    events: int
    unfinished: Mapping[str, str]
    traces: bool = False
    devices: Sequence[str] = ()


class Erasure:
    """Erases everything that the bus keeps of an owner. What the configuration says of them stays.

    ``others`` lets the other rooms forget an owner; ``devices`` forgets the names of their devices, in a thread, and
    raises MisconfiguredError where it cannot. ``asleep`` returns the adapters that cannot forget an owner because they
    do not run while that owner is disabled. ``connected`` tells whether the broker is there.
    """

    def __init__(
        self,
        ledger: Ledger,
        outbox: Outbox,
        store: Store,
        *,
        vault: Callable[[str], Awaitable[None]],
        others: Callable[[str], Awaitable[None]],
        runners: Mapping[str, Runner],
        state_dir: Path,
        connected: Callable[[], bool],
        devices: Callable[[str], Sequence[str]] = lambda _: (),
        asleep: Callable[[str], Sequence[str]] = lambda _: (),
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._connected = connected
        self._devices = devices
        self._asleep = asleep
        self._outbox = outbox
        self._vault = vault
        self._others = others
        self._runners = runners
        self._state_dir = state_dir

    async def requested(self, data: Raw) -> Erased:
        """Erase the owner that a request names as ``owner``; raises RefusedError."""
        try:
            owner = owners.person(msgspec.json.decode(data, type=_Named).owner)
        except (msgspec.MsgspecError, InvalidOwnerError) as error:
            raise RefusedError("invalid", str(error)) from error
        return await self.erase(owner)

    async def erase(self, owner: str) -> Erased:
        """Erase; raises RefusedError where something could not be."""
        unfinished = {name: f"not done, because {why(owner)}, and erase again" for name in self._asleep(owner)}
        for name, runner in self._runners.items():
            if runner.accepts(owner):
                reason = await _told(runner, owner)
                if reason:
                    unfinished[name] = reason
        await self._vault(owner)
        await self._others(owner)
        states = self._ledger.erase(owner)
        events = await self._outbox.erase(owner)
        try:
            await asyncio.to_thread(_remove, folder(self._state_dir, owner))
        except OSError as error:
            raise RefusedError("not_erased", f"files of {owner} are left: {error}") from error
        try:
            devices = tuple(await asyncio.to_thread(self._devices, owner))
        except MisconfiguredError as error:
            raise RefusedError("not_erased", f"the names of devices of {owner} are left: {error}") from error
        traces = not await self._swept(owner)
        _log.info("erased", owner=owner, states=states, events=events, unfinished=unfinished or None, traces=traces)
        return Erased(owner=owner, states=states, events=events, unfinished=unfinished, traces=traces, devices=devices)

    async def _swept(self, owner: str) -> bool:
        """Leave nothing in the state file of what was erased; tells whether that is so already."""
        try:
            await kept.erase(self._store, owner, running=self._runners)
            gone = await self._gone(owner)
            return await self._store.read(space.sweep if gone else space.put_off)
        except StoreError as error:
            raise RefusedError("not_erased", f"what is kept of {owner} cannot be erased on disk: {error}") from error

    async def _gone(self, owner: str) -> bool:
        """Wait until the broker has what was on its way to it of an owner, which is on disk until then."""
        for _ in range(round(CLEAR_SECONDS / LOOK_SECONDS)):
            on_its_way = self._ledger.clearing(owner) or await self._store.read(lambda db: rows.waiting(db, owner))
            if not (on_its_way and self._connected()):
                return not on_its_way
            await asyncio.sleep(LOOK_SECONDS)
        return False


class _Named(Struct, frozen=True, forbid_unknown_fields=True):
    owner: str


async def _told(runner: Runner, owner: str) -> str:
    """Let an adapter forget an owner; returns why it could not."""
    try:
        async with asyncio.timeout(PATIENCE):
            await runner.erase(owner)
    except TimeoutError:
        return f"not done within {PATIENCE:g} s"
    except JitneyError as error:
        return str(error)
    return ""


def _remove(path: Path) -> None:
    if path.exists():
        import shutil  # noqa: PLC0415 - memory, with every kind of compression, for whoever is erased

        shutil.rmtree(path)
