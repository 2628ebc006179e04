"""Loggers: what the parts of the daemon write with, and who a line is about."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol, cast

from jitney.adapters.base import Log
from jitney.daemon.log.levels import levels
from jitney.daemon.log.structured import structlog


class Logger(Log, Protocol):
    """The logger of a part: an event in words, and its fields by name. Nothing is formatted into the event."""

    def error(self, event: str, **fields: object) -> None:
        """Write what a person has to look at."""

    def exception(self, event: str, **fields: object) -> None:
        """Write the same, with the exception that is being handled."""


def get(part: str) -> Logger:
    """Return the logger of a part of the daemon: one word, the same logger each time."""
    logger = _loggers.get(part)
    if logger is None:
        logger = _loggers[part] = _Lazy(part)
    return cast("Logger", logger)


@contextmanager
def bound(*, owner: str = "", adapter: str = "", event_id: str = "") -> Iterator[None]:
    """Put owner, adapter and event id on every line of this task (and of tasks it starts) until left."""
    named = {"owner": owner, "adapter": adapter, "event_id": event_id}
    with structlog.contextvars.bound_contextvars(**{name: value for name, value in named.items() if value}):
        yield


def parts() -> frozenset[str]:
    """Return the parts that have a logger."""
    return frozenset(_loggers)


def renew() -> None:
    """Let every logger find out anew how it is configured."""
    for logger in _loggers.values():
        logger.renew()


class _Lazy:
    """Finds the configured method of a level once: a line that is filtered out then costs one attribute and a call."""

    def __init__(self, part: str) -> None:
        self._part = part

    def __getattr__(self, level: str) -> Any:  # noqa: ANN401 - a method of structlog's
        if not structlog.is_configured():
            return getattr(structlog.get_logger(part=self._part).bind(), level)
        logger = structlog.wrap_logger(None, wrapper_class=levels.wrapper(self._part), part=self._part)
        method = getattr(logger.bind(), level)
        setattr(self, level, method)
        return method

    def renew(self) -> None:
        """Forget the methods that were found."""
        self.__dict__ = {"_part": self._part}


_loggers: Final[dict[str, _Lazy]] = {}
