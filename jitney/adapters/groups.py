"""The one error of several that ended an attempt."""

from collections.abc import Iterator

from jitney.adapters.errors import UnauthorisedError
from jitney.topics import JitneyError


def most_telling(group: ExceptionGroup) -> Exception:
    """Return the one error of a group that the supervisor has to know: a bug before all others, then who we are."""
    every = [error for error in _flat(group) if not isinstance(error, JitneyError)] or list(_flat(group))
    return next((error for error in every if isinstance(error, UnauthorisedError)), every[0])


def _flat(group: ExceptionGroup) -> Iterator[Exception]:
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _flat(error)
        else:
            yield error
