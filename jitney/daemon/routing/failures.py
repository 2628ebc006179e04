"""Why an action could not be done, and what that means: never, later, or later and everything like it too."""

import random
from typing import Final

from msgspec import Struct

from jitney.adapters.errors import RefusedError
from jitney.topics import InvalidPayloadError, InvalidTopicError, JitneyError

FIRST: Final = 1.0
LONGEST: Final = 60.0
"""Seconds before the second try, at most, and between two later ones, at most."""

LONGEST_REASON: Final = 500

NEVER: Final = frozenset(
    {
        "ambiguous_node",
        "foreign_owner",
        "foreign_response_topic",
        "invalid",
        "invalid_data",
        "loop",
        "no_origin",
        "not_allowed",
        "not_confirmed",
        "not_granted",
        "not_supported",
        "redirected",
        "rejected",
        "too_large",
        "too_long",
        "too_many",
        "unknown_adapter",
        "unknown_command",
        "unknown_owner",
        "unknown_subject",
        "unreadable",
    }
)
"""Codes of refusals that the same action would meet again, however often it is tried."""

DECLINED: Final = frozenset({"channel_busy", "cooling", "machine", "muted", "own", "reaction"})
"""Codes of a radio that on purpose gives no answer: that is no failure, and nothing is tried again."""

BLOCKING: Final = frozenset(
    {
        "busy",
        "disconnected",
        "no_response",
        "not_kept",
        "offline",
        "outbox_full",
        "queue_full",
        "timeout",
        "unavailable",
        "unreachable",
    }
)
"""Codes that are not about the action: whatever goes to the same place would meet them too."""

UNSURE: Final = frozenset({"disconnected", "interrupted", "no_answer", "timeout"})
"""Codes after which it may have been done nevertheless."""

MOST_UNSURE: Final = 2
"""Tries of an action that may have been done nevertheless: what restarts a house must not do so for an hour."""


class FailedError(JitneyError):
    """An action that could not be done now; not to be tried again before ``after`` seconds."""

    def __init__(self, code: str, message: str, *, after: float = 0.0) -> None:
        super().__init__(message)
        self.code = code
        self.after = after


class Failure(Struct, frozen=True, kw_only=True):
    """What an error means; ``reason`` begins with a code. ``declined``: on purpose it was not done."""

    code: str
    reason: str
    final: bool = False
    declined: bool = False
    blocking: bool = False
    unsure: bool = False
    after: float = 0.0


def judge(error: JitneyError) -> Failure:
    """Return what the error of an action means."""
    match error:
        case RefusedError(code=code) | FailedError(code=code):
            pass
        case InvalidTopicError() | InvalidPayloadError():
            code = "invalid"
        case _:
            code = "failed"
    return Failure(
        code=code,
        reason=f"{code}: {error}"[:LONGEST_REASON],
        final=code in NEVER,
        declined=code in DECLINED,
        blocking=code in BLOCKING,
        unsure=code in UNSURE,
        after=error.after if isinstance(error, FailedError) else 0.0,
    )


def pause(tries: int, *, after: float = 0.0) -> float:
    """Return the seconds until the next try after so many: twice as long each time, and never the same."""
    limit = min(FIRST * 2.0 ** min(tries - 1, 16), LONGEST)
    return max(random.uniform(limit / 2, limit), min(after, LONGEST))  # noqa: S311 - spreads tries, guards nothing
