"""The variables of owners: small values that routes set and templates read."""

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct, UnsetType
from msgspec.structs import replace

from jitney.daemon.counters import Counters
from jitney.daemon.routing.records import Row
from jitney.topics import JitneyError
from jitney.topics.messages import ROUTE

MOST_NAMES: Final = 64
"""Variables of one owner."""

MOST_BYTES: Final = 4096
"""Bytes of a value as JSON."""

LONGEST_NAME: Final = 64

_NOTHING: Final[Mapping[str, Any]] = {}


class VariableError(JitneyError):
    """A variable cannot be set: its name or value is too long, it is not JSON, or its owner has too many."""


class Assignment(Struct, eq=False):
    """A variable that was set for an event of which is not known yet whether it is kept, and what it was before."""

    owner: str
    name: str
    before: "_Variable | None"


class _Stored(Struct, frozen=True):
    """What lies on disk: ``since`` and ``expiry`` in seconds, 0 for never."""

    value: Raw
    since: float
    expiry: float = 0.0


_encode = msgspec.json.Encoder().encode
_decode_row = msgspec.json.Decoder(_Stored).decode
_decode = msgspec.json.Decoder().decode


class Variables:
    """The variables of all owners. ``now`` is Unix seconds and may jump.

    What changed is kept over a restart when ``rows`` are written: rows of the table ``route_memory`` with no route.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._owners: dict[str, dict[str, _Variable]] = {}
        self._changed: dict[tuple[str, str], None] = {}
        self._open: dict[tuple[str, str], list[Assignment]] = {}
        self._now = -inf

    def load(self, rows: Iterable[Row], now: float) -> None:
        """Take what an earlier run has left; rows that belong to a route are left alone."""
        for row in rows:
            if row.route:
                continue
            try:
                stored = _decode_row(row.value or b"")
                value = _decode(stored.value)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                self._changed[row.owner, row.key] = None
                self._counters.add("unreadable", owner=row.owner, adapter=ROUTE, reason="variable")
                continue
            variable = _Variable(value, bytes(stored.value), min(stored.since, now), stored.expiry)
            if variable.until <= now:
                self._changed[row.owner, row.key] = None
            else:
                self._owners.setdefault(row.owner, {})[row.key] = variable
        self._turn(now)

    def set(self, owner: str, name: str, value: bytes | Raw, *, now: float, expiry: float = 0.0) -> None:
        """Set a variable to a JSON value, gone after ``expiry`` seconds unless 0. Raises VariableError."""
        self._put(owner, name, value, now=now, expiry=expiry)
        self._open.pop((owner, name), None)

    def remove(self, owner: str, name: str) -> None:
        """Remove a variable; no error when there is none."""
        self._discard(owner, name)
        self._open.pop((owner, name), None)

    def assign(self, owner: str, name: str, value: Raw | UnsetType, *, now: float, expiry: float = 0.0) -> Assignment:
        """Set a variable, or remove it for UNSET, for an event that may turn out not to be kept. Raises VariableError.

        ``keep`` or ``undo`` is to be called with what it returns, in any order of several.
        """
        one = Assignment(owner, name, self._owners.get(owner, {}).get(name))
        if isinstance(value, UnsetType):
            self._discard(owner, name)
        else:
            self._put(owner, name, value, now=now, expiry=expiry)
        self._open.setdefault((owner, name), []).append(one)
        return one

    def keep(self, assignment: Assignment) -> None:
        """Learn that the event was kept: what it has set cannot be undone any more, nor what was set before that."""
        whose = assignment.owner, assignment.name
        opened = self._open.get(whose, [])
        if assignment in opened:
            del opened[: opened.index(assignment) + 1]
            if not opened:
                del self._open[whose]

    def undo(self, assignment: Assignment) -> None:
        """Learn that the event was not kept: the variable is as it was before, unless it was set again since."""
        whose = owner, name = assignment.owner, assignment.name
        opened = self._open.get(whose, [])
        if assignment not in opened:
            return
        place = opened.index(assignment)
        del opened[place]
        if place < len(opened):
            opened[place].before = assignment.before
            return
        if not opened:
            del self._open[whose]
        if assignment.before is None:
            self._discard(owner, name)
        else:
            self._owners.setdefault(owner, {})[name] = assignment.before
            self._changed[whose] = None

    def of(self, owner: str, now: float) -> Mapping[str, Any]:
        """Return the values of an owner's variables by name, without those that have expired by ``now``."""
        if now < self._now:
            self._turn(now)
        known = self._owners.get(owner)
        return _View(known, now) if known else _NOTHING

    def rows(self) -> list[Row]:
        """Return what has to be written since the last call."""
        changed, self._changed = self._changed, {}
        return [_row(owner, name, self._owners.get(owner, {}).get(name)) for owner, name in changed]

    def forget(self, owner: str) -> None:
        """Forget all of an owner, whose rows are deleted elsewhere."""
        self._owners.pop(owner, None)
        self._changed = {whose: None for whose in self._changed if whose[0] != owner}
        self._open = {whose: opened for whose, opened in self._open.items() if whose[0] != owner}

    def _put(self, owner: str, name: str, value: bytes | Raw, *, now: float, expiry: float) -> None:
        self._turn(now)
        if not (0 < len(name) <= LONGEST_NAME and name.isprintable()):
            raise VariableError(
                f"the name of a variable has 1 to {LONGEST_NAME} printable characters, not {name[:80]!r}"
            )
        variable = _variable(name, bytes(value), now=now, expiry=expiry)
        known = self._owners.setdefault(owner, {})
        if name not in known:
            self._remove(owner, [other for other, kept in known.items() if kept.until <= now])
            if len(known) >= MOST_NAMES:
                raise VariableError(f"{owner} has {MOST_NAMES} variables already, {name!r} would be one too many")
        known[name] = variable
        self._changed[owner, name] = None

    def _discard(self, owner: str, name: str) -> None:
        if name in self._owners.get(owner, {}):
            self._remove(owner, [name])

    def _remove(self, owner: str, names: Iterable[str]) -> None:
        for name in names:
            del self._owners[owner][name]
            self._changed[owner, name] = None

    def _turn(self, now: float) -> None:
        """Let what was set under a clock that is put back expire no later than if it were set now."""
        if now < self._now:
            for known in self._owners.values():
                known.update({name: replace(kept, since=min(kept.since, now)) for name, kept in known.items()})
        self._now = now


