"""The registries: areas, devices, entities and persons, as their ``list`` commands show them."""

import time
from collections.abc import Callable, Iterable, Mapping
from secrets import token_hex
from typing import Any, Final

from jitney.topics import new_id

Tell = Callable[[str, Mapping[str, Any]], None]
Row = dict[str, Any]
_DISPLAYED: Final = {"ai": "area_id", "lb": "labels", "di": "device_id", "ic": "icon", "tk": "translation_key"}


class Registries:
    """Rows by their key, in the order in which they were made; a change is told on the bus."""

    def __init__(self, tell: Tell) -> None:
        self.areas: dict[str, Row] = {}
        self.devices: dict[str, Row] = {}
        self.entities: dict[str, Row] = {}
        self.persons: dict[str, list[Row]] = {"storage": [], "config": []}
        self._tell = tell

    def add_area(self, area_id: str, name: str = "") -> None:
        """Add an area."""
        now = time.time()
        self.areas[area_id] = {
            "aliases": [],
            "area_id": area_id,
            "floor_id": None,
            "humidity_entity_id": None,
            "icon": None,
            "labels": [],
            "name": name or area_id.replace("_", " ").title(),
            "picture": None,
            "temperature_entity_id": None,
            "created_at": now,
            "modified_at": now,
        }
        self._tell("area_registry_updated", {"action": "create", "area_id": area_id})

    def add_device(self, name: str, *, area: str | None = None, labels: Iterable[str] = ()) -> str:
        """Add a device and return its id."""
        now, entry, device_id = time.time(), new_id(), token_hex(16)
        self.devices[device_id] = {
            "area_id": area,
            "configuration_url": None,
            "config_entries": [entry],
            "config_entries_subentries": {entry: [None]},
            "connections": [],
            "created_at": now,
            "disabled_by": None,
            "entry_type": None,
            "hw_version": None,
            "id": device_id,
            "identifiers": [["demo", name]],
            "labels": list(labels),
            "manufacturer": "Demo",
            "model": "Demo",
            "model_id": None,
            "modified_at": now,
            "name_by_user": None,
            "name": name,
            "primary_config_entry": entry,
            "serial_number": None,
            "sw_version": None,
            "via_device_id": None,
        }
        self._tell("device_registry_updated", {"action": "create", "device_id": device_id})
        return device_id

    def add_entity(
        self,
        entity_id: str,
        *,
        area: str | None = None,
        device: str | None = None,
        labels: Iterable[str] = (),
        platform: str = "demo",
    ) -> None:
        """Register an entity, in an area of its own or (None) in that of its device."""
        now = time.time()
        self.entities[entity_id] = {
            "area_id": area,
            "categories": {},
            "config_entry_id": None,
            "config_subentry_id": None,
            "created_at": now,
            "device_id": device,
            "disabled_by": None,
            "entity_category": None,
            "entity_id": entity_id,
            "has_entity_name": False,
            "hidden_by": None,
            "icon": None,
            "id": token_hex(16),
            "labels": list(labels),
            "modified_at": now,
            "name": None,
            "options": {},
            "original_name": entity_id.partition(".")[2].replace("_", " ").title(),
            "platform": platform,
            "translation_key": None,
            "unique_id": entity_id.partition(".")[2],
        }
        self._tell("entity_registry_updated", {"action": "create", "entity_id": entity_id})

    def move(self, entity_id: str, area: str | None) -> None:
        """Put an entity into another area."""
        row = self.entities[entity_id]
        changes, row["area_id"] = {"area_id": row["area_id"]}, area
        self._tell("entity_registry_updated", {"action": "update", "entity_id": entity_id, "changes": changes})

    def move_device(self, device_id: str, area: str | None) -> None:
        """Put a device into another area."""
        row = self.devices[device_id]
        changes, row["area_id"] = {"area_id": row["area_id"]}, area
        self._tell("device_registry_updated", {"action": "update", "device_id": device_id, "changes": changes})

    def forget(self, entity_id: str) -> None:
        """Remove an entity from the registry."""
        del self.entities[entity_id]
        self._tell("entity_registry_updated", {"action": "remove", "entity_id": entity_id})

    def displayed(self) -> Row:
        """Return what ``config/entity_registry/list_for_display`` answers: keys abbreviated, null ones left out."""
        return {
            "entity_categories": {"0": "config", "1": "diagnostic"},
            "entities": [_displayed(row) for row in self.entities.values()],
        }


def _displayed(row: Row) -> Row:
    shown = {"ei": row["entity_id"], "pl": row["platform"]}
    shown |= {short: row[key] for short, key in _DISPLAYED.items() if row[key] is not None}
    return {**shown, "en": row["name"] or row["original_name"]}
