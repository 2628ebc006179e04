"""What one adapter gets from the bus."""

from collections.abc import Callable, Iterable, Mapping

from jitney.adapters.base import Log, Owner
from jitney.daemon.broker.ledger import Ledger
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.bus import Bus
from jitney.daemon.store.store import Store
from jitney.daemon.supervision.status import StatusBoard
from jitney.topics import Event, State

_SAVE = "INSERT OR REPLACE INTO kept (adapter, key, value) VALUES (?, ?, ?)"
_FORGET = "DELETE FROM kept WHERE adapter = ? AND key = ?"
_LOAD = "SELECT value FROM kept WHERE adapter = ? AND key = ?"


class Services:
    """What the contexts of all adapters share."""

    def __init__(self, bus: Bus, ledger: Ledger, store: Store, *, counters: Counters) -> None:
        self.bus = bus
        self.ledger = ledger
        self.store = store
        self.counters = counters


class AdapterContext:
    """The ``Context`` of one adapter (contract: ``jitney.adapters.base``)."""

    def __init__(
        self,
        services: Services,
        board: StatusBoard,
        *,
        name: str,
        owners: Mapping[str, Owner],
        default_owner: str,
        durable: bool,
        log: Log,
    ) -> None:
        self.name = name
        self.owners = owners
        self.default_owner = default_owner
        self.log = log
        self.events = 0
        self.is_online = False
        self._services = services
        self._board = board
        self._durable = durable
        self.came_online: Callable[[], None] = lambda: None

    def online(self) -> None:
        """Tell that the connection works and its first snapshot is complete."""
        if not self.is_online:
            self.is_online = True
            self.came_online()
        self._board.set("online")

    def degraded(self, reason: str) -> None:
        """Tell that it works only in part."""
        self._board.set("degraded", reason)

    async def emit(self, *events: Event) -> None:
        """Accept events in this order; raises RefusedError."""
        self.events += len(events)
        await self._services.bus.emit(events, durable=self._durable)

    def set_state(self, state: State) -> None:
        """Publish the last known value of a subject."""
        self._services.bus.set_state(state, adapter=self.name, durable=self._durable)

    def keep_states(self, subjects: Iterable[tuple[str, str]]) -> None:
        """Remove every state of this adapter that is not among (owner, subject) pairs."""
        topic = self._services.bus.state_topic
        self._services.ledger.keep(self.name, (topic(owner, self.name, subject) for owner, subject in subjects))

    def alert(self, owner: str, alert: str, *, message: str, link: str = "") -> None:
        """Tell an owner that a person must do something."""
        self._board.alert(owner, alert, message=message, link=link)

    def resolve(self, owner: str, alert: str) -> None:
        """Take an alert back."""
        self._board.resolve(owner, alert)

    def count(self, what: str, number: int = 1) -> None:
        """Add to one of this adapter's counters."""
        self._services.counters.add(what, number, adapter=self.name)

    async def load(self, key: str) -> bytes | None:
        """Return what was saved under a key."""
        row = await self._services.store.read(lambda db: db.execute(_LOAD, (self.name, key)).fetchone())
        return None if row is None else bytes(row[0])

    async def save(self, key: str, value: bytes | None) -> None:
        """Keep a value over restarts; None removes it."""
        if value is None:
            self._services.store.write(_FORGET, [(self.name, key)])
        else:
            self._services.store.write(_SAVE, [(self.name, key, value)])
        await self._services.store.committed()
