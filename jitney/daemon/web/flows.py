"""What comes from each source, and what of it waits, read from the lanes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import UNSET, UnsetType

from jitney.daemon.counters import Counters
from jitney.daemon.delivery.lanes import Lane

Dropped = Mapping[tuple[str, str], Mapping[str, int]]
"""By adapter and owner: how many were dropped for which reason."""


def dropped(counters: Counters) -> Dropped:
    """Return what was dropped."""
    found: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for name, owner, adapter, reason, value in counters.items():
        if name == "dropped":
            found[adapter, owner][reason] = value
    return found


def lag(time: str, observed: str | UnsetType) -> float | None:
    """Return how many seconds after it happened the bus heard of an event, None where it does not tell."""
    if observed is UNSET:
        return None
    try:
        return round((datetime.fromisoformat(observed) - datetime.fromisoformat(time)).total_seconds(), 3)
    except (ValueError, TypeError):  # TypeError: of one of them the time zone is not known
        return None


def newest(lanes: Iterable[Lane]) -> Lane | None:
    """Return the lane whose last event was heard of last."""
    known = [lane for lane in lanes if lane.time]
    return max(known, key=lambda lane: (lane.observed or lane.time, lane.time), default=None)
