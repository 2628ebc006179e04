"""What a command may look like, and the words in which Home Assistant refuses another one."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

TARGETS: Final = frozenset({"entity_id", "device_id", "area_id", "floor_id", "label_id"})


class Shape(Struct, frozen=True):
    """The keys of a command besides ``id`` and ``type``, with the type of each value."""

    required: Mapping[str, type] = {}
    optional: Mapping[str, type] = {}

    def refusal(self, message: dict[str, Any]) -> str:
        """Return what is wrong with a command, in Home Assistant's words; an empty text when nothing is."""
        fields = {**self.required, **self.optional}
        if not fields:
            return f"extra keys not allowed. Got {message}" if len(message) > len({"id", "type"}) else ""
        wrong = [
            f"expected {fields[key].__name__} for dictionary value @ data['{key}']. Got {_shown(value)}"
            for key, value in message.items()
            if key in fields and not _fits(value, fields[key])
        ]
        extra = [
            f"extra keys not allowed @ data['{key}']. Got {_shown(value)}"
            for key, value in message.items()
            if key not in fields and key not in {"id", "type"}
        ]
        lacking = [
            f"required key not provided @ data['{key}']. Got None" for key in self.required if key not in message
        ]
        return "\n".join([*wrong, *extra, *_bad_target(message.get("target")), *lacking])


def auth_refusal(message: object) -> str:
    """Return what is wrong with the first message of a client; an empty text when nothing is."""
    if not isinstance(message, dict):
        return "expected a dictionary"
    wrong = [
        f"extra keys not allowed @ data['{key}']. Got {_shown(value)}"
        for key, value in message.items()
        if key not in {"type", "access_token"}
    ]
    if "type" not in message:
        wrong.append("required key not provided @ data['type']. Got None")
    elif message["type"] != "auth":
        wrong.append(f"not a valid value for dictionary value @ data['type']. Got {_shown(message['type'])}")
    if not isinstance(message.get("access_token", ""), str):
        wrong.append(f"expected str for dictionary value @ data['access_token']. Got {message['access_token']}")
    return "\n".join(wrong)


def merged(service_data: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, Any]:
    """Return service data with the target in it; a single target becomes a list, as Home Assistant does it."""
    lists = {key: value if isinstance(value, list) else [value] for key, value in target.items()}
    return {**service_data, **lists}


def _bad_target(target: object) -> list[str]:
    if not isinstance(target, dict):
        return []
    return [
        f"extra keys not allowed @ data['target']['{key}']. Got {_shown(value)}"
        for key, value in target.items()
        if key not in TARGETS
    ]


def _fits(value: object, wanted: type) -> bool:
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, wanted)


def _shown(value: object) -> str:
    return repr(value)
