"""Controlling the radio itself: what is asked is checked here, because the library would exit or cut it."""

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from jitney.adapters.errors import RefusedError
from jitney.adapters.secret import Secret

LONGEST_NAME: Final = 39
LONGEST_SHORT_NAME: Final = 4
"""Bytes of UTF-8 that the firmware keeps of the names of a radio."""

LONGEST_DELAY: Final = 3600

MQTT_TEXTS: Final = {"address": 63, "username": 63, "password": 63, "root": 31}
"""The texts of the radio's MQTT module, with the bytes of UTF-8 that they may have."""

MQTT_SWITCHES: Final = (
    "enabled",
    "encryption_enabled",
    "json_enabled",
    "tls_enabled",
    "proxy_to_client_enabled",
    "map_reporting_enabled",
)
"""The switches of the radio's MQTT module (protobufs: ModuleConfig.MQTTConfig)."""

_INVALID: Final = "invalid"

# A node is the library's; as Any, so that this needs no library.


def administer(node: Any, action: str, arguments: Mapping[str, object]) -> None:  # noqa: ANN401
    """Do something with the radio whose own node this is. Blocks; raises RefusedError for what is wrong or unknown."""
    if action not in _ACTIONS:
        raise RefusedError("unknown_command", f"a radio cannot {action}: it can {', '.join(_ACTIONS)}")
    _ACTIONS[action](node, dict(arguments))


def _set_owner(node: Any, arguments: dict[str, object]) -> None:  # noqa: ANN401
    long_name = _name(arguments.pop("long_name", None), "long_name", LONGEST_NAME)
    short_name = _name(arguments.pop("short_name", None), "short_name", LONGEST_SHORT_NAME)
    _nothing_else(arguments)
    if long_name is None and short_name is None:
        raise RefusedError(_INVALID, "set_owner needs a long_name, a short_name or both")
    node.setOwner(long_name=long_name, short_name=short_name)


def _set_mqtt(node: Any, arguments: dict[str, object]) -> None:  # noqa: ANN401
    values = {name: _mqtt_value(name, value) for name, value in arguments.items()}
    if not values:
        raise RefusedError(_INVALID, f"set_mqtt needs one of {', '.join((*MQTT_SWITCHES, *MQTT_TEXTS))}")
    module = node.moduleConfig.mqtt
    before = module.SerializeToString()
    for name, value in values.items():
        setattr(module, name, value)
    try:
        node.writeConfig("mqtt")
    except BaseException:
        module.ParseFromString(before)
        raise


def _reboot(node: Any, arguments: dict[str, object]) -> None:  # noqa: ANN401
    seconds = _seconds(arguments)
    node.reboot(seconds)


def _shutdown(node: Any, arguments: dict[str, object]) -> None:  # noqa: ANN401
    seconds = _seconds(arguments)
    node.shutdown(seconds)


def _factory_reset(node: Any, arguments: dict[str, object]) -> None:  # noqa: ANN401
    full = arguments.pop("full", False)
    _nothing_else(arguments)
    if not isinstance(full, bool):
        raise RefusedError(_INVALID, "full: expected true or false")
    node.factoryReset(full=full)


_ACTIONS: Final[Mapping[str, Callable[[Any, dict[str, object]], None]]] = {
    "set_owner": _set_owner,
    "set_mqtt": _set_mqtt,
    "reboot": _reboot,
    "shutdown": _shutdown,
    "factory_reset": _factory_reset,
}


def _name(value: object, field: str, longest: int) -> str | None:
    """Return a name without blanks around it, None when none is given; raises RefusedError."""
    if value is None:
        return None
    name = value.strip() if isinstance(value, str) else ""
    if not 0 < _length(name) <= longest:
        raise RefusedError(_INVALID, f"{field}: expected a text of 1 to {longest} bytes of UTF-8")
    return name


def _mqtt_value(name: str, value: object) -> str | bool:
    """Return what a field of the MQTT module is set to; raises RefusedError, which never quotes it."""
    plain = value.reveal() if isinstance(value, Secret) else value
    if name in MQTT_SWITCHES:
        if isinstance(plain, bool):
            return plain
        raise RefusedError(_INVALID, f"{name}: expected true or false")
    longest = MQTT_TEXTS.get(name)
    if longest is None:
        raise RefusedError(_INVALID, f"the MQTT module has no {name}: {', '.join((*MQTT_SWITCHES, *MQTT_TEXTS))}")
    if isinstance(plain, str) and _length(plain) <= longest:
        return plain
    raise RefusedError(_INVALID, f"{name}: expected a text of at most {longest} bytes of UTF-8")


def _length(text: str) -> int:
    """Return the bytes that a text takes; more than any limit when it cannot be encoded."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return sys.maxsize


def _seconds(arguments: dict[str, object]) -> int:
    seconds = arguments.pop("seconds", 10)
    _nothing_else(arguments)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds <= LONGEST_DELAY:
        raise RefusedError(_INVALID, f"seconds: expected a whole number from 1 to {LONGEST_DELAY}")
    return seconds


def _nothing_else(arguments: Mapping[str, object]) -> None:
    if arguments:
        raise RefusedError(_INVALID, f"not known here: {', '.join(sorted(arguments))}")
