"""What is wanted at all: entities by domain, pattern and area, events by type."""

import re
from fnmatch import translate

from jitney.adapters.homeassistant.config import Config, Include, has_wildcard
from jitney.adapters.homeassistant.places import Places


class Filters:
    """The filters of one adapter."""

    def __init__(self, config: Config, places: Places) -> None:
        self._include = _Entities(config.include, places) if config.include else None
        self._exclude = _Entities(config.exclude, places)
        self.areas = (*config.include.areas, *config.exclude.areas)
        """The areas that filters name, by id or name."""
        wild = any(has_wildcard(pattern) for pattern in config.event_types)
        self.exact_types = None if wild else config.event_types
        """The event types to subscribe to one by one; None: patterns ask for all."""
        self._types = _pattern(config.event_types)
        self._not_types = _pattern(config.exclude.event_types)

    def wants_entity(self, entity_id: str) -> bool:
        """Tell whether an entity passes."""
        if self._include is not None and not self._include.match(entity_id):
            return False
        return not self._exclude.match(entity_id)

    def wants_type(self, event_type: str) -> bool:
        """Tell whether events of a type pass; ``state_changed`` is not asked for here."""
        return bool(self._types.match(event_type)) and not self._not_types.match(event_type)


class _Entities:
    def __init__(self, rules: Include, places: Places) -> None:
        self._domains = frozenset(rules.domains)
        self._pattern = _pattern(rules.entities)
        self._areas = rules.areas
        self._places = places

    def match(self, entity_id: str) -> bool:
        if entity_id.partition(".")[0] in self._domains or self._pattern.match(entity_id):
            return True
        area = self._places.of_entity(entity_id)
        return bool(area) and any(self._places.area(text) == area for text in self._areas)


def _pattern(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Return one expression for all patterns; without any it matches nothing."""
    return re.compile("|".join(translate(pattern) for pattern in patterns) or r"(?!)")
