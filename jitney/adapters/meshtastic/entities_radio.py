"""What Home Assistant is shown of a radio itself: how busy its air is, what its channels say, and how to speak."""

from collections.abc import Container, Iterator
from typing import Any, Final, get_args

from jitney.adapters.entities import AnyEntity, At, BinarySensor, Button, Device, EventEntity, Notify, Sensor, Text
from jitney.adapters.meshtastic import last_messages, statistics, uplink
from jitney.adapters.meshtastic.addresses import EVERYBODY
from jitney.adapters.meshtastic.administration import LONGEST_NAME, LONGEST_SHORT_NAME
from jitney.adapters.meshtastic.entities_node import MANUFACTURER, model, own_values
from jitney.adapters.meshtastic.outline import Outline
from jitney.adapters.meshtastic.plain import plain_name
from jitney.adapters.meshtastic.radio import Channel, RadioInfo

PRIVATE: Final = "private"
"""The key of the device with what is between the radio and single nodes."""

_PRIMARY: Final = "PRIMARY"


def radio_device(info: RadioInfo, *, name: str, own: Outline | None, allowed: Container[str]) -> Device:
    """Return the device of a radio for its owner; ``own`` is it as a node, unless that is somebody else's."""
    values = own_values(own) if own is not None else ()
    figures = tuple(_statistics())
    counted = {figure.key for figure in figures}
    names = _names(own) if own is not None and "set_owner" in allowed else ()
    return Device(
        name=name,
        manufacturer=MANUFACTURER,
        model=model(plain_name(info.hardware)),
        serial=info.node_id,
        software=plain_name(info.firmware),
        entities=(
            *(value for value in values if value.key not in counted),
            *figures,
            *_uplink(),
            *_messages(),
            *_events(),
            *_saying(info.channels),
            *_sweeping(),
            *control(allowed),
            *names,
        ),
    )


def private_device(info: RadioInfo, *, name: str, is_shared: bool) -> Device:
    """Return the device of what is said to the radio alone, and of what becomes of what is sent by it.

    What is said to the radio of a house is for everybody in it.
    """
    subject = last_messages.DIRECT
    return Device(
        key=PRIVATE,
        name=f"{name} private",
        manufacturer=MANUFACTURER,
        model=model(plain_name(info.hardware)),
        private=not is_shared,
        entities=(
            EventEntity(
                key="message",
                name="Direct message",
                kinds=("message",),
                where=("direct", "True"),
                icon="mdi:message-text-lock",
            ),
            Sensor(
                key="last_message",
                name="Last direct message",
                value=At(subject, "text"),
                attributes=At(subject),
                icon="mdi:message-text-lock",
            ),
            EventEntity(
                key="sending",
                name="Sending",
                kinds=("sending",),
                icon="mdi:send-check",
                category="diagnostic",
                enabled=False,
            ),
        ),
    )


def control(allowed: Container[str]) -> Iterator[AnyEntity]:
    """Yield what restarts the radio, where that is allowed."""
    if "reboot" in allowed:
        yield Button(key="reboot", name="Restart", command="reboot", device_class="restart", category="config")


def _statistics() -> Iterator[AnyEntity]:
    yield _figure("channel_utilization", "Channel in use", unit="%", precision=1, icon="mdi:access-point-network")
    yield _figure("air_util_tx", "Airtime used for sending", unit="%", precision=1, icon="mdi:radio-tower")
    counter = {"icon": "mdi:counter", "state_class": "total_increasing"}
    yield _figure("packets", "Packets", path="packets.total", **counter)
    yield _figure("packets_hour", "Packets in an hour", path="packets.hour", icon="mdi:clock-fast")
    yield _figure("nodes", "Nodes", icon="mdi:account-group")
    yield _figure("nodes_online", "Nodes online", icon="mdi:account-group")
    yield _figure("waiting", "Waiting to be sent", icon="mdi:tray-full")
    for key, name in {"duplicates": "Duplicates", "via_mqtt": "Packets over MQTT", "unreadable": "Unreadable"}.items():
        yield _figure(key, name, enabled=False, **counter)


