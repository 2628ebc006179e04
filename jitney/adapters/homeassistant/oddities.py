"""What should not happen and is survived: counted always, logged once per kind and then ever more rarely."""

from collections import Counter
from typing import Final

from jitney.adapters.base import Context

ODD: Final = "Home Assistant sent something odd"

_LONGEST: Final = 200


class Oddities:
    """Counts oddities over all attempts of one adapter, so that a reconnect does not repeat their log lines."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def note(self, ctx: Context, kind: str, detail: object, *, what: str = ODD, number: int = 1) -> None:
        """Count a ``kind`` (a short word); the 1st, 10th, 100th… call for a kind is logged with its detail."""
        ctx.count(kind, number)
        self._counts[kind] += 1
        calls = self._counts[kind]
        if calls == 10 ** (len(str(calls)) - 1):
            ctx.log.warning(what, kind=kind, times=calls, detail=str(detail)[:_LONGEST])
