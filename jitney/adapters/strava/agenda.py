"""When which activity of one owner has to be looked at, and how important that is."""

from typing import Final

from msgspec import Struct

from jitney.adapters.strava.limiter import Priority

NEVER: Final = float("inf")


class Item(Struct):
    """An activity to look at: not before ``due``, in Unix seconds."""

    due: float
    priority: Priority


class Agenda:
    """The activities to look at: the important ones first, then those that are due for longest."""

    def __init__(self) -> None:
        self._items: dict[int, Item] = {}

    def add(self, activity: int, *, due: float, priority: Priority) -> None:
        """Look at an activity at ``due``; of two wishes for the same the more important and the earlier one counts."""
        item = self._items.setdefault(activity, Item(due, priority))
        item.due = min(item.due, due)
        item.priority = min(item.priority, priority)

    def done(self, activity: int) -> None:
        """Take an activity off."""
        self._items.pop(activity, None)

    def due(self, now: float) -> list[tuple[int, Priority]]:
        """Return what is due, in order."""
        items = [(item.priority, item.due, activity) for activity, item in self._items.items() if item.due <= now]
        return [(activity, priority) for priority, _, activity in sorted(items)]

    def next(self) -> float:
        """Return when the next one is due, in Unix seconds."""
        return min((item.due for item in self._items.values()), default=NEVER)
