"""The devices that every bus has: the bus itself, and each adapter as its owner sees it."""

from collections.abc import Iterable
from typing import Final, get_args

from msgspec.structs import replace

from jitney.adapters.entities import BinarySensor, Device, OfBus, OfStatus, Sensor
from jitney.daemon.supervision.status import Word

MANUFACTURER: Final = "Jitney"

_WORKING: Final = ("online", "degraded")

_OF_ADAPTERS: Final = (
    BinarySensor(
        key="connection",
        name="Connection",
        value=OfStatus("state"),
        on=_WORKING,
        device_class="connectivity",
        category="diagnostic",
        needs="bus",
    ),
    Sensor(
        key="status",
        name="Status",
        value=OfStatus("state"),
        device_class="enum",
        options=get_args(Word),
        attributes=OfStatus(""),
        category="diagnostic",
        needs="bus",
    ),
)


def bus(instance: str, version: str) -> Device:
    """Return the device of the bus."""
    name = "Jitney" if instance == "main" else f"Jitney {instance}"
    return Device(
        name=name,
        manufacturer=MANUFACTURER,
        software=version,
        entities=(
            BinarySensor(
                key="connection",
                name="Connection",
                value=OfBus("state", "state"),
                on=("online",),
                device_class="connectivity",
                category="diagnostic",
                needs="nothing",
            ),
            BinarySensor(
                key="problem",
                name="Problem",
                value=OfBus("health", "status"),
                on=("degraded",),
                device_class="problem",
                category="diagnostic",
                needs="bus",
            ),
            Sensor(
                key="started",
                name="Started",
                value=OfBus("state", "boot"),
                device_class="timestamp",
                category="diagnostic",
                needs="bus",
            ),
            Sensor(
                key="waiting",
                name="Waiting events",
                value=OfBus("health", "waiting"),
                state_class="measurement",
                icon="mdi:tray-full",
                category="diagnostic",
                needs="bus",
            ),
            Sensor(
                key="adapters_online",
                name="Adapters online",
                value=OfBus("health", "adapters_online"),
                state_class="measurement",
                icon="mdi:lan-connect",
                category="diagnostic",
                needs="bus",
            ),
        ),
    )


def of_adapter(declared: Iterable[Device], *, adapter: str, kind: str, owner: str) -> tuple[Device, ...]:
    """Return the devices of an owner through an adapter, its own among them with what every adapter has.

    ``kind`` is the adapter's type, ``owner`` the name of the person, empty for the house.
    """
    own = Device(name=f"{_title(adapter)} {owner}".rstrip(), manufacturer=MANUFACTURER, model=kind)
    others = []
    for device in declared:
        if device.key:
            others.append(device)
        else:
            own = device
    known = {entity.key for entity in own.entities}
    missing = tuple(entity for entity in _OF_ADAPTERS if entity.key not in known)
    return (replace(own, entities=own.entities + missing), *others)


def _title(adapter: str) -> str:
    words = adapter.replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]
