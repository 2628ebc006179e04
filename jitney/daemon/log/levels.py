"""From which level on lines are written, and which go to a listener besides: for all parts, or for one for a time."""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final

from jitney.daemon.log.structured import structlog

Listener = Callable[[Mapping[str, Any]], None]
"""Takes a redacted line, from any thread; must neither wait nor write lines."""

ALL: Final = ""
"""The part that stands for all of them."""

OFF: Final = 100
"""A level that no line has."""

_RANKS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


class Levels:
    """The levels of one process. ``changed`` are those of parts that are otherwise for a time."""

    def __init__(self) -> None:
        self.written = _RANKS["info"]
        self.heard = OFF
        self.changed: dict[str, int] = {}
        self.listener: Listener | None = None

    def of(self, part: str) -> int:
        """Return from which level on lines of a part are written."""
        return self.changed.get(part, self.changed.get(ALL, self.written))

    def of_listener(self, part: str) -> int:
        """Return from which level on the listener gets them."""
        if self.listener is None or self.heard == OFF:
            return OFF
        return self.changed.get(part, self.changed.get(ALL, self.heard))

    def wrapper(self, part: str) -> type[Any]:
        """Return the class whose methods do nothing below the level that anybody wants of a part."""
        return structlog.make_filtering_bound_logger(min(self.of(part), self.of_listener(part)))

    def hand_on(self, _logger: object, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Be the processor that lets the listener have a line, and drops it where it is not to be written."""
        part, level = str(line.get("part", "")), rank(method)
        if self.listener is not None and level >= self.of_listener(part):
            self.listener(line)
        if level < self.of(part):
            raise structlog.DropEvent
        return line


def rank(level: str) -> int:
    """Return how grave a level is, ``OFF`` for "off"."""
    return _RANKS.get(level, _RANKS["error"]) if level != "off" else OFF


levels: Final = Levels()
