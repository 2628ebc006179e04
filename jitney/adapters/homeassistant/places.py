"""Which area and device an entity is in, as Home Assistant's registries say."""

from typing import Final

from msgspec import Raw, Struct

from jitney.adapters.homeassistant import frames
from jitney.adapters.homeassistant.frames import Odd

AREAS: Final = "config/area_registry/list"
DEVICES: Final = "config/device_registry/list"
ENTITIES: Final = "config/entity_registry/list_for_display"

CHANGES: Final = ("area_registry_updated", "device_registry_updated", "entity_registry_updated")
"""The events after which the registries may say something else."""


class Places:
    """Areas of entities and devices; an entity without an area is where its device is."""

    def __init__(self) -> None:
        self._areas: dict[str, str] = {}
        self._devices: dict[str, str] = {}
        self._entities: dict[str, str] = {}
        self._parts: dict[str, list[str]] = {}

    def load(self, *, areas: Raw, devices: Raw, entities: Raw, odd: Odd) -> None:
        """Take over the answers of the three registries; an entry that cannot be read is told to ``odd``."""
        self._areas = {area.area_id: area.name for area in frames.entries(areas, _Area, odd)}
        self._devices = {one.id: one.area_id for one in frames.entries(devices, _Device, odd) if one.area_id}
        self._entities, self._parts = {}, {}
        listed = frames.one(entities, _Display, odd)
        for entity in frames.entries(listed.entities, _Entity, odd) if listed else ():
            area = entity.ai or self._devices.get(entity.di or "")
            if area:
                self._entities[entity.ei] = area
            if entity.di:
                self._parts.setdefault(entity.di, []).append(entity.ei)

    def of_entity(self, entity_id: str) -> str:
        """Return the area id of an entity, empty when it has none."""
        return self._entities.get(entity_id, "")

    def parts(self, device_id: str) -> list[str]:
        """Return the entities of a device."""
        return self._parts.get(device_id, [])

    def of_device(self, device_id: str) -> str:
        """Return the area id of a device, empty when it has none."""
        return self._devices.get(device_id, "")

    def area(self, text: str) -> str:
        """Return the id of the area with this id or name, empty when there is none."""
        if text in self._areas:
            return text
        name = text.casefold()
        return next((area for area, called in self._areas.items() if called.casefold() == name), "")

    def areas(self) -> list[str]:
        """Return the ids of all areas, sorted."""
        return sorted(self._areas)


class _Area(Struct):
    area_id: str
    name: str = ""


class _Device(Struct):
    id: str
    area_id: str | None = None


class _Display(Struct):
    entities: Raw = Raw(b"null")


class _Entity(Struct):
    """An entity for display; its keys are Home Assistant's abbreviations of entity, area and device id."""

    ei: str
    ai: str | None = None
    di: str | None = None
