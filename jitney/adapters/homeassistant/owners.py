"""Whom an entity belongs to: explicit rules first, then persons and their trackers. Never a guess from names."""

import re
from collections.abc import Iterable
from fnmatch import translate

from jitney.adapters.base import Owner
from jitney.adapters.homeassistant.config import Identity, has_wildcard
from jitney.adapters.homeassistant.persons import Persons
from jitney.adapters.homeassistant.places import Places


class Owners:
    """The owners' rules. An entity named outright beats a pattern, a pattern an area, then the first owner wins."""

    def __init__(self, owners: Iterable[Owner], places: Places, persons: Persons) -> None:
        self._identities = [(owner.id, owner.identity) for owner in owners if isinstance(owner.identity, Identity)]
        self._places = places
        self._persons = persons
        self._exact: dict[str, str] = {}
        self._patterns: list[tuple[str, re.Pattern[str]]] = []
        for owner, identity in self._identities:
            for pattern in identity.entities:
                if has_wildcard(pattern):
                    self._patterns.append((owner, re.compile(translate(pattern))))
                else:
                    self._exact.setdefault(pattern, owner)
        self.areas = tuple(area for _, identity in self._identities for area in identity.areas)
        """The areas that rules name, by id or name."""
        self._areas: dict[str, str] = {}
        self._claimed: dict[str, str] = {}
        self._users: dict[str, str] = {}

    def refresh(self) -> None:
        """Read places and persons again."""
        self._areas, self._claimed, self._users = {}, {}, {}
        for owner, identity in self._identities:
            for text in identity.areas:
                self._areas.setdefault(self._places.area(text), owner)
            for user in identity.users:
                self._users.setdefault(user, owner)
            if identity.person:
                self._claimed.setdefault(identity.person, owner)
        self._areas.pop("", None)
        named = dict(self._claimed)
        for entity_id, person in self._persons.items():
            whose = named.get(entity_id) or self._users.get(person.user_id)
            if whose is not None:
                self._claimed.setdefault(entity_id, whose)
                if person.user_id:
                    self._users.setdefault(person.user_id, whose)
                for tracker in person.trackers:
                    self._claimed.setdefault(tracker, whose)

    def of_entity(self, entity_id: str) -> str:
        """Return the owner of an entity, empty when no rule and no person names one."""
        exact = self._exact.get(entity_id)
        if exact is not None:
            return exact
        for owner, pattern in self._patterns:
            if pattern.match(entity_id):
                return owner
        return self._areas.get(self._places.of_entity(entity_id)) or self._claimed.get(entity_id, "")

    @property
    def has_rules(self) -> bool:
        """Whether anything belongs to anybody by a rule or a person."""
        return bool(self._exact or self._patterns or self._areas or self._claimed)

    def of_area(self, area_id: str) -> str:
        """Return the owner of an area, empty when it has none."""
        return self._areas.get(area_id, "")

    def of_device(self, device_id: str) -> str:
        """Return the owner of a device by its area, empty when there is none."""
        return self._areas.get(self._places.of_device(device_id), "")

    def strangers(self) -> list[str]:
        """Return the persons of Home Assistant who are nobody here."""
        return [entity_id for entity_id, _ in self._persons.items() if entity_id not in self._claimed]

    def of_user(self, user_id: str) -> str:
        """Return the owner who is this user of Home Assistant, empty when nobody is."""
        return self._users.get(user_id, "")
