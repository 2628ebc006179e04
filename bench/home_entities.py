"""Entities as a Home Assistant was told of them over MQTT, as it shows them, and how the two differ."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import asdict

from bench.home_client import HomeClient
from bench.lab import LabError

UNAVAILABLE: Final = "unavailable"
NOTHING: Final = frozenset({None, "unknown", UNAVAILABLE})

Key = tuple[str, str]
"""A platform and a unique id: what Home Assistant knows an entity by."""


class Traits(Struct, frozen=True, kw_only=True):
    """What has to be the same on both sides; ``device`` and ``via`` are identifiers."""

    name: str
    device: str
    device_name: str
    via: str
    device_class: str
    unit: str
    category: str
    enabled: bool


class Told(Struct, frozen=True, kw_only=True):
    """An entity as it was announced: ``topic`` is where, ``needs`` are the topics that say whether it is available."""

    topic: str
    platform: str
    unique_id: str
    traits: Traits
    needs: frozenset[str] = frozenset()
    command: str = ""
    options: tuple[str, ...] = ()
    """The options of a select, the types of an event."""

    @property
    def key(self) -> Key:
        """What Home Assistant knows it by."""
        return self.platform, self.unique_id

    def waits_for(self, topic: str) -> bool:
        """Tell whether it is unavailable while a topic says so; everything is without any, for an empty one."""
        return not topic or topic in self.needs


class Shown(Struct, frozen=True, kw_only=True):
    """An entity in the registry; ``entry`` is its device there, ``state`` None while it has none."""

    entity_id: str
    unique_id: str
    entry: str
    traits: Traits
    state: str | None = None
    attributes: Mapping[str, Any] = {}

    @property
    def key(self) -> Key:
        """What Home Assistant knows it by."""
        return self.entity_id.partition(".")[0], self.unique_id

    @property
    def available(self) -> bool:
        """Whether it can be used."""
        return self.state not in {None, UNAVAILABLE}


def told(retained: Mapping[str, bytes]) -> dict[Key, Told]:
    """Return the entities that the retained messages of discovery topics announce; raises LabError for one of two."""
    found: dict[Key, Told] = {}
    for topic, raw in retained.items():
        for entity in _announced(topic, json.loads(raw)):
            if entity.key in found:
                message = f"{' '.join(entity.key)} is announced by {topic} and by {found[entity.key].topic}"
                raise LabError(message)
            found[entity.key] = entity
    return found


async def shown(client: HomeClient, prefix: str) -> dict[Key, Shown]:
    """Return the entities of the MQTT integration whose unique ids begin with a prefix."""
    listed = [
        entry
        for entry in await client.ask("config/entity_registry/list")
        if entry["platform"] == "mqtt" and entry["unique_id"].startswith(prefix)
    ]
    ids = [entry["entity_id"] for entry in listed]
    more = await client.ask("config/entity_registry/get_entries", entity_ids=ids) if ids else {}
    devices = {device["id"]: device for device in await client.ask("config/device_registry/list")}
    states = await client.states()
    return {
        entity.key: entity
        for entry in listed
        if (entity := _shown({**entry, **(more.get(entry["entity_id"]) or {})}, devices, states))
    }


async def strays(client: HomeClient, prefix: str, announced: Mapping[Key, Told]) -> list[str]:
    """Return the identifiers of devices that begin with a prefix and that nobody announces."""
    known = {entity.traits.device for entity in announced.values()}
    devices = await client.ask("config/device_registry/list")
    return sorted(
        identifier
        for device in devices
        if (identifier := identifier_of(device)).startswith(prefix) and identifier not in known
    )


async def entry_ids(client: HomeClient, prefix: str) -> list[str]:
    """Return the ids in the registry of the devices whose identifiers begin with a prefix."""
    devices = await client.ask("config/device_registry/list")
    return [device["id"] for device in devices if identifier_of(device).startswith(prefix)]


def identifier_of(device: Mapping[str, Any] | None) -> str:
    """Return what the MQTT integration knows a device by, empty for one that is not its own."""
    identifiers = [] if device is None else device["identifiers"]
    return next((name for domain, name, *_ in identifiers if domain == "mqtt"), "")


def differences(announced: Mapping[Key, Told], registered: Mapping[Key, Shown]) -> list[str]:
    """Return how what is shown differs from what was announced, in words."""
    result = [f"not in the registry: {' '.join(key)}" for key in sorted(announced.keys() - registered.keys())]
    result += [
        f"in the registry, not announced: {' '.join(key)}" for key in sorted(registered.keys() - announced.keys())
    ]
    for key in sorted(announced.keys() & registered.keys()):
        there = registered[key]
        wanted, got = asdict(announced[key].traits), asdict(there.traits)
        if not (wanted["enabled"] and got["enabled"]):
            del wanted["unit"]
        result += [
            f"{there.entity_id} {trait}: announced {value!r}, shown {got[trait]!r}"
            for trait, value in wanted.items()
            if value != got[trait]
        ]
        if got["enabled"] and there.state is None:
            result.append(f"{there.entity_id} has no state")
    return result


def changes(before: Mapping[Key, Shown], now: Mapping[Key, Shown], *, values: bool = True) -> list[str]:
    """Return in words what is not as it was: entities that came, went, were renamed, or with ``values`` lost theirs."""
    result = [f"missing: {before[key].entity_id}" for key in sorted(before.keys() - now.keys())]
    result += [f"new: {now[key].entity_id}" for key in sorted(now.keys() - before.keys())]
    for key in sorted(before.keys() & now.keys()):
        was, there = before[key], now[key]
        if (was.entity_id, was.entry) != (there.entity_id, there.entry):
            result.append(f"{was.entity_id} is {there.entity_id} now, or of another device")
        if was.available is not there.available:
            result.append(f"{was.entity_id} was {was.state}, is {there.state}")
        elif values and was.state not in NOTHING and there.state in NOTHING:
            result.append(f"{was.entity_id} has lost its value {was.state!r}: {there.state}")
    return result


def availability(
    before: Mapping[Key, Shown], now: Mapping[Key, Shown], announced: Mapping[Key, Told], *, gone: str
) -> list[str]:
    """Return what contradicts that just those are unavailable now that need the topic ``gone`` (none: all)."""
    result = []
    for key, was in sorted(before.items()):
        there = now.get(key)
        needs = key in announced and announced[key].waits_for(gone)
        available = there is not None and there.available
        if was.available and available is needs:
            word = "still available" if needs else "not available any more"
            result.append(f"{was.entity_id} is {word}: {there.state if there is not None else 'it is gone'}")
    return result


def _announced(topic: str, payload: Mapping[str, Any]) -> Iterator[Told]:
    platform = topic.split("/")[-4]
    components = payload["components"].values() if platform == "device" else [{**payload, "platform": platform}]
    for component in components:
        if component.keys() == {"platform"}:
            continue
        device = payload["device"]
        availability = component.get("availability", payload.get("availability", []))
        yield Told(
            topic=topic,
            platform=component["platform"],
            unique_id=component["unique_id"],
            traits=Traits(
                name=component["name"] or "",
                device=device["identifiers"][0],
                device_name=device["name"],
                via=device.get("via_device", ""),
                device_class=component.get("device_class", ""),
                unit=component.get("unit_of_measurement", ""),
                category=component.get("entity_category", ""),
                enabled=component.get("enabled_by_default", True),
            ),
            needs=frozenset(one["topic"] for one in availability),
            command=component.get("command_topic", ""),
            options=tuple(component.get("options", component.get("event_types", ()))),
        )


def _shown(
    entry: Mapping[str, Any], devices: Mapping[str, Mapping[str, Any]], states: Mapping[str, Mapping[str, Any]]
) -> Shown:
    device = devices.get(entry["device_id"] or "", {"identifiers": [], "name": "", "via_device_id": None})
    state = states.get(entry["entity_id"], {"state": None, "attributes": {}})
    return Shown(
        entity_id=entry["entity_id"],
        unique_id=entry["unique_id"],
        entry=entry["device_id"] or "",
        traits=Traits(
            name=entry["original_name"] or "",
            device=identifier_of(device),
            device_name=device["name"] or "",
            via=identifier_of(devices.get(device["via_device_id"] or "")),
            device_class=entry.get("original_device_class") or "",
            unit=state["attributes"].get("unit_of_measurement", ""),
            category=entry["entity_category"] or "",
            enabled=entry["disabled_by"] is None,
        ),
        state=state["state"],
        attributes=state["attributes"],
    )
