"""How long the routes of each owner compute: all owners wait for that, so that it has a limit."""

from collections import defaultdict
from typing import Final

MINUTE: Final = 60.0

BUDGET: Final = 0.3
"""Seconds of computing within a minute that all routes of an owner may take where they are slow: half a percent."""

SHARE: Final = BUDGET / 20
"""Who has taken less of it does not have to answer for the others."""


class Efforts:
    """Adds up. ``now`` is Unix seconds and may jump."""

    def __init__(self) -> None:
        self._owners: dict[str, _Spent] = {}

    def spent(self, owner: str, route: str, seconds: float, *, now: float) -> dict[str, float]:
        """Learn how long a route has computed; returns the routes that have taken too long, with how long it was."""
        spent = self._owners.get(owner)
        if spent is None or not spent.since <= now < spent.since + MINUTE:
            spent = self._owners[owner] = _Spent(now)
        spent.routes[route] += seconds
        if sum(spent.routes.values()) <= BUDGET:
            return {}
        found = {name: took for name, took in spent.routes.items() if took >= SHARE}
        for name in found:
            del spent.routes[name]
        return found

    def forget(self, owner: str) -> None:
        """Forget all of an owner."""
        self._owners.pop(owner, None)


class _Spent:
    """What the routes of an owner have taken since an instant."""

    __slots__ = ("routes", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.routes: defaultdict[str, float] = defaultdict(float)
