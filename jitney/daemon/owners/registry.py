"""The people of the configuration, and how each adapter type sees them."""

from collections.abc import Mapping, Sequence

from jitney.adapters.base import Owner
from jitney.daemon.config.schema import AdapterSettings, OwnerSettings
from jitney.topics import HOUSE


class Owners:
    """The configured people by id."""

    def __init__(self, settings: Mapping[str, OwnerSettings]) -> None:
        self._settings = settings
        self.ids = frozenset(settings)
        self.resting = frozenset(owner.id for owner in settings.values() if not owner.enabled)

    def seen_by(self, adapter: AdapterSettings) -> dict[str, Owner]:
        """Return the people as an adapter's type knows them; one of a person sees only that person."""
        return {
            owner: Owner(owner, settings.name or owner, settings.identities.get(adapter.type.name))
            for owner, settings in self._settings.items()
            if adapter.owner in (HOUSE, owner)
        }

    def served_by(self, adapter: AdapterSettings) -> Sequence[str]:
        """Return whom an adapter serves, to tell them its status: all and the house, or its one person."""
        return [*sorted(self.ids), HOUSE] if adapter.owner == HOUSE else [adapter.owner]
