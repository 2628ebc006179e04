"""What Home Assistant is shown of one node: a device with its values, its texts, and what can be asked of it."""

from collections.abc import Iterator
from typing import Final

from jitney.adapters.entities import (
    AnyEntity,
    At,
    BinarySensor,
    Button,
    Device,
    DeviceTracker,
    EventEntity,
    Notify,
    Sensor,
)
from jitney.adapters.meshtastic.measurements import HEALTH, sensors
from jitney.adapters.meshtastic.outline import Outline

MANUFACTURER: Final = "Meshtastic"

_ENVIRONMENT: Final = "environment."


def node_devices(node: Outline, *, is_radio: bool) -> Iterator[Device]:
    """Yield the device of a node, and one of what it measures of a person; ``is_radio``: it cannot be spoken to."""
    entities = (*_heard(node), *own_values(node), *_events(node), *(() if is_radio else _asking(node)))
    yield Device(
        key=node.subject,
        name=node.name,
        manufacturer=MANUFACTURER,
        model=model(node.hardware),
        serial=node.id,
        entities=entities,
    )
    if health := health_device(node):
        yield health


def health_device(node: Outline) -> Device | None:
    """Return the device of what a node measures of who wears it, None where it measures nothing."""
    measured = {path for path in node.measured if path.startswith(HEALTH)}
    if not measured:
        return None
    return Device(
        key=f"{node.subject}_health",
        name=f"{node.name} health",
        manufacturer=MANUFACTURER,
        model=model(node.hardware),
        private=True,
        entities=tuple(sensors(node.subject, measured)),
    )


def own_values(node: Outline) -> Iterator[AnyEntity]:
    """Yield what a node tells of itself, be it the radio or another one."""
    yield from sensors(node.subject, {path for path in node.measured if not path.startswith(HEALTH)})
    if "battery_level" in node.measured:
        powered = At(node.subject, "powered")
        yield BinarySensor(key="powered", name="Powered", value=powered, device_class="plug", category="diagnostic")
    if node.has_place:
        yield DeviceTracker(key="position", name="Position", place=At(node.subject))
        yield Sensor(
            key="altitude",
            name="Altitude",
            value=At(node.subject, "altitude"),
            unit="m",
            shown_as=("m", "ft"),
            device_class="distance",
            state_class="measurement",
            precision=0,
            icon="mdi:image-filter-hdr",
            enabled=False,
        )


def model(hardware: str) -> str:
    """Return how a kind of hardware is called by people: ``HELTEC V3``."""
    return hardware.replace("_", " ")


def _heard(node: Outline) -> Iterator[AnyEntity]:
    """Yield how well and when a node was heard."""
    subject = node.subject
    yield Sensor(
        key="snr",
        name="SNR",
        value=At(subject, "snr"),
        unit="dB",
        device_class="signal_strength",
        state_class="measurement",
        precision=1,
        category="diagnostic",
    )
    yield Sensor(
        key="rssi",
        name="RSSI",
        value=At(subject, "rssi"),
        unit="dBm",
        device_class="signal_strength",
        state_class="measurement",
        precision=0,
        category="diagnostic",
    )
    yield Sensor(
        key="hops",
        name="Hops",
        value=At(subject, "hops"),
        state_class="measurement",
        precision=0,
        icon="mdi:transit-connection-variant",
        category="diagnostic",
    )
    yield Sensor(
        key="last_heard",
        name="Last heard",
        value=At(subject, "last_heard"),
        device_class="timestamp",
        category="diagnostic",
    )
    yield BinarySensor(
        key="silent", name="Silent", value=At(subject, "silent"), device_class="problem", category="diagnostic"
    )
    yield BinarySensor(
        key="key_changed",
        name="Key changed",
        value=At(subject, "new_key"),
        device_class="problem",
        category="diagnostic",
    )


def _events(node: Outline) -> Iterator[AnyEntity]:
    where = ("node", node.id)
    yield EventEntity(key="message", name="Message", kinds=("message",), where=where, icon="mdi:message-text")
    warnings = ("alert", "battery_low", "node_silent", "key_changed")
    yield EventEntity(key="warning", name="Warning", kinds=warnings, where=where, icon="mdi:alert")
    yield EventEntity(
        key="detection", name="Detection", kinds=("detection",), where=where, icon="mdi:motion-sensor", enabled=False
    )
    yield EventEntity(
        key="traced",
        name="Traceroute",
        kinds=("traceroute",),
        where=where,
        icon="mdi:routes",
        category="diagnostic",
    )


def _asking(node: Outline) -> Iterator[AnyEntity]:
    to = {"to": node.id}
    if node.writable:
        yield Notify(key="write", name="Message", command="send_text", data=to, icon="mdi:message-arrow-right")
    yield Button(
        key="traceroute",
        name="Traceroute",
        command="traceroute",
        data=to,
        icon="mdi:routes",
        category="diagnostic",
    )
    yield Button(
        key="request_position",
        name="Request position",
        command="request_position",
        data=to,
        icon="mdi:map-marker-question",
        category="diagnostic",
    )
    yield Button(
        key="request_telemetry",
        name="Request telemetry",
        command="request_telemetry",
        data=to,
        icon="mdi:battery-unknown",
        category="diagnostic",
    )
    if any(path.startswith(_ENVIRONMENT) for path in node.measured):
        yield Button(
            key="request_environment",
            name="Request environment",
            command="request_telemetry",
            data={**to, "kind": "environment"},
            icon="mdi:thermometer-lines",
            category="diagnostic",
        )
