"""Showing a person what changes in a file of the configuration, in which no secret can be read."""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from difflib import unified_diff
from typing import Final

from jitney.adapters.secret import Secret
from jitney.daemon import log
from jitney.daemon.cli.colours import BOLD, CYAN, GREEN, RED, Paint
from jitney.daemon.config.positions import TEXTS, unquoted
from jitney.daemon.log.stream import has_colours

_COLOURS: Final = {"+++": (BOLD,), "---": (BOLD,), "@": (CYAN,), "+": (GREEN,), "-": (RED,)}


def differences(
    name: str, old: str, new: str, *, secrets: Iterable[Secret], about: tuple[str, str] = ("", "")
) -> Iterator[str]:
    """Yield the lines of a diff of a file called ``name``; ``about`` says which text is which.

    ``secrets`` stand in it; those of the configuration have to be registered with the log before.
    """
    known = {secret.reveal(): secret for secret in secrets}
    before, after = (_lines(_hidden(text, known)) for text in (old, new))
    for line in unified_diff(before, after, name, name, *about, lineterm=""):
        yield "\t".join(map(log.mask, line.split("\t")))


def show(lines: Iterable[str]) -> None:
    """Print the lines of a diff, on a terminal in colours."""
    paint = Paint(enabled=has_colours(sys.stdout, os.environ))
    for line in lines:
        print(paint(line, *next((codes for start, codes in _COLOURS.items() if line.startswith(start)), ())))
    sys.stdout.flush()


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _hidden(text: str, secrets: dict[str, Secret]) -> str:
    """Return a document without these secrets, also without those that are too short to be looked for in a log."""

    def shown(found: re.Match[str]) -> str:
        with suppress(ValueError):
            if secret := secrets.get(unquoted(found[0])):
                return f'"{secret}"' + "\n" * found[0].count("\n")
        return found[0]

    return TEXTS.sub(shown, text)
