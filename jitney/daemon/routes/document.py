"""A document: one event as conditions and templates see it."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw

from jitney.daemon.routes.paths import MISSING, Missing, Steps, parse, walk
from jitney.daemon.routes.zones import MACHINE
from jitney.topics import Event

_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What data that is no JSON raises."""

_decode = msgspec.json.Decoder().decode
_parse = lru_cache(1000)(parse)


@lru_cache(1000)
def _one_of(name: str) -> Callable[[Raw], Any] | None:
    """Return what decodes one field of data, as ``value``, and skips the others; None where that cannot be done."""
    try:
        kind = msgspec.defstruct("_Field", [("value", Any, MISSING)], rename={"value": name}, gc=False)
    except ValueError:  # msgspec looks for no name that JSON would escape
        return None
    return msgspec.json.Decoder(kind).decode


class Document:
    """A view of one event; its data is decoded when somebody looks at it, and only once.

    ``variables`` are those of its owner, by name; ``now`` is local time, or Unix seconds, in the time zone of the
    house, which is ``zone``. Data that is not JSON is as if it were empty.
    """

    __slots__ = ("_data", "_now", "_peeked", "event", "names", "owner_name", "variables", "zone")

    def __init__(
        self,
        event: Event,
        variables: Mapping[str, Any] | None = None,
        owner_name: str = "",
        *,
        now: datetime | float | None = None,
        zone: tzinfo = MACHINE,
    ) -> None:
        self.event = event
        self.variables: Mapping[str, Any] = {} if variables is None else variables
        self.owner_name = owner_name
        self.names: dict[str, Any] | None = None
        """What the names in a template stand for, once one was filled in."""
        self._now = now
        self.zone = zone
        self._data: Any = MISSING
        self._peeked: tuple[str, Any] | None = None

    def change(self, variables: Mapping[str, Any]) -> None:
        """See other variables from now on."""
        self.variables = variables
        if self.names is not None:
            self.names["variables"] = dict(variables)

    @property
    def data(self) -> Any:  # noqa: ANN401 - any JSON
        """The decoded data."""
        if self._data is MISSING:
            try:
                self._data = _decode(self.event.data)
            except _ERRORS:
                self._data = {}
        return self._data

    def field(self, name: str, decode: Callable[[Raw], Any]) -> Any | Missing:  # noqa: ANN401 - any JSON
        """Return a field of the data, MISSING when it is not there.

        As long as it is the only one that somebody looks at, the others are skipped by ``decode``: most events get no
        closer look than that.
        """
        data = self._data
        if data is MISSING:
            if self._peeked is None:
                try:
                    self._peeked = name, decode(self.event.data).value
                except _ERRORS:
                    self._peeked = name, MISSING
            if self._peeked[0] == name:
                return self._peeked[1]
            data = self.data
        return data.get(name, MISSING) if type(data) is dict else MISSING

    @property
    def now(self) -> datetime:
        """The local time that it was given, else the one when it was first asked for."""
        if not isinstance(self._now, datetime):
            self._now = datetime.fromtimestamp(time.time() if self._now is None else self._now, self.zone)
        return self._now

    @property
    def owner(self) -> dict[str, str]:
        """The owner's ``id`` and ``name``."""
        return {"id": self.event.owner, "name": self.owner_name or self.event.owner}

    def get(self, path: str) -> Any | Missing:  # noqa: ANN401 - any JSON
        """Return what a path such as ``data.tags[0]`` leads to, MISSING when it is not there or no path."""
        try:
            root, steps = _parse(path)
        except ValueError:
            return MISSING
        return self.at(root, steps)

    def at(self, root: str, steps: Steps) -> Any | Missing:  # noqa: ANN401 - any JSON
        """Return what a parsed path leads to, MISSING when it is not there."""
        value = _ROOTS[root](self)
        return MISSING if value is UNSET else walk(value, steps)


def reader(path: str) -> Callable[[Document], Any]:
    """Return what reads the value that a path leads to, MISSING when it is not there; raises ValueError."""
    root, steps = _parse(path)
    if root != "data":
        return lambda document: document.at(root, steps)
    match steps:
        case (str() as name,) if (decode := _one_of(name)) is not None:
            return lambda document: document.field(name, decode)
    return lambda document: walk(document.data, steps)


_ROOTS: Final[dict[str, Callable[[Document], Any]]] = {
    "actor": lambda document: document.event.actor,
    "adapter": lambda document: document.event.adapter,
    "causationid": lambda document: document.event.causationid,
    "correlationid": lambda document: document.event.correlationid,
    "data": lambda document: document.data,
    "hops": lambda document: document.event.hops,
    "id": lambda document: document.event.id,
    "kind": lambda document: document.event.kind,
    "observed": lambda document: document.event.observed,
    "owner": lambda document: document.owner,
    "seq": lambda document: document.event.seq,
    "source": lambda document: document.event.source,
    "subject": lambda document: document.event.subject,
    "time": lambda document: document.event.time,
    "type": lambda document: document.event.type,
    "variables": lambda document: dict(document.variables),
}