def _figure(key: str, name: str, *, path: str = "", **more: Any) -> Sensor:  # noqa: ANN401 - the fields of Sensor
    fields = {"state_class": "measurement", "precision": 0, "category": "diagnostic", **more}
    return Sensor(key=key, name=name, value=At(statistics.SUBJECT, path or key), **fields)


def _uplink() -> Iterator[AnyEntity]:
    health = At(uplink.SUBJECT, "health")
    yield BinarySensor(
        key="mqtt_enabled",
        name="MQTT configured",
        value=At(uplink.SUBJECT, "enabled"),
        icon="mdi:cloud-check",
        category="diagnostic",
    )
    yield BinarySensor(
        key="mqtt_traffic",
        name="MQTT traffic",
        value=health,
        on=("traffic",),
        icon="mdi:cloud-sync",
        category="diagnostic",
    )
    yield Sensor(
        key="mqtt",
        name="MQTT",
        value=health,
        device_class="enum",
        options=get_args(uplink.Health),
        icon="mdi:cloud-upload",
        category="diagnostic",
        enabled=False,
    )


def _messages() -> Iterator[AnyEntity]:
    subject = last_messages.CHANNEL
    icon = "mdi:message-text"
    yield EventEntity(key="message", name="Message", kinds=("message",), where=("to", EVERYBODY), icon=icon)
    yield Sensor(key="last_message", name="Last message", value=At(subject, "text"), attributes=At(subject), icon=icon)


def _events() -> Iterator[AnyEntity]:
    yield EventEntity(key="alert", name="Alert", kinds=("alert",), icon="mdi:bullhorn")
    yield EventEntity(key="detection", name="Detection", kinds=("detection",), icon="mdi:motion-sensor")
    warnings = ("battery_low", "node_silent", "key_changed")
    yield EventEntity(key="warning", name="Node warning", kinds=warnings, icon="mdi:alert")
    yield EventEntity(key="node_new", name="New node", kinds=("node_new",), icon="mdi:account-plus")
    rare: dict[str, Any] = {"category": "diagnostic", "enabled": False}
    yield EventEntity(
        key="notification", name="Notification", kinds=("notification",), icon="mdi:information-outline", **rare
    )
    yield EventEntity(key="traced", name="Traceroute", kinds=("traceroute",), icon="mdi:routes", **rare)
    yield EventEntity(key="swept", name="Sweep", kinds=("sweep",), icon="mdi:radar", **rare)


def _saying(channels: tuple[Channel, ...]) -> Iterator[AnyEntity]:
    """Yield what speaks on each channel, on the first one by a name that stays."""
    names = [plain_name(channel.name) for channel in channels]
    for channel, name in zip(channels, names, strict=True):
        if channel.role == _PRIMARY:
            data = {"channel": channel.index}
            yield Notify(key="say", name="Say on the mesh", command="send_text", data=data, icon="mdi:radio-handheld")
            yield Notify(
                key="alarm", name="Alert the mesh", command="send_alert", data=data, icon="mdi:bullhorn", enabled=False
            )
        else:
            which = name if name and names.count(name) == 1 else f"{name} {channel.index}".lstrip()
            yield Notify(
                key=f"say_{channel.index}",
                name=f"Say on {which}",
                command="send_text",
                data={"channel": channel.index},
                icon="mdi:forum",
            )


def _sweeping() -> Iterator[AnyEntity]:
    stop = {"stop": True}
    yield Button(key="sweep", name="Sweep", command="sweep", icon="mdi:radar", category="diagnostic")
    yield Button(
        key="sweep_stop", name="Stop sweep", command="sweep", data=stop, icon="mdi:stop-circle", category="diagnostic"
    )


def _names(own: Outline) -> Iterator[AnyEntity]:
    for key, name, longest in (
        ("long_name", "Long name", LONGEST_NAME),
        ("short_name", "Short name", LONGEST_SHORT_NAME),
    ):
        yield Text(
            key=key,
            name=name,
            command="set_owner",
            text=key,
            value=At(own.subject, key),
            longest=longest,
            icon="mdi:rename-box",
            category="config",
        )
