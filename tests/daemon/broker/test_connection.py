"""What is heard from the broker, whenever it is added."""

import asyncio
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from jitney.daemon.broker import connection as module
from jitney.daemon.broker.connection import Connection
from jitney.daemon.broker.inbound import Inbound
from jitney.daemon.broker.session import BrokerUnreachableError, ConnectOptions, Message, Subscription
from tests.waiting import until

OPTIONS = ConnectOptions(
    url="mqtt://nowhere",
    client_id="test",
    will=Message("will", b""),
)


class Supply:
    """Nothing to publish."""

    def take(self, most: int) -> list[Message]:
        del most
        return []

    def confirmed(self, message: Message) -> None:
        raise AssertionError(message)

    def refused(self, message: Message, refusal: object) -> None:
        raise AssertionError(message, refusal)


class Reconciler:
    """Nothing retained."""

    def connected(self) -> None:
        """Learn it."""

    def reconcile(self, found: Mapping[str, bytes]) -> tuple[int, int]:
        del found
        return 0, 0


class Broker:
    """A session that hears what it is asked to; it answers when ``answers`` is set, or fails with ``lost``."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.lost = False
        self.limits = SimpleNamespace(receive_max=10, session_present=False)
        self.protocol = "5"

    async def dial(self, *_: object, **__: object) -> "Broker":
        return self

    async def subscribe(self, subscriptions: Sequence[Subscription]) -> list[int]:
        self.asked.set()
        if self.lost:
            raise BrokerUnreachableError("lost")
        await self.answers.wait()
        self.heard += [one.pattern for one in subscriptions]
        return [0 for _ in subscriptions]

    async def unsubscribe(self, patterns: Sequence[str]) -> None:
        """Ask it."""

    def send(self, batch: Sequence[Any], *, duplicate: bool = False) -> None:
        raise AssertionError(batch, duplicate)

    def abort(self) -> None:
        """End it."""


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    made = Broker()
    monkeypatch.setattr(module, "dial", made.dial)
    monkeypatch.setattr(module, "END_DEADLINE", 0.01)
    return made


def connection() -> Connection:
    return Connection(
        OPTIONS,
        Supply(),
        Reconciler(),
        inbound=Inbound(),
        window=10,
        subscriptions=[Subscription("first")],
        replays=list,
    )


async def test_what_is_added_while_a_session_begins_is_heard_in_it(broker: Broker) -> None:
    made = connection()
    task = asyncio.create_task(made.run(), name="connection")
    await broker.asked.wait()
    await made.subscribe([Subscription("second")])
    broker.answers.set()
    await until(lambda: made.session is not None)
    assert broker.heard[:2] == ["first", "second"]
    await made.subscribe([Subscription("third"), Subscription("first")])
    assert broker.heard.count("first") == broker.heard.count("third") == 1
    task.cancel()
    await asyncio.wait([task])


async def test_what_is_added_while_a_session_ends_is_heard_in_the_next(broker: Broker) -> None:
    made = connection()
    task = asyncio.create_task(made.run(), name="connection")
    broker.answers.set()
    await until(made.reconciled.is_set)
    broker.lost = True
    await made.subscribe([Subscription("second")])
    assert "second" not in broker.heard
    broker.lost = False
    made.lost(None)
    await until(lambda: "second" in broker.heard)
    task.cancel()
    await asyncio.wait([task])
