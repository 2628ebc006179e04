"""Noticing that somebody else is at the broker with our client id, and so takes our sessions away."""

import time
from collections import deque
from typing import Final

from jitney.adapters.base import Clock
from jitney.daemon.broker.session import ClosedError, TakenOverError

TIMES: Final = 4
WITHIN: Final = 120.0
"""A session that the broker ends without a reason so often within so many seconds, and that it lets begin each time."""

REMEDY: Final = (
    "if a second Jitney runs with a copy of this state folder, stop one of the two; else somebody knows our client id,"
    " and the broker should bind client ids to logins (`jitney acl apply`)"
)


class Rivals:
    """Learns how sessions end, and tells when that means a rival; MQTT 3.1.1 does not say so, and is judged by that."""

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._closed: deque[float] = deque(maxlen=TIMES)

    def ended(self, error: BaseException) -> str:
        """Learn why a session ended or could not begin; returns what to tell a person, empty when it is nothing."""
        if isinstance(error, TakenOverError):
            return f"the broker gave our connection to somebody else with the same client id: {REMEDY}"
        if not isinstance(error, ClosedError):
            self._closed.clear()
            return ""
        self._closed.append(self._clock())
        if len(self._closed) < TIMES or self._closed[-1] - self._closed[0] > WITHIN:
            return ""
        self._closed.clear()
        return f"the broker lets us in and ends it, again and again, as if two had the same client id: {REMEDY}"