class _Variable(Struct, frozen=True):
    value: Any
    raw: bytes
    since: float
    expiry: float

    @property
    def until(self) -> float:
        return self.since + self.expiry if self.expiry else inf


class _View(Mapping[str, Any]):
    """The variables of an owner that have not expired at a moment."""

    __slots__ = ("_known", "_now")

    def __init__(self, known: Mapping[str, _Variable], now: float) -> None:
        self._known = known
        self._now = now

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - any JSON value
        kept = self._known[name]
        if kept.until <= self._now:
            raise KeyError(name)
        return kept.value

    def __iter__(self) -> Iterator[str]:
        return (name for name, kept in self._known.items() if kept.until > self._now)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _variable(name: str, raw: bytes, *, now: float, expiry: float) -> _Variable:
    if len(raw) > MOST_BYTES:
        raise VariableError(f"the value of the variable {name!r} takes {len(raw)} bytes: at most {MOST_BYTES}")
    try:
        return _Variable(_decode(raw), raw, now, expiry)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise VariableError(f"the value of the variable {name!r} is not JSON: {error}") from error


def _row(owner: str, name: str, kept: _Variable | None) -> Row:
    if kept is None:
        return Row(owner, "", name, None)
    stored = _Stored(Raw(kept.raw), kept.since, kept.expiry)
    return Row(owner, "", name, _encode(stored), kept.until if kept.expiry else 0.0)
