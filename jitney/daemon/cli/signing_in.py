"""Waiting at a terminal until somebody has signed in at Strava: in a browser, or by an address that is pasted."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from jitney.adapters.strava.standing import Standing
from jitney.daemon.cli.asking import RefusedReplyError
from jitney.daemon.cli.common import note
from jitney.daemon.cli.mqtt_client import Link
from jitney.daemon.cli.terminal import typing

_GO_ON: Final = frozenset({"incomplete", "other_owner"})
"""Refusals of what was pasted after which the link can still be used."""

T = TypeVar("T")


class SignIn:
    """One owner's sign-in; ``look`` tells how it stands with them, ``finish`` takes the address that was pasted.

    ``before`` is how it stood when the link was made. Both raise what asking the bus raises.
    """

    def __init__(
        self,
        before: Standing,
        *,
        look: Callable[[], Awaitable[Standing]],
        finish: Callable[[str], Awaitable[Standing]],
    ) -> None:
        self._before = _signed_in(before)
        self._look = look
        self._finish = finish

    async def wait(self, link: Link) -> Standing | None:
        """Return how it stands once they have signed in; None when whoever waits has ended the input.

        ``link`` is subscribed to the owner's status and states: whenever something comes there, it is looked.
        """
        return await _first(self._told(link), self._typed())

    async def _told(self, link: Link) -> Standing | None:
        while True:
            heard = await link.hear()
            if heard.retained:
                continue
            standing = await self._look()
            if standing.connected and _signed_in(standing) != self._before:
                return standing

    async def _typed(self) -> Standing | None:
        async with typing() as lines:
            while line := await lines.readline():
                pasted = line.decode(errors="replace").strip()
                if not pasted:
                    standing = await self._look()
                    if standing.connected:
                        return standing
                    note("Not connected yet.")
                    continue
                try:
                    return await self._finish(pasted)
                except RefusedReplyError as error:
                    if error.code not in _GO_ON:
                        raise
                    note(f"{error}.")
        return None


def _signed_in(standing: Standing) -> tuple[object, ...]:
    """Return what only a sign-in changes."""
    return (standing.app, standing.athlete, standing.scopes, standing.since, standing.signed_in)


async def _first(told: Coroutine[Any, Any, T], typed: Coroutine[Any, Any, T]) -> T:
    """Return what comes of whichever ends first, and cancel the other."""
    tasks = (asyncio.create_task(told, name="news of the owner"), asyncio.create_task(typed, name="the terminal"))
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
