"""Telling that a place to which actions go does not answer: once when it begins, and once when it is over."""

from typing import Final

from jitney.daemon.log import Decay, get

MOST: Final = 256
"""Places of whose outages something is told; of those beyond only the dead letters tell."""

_log = get("routes")


class Troubles:
    """The outages of places, for each owner apart. Adapters have their own way of telling."""

    def __init__(self) -> None:
        self._decays: dict[tuple[str, str], Decay] = {}

    def failed(self, owner: str, place: str, reason: str) -> None:
        """Learn that nothing can be done at a place now."""
        decay = self._decays.get((owner, place))
        if decay is None:
            if len(self._decays) >= MOST:
                return
            decay = self._decays[owner, place] = Decay(_log)
        decay.failed("actions of routes cannot be done now", reason=reason, owner=owner, place=place)

    def worked(self, owner: str, place: str) -> None:
        """Learn that something was done at a place."""
        decay = self._decays.pop((owner, place), None) if self._decays else None
        if decay is not None:
            decay.over("actions of routes can be done again", owner=owner, place=place)
