from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import msgspec
import pytest

from jitney.daemon import log
from jitney.daemon.routes.actions import Webhook
from jitney.daemon.routing.failures import FailedError
from jitney.daemon.routing.troubles import MOST, Troubles
from tests.daemon.routing.doing import Clock, performing, planned
from tests.waiting import until


@pytest.fixture
def written() -> Iterator[StringIO]:
    log.reset()
    stream = StringIO()
    log.configure("json", "info", stream=stream)
    yield stream
    log.reset()


def told(written: StringIO) -> list[tuple[str, str, str]]:
    lines = map(msgspec.json.decode, written.getvalue().splitlines())
    return [(line["level"], line["owner"], line["place"]) for line in lines]


def test_an_outage_of_a_place_is_told_once_and_its_end_too(written: StringIO) -> None:
    troubles = Troubles()
    for _ in range(5):
        troubles.failed("alice", "webhook https://example.org", "unreachable")
    troubles.worked("alice", "webhook https://example.org")
    troubles.worked("alice", "webhook https://example.org")
    assert told(written) == [
        ("warning", "alice", "webhook https://example.org"),
        ("info", "alice", "webhook https://example.org"),
    ]


def test_each_owner_has_their_own_outage(written: StringIO) -> None:
    troubles = Troubles()
    troubles.failed("alice", "webhook https://example.org", "unreachable")
    troubles.failed("bob", "webhook https://example.org", "unreachable")
    troubles.worked("bob", "webhook https://example.org")
    assert [owner for _, owner, _ in told(written)] == ["alice", "bob", "bob"]


def test_places_without_end_do_not_fill_the_memory(written: StringIO) -> None:
    troubles = Troubles()
    for number in range(MOST + 100):
        troubles.failed("alice", f"webhook https://{number}.example.org", "unreachable")
    assert len(told(written)) == MOST


async def test_a_webhook_that_nobody_answers_is_told_once_and_its_end_too(tmp_path: Path, written: StringIO) -> None:
    clock = Clock()
    hook = Webhook(method="POST", url="https://example.org/secret-path")
    async with performing(tmp_path, clock=clock) as stage:
        stage.player.errors["Webhook"] = [FailedError("unreachable", "nobody is there")] * 3
        await stage.accept(planned(hook, ttl=3600))
        for number in range(4):
            await until(lambda seen=number: len(stage.player.asked) > seen)
            clock.now += 120
            stage.executor.wake()
        await until(lambda: stage.player.names() == ["Webhook"])
        await until(lambda: len(told(written)) == 2)
        assert sum(stage.counters.histogram("actions", "webhook").counts) == 1
    assert told(written) == [
        ("warning", "alice", "webhook https://example.org"),
        ("info", "alice", "webhook https://example.org"),
    ]
    assert "secret-path" not in written.getvalue()
