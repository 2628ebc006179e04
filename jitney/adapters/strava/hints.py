"""What Strava told of one owner, coalesced: however often a thing was told of, it is looked at once."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from jitney.adapters.strava.deliveries import Delivery

SETTLE: Final = 2.0
"""Seconds without a further hint after which one looks: edits come in swarms…"""

AT_MOST: Final = 10.0
"""…but so many seconds after the first hint in any case."""

PATIENCE: Final = 90.0
"""How long an activity that was told of and is not there yet is awaited, in seconds."""

NOT_YET: Final = 20.0
"""Seconds between two looks for it."""


class Hint(Struct, frozen=True):
    """All deliveries about one thing: when it was told of first and last, in Unix seconds."""

    id: int
    deliveries: tuple[Delivery, ...]
    first: float
    last: float

    @property
    def due(self) -> float:
        """When to look, in Unix seconds."""
        return min(self.last + SETTLE, self.first + AT_MOST)

    def awaits(self, now: float) -> bool:
        """Tell whether the thing may still appear, although it is not there at ``now``."""
        return now < self.last + PATIENCE and all(told.aspect != "delete" for told in self.deliveries)


def coalesced(deliveries: Iterable[Delivery], about: str) -> list[Hint]:
    """Return one hint for each thing of a kind that was told of, in the order of the first delivery."""
    things: dict[int, list[Delivery]] = {}
    for delivery in deliveries:
        if delivery.object_type == about:
            things.setdefault(delivery.object_id, []).append(delivery)
    return [
        Hint(number, tuple(told), min(one.arrived for one in told), max(one.arrived for one in told))
        for number, told in things.items()
    ]
