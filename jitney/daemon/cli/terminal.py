"""A person at a terminal: asked before something is done, or typing while something else is waited for."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from jitney.daemon.cli.common import UsageError

_CHUNK: Final = 4096
"""Bytes of one read; a terminal hands out a line at a time, and no longer ones."""

_YES: Final = frozenset({"y", "yes"})


def is_terminal() -> bool:
    """Tell whether a person reads what is printed and can type."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def confirmed(question: str, *, yes: bool) -> bool:
    """Ask a person whether to go on, unless ``yes`` says so; raises UsageError where nobody can be asked."""
    if yes:
        return True
    if not is_terminal():
        message = "this cannot be taken back, and there is no terminal to ask on: give --yes if it is meant"
        raise UsageError(message)
    try:
        return input(f"{question} [y/N] ").strip().lower() in _YES
    except EOFError:
        print()
        return False


@asynccontextmanager
async def typing() -> AsyncIterator[asyncio.StreamReader]:
    """Yield what is typed at the terminal, line by line, without holding up the event loop."""
    typed = asyncio.StreamReader()
    terminal = sys.stdin.fileno()
    loop = asyncio.get_running_loop()

    def take() -> None:
        try:
            chunk = os.read(terminal, _CHUNK)
        except OSError:  # the terminal is gone
            chunk = b""
        if chunk:
            typed.feed_data(chunk)
        else:
            loop.remove_reader(terminal)
            typed.feed_eof()

    loop.add_reader(terminal, take)
    try:
        yield typed
    finally:
        loop.remove_reader(terminal)
