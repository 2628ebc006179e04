"""What is probably not meant about routes: nothing is wrong with it, but it can never do anything."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from jitney.daemon.routes import globs
from jitney.daemon.routes.compiled import SCHEDULED
from jitney.daemon.routes.faults import Fault
from jitney.daemon.routes.household import OWN_WORDS
from jitney.daemon.routes.settings import GrantSettings, RouteSettings, Words

Sources = Mapping[str, Mapping[str, bool]]
"""The event types of each adapter by its name, and whether each is private."""


def doubts(settings: Sequence[RouteSettings], *, sources: Sources, grants: Sequence[GrantSettings]) -> list[Fault]:
    """Return what a person should know of each route, also of one with faults; never raises."""
    found: list[Fault] = []
    for number, one in enumerate(settings):
        about = (*_unheard(one, sources), *_unshown(one, sources, grants), *_unused(one))
        found += [Fault(fault.path, fault.text, number) for fault in about]
    return found


def _unheard(route: RouteSettings, sources: Sources) -> Iterator[Fault]:
    """Give the globs that match no type that there is."""
    for index, glob in enumerate(_words(route.on)):
        if globs.fault(glob) or not globs.is_glob(glob) or _may_be_own(glob) or any(_types(glob, sources)):
            continue
        text = f"no configured adapter has events that match {glob!r}: the guide of each adapter lists their types"
        yield Fault(("on",) if isinstance(route.on, str) else ("on", index), text)


def _unshown(route: RouteSettings, sources: Sources, grants: Sequence[GrantSettings]) -> Iterator[Fault]:
    """Give what is forwarded to somebody to whom it is not granted."""
    for index, table in enumerate(route.do):
        given = table.get("forward", ())
        for to in (given,) if isinstance(given, str) else given if isinstance(given, list | tuple) else ():
            fitting = [grant for grant in grants if to in _words(grant.to) and _gives(grant, route, str(to))]
            if not any(_covers(grant, glob, sources) for grant in fitting for glob in _words(route.on) or (SCHEDULED,)):
                text = f"no grant lets {to} see this: add one to [[grants]], with the types in kinds"
                yield Fault(("do", index, "forward"), text)


def _unused(route: RouteSettings) -> Iterator[Fault]:
    if route.key and not (route.debounce or route.count or route.throttle or route.once_per):
        yield Fault(("key",), "is for debounce, count, throttle and once_per: the route has none of them")


def _gives(grant: GrantSettings, route: RouteSettings, to: str) -> bool:
    """Tell whether a grant is about events of an owner of a route other than the one who sees them."""
    owners = _words(route.owner)
    return grant.from_ != to and ("*" in owners or grant.from_ in owners)


def _covers(grant: GrantSettings, glob: str, sources: Sources) -> bool:
    """Tell whether a grant may cover any event that a glob, or a type, matches."""
    if _may_be_own(glob) and any(_overlap(glob, kind) for kind in _words(grant.kinds) if _may_be_own(kind)):
        return True
    return any(
        _names(grant.adapters, adapter) and (kind in _words(grant.kinds) if private else _names(grant.kinds, kind))
        for adapter, kind, private in _types(glob, sources)
        if grant.private or not private
    )


def _types(glob: str, sources: Sources) -> Iterator[tuple[str, str, bool]]:
    """Give (adapter, type, private) of every type that a glob matches."""
    return (
        (adapter, kind, private)
        for adapter, kinds in sources.items()
        for kind, private in kinds.items()
        if fnmatchcase(kind, glob)
    )


def _names(words: Words, name: str) -> bool:
    return any(fnmatchcase(name, glob) for glob in _words(words))


def _may_be_own(glob: str) -> bool:
    """Tell whether a glob may match a type that owners make up."""
    return any(_overlap(glob, f"{word}.*") for word in OWN_WORDS)


def _overlap(one: str, other: str) -> bool:
    """Tell whether two globs may match the same text, as far as can be told from how they begin."""
    if not globs.is_glob(one) and not globs.is_glob(other):
        return one == other
    if not globs.is_glob(one):
        return fnmatchcase(one, other)
    if not globs.is_glob(other):
        return fnmatchcase(other, one)
    begins, begun = _beginning(one), _beginning(other)
    return begins.startswith(begun) or begun.startswith(begins)


def _beginning(glob: str) -> str:
    """Return what every text that a glob matches begins with."""
    return glob[: next((place for place, letter in enumerate(glob) if letter in "*?["), len(glob))]


def _words(words: Words) -> Collection[str]:
    return (words,) if isinstance(words, str) else words
