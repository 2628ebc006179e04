"""What libraries say through the standard library's logging goes the way of our own lines."""

import logging
from typing import Final

from jitney.daemon.log.logger import get

LEVEL: Final = logging.WARNING
"""The least that is heard of libraries, whatever our own level."""

_METHODS: Final = ((logging.CRITICAL, "critical"), (logging.ERROR, "error"), (LEVEL, "warning"))


class Libraries(logging.Handler):
    """Hands on the records of every library; its logger's name becomes the part."""

    def emit(self, record: logging.LogRecord) -> None:
        """Hand on one record."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError, KeyError):  # arguments that do not fit: the library's fault, not worth a crash
            text = f"{record.msg} {record.args}"
        method = next(name for level, name in _METHODS if record.levelno >= level)
        getattr(get("libraries"), method)(text, part=record.name, exc_info=record.exc_info or None)


def listen() -> None:
    """Take the place of every earlier ``listen``."""
    leave()
    logging.root.addHandler(Libraries(LEVEL))
    logging.root.setLevel(LEVEL)


def leave() -> None:
    """Leave the standard library's logging as it was."""
    for handler in logging.root.handlers[:]:
        if isinstance(handler, Libraries):
            logging.root.removeHandler(handler)
            handler.close()
