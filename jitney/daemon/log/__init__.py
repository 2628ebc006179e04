"""Structured logs: one chain for every line, in which no secret passes."""

from jitney.daemon.log.configure import LogFormatError, configure, reset
from jitney.daemon.log.decay import Decay
from jitney.daemon.log.logger import Logger, bound, get
from jitney.daemon.log.redact import mask, register
from jitney.daemon.log.tally import Tally

__all__ = ["Decay", "LogFormatError", "Logger", "Tally", "bound", "configure", "get", "mask", "register", "reset"]
