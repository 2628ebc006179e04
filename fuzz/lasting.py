"""What is built once for many inputs: a daemon, a store, a radio."""

from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar


class Closing(Protocol):
    """Something that has to be closed."""

    def close(self) -> None:
        """End it."""


T = TypeVar("T", bound=Closing)

_made: Final[list[Callable[[], None]]] = []


class Lasting(Generic[T]):
    """Builds something at the first use, and anew after so many uses, so that nothing piles up in it."""

    def __init__(self, build: Callable[[], T], *, uses: int) -> None:
        self._build = build
        self._most = uses
        self._uses = 0
        self._held: T | None = None

    def get(self) -> T:
        """Return it."""
        if self._uses >= self._most:
            self.close()
        if self._held is None:
            self._held = self._build()
            _made.append(self.close)
        self._uses += 1
        return self._held

    def close(self) -> None:
        """End what there is; the next use builds another one."""
        held, self._held, self._uses = self._held, None, 0
        if held is not None:
            _made.remove(self.close)
            held.close()


def close_all() -> None:
    """End everything that was built."""
    for close in _made:
        close()
