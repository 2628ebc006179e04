"""The entrances of the bus: one module each, with the oracle of what may come of an input."""

from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hypothesis.strategies import SearchStrategy

SHARES: Final = {
    "cloudevents": 16,
    "command": 6,
    "config": 3,
    "homeassistant": 4,
    "inbox": 6,
    "levels": 6,
    "mesh_command": 3,
    "mqtt5": 6,
    "mqtt311": 2,
    "properties": 6,
    "radio": 3,
    "requests": 14,
    "routes": 4,
    "templates": 4,
    "times": 12,
    "topics": 12,
    "traceparent": 14,
    "webhook": 4,
    "websocket": 4,
}
"""Every target, and how many parts of all inputs it gets: the quick ones more."""


class Target(Protocol):
    """One entrance. ``WORDS`` are texts that mean something there."""

    WORDS: tuple[bytes, ...]

    def one(self, data: bytes) -> None:
        """Feed one input through the real code; raises what should not have been raised, or OracleError."""

    def seeds(self) -> "Iterable[bytes]":
        """Return inputs that reach far, the same every time."""

    def inputs(self) -> "SearchStrategy[bytes]":
        """Return the strategy of structured inputs."""


def target(name: str) -> Target:
    """Return a target by its name."""
    return cast("Target", import_module(f"fuzz.targets.{name}"))
