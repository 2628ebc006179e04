"""Who and what there is in a household: what routes can name."""

from collections.abc import Callable, Collection, Mapping

from msgspec import Struct

from jitney.daemon.routes.words import mean
from jitney.topics import HOUSE, RESERVED, UNCLAIMED

Kinds = Callable[[str], bool | None]
"""Tells whether an event type is private, None for one that no adapter has declared."""

OWN_WORDS = frozenset({"inbox", "route"})
"""First words of the types that owners make up themselves."""


class Household(Struct, frozen=True, kw_only=True):
    """The ids of owners, the adapters with whom they belong to, and the event types, of which any may be known."""

    owners: Collection[str]
    adapters: Mapping[str, str]
    kinds: Kinds | None = None

    def owner_fault(self, owner: str) -> str:
        """Return what is wrong with the id of an owner, empty when nothing is."""
        if owner in self.owners or owner in RESERVED:
            return ""
        return f"there is no owner {owner!r}{mean(owner, [*self.owners, HOUSE])}"

    def adapter_fault(self, adapter: str, owners: Collection[str] | None) -> str:
        """Return why a route of these owners (None: of everybody) cannot command an adapter, empty when it can."""
        whose = self.adapters.get(adapter)
        if whose is None:
            return f"there is no adapter {adapter!r}{mean(adapter, self.adapters)}"
        if whose == HOUSE or (owners is not None and set(owners) <= {whose}):
            return ""
        others = "everybody" if owners is None else ", ".join(sorted(set(owners) - {whose}))
        remedy = f'give this route owner = "{whose}", or name an adapter of the house'
        return f"{adapter} belongs to {whose}, and this route is for {others}: {remedy}"

    def kind_fault(self, kind: str) -> str:
        """Return what is wrong with an event type without wildcards, empty when nothing is."""
        if self.kinds is None or kind.partition(".")[0] in OWN_WORDS or self.kinds(kind) is not None:
            return ""
        return f"no configured adapter has events of the type {kind!r}: the guide of each adapter lists them"


def everybody(owner: str) -> bool:
    """Tell whether an owner is among those whom "*" means: all but what nobody is known for."""
    return owner != UNCLAIMED
