"""A state of the radio's owner that is published now and then, and only when it says something new."""

from math import inf

import msgspec
from msgspec import Raw, Struct

from jitney.adapters.base import Context
from jitney.topics import State

_encode = msgspec.json.Encoder().encode


class Retained:
    """One subject, published at most ``every`` so many seconds of one clock that only goes forward.

    ``expiry``: so many seconds after it was published it is gone by itself; 0 for never.
    """

    def __init__(self, ctx: Context, subject: str, *, every: float, expiry: int = 0) -> None:
        self._ctx = ctx
        self._subject = subject
        self._every = every
        self._expiry = expiry
        self._last = -inf
        self._value = b""

    def is_due(self, now: float) -> bool:
        """Tell whether the time has come to look at the value again."""
        return now - self._last >= self._every

    def put(self, value: Struct, now: float) -> None:
        """Publish a value, if it is another than the last one."""
        self._last = now
        encoded = _encode(value)
        if encoded != self._value:
            self._value = encoded
            self._ctx.set_state(State(self._ctx.default_owner, self._subject, Raw(encoded), self._expiry))

    def remove(self) -> None:
        """Take the value back."""
        self._value = b""
        self._ctx.set_state(State(self._ctx.default_owner, self._subject, None))
