"""Finding adapter types: the built-in ones by name, third-party ones by entry point."""

from importlib import import_module
from importlib.metadata import entry_points
from typing import Final, cast

from jitney.adapters.base import AdapterType
from jitney.adapters.errors import MisconfiguredError

GROUP: Final = "jitney.adapters"
"""The entry point group in which third parties register an adapter class under its type."""

BUILT_IN: Final = {
    "demo": "jitney.adapters.demo:Demo",
    "homeassistant": "jitney.adapters.homeassistant:HomeAssistant",
}


def names() -> list[str]:
    """Return the adapter types that can be configured here, sorted."""
    return sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))})


def adapter_type(name: str) -> AdapterType:
    """Import and return an adapter type; raises MisconfiguredError when there is none or it cannot be imported."""
    target = BUILT_IN.get(name)
    try:
        if target is not None:
            module, _, attribute = target.partition(":")
            return cast("AdapterType", getattr(import_module(module), attribute))
        for point in entry_points(group=GROUP, name=name):
            return cast("AdapterType", point.load())
    except (ImportError, AttributeError) as error:
        message = f"adapter type {name!r} needs {error.name or error}, which is not installed"
        raise MisconfiguredError(message) from error
    message = f"there is no adapter type {name!r}: known here are {', '.join(names())}"
    raise MisconfiguredError(message)
