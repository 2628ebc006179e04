"""A secret that cannot be printed by accident."""

from typing import Final, NoReturn

_SHOWN: Final = 4
_LONG_ENOUGH_TO_SHOW: Final = 16


class Secret:
    """A password or token: only ``reveal`` gives it; every way of printing gives dots and at most 4 characters."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself, for the one place that sends it."""
        return self._value

    def __str__(self) -> str:
        """Return dots, and the last 4 characters of a secret long enough to spare them."""
        return "••••" + (self._value[-_SHOWN:] if len(self._value) >= _LONG_ENOUGH_TO_SHOW else "")

    def __repr__(self) -> str:
        """Return the same as ``str`` so that no struct or traceback prints more."""
        return f"Secret({self})"

    def __format__(self, spec: str) -> str:
        """Return ``str`` formatted."""
        return format(str(self), spec)

    def __bool__(self) -> bool:
        """Tell whether there is one."""
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        """Compare by value."""
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        """Hash by value."""
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied into something that prints."""
        message = "a Secret is not serialised"
        raise TypeError(message)
