"""The index of routes: which of a thousand may want an event, in one look."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec import UnsetType

if TYPE_CHECKING:
    from jitney.daemon.routes.compiled import Route

MOST_CACHED: Final = 2000
"""Types of one owner that are remembered, and owners: what one makes up pushes out nothing of another."""

LONGEST_CACHED: Final = 200
"""Characters of a type; the inbox lets people make up longer ones, and those are not worth the memory."""


class Index:
    """The routes by owner, type and subject of event, in the order of the file."""

    def __init__(self, routes: Iterable["Route"]) -> None:
        self._routes = tuple(routes)
        self._of_owner: dict[str, tuple[Route, ...]] = {}
        self._cache: dict[str, dict[str, _Candidates]] = {}

    def candidates(self, owner: str, type: str) -> tuple["Route", ...]:  # noqa: A002 - the attribute's name in CloudEvents
        """Return the routes of an owner that want events of a type, before a look at what is in them."""
        cache = self._cache.get(owner)
        found = cache.get(type) if cache is not None else None
        return (self._find(owner, type) if found is None else found).all

    def interested(self, owner: str, type: str, subject: str | UnsetType) -> tuple["Route", ...]:  # noqa: A002
        """Return those of the candidates whose conditions about the subject of an event hold, or that have none."""
        cache = self._cache.get(owner)
        found = cache.get(type) if cache is not None else None
        if found is None:
            found = self._find(owner, type)
        return found.by_subject.get(subject, found.others) if found.by_subject else found.all

    def _find(self, owner: str, type_: str) -> "_Candidates":
        found = _Candidates(route for route in self._of(owner) if route.wants(owner, type_))
        if len(type_) > LONGEST_CACHED:
            return found
        if owner not in self._cache and len(self._cache) >= MOST_CACHED:
            self._cache.clear()
        cache = self._cache.setdefault(owner, {})
        if len(cache) >= MOST_CACHED:
            cache.clear()
        cache[type_] = found
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


class _Candidates:
    """Routes that want a type: ``by_subject`` for each subject that one of them names, ``others`` for all the rest."""

    __slots__ = ("all", "by_subject", "others")

    def __init__(self, routes: Iterable["Route"]) -> None:
        self.all = tuple(routes)
        wanted = [(route, _subjects(route.settings.when)) for route in self.all]
        self.others = tuple(route for route, subjects in wanted if subjects is None)
        named = {subject for _, subjects in wanted for subject in subjects or ()}
        self.by_subject: dict[str | UnsetType, tuple[Route, ...]] = {
            subject: tuple(route for route, subjects in wanted if subjects is None or subject in subjects)
            for subject in named
        }


def _subjects(when: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the only subjects for which conditions can hold, None when they do not name any."""
    wanted = when.get("subject")
    if isinstance(wanted, str):
        return frozenset([wanted])
    if not isinstance(wanted, Mapping):
        return None
    if "equal" in wanted:
        given = [wanted["equal"]]
    elif "in" in wanted:
        given = list(wanted["in"])
    else:
        return None
    return frozenset(one for one in given if isinstance(one, str))
