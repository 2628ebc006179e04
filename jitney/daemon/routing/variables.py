"""The variables of owners: small values that routes set and templates read."""

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import Any, Final

import msgspec
from msgspec import Struct
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


class _Stored(Struct, frozen=True):
    """What lies on disk: ``since`` and ``expiry`` in seconds, 0 for never."""

    value: msgspec.Raw
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

    def set(self, owner: str, name: str, value: bytes | msgspec.Raw, *, now: float, expiry: float = 0.0) -> None:
        """Set a variable to a JSON value, gone after ``expiry`` seconds unless 0. Raises VariableError."""
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

    def remove(self, owner: str, name: str) -> None:
        """Remove a variable; no error when there is none."""
        if name in self._owners.get(owner, {}):
            self._remove(owner, [name])

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
    stored = _Stored(msgspec.Raw(kept.raw), kept.since, kept.expiry)
    return Row(owner, "", name, _encode(stored), kept.until if kept.expiry else 0.0)
