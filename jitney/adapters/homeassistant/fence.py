"""Whose things a service call is about: nobody acts on what the rules give to somebody else.

What Home Assistant itself resolves cannot be judged here: what a script or a scene does, and whom a notify service
reaches. A floor or a label is refused where there are rules, because what it has is not known; so are areas and devices
where no rule names an area, because the registries are not read then.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from jitney.adapters.errors import RefusedError
from jitney.adapters.homeassistant import frames
from jitney.adapters.homeassistant.house import House
from jitney.topics import HOUSE

EVERYTHING: Final = "all"

_UNKNOWN_CONTENT: Final = ("floor_id", "label_id")
_SERVICES_ARE_ENTITIES: Final = frozenset({"script"})


def check(owner: str, service: str, *, data: Raw | UnsetType, target: Raw | UnsetType, house: House) -> None:
    """Raise RefusedError when a call of an owner is about something of somebody else; the house may act on all."""
    if owner == HOUSE or not house.owners.has_rules:
        return
    for what, whose in _meant(service, [_object(target), _object(data)], house):
        if whose not in ("", owner):
            raise RefusedError("foreign_owner", f"{what} belongs to somebody else: {owner} cannot act on it")


def _meant(service: str, given: Iterable[Mapping[str, Any]], house: House) -> Iterator[tuple[str, str]]:
    """Yield everything that a call is about, with whose it is by the rules; nobody's is empty."""
    domain, _, name = service.partition(".")
    owners = house.owners
    if domain in _SERVICES_ARE_ENTITIES:
        yield service, owners.of_entity(f"{domain}.{name}")
    for table in given:
        for entity in (*_words(table.get("entity_id")), *_keys(table.get("entities"))):
            if entity.lower() == EVERYTHING:
                yield from ((one, owners.of_entity(one)) for one in house.entities if one.startswith(f"{domain}."))
            else:
                yield entity, owners.of_entity(entity)
        for device in _words(table.get("device_id")):
            yield f"device {device}", owners.of_device(device)
            yield from ((one, owners.of_entity(one)) for one in house.places.parts(device))
        for area in _words(table.get("area_id")):
            yield f"area {area}", owners.of_area(area)
            yield from ((one, owners.of_entity(one)) for one in house.entities if house.places.of_entity(one) == area)
        for key in _UNKNOWN_CONTENT if house.uses_areas() else (*_UNKNOWN_CONTENT, "area_id", "device_id"):
            if _words(table.get(key)):
                message = f"what a {key} has is not known here, and some of it may belong to somebody else"
                raise RefusedError("foreign_owner", f"{message}: name the entities")


def _object(given: Raw | UnsetType) -> Mapping[str, Any]:
    """Return the JSON object that was given, an empty one for anything else: Home Assistant judges that."""
    if given is UNSET:
        return {}
    try:
        return msgspec.json.decode(given, type=dict[str, Any])
    except frames.ERRORS:
        return {}


def _words(value: object) -> list[str]:
    """Return one text, several with commas between them, or a list of texts, as Home Assistant takes them."""
    texts = value if isinstance(value, list) else [value]
    return [word.strip() for text in texts if isinstance(text, str) for word in text.split(",") if word.strip()]


def _keys(value: object) -> list[str]:
    return [str(key) for key in value] if isinstance(value, dict) else _words(value)
