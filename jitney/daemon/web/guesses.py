"""How often somebody may ask for what is not there, or for a page, until they have to wait."""

import time
from collections import OrderedDict
from typing import Final

from jitney.adapters.base import Clock
from jitney.daemon.web.addresses import Address, house

BURST: Final = 60.0
"""How many at once: nobody who signs in needs so many."""

PER_SECOND: Final = 0.5
"""How many more as time goes on."""

MOST_KNOWN: Final = 4096
"""Addresses that are remembered; beyond them whoever was seen longest ago is forgotten."""


class Guesses:
    """A bucket of tokens for each address (RFC 6585, 4)."""

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[Address, tuple[float, float]] = OrderedDict()

    def wait(self, address: Address) -> float:
        """Return the seconds that an address has to wait, 0 when it need not."""
        tokens = self._tokens(house(address))
        return 0.0 if tokens >= 1.0 else (1.0 - tokens) / PER_SECOND

    def take(self, address: Address) -> float:
        """Count one; returns the seconds to wait when it was one too many."""
        key = house(address)
        tokens = self._tokens(key)
        granted = tokens >= 1.0
        self._buckets[key] = (tokens - 1.0 if granted else tokens), self._clock()
        self._buckets.move_to_end(key)
        if len(self._buckets) > MOST_KNOWN:
            self._buckets.popitem(last=False)
        return 0.0 if granted else (1.0 - tokens) / PER_SECOND

    def _tokens(self, key: Address) -> float:
        tokens, since = self._buckets.get(key, (BURST, 0.0))
        return min(BURST, tokens + (self._clock() - since) * PER_SECOND)
