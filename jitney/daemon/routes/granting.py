"""What can be wrong with grants: told at load, so that nobody believes to have granted what was not."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from jitney.daemon.routes import globs
from jitney.daemon.routes.faults import Fault, Faults
from jitney.daemon.routes.household import Household, Kinds
from jitney.daemon.routes.settings import GrantSettings, Words
from jitney.daemon.routes.words import mean


def check_grants(
    settings: Sequence[GrantSettings],
    *,
    owners: Collection[str],
    adapters: Mapping[str, str],
    kinds: Kinds | None = None,
) -> list[Fault]:
    """Return every fault of every grant, with the grant's number as its ``route``; never raises.

    The arguments are those of ``compile_routes``.
    """
    household = Household(owners=frozenset(owners), adapters=dict(adapters), kinds=kinds)
    found: list[Fault] = []
    for number, one in enumerate(settings):
        faults = Faults(number)
        _check(one, household, faults)
        found += faults.found
    return found


def _check(grant: GrantSettings, household: Household, faults: Faults) -> None:
    if fault := household.owner_fault(grant.from_):
        faults.add(fault, "from")
    for owner, place in _each("to", grant.to, faults):
        if fault := household.owner_fault(owner):
            faults.add(fault, *place)
        elif owner == grant.from_:
            faults.add(f"{owner} sees these events already: name somebody else", *place)
    _check_kinds(grant, household, faults)
    for adapter, place in _each("adapters", grant.adapters, faults):
        if not globs.is_glob(adapter) and adapter not in household.adapters:
            faults.add(f"there is no adapter {adapter!r}{mean(adapter, household.adapters)}", *place)


def _check_kinds(grant: GrantSettings, household: Household, faults: Faults) -> None:
    named = False
    for kind, place in _each("kinds", grant.kinds, faults):
        private = household.kinds is not None and not globs.is_glob(kind) and household.kinds(kind) is True
        named = named or private
        if fault := globs.fault(kind) or ("" if globs.is_glob(kind) else household.kind_fault(kind)):
            faults.add(fault, *place)
        elif private and not grant.private:
            faults.add(f"{kind} is private: to grant it all the same, set private = true", *place)
    if grant.private and not named and household.kinds is not None:
        faults.add("no private kind is named in kinds, and a glob never covers one: name each", "private")


def _each(key: str, words: Words, faults: Faults) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Give each word and its place."""
    if isinstance(words, str):
        yield words, (key,)
    else:
        if not words:
            faults.add("expected one or several", key)
        for index, word in enumerate(words):
            yield word, (key, index)
