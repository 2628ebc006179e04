"""Reading arguments in whatever order a person writes them."""

import argparse
from collections.abc import Sequence
from typing import Any

_WHOLE_REST = (argparse.PARSER, argparse.REMAINDER)


class Arguments(argparse.ArgumentParser):
    """Takes options before, between and after the positional arguments; argparse alone stops at the first option."""

    _intermixing = False

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> tuple[Any, list[str]]:  # type: ignore[override]  # noqa: ANN401 - whatever argparse was given
        """Return the arguments and what is left of them."""
        if self._intermixing or any(action.nargs in _WHOLE_REST for action in self._actions):
            return super().parse_known_args(args, namespace)
        self._intermixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._intermixing = False
