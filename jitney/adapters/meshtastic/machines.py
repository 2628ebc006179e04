"""Who behaves like a machine: asks again as soon as it was answered, over and over, or repeats our words."""

from collections import deque
from math import inf
from typing import Final

from msgspec import Struct, field

QUICK: Final = 5.0
"""Seconds after an answer in which people do not ask again…"""

QUICK_TIMES: Final = 2
"""…more often than this in a row."""

WINDOW: Final = 3600.0
MOST_QUESTIONS: Final = 30
"""Within the window a person asks so many questions at most: one who walks about and tries where the radio is heard."""

MUTED: Final = 3600.0
"""Seconds of silence after which a machine is answered again."""

MOST_SENDERS: Final = 500
"""Senders that are remembered; the one that was quiet longest is forgotten first."""


class _Behaviour(Struct):
    asked: deque[float] = field(default_factory=deque)
    answered: float = -inf
    answer: str = ""
    quick: int = 0
    muted: bool = False


class Machines:
    """How those behave that ask, by the number of the node. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._known: dict[int, _Behaviour] = {}

    def asked(self, sender: int, text: str, now: float) -> None:
        """Learn that a sender has asked something; to be told of each question once."""
        behaviour = self._of(sender)
        asked = behaviour.asked
        if asked and now - asked[-1] >= MUTED:
            behaviour.muted = False
        while asked and now - asked[0] > WINDOW:
            asked.popleft()
        asked.append(now)
        behaviour.quick = behaviour.quick + 1 if now - behaviour.answered < QUICK else 0
        echo = bool(behaviour.answer) and text.strip() == behaviour.answer
        if echo or behaviour.quick > QUICK_TIMES or len(asked) > MOST_QUESTIONS:
            behaviour.muted = True
        if len(asked) > MOST_QUESTIONS:
            asked.popleft()

    def answered(self, sender: int, text: str, now: float) -> None:
        """Learn what a sender was answered."""
        behaviour = self._of(sender)
        behaviour.answered, behaviour.answer = now, text.strip()

    def is_muted(self, sender: int) -> bool:
        """Tell whether a sender was taken for a machine when it last asked."""
        behaviour = self._known.get(sender)
        return behaviour is not None and behaviour.muted

    def _of(self, sender: int) -> _Behaviour:
        behaviour = self._known.pop(sender, None) or _Behaviour()
        self._known[sender] = behaviour
        if len(self._known) > MOST_SENDERS:
            del self._known[next(iter(self._known))]
        return behaviour
