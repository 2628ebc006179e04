"""What is known of the house: every entity, and what the bus last told of it. Outlives the connections."""

import time
from typing import Final

from jitney.adapters.base import Context
from jitney.adapters.homeassistant.config import Config
from jitney.adapters.homeassistant.filters import Filters
from jitney.adapters.homeassistant.owners import Owners
from jitney.adapters.homeassistant.persons import PREFIX, Persons
from jitney.adapters.homeassistant.places import Places

NOISE: Final = 120.0
"""Seconds after a start of Home Assistant in which entities that come and go are noise."""


class Entity:
    """One entity: who owns it, whether it is wanted, and what was last told of it.

    ``owner`` is stable: a rule's or a person's (then ``ruled``), else the adapter's default. ``state`` is None for an
    entity that does not exist; ``told`` is the state that the last event told, another one only while Home Assistant
    settles after a start. ``content`` is a checksum of its attributes.
    """

    __slots__ = ("changed", "content", "id", "is_person", "owner", "ruled", "state", "told", "updated", "wanted")

    def __init__(self, entity_id: str) -> None:
        self.id = entity_id
        self.is_person = entity_id.startswith(PREFIX)
        self.owner = ""
        self.ruled = False
        self.wanted = True
        self.state: str | None = None
        self.told: str | None = None
        self.content = 0
        self.changed = ""
        self.updated = ""


class House:
    """The entities of one Home Assistant, its places and its persons."""

    def __init__(self, config: Config) -> None:
        self.places = Places()
        self.persons = Persons()
        self.filters = Filters(config, self.places)
        self.owners = Owners((), self.places, self.persons)
        self.entities: dict[str, Entity] = {}
        self.known = False
        """Whether a first snapshot was taken: only then can anything be new."""
        self.noisy_until = 0.0
        """Until when, on the clock that only goes forward, Home Assistant settles after a start; 0: it has settled."""
        self._publish_states = config.states
        self._default_owner = ""

    def expect_noise(self) -> None:
        """Note that Home Assistant has just started: devices are found again for a while, which is no news."""
        self.noisy_until = time.monotonic() + NOISE

    def uses_areas(self) -> bool:
        """Tell whether anything depends on areas, which costs three requests."""
        return bool(self.filters.areas or self.owners.areas)

    def unknown_areas(self) -> list[str]:
        """Return the configured areas that Home Assistant does not have."""
        named = {*self.filters.areas, *self.owners.areas}
        return sorted(area for area in named if not self.places.area(area))

    def belong(self, ctx: Context) -> None:
        """Take over the owners of an attempt."""
        self.owners = Owners(ctx.owners.values(), self.places, self.persons)
        self._default_owner = ctx.default_owner
        self.arrange()

    def arrange(self) -> None:
        """Decide anew whose each entity is and whether it is wanted, after rules, places or persons have changed."""
        self.owners.refresh()
        for entity in self.entities.values():
            self._place(entity)

    def entity(self, entity_id: str) -> Entity:
        """Return an entity, which need not exist."""
        entity = self.entities.get(entity_id)
        if entity is None:
            entity = self.entities[entity_id] = Entity(entity_id)
            self._place(entity)
        return entity

    def forget(self, entity: Entity) -> None:
        """Drop an entity that was removed."""
        self.entities.pop(entity.id, None)

    def states(self) -> list[tuple[str, str]]:
        """Return (owner, entity id) of every state that is to be published."""
        if not self._publish_states:
            return []
        return [(one.owner, one.id) for one in self.entities.values() if one.wanted and one.state is not None]

    def _place(self, entity: Entity) -> None:
        owner = self.owners.of_entity(entity.id)
        entity.ruled = bool(owner)
        entity.owner = owner or self._default_owner
        entity.wanted = self.filters.wants_entity(entity.id)
