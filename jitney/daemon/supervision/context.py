"""What one adapter gets from the bus."""

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from jitney.adapters.base import HttpHandler, Log, Owner, OwnerStatus, Vault
from jitney.daemon.broker.ledger import Ledger
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.bus import Bus
from jitney.daemon.owners.audit import UNHEARD, Auditing
from jitney.daemon.owners.files import folder, size
from jitney.daemon.owners.runtime import Runtimes
from jitney.daemon.owners.unclaimed import Unclaimed
from jitney.daemon.store.kept import Kept
from jitney.daemon.store.store import Store
from jitney.daemon.supervision.declarations import Declarations
from jitney.daemon.supervision.doors import Doors
from jitney.daemon.supervision.status import StatusBoard
from jitney.topics import HOUSE, Event, State

if TYPE_CHECKING:
    from jitney.adapters.entities import Device


class Services:
    """What the contexts of all adapters share; ``vault`` returns an adapter's part of the vault."""

    def __init__(
        self,
        bus: Bus,
        ledger: Ledger,
        store: Store,
        *,
        counters: Counters,
        doors: Doors,
        vault: Callable[[str], Vault],
        state_dir: Path,
    ) -> None:
        self.declarations = Declarations()
        self.came_online: Callable[[str], None] = lambda _: None
        """Told of each adapter that comes online."""
        self.unclaimed = Unclaimed()
        self.audit: Auditing = UNHEARD
        self.runtimes = Runtimes()
        self.bus = bus
        self.ledger = ledger
        self.store = store
        self.counters = counters
        self.doors = doors
        self.vault = vault
        self.state_dir = state_dir


class AdapterContext:
    """The ``Context`` of one adapter (contract: ``jitney.adapters.base``)."""

    def __init__(
        self,
        services: Services,
        board: StatusBoard,
        *,
        name: str,
        kind: str,
        owners: Mapping[str, Owner],
        default_owner: str,
        durable: bool,
        log: Log,
    ) -> None:
        self.name = name
        self._type = kind
        self.owners = owners
        self.default_owner = default_owner
        self.log = log
        self.vault = services.vault(name)
        self.events = 0
        self.is_online = False
        self._handler: HttpHandler | None = None
        self._services = services
        self._board = board
        self._durable = durable
        self._kept = Kept(services.store, name)
        self.came_online: Callable[[], None] = lambda: None

    @property
    def public_url(self) -> str:
        """Where the outside reaches this adapter's HTTP paths."""
        return self._services.doors.public_url(self.name)

    @property
    def local_url(self) -> str:
        """Where a browser on this machine reaches them."""
        return self._services.doors.local_url(self.name)

    def online(self) -> None:
        """Tell that the connection works and its first snapshot is complete."""
        if not self.is_online:
            self.is_online = True
            self.came_online()
            self._services.declarations.settled(self.name)
            self._services.came_online(self.name)
        self._board.set("online")

    def degraded(self, reason: str) -> None:
        """Tell that it works only in part."""
        self._board.set("degraded", reason)

    def owner_status(self, owner: str, state: OwnerStatus, reason: str = "") -> None:
        """Tell one owner that it is otherwise for them."""
        self._board.set_for(owner, state, reason)

    def serve(self, handler: HttpHandler) -> None:
        """Answer HTTP requests below ``/{name}/`` until this attempt ends."""
        self._handler = handler
        self._services.doors.serve(self.name, handler)

    def ended(self) -> None:
        """Learn that the attempt is over: nothing is served any more, and no owner is a special case."""
        self.is_online = False
        self._services.doors.ended(self.name, self._handler)
        self._board.forget_owners()

    async def emit(self, *events: Event) -> None:
        """Accept events in this order; raises RefusedError."""
        self.events += len(events)
        bus = self._services.bus
        if self.default_owner != HOUSE:
            await bus.emit(events, durable=self._durable)
            if await bus.slow(self.default_owner, events):
                self.count("slowed")
        else:
            await bus.emit(events if self._durable else bus.within(events), durable=self._durable)

    def set_state(self, state: State) -> None:
        """Publish the last known value of a subject."""
        self._services.bus.set_state(state, adapter=self.name, durable=self._durable)

    def keep_states(self, subjects: Iterable[tuple[str, str]]) -> None:
        """Remove every state of this adapter that is not among (owner, subject) pairs."""
        subjects = list(subjects)
        self._services.bus.resting.keep(self.name, subjects)
        topic = self._services.bus.state_topic
        self._services.ledger.keep(self.name, (topic(owner, self.name, subject) for owner, subject in subjects))

    def announce(self, owner: str, devices: "Iterable[Device]") -> None:
        """Declare all devices of an owner that Home Assistant can show."""
        self._services.declarations.announce(self.name, owner, devices)

    def alert(self, owner: str, alert: str, *, message: str, link: str = "") -> None:
        """Tell an owner that a person must do something."""
        self._board.alert(owner, alert, message=message, link=link)

    def resolve(self, owner: str, alert: str) -> None:
        """Take an alert back."""
        self._board.resolve(owner, alert)

    def unclaimed(self, kind: str, external_id: str, *, hint: str = "") -> None:
        """Tell that something was met which could be an owner's and is nobody's."""
        self._services.unclaimed.note(self._type, kind, external_id, adapter=self.name, hint=hint)

    def count(self, what: str, number: int = 1, *, owner: str = "") -> None:
        """Add to one of this adapter's counters."""
        self._services.counters.add(what, number, owner=owner, adapter=self.name)

    def audit(self, owner: str, what: str, *, outcome: str = "ok", detail: str = "") -> None:
        """Tell the audit log what was done for an owner."""
        self._services.audit.add(what, owner=owner, adapter=self.name, outcome=outcome, detail=detail)

    def retried(self, reason: str) -> None:
        """Count that another attempt is due, because of what a word says."""
        self._services.counters.add("retries", adapter=self.name, reason=reason)

    async def load(self, key: str) -> bytes | None:
        """Return what was saved under a key."""
        return await self._kept.load(key)

    async def save(self, key: str, value: bytes | None) -> None:
        """Keep a value over restarts; None removes it. Raises RefusedError."""
        await self._kept.save_all({key: value})

    async def load_all(self, prefix: str) -> dict[str, bytes]:
        """Return what was saved under every key with a prefix."""
        return await self._kept.load_all(prefix)

    async def save_all(self, values: Mapping[str, bytes | None]) -> None:
        """Keep several values, all or none; None removes one. Raises RefusedError."""
        await self._kept.save_all(values)

    def folder(self, owner: str) -> Path:
        """Return the folder for this adapter's files of an owner."""
        return folder(self._services.state_dir, owner) / self.name

    def room(self, owner: str) -> int:
        """Return how many bytes the files in that folder may take together: what the other adapters leave."""
        most = self._services.bus.limits.of(owner).files_mb * 1_000_000
        return max(0, most - size(folder(self._services.state_dir, owner), but=self.name)) if most else sys.maxsize
