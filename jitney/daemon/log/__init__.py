"""Structured logs: one chain for every line, in which no secret passes."""

from jitney.daemon.log.configure import Level, LogFormatError, UnknownPartError, change, configure, hear, reset
from jitney.daemon.log.decay import Decay
from jitney.daemon.log.logger import Logger, bound, get, parts
from jitney.daemon.log.redact import mask, register, remember
from jitney.daemon.log.tally import Tally

__all__ = [
    "Decay",
    "Level",
    "LogFormatError",
    "Logger",
    "Tally",
    "UnknownPartError",
    "bound",
    "change",
    "configure",
    "get",
    "hear",
    "mask",
    "parts",
    "register",
    "remember",
    "reset",
]
