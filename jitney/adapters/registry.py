"""Finding adapter types: the built-in ones by name, third-party ones by entry point."""

from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

from jitney.adapters.base import AdapterType
from jitney.adapters.errors import MisconfiguredError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import EntryPoint

GROUP: Final = "jitney.adapters"
"""The entry point group in which third parties register an adapter class under its type."""

BUILT_IN: Final = {
    "demo": "jitney.adapters.demo:Demo",
    "homeassistant": "jitney.adapters.homeassistant:HomeAssistant",
    "meshtastic": "jitney.adapters.meshtastic:Meshtastic",
    "strava": "jitney.adapters.strava:Strava",
}


def names() -> list[str]:
    """Return the adapter types that can be configured here, sorted."""
    return sorted({*BUILT_IN, *(point.name for point in _third_party())})


def adapter_type(name: str) -> AdapterType:
    """Import and return an adapter type; raises MisconfiguredError when there is none or it cannot be imported."""
    target = BUILT_IN.get(name)
    try:
        if target is not None:
            module, _, attribute = target.partition(":")
            return cast("AdapterType", getattr(import_module(module), attribute))
        for point in _third_party():
            if point.name == name:
                return cast("AdapterType", point.load())
    except (ImportError, AttributeError) as error:
        message = f"adapter type {name!r} needs {error.name or error}, which is not installed"
        raise MisconfiguredError(message) from error
    message = f"there is no adapter type {name!r}: known here are {', '.join(names())}"
    raise MisconfiguredError(message)


def _third_party() -> "Iterable[EntryPoint]":
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow to import, and rarely needed

    return entry_points(group=GROUP)
