"""Reading arguments in whatever order a person writes them."""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

_WHOLE_REST = (argparse.PARSER, argparse.REMAINDER)
_USUAL_COLUMNS: Final = 80


class Parser(argparse.ArgumentParser):
    """One that knows how wide its help may be: argparse would import all of shutil to find out, help or not."""

    def __init__(
        self,
        *,
        formatter_class: type[argparse.HelpFormatter] = argparse.HelpFormatter,
        **options: Any,  # noqa: ANN401 - as argparse has them
    ) -> None:
        super().__init__(formatter_class=partial(formatter_class, width=columns() - 2), **options)


def columns() -> int:
    """Return the width of the terminal, as shutil finds it."""
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdecimal() and int(given[:6]) > 0:
        return int(given[:6])
    try:
        return os.get_terminal_size(sys.__stdout__.fileno() if sys.__stdout__ else 1).columns or _USUAL_COLUMNS
    except (OSError, ValueError):
        return _USUAL_COLUMNS


class Arguments(Parser):
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
