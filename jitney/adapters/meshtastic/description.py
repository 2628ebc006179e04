"""From the protobufs of a handshake to what a radio says of itself; nothing secret passes here."""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Any, Final

from jitney.adapters.meshtastic.addresses import node_id
from jitney.adapters.meshtastic.radio import Channel, KnownNode, KnownPosition, MqttModule, RadioInfo

HOP_LIMIT: Final = 3
"""What a radio uses that has no limit configured."""

_DEGREES: Final = 1e-7
_DISABLED: Final = "DISABLED"

# Messages come as Any: only their fields are used, so that this needs no library.


def radio_info(interface: Any, own: Any | None) -> RadioInfo:  # noqa: ANN401 - an interface and a NodeInfo
    """Return what the radio behind an interface says of itself; ``own`` is its record in its node database."""
    local = interface.localNode.localConfig
    number = interface.myInfo.my_node_num
    preset = word(local.lora, "modem_preset")
    user = own.user if own is not None else None
    metadata = interface.metadata
    return RadioInfo(
        number=number,
        node_id=node_id(number),
        long_name=user.long_name if user is not None else "",
        short_name=user.short_name if user is not None else "",
        hardware=word(metadata, "hw_model") if metadata is not None else word(user, "hw_model") if user else "",
        firmware=metadata.firmware_version if metadata is not None else "",
        role=word(local.device, "role"),
        region=word(local.lora, "region"),
        modem_preset=preset if local.lora.use_preset else "",
        hop_limit=local.lora.hop_limit or HOP_LIMIT,
        tx_enabled=local.lora.tx_enabled,
        channels=tuple(_channels(interface.localNode.channels or (), preset if local.lora.use_preset else "CUSTOM")),
        mqtt=_mqtt(interface.localNode.moduleConfig.mqtt),
    )


def known_nodes(records: Iterable[Any]) -> tuple[KnownNode, ...]:
    """Return the nodes of a radio's database; a later record of a node replaces an earlier one."""
    return tuple({record.num: _known(record) for record in records if record.num}.values())


def word(message: Any, field: str) -> str:  # noqa: ANN401 - any protobuf
    """Return the name of an enumeration's value, its number in digits when it is a newer one."""
    number = getattr(message, field)
    value = message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number.get(number)
    return str(number) if value is None else str(value.name)


def _channels(channels: Iterable[Any], preset: str) -> Iterator[Channel]:
    """Yield the channels in use; one without a name is called as its preset, like ``LongFast``."""
    default = "".join(part.capitalize() for part in preset.split("_"))
    for channel in channels:
        role = word(channel, "role")
        if role != _DISABLED:
            settings = channel.settings
            name = settings.name or default
            yield Channel(channel.index, name, role, settings.uplink_enabled, settings.downlink_enabled)


def _mqtt(module: Any) -> MqttModule:  # noqa: ANN401 - ModuleConfig.MQTTConfig
    return MqttModule(
        enabled=module.enabled,
        address=_host(module.address),
        root=module.root,
        encryption=module.encryption_enabled,
        json=module.json_enabled,
        tls=module.tls_enabled,
        map_reporting=module.map_reporting_enabled,
        proxy=module.proxy_to_client_enabled,
    )


def _host(address: str) -> str:
    """Return the host of an address that may also have a scheme, a user with a password, a port or a path."""
    authority = address.partition("://")[2] or address
    host = authority.partition("/")[0].rpartition("@")[2]
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _known(record: Any) -> KnownNode:  # noqa: ANN401 - a NodeInfo
    user, metrics = record.user, record.device_metrics
    named = record.HasField("user")
    return KnownNode(
        number=record.num,
        node_id=node_id(record.num),
        long_name=user.long_name,
        short_name=user.short_name,
        hardware=word(user, "hw_model") if named else "",
        role=word(user, "role") if named else "",
        last_heard=record.last_heard,
        snr=_decimal(record.snr) if record.snr else None,
        hops=record.hops_away if record.HasField("hops_away") else None,
        battery=metrics.battery_level if metrics.HasField("battery_level") else None,
        voltage=_decimal(metrics.voltage) if metrics.HasField("voltage") else None,
        position=_position(record.position),
        public_key=b64encode(user.public_key).decode(),
        channel=record.channel,
        via_mqtt=record.via_mqtt,
        favourite=record.is_favorite,
        ignored=record.is_ignored,
        licensed=user.is_licensed,
        unmessagable=user.is_unmessagable,
    )


def _decimal(value: float) -> float | None:
    """Return a number without the digits that 32 bits do not hold, None for what is none."""
    return float(f"{value:.7g}") if isfinite(value) else None


def _position(position: Any) -> KnownPosition | None:  # noqa: ANN401 - a Position
    if not (position.HasField("latitude_i") and position.HasField("longitude_i")):
        return None
    return KnownPosition(
        latitude=round(position.latitude_i * _DEGREES, 7),
        longitude=round(position.longitude_i * _DEGREES, 7),
        altitude=position.altitude if position.HasField("altitude") else None,
        time=position.time,
        precision_bits=position.precision_bits,
    )
