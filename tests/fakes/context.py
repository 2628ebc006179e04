"""A `Context` that records what an adapter does, and waits for it with a deadline."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from jitney.adapters.base import HttpHandler, HttpRequest, HttpResponse, Log, Owner, OwnerStatus
from jitney.adapters.entities import Device
from jitney.adapters.errors import RefusedError
from jitney.adapters.secret import Secret
from jitney.topics import HOUSE, Event, State

DEADLINE: Final = 10.0
"""Seconds until a wait fails: only a broken test waits that long."""

MOST: Final = 100_000
"""Events that are kept; more than any test has means a loop that does not end."""


class Lines:
    """A `Log` that keeps what was written as (level, event, fields)."""

    def __init__(self) -> None:
        self.written: list[tuple[str, str, dict[str, object]]] = []

    def debug(self, event: str, **fields: object) -> None:
        self.written.append(("debug", event, fields))

    def info(self, event: str, **fields: object) -> None:
        self.written.append(("info", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self.written.append(("warning", event, fields))


class RecordingVault:
    """A `Vault` in memory; ``full`` lets every ``put`` be refused."""

    def __init__(self) -> None:
        self.secrets: dict[tuple[str, str], Secret] = {}
        self.full = False
        self.puts = 0

    async def get(self, owner: str, name: str) -> Secret | None:
        return self.secrets.get((owner, name))

    async def put(self, owner: str, name: str, secret: Secret) -> None:
        if self.full:
            code = "not_kept"
            raise RefusedError(code, "the disk is full")
        self.puts += 1
        self.secrets[owner, name] = secret

    async def delete(self, owner: str, name: str = "") -> None:
        for key in [key for key in self.secrets if key[0] == owner and name in ("", key[1])]:
            del self.secrets[key]


class RecordingContext:
    """The bus as an adapter sees it, in memory.

    ``gate`` cleared holds every ``emit`` back, as a bus does that cannot take more; ``refuses`` names the owners whose
    events are refused; ``full`` lets every ``save`` be refused, as a full disk does.
    """

    def __init__(
        self,
        *,
        name: str = "home",
        owners: Iterable[Owner] = (),
        default_owner: str = HOUSE,
        kept: dict[str, bytes] | None = None,
        vault: RecordingVault | None = None,
        folders: Path | None = None,
        public_url: str = "",
        local_url: str = "",
    ) -> None:
        self.name = name
        self.owners: Mapping[str, Owner] = {owner.id: owner for owner in owners}
        self.default_owner = default_owner
        self.lines = Lines()
        self.log: Log = self.lines
        self.events: list[Event] = []
        self.batches: list[int] = []
        self.states: dict[tuple[str, str], State] = {}
        self.removed: list[tuple[str, str]] = []
        self.kept_states: list[frozenset[tuple[str, str]]] = []
        self.statuses: list[tuple[str, str]] = []
        self.devices: dict[str, tuple[Device, ...]] = {}
        self.alerts: dict[tuple[str, str], tuple[str, str]] = {}
        self.resolved: list[tuple[str, str]] = []
        self.counts: Counter[str] = Counter()
        self.audited: list[tuple[str, str, str, str]] = []
        self.strangers: dict[tuple[str, str], str] = {}
        self.kept = {} if kept is None else kept
        self.vault = vault or RecordingVault()
        self.public_url = public_url
        self.local_url = local_url
        self.handler: HttpHandler | None = None
        self.owner_statuses: dict[str, tuple[OwnerStatus, str]] = {}
        self.full = False
        self._folders = folders
        self.gate = asyncio.Event()
        self.gate.set()
        self.refuses: set[str] = set()
        self._changed = asyncio.Event()

    def online(self) -> None:
        self._note_status("online", "")

    def degraded(self, reason: str) -> None:
        self._note_status("degraded", reason)

    def owner_status(self, owner: str, state: OwnerStatus, reason: str = "") -> None:
        if state == "online":
            self.owner_statuses.pop(owner, None)
        else:
            self.owner_statuses[owner] = (state, reason)
        self._wake()

    def serve(self, handler: HttpHandler) -> None:
        self.handler = handler
        self._wake()

    async def ask(self, method: str, path: str, **query: str) -> HttpResponse:
        """Ask the adapter over HTTP, without a body."""
        assert self.handler is not None, "the adapter serves nothing"
        return await self.handler(HttpRequest(method, path, query))

    async def emit(self, *events: Event) -> None:
        await self.gate.wait()
        if self.refuses & {event.owner for event in events}:
            code = "outbox_full"
            raise RefusedError(code, "the outbox is full")
        assert len(self.events) + len(events) <= MOST, "more events than any test has"
        self.events.extend(events)
        self.batches.append(len(events))
        self._wake()

    def set_state(self, state: State) -> None:
        key = (state.owner, state.subject)
        if state.data is None:
            self.states.pop(key, None)
            self.removed.append(key)
        else:
            self.states[key] = state
        self._wake()

    def keep_states(self, subjects: Iterable[tuple[str, str]]) -> None:
        keep = frozenset(subjects)
        self.kept_states.append(keep)
        for key in [key for key in self.states if key not in keep]:
            del self.states[key]
            self.removed.append(key)
        self._wake()

    def announce(self, owner: str, devices: Iterable[Device]) -> None:
        self.devices[owner] = tuple(devices)
        self._wake()

    def alert(self, owner: str, alert: str, *, message: str, link: str = "") -> None:
        self.alerts[owner, alert] = (message, link)
        self._wake()

    def resolve(self, owner: str, alert: str) -> None:
        self.alerts.pop((owner, alert), None)
        self.resolved.append((owner, alert))
        self._wake()

    def unclaimed(self, kind: str, external_id: str, *, hint: str = "") -> None:
        self.strangers[kind, external_id] = hint
        self._wake()

    def count(self, what: str, number: int = 1, *, owner: str = "") -> None:
        del owner
        self.counts[what] += number
        self._wake()

    def audit(self, owner: str, what: str, *, outcome: str = "ok", detail: str = "") -> None:
        self.audited.append((owner, what, outcome, detail))
        self._wake()

    async def load(self, key: str) -> bytes | None:
        return self.kept.get(key)

    async def save(self, key: str, value: bytes | None) -> None:
        await self.save_all({key: value})

    async def load_all(self, prefix: str) -> dict[str, bytes]:
        return {key: value for key, value in sorted(self.kept.items()) if key.startswith(prefix)}

    async def save_all(self, values: Mapping[str, bytes | None]) -> None:
        if self.full:
            code = "not_kept"
            raise RefusedError(code, "the disk is full")
        for key, value in values.items():
            if value is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = value
        self._wake()

    def folder(self, owner: str) -> Path:
        assert self._folders is not None, "give RecordingContext folders=tmp_path"
        return self._folders / owner / self.name

    def room(self, owner: str) -> int:
        del owner
        return 500_000_000

    @property
    def status(self) -> str:
        """The last status told, empty before the first."""
        return self.statuses[-1][0] if self.statuses else ""

    def warnings(self) -> list[dict[str, object]]:
        """Return the warnings in the log, each with its text as ``event``."""
        return [{"event": event, **fields} for level, event, fields in self.lines.written if level == "warning"]

    async def until(self, true: Callable[[], object], *, deadline: float = DEADLINE) -> None:
        """Wait until something is true; raises TimeoutError after ``deadline`` seconds."""
        async with asyncio.timeout(deadline):
            while not true():
                self._changed.clear()
                await self._changed.wait()

    async def until_events(self, number: int, *, deadline: float = DEADLINE) -> list[Event]:
        """Wait until ``number`` events have been emitted and return all of them."""
        await self.until(lambda: len(self.events) >= number, deadline=deadline)
        return self.events

    async def until_online(self, times: int = 1, *, deadline: float = DEADLINE) -> None:
        """Wait until the adapter has told ``times`` times that it is online."""
        await self.until(lambda: self.statuses.count(("online", "")) >= times, deadline=deadline)

    def _note_status(self, word: str, reason: str) -> None:
        self.statuses.append((word, reason))
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
