"""The index of routes: which of a thousand may want an event, in one look."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jitney.daemon.routes.compiled import Route

MOST_CACHED: Final = 10_000
LONGEST_CACHED: Final = 200
"""Characters of a type; the inbox lets people make up longer ones, and those are not worth the memory."""


class Index:
    """The routes by owner and type of event, in the order of the file."""

    def __init__(self, routes: Iterable["Route"]) -> None:
        self._routes = tuple(routes)
        self._of_owner: dict[str, tuple[Route, ...]] = {}
        self._cache: dict[tuple[str, str], tuple[Route, ...]] = {}

    def candidates(self, owner: str, type: str) -> tuple["Route", ...]:  # noqa: A002 - the attribute's name in CloudEvents
        """Return the routes of an owner that want events of a type, before a look at what is in them."""
        found = self._cache.get((owner, type))
        return self._find(owner, type) if found is None else found

    def _find(self, owner: str, type_: str) -> tuple["Route", ...]:
        found = tuple(route for route in self._of(owner) if route.wants(owner, type_))
        if len(self._cache) >= MOST_CACHED:
            self._cache.clear()
        if len(type_) <= LONGEST_CACHED:
            self._cache[owner, type_] = found
        return found

    def _of(self, owner: str) -> tuple["Route", ...]:
        found = self._of_owner.get(owner)
        if found is None:
            if len(self._of_owner) >= MOST_CACHED:
                self._of_owner.clear()
            found = self._of_owner[owner] = tuple(
                route for route in self._routes if route.patterns and route.serves(owner)
            )
        return found
