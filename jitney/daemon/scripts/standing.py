"""How the Python routes of each owner are doing: told in the status, and by an alert when one fails again and again."""

from typing import Final

from jitney.daemon.log import Decay, get
from jitney.daemon.scripts.errors import HandlerError
from jitney.daemon.supervision.status import StatusBoard

AGAIN: Final = 3
"""So many failures of a route in a row are more than bad luck."""

LONGEST_TRACE: Final = 1000
"""Characters of the last lines of a traceback in an alert."""

_log = get("python")


class Standing:
    """Counts the failures in a row of each owner's routes."""

    def __init__(self, board: StatusBoard) -> None:
        self._board = board
        self._failures: dict[tuple[str, str], int] = {}
        self._alerts: dict[str, dict[str, str]] = {}
        self._decays: dict[tuple[str, str], Decay] = {}

    def failed(self, owner: str, route: str, error: HandlerError) -> None:
        """Learn that a route has failed."""
        decay = self._decays.get((owner, route))
        if decay is None:
            decay = self._decays[owner, route] = Decay(_log)
        decay.failed("a Python route failed", reason=str(error), owner=owner, route=route, trace=error.trace or None)
        failures = self._failures[owner, route] = self._failures.get((owner, route), 0) + 1
        if failures < AGAIN:
            return
        message = f"the route {route!r} fails again and again: {error}"
        self._alerts.setdefault(owner, {})[route] = message
        self._board.set_for(owner, "degraded", message)
        trace = f"\n{error.trace[-LONGEST_TRACE:]}" if error.trace else ""
        self._board.alert(owner, _name(route), message=f"{message}{trace}")

    def worked(self, owner: str, route: str) -> None:
        """Learn that a route has answered an event."""
        failures = self._failures.pop((owner, route), 0)
        if failures:
            self._decays.pop((owner, route)).over("a Python route works again", owner=owner, route=route)
        if failures < AGAIN:
            return
        self._board.resolve(owner, _name(route))
        alerts = self._alerts[owner]
        del alerts[route]
        if alerts:
            self._board.set_for(owner, "degraded", next(iter(alerts.values())))
        else:
            self._board.set_for(owner, "online")

    def forget(self, owner: str) -> None:
        """Forget an owner."""
        for whose, route in list(self._failures):
            if whose == owner:
                self.worked(owner, route)


def _name(route: str) -> str:
    return f"python.{route}"
