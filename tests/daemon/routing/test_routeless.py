"""Dead letters of a bus that has no routes: what the broker refused, and what routes have left that are gone."""

import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from jitney.adapters.errors import RefusedError
from jitney.daemon.routes.actions import SendCommand
from jitney.daemon.routing.planned import encode, plan
from jitney.daemon.store import dead
from jitney.daemon.store import outbox as rows
from jitney.topics import cloudevents
from tests.daemon.running import Daemon, config, observing, running, tick
from tests.fakes.mosquitto import Broker

TOPIC = "jitney/alice/event/played/ticked"
TIME = "2026-11-21T05:41:00.120Z"


@asynccontextmanager
async def house(broker: Broker, folder: Path) -> AsyncIterator[Daemon]:
    async with running(config(broker.url), folder) as daemon:
        await daemon.connected()
        yield daemon


async def ask(daemon: Daemon, request: str, **data: Any) -> Any:  # noqa: ANN401 - of each request another
    return await daemon.app.parts.administration.handlers[request](Raw(msgspec.json.encode(data)))


async def put(daemon: Daemon, *, topic: str = TOPIC, adapter: str = "played") -> int:
    """Put an event among the dead letters as the outbox does, and return its number."""
    store = daemon.app.parts.store
    store.write(rows.DEAD, [("alice", adapter, topic, cloudevents.encode(tick(7)), "not_authorised", TIME)])
    await store.committed()
    found = await ask(daemon, "dead_list")
    return found.letters[0].id


async def test_an_event_that_the_broker_refused_is_listed_and_published_again(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer, house(broker, tmp_path) as daemon:
        number = await put(daemon)
        (letter,) = (await ask(daemon, "dead_list", owner="alice")).letters
        assert (letter.id, letter.reason, letter.event_id) == (number, "not_authorised", "played-alice-7")
        retried = await ask(daemon, "dead_retry", id=number)
        assert retried.retried.topic == TOPIC
        await observer.message(TOPIC)
        assert (await ask(daemon, "dead_list")).letters == []


async def test_one_is_dropped(broker: Broker, tmp_path: Path) -> None:
    async with house(broker, tmp_path) as daemon:
        number = await put(daemon)
        dropped = await ask(daemon, "dead_drop", id=number)
        assert dropped.dropped == 1
        with pytest.raises(RefusedError, match="there is no dead letter"):
            await ask(daemon, "dead_drop", id=number)


async def test_an_action_of_a_route_that_is_gone_can_only_be_dropped(broker: Broker, tmp_path: Path) -> None:
    command = SendCommand(adapter="played", command="ring")
    (planned,) = plan(tick(1), [command], route="gone", now=time.time(), ttl=60)
    async with house(broker, tmp_path) as daemon:
        store = daemon.app.parts.store
        store.write(dead.PUT_ACTION, [("alice", "route", encode(planned), "timeout", TIME)])
        await store.committed()
        (letter,) = (await ask(daemon, "dead_list")).letters
        assert (letter.action, letter.route) == ("command played.ring", "gone")
        with pytest.raises(RefusedError, match="neither routes nor grants") as raised:
            await ask(daemon, "dead_retry", id=letter.id)
        assert raised.value.code == "no_routes"
        assert [one.id for one in (await ask(daemon, "dead_list")).letters] == [letter.id]
        assert (await ask(daemon, "dead_drop", all=True)).dropped == 1


async def test_what_was_to_be_shown_under_a_grant_that_is_gone_is_shown_to_nobody(
    broker: Broker, tmp_path: Path
) -> None:
    async with house(broker, tmp_path) as daemon:
        number = await put(daemon, topic="jitney/bob/shared/alice/event/played/ticked", adapter="shared/bob")
        with pytest.raises(RefusedError) as raised:
            await ask(daemon, "dead_retry", id=number)
        assert raised.value.code == "not_granted"


def test_nothing_of_it_is_imported_before_somebody_asks() -> None:
    code = "import sys, jitney.daemon.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)  # noqa: S603 - this Python
    loaded = {name for name in done.stdout.split() if name.startswith("jitney.daemon.routing.")}
    assert loaded == {"jitney.daemon.routing.lifecycle", "jitney.daemon.routing.routeless"}
    assert "jinja2" not in done.stdout.split()
