"""What is built for an owner: theirs alone, and closed when it is not used any more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from yarl import URL

from jitney.daemon.owners.runtime import IDLE, Runtimes
from jitney.daemon.routes.actions import Webhook
from jitney.daemon.routes.allowed import AllowList, Pattern
from jitney.daemon.routing.outgoing_http import OutgoingHttp
from jitney.daemon.routing.secrets import Secrets
from jitney.daemon.routing.webhooks import Webhooks
from tests.daemon.routing.hooks import hooks


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Built:
    """A part that tells whether it is closed."""

    def __init__(self) -> None:
        self.closed = 0

    async def close(self) -> None:
        self.closed += 1


class Other(Built):
    """A part of another type."""


@asynccontextmanager
async def sending(url: str, runtimes: Runtimes) -> AsyncIterator[Webhooks]:
    secrets = Secrets(environ={}, folder=Path("/nowhere"), vault=_none)
    webhooks = Webhooks(AllowList([Pattern.parse(f"{url}/*")]), secrets.fetch, runtimes)
    try:
        yield webhooks
    finally:
        await webhooks.close()


async def _none(_: str) -> None:
    return None


def session(runtimes: Runtimes, owner: str) -> aiohttp.ClientSession:
    """Return the session that was built for an owner."""
    http = runtimes.part(owner, OutgoingHttp, lambda: OutgoingHttp(AllowList([]), _never))
    assert http._session is not None
    return http._session


async def _never(_: object) -> None:
    raise AssertionError


async def test_an_owner_gets_the_same_part_again_and_another_owner_never_does() -> None:
    runtimes = Runtimes(clock=Clock())
    first = runtimes.part("alice", Built, Built)
    assert runtimes.part("alice", Built, Built) is first
    assert runtimes.part("bob", Built, Built) is not first
    assert runtimes.part("alice", Other, Other) is not first
    assert runtimes.owners == {"alice", "bob"}
    await runtimes.close()
    assert (first.closed, runtimes.owners) == (1, frozenset())


async def test_two_owners_never_send_over_the_same_session_nor_with_the_same_cookies() -> None:
    runtimes = Runtimes(clock=Clock())
    async with hooks() as server, sending(server.url, runtimes) as webhooks:
        for owner in ("alice", "bob", "alice"):
            await webhooks.send(Webhook(method="GET", url=f"{server.url}/x"), owner=owner)
        one, other = session(runtimes, "alice"), session(runtimes, "bob")
        assert one is not other
        assert one.connector is not other.connector
        assert one.cookie_jar is not other.cookie_jar
        one.cookie_jar.update_cookies({"a": "b"}, URL(server.url))
        assert not other.cookie_jar.filter_cookies(URL(server.url))
        assert len(server.requests) == 3


async def test_who_is_idle_is_closed_and_who_is_not_goes_on() -> None:
    clock = Clock()
    runtimes = Runtimes(clock=clock)
    async with hooks() as server, sending(server.url, runtimes) as webhooks:
        hook = Webhook(method="GET", url=f"{server.url}/x")
        await webhooks.send(hook, owner="alice")
        await webhooks.send(hook, owner="bob")
        idle = session(runtimes, "alice")
        clock.now = IDLE - 1
        await webhooks.send(hook, owner="bob")
        busy = session(runtimes, "bob")
        await runtimes.sweep()
        assert not idle.closed
        clock.now = IDLE
        await runtimes.sweep()
        assert idle.closed
        assert not busy.closed
        assert runtimes.owners == {"bob"}
        await webhooks.send(hook, owner="alice")
        assert session(runtimes, "alice") is not idle
