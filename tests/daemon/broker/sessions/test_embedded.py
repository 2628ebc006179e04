"""The broker inside the process."""

import asyncio
import logging
import sys

import pytest

from jitney.adapters.errors import MisconfiguredError
from jitney.daemon.broker.session import BrokerUnreachableError, Message, ProtocolUnsupportedError, Subscription
from jitney.daemon.broker.sessions.embedded import EmbeddedBroker
from jitney.daemon.broker.sessions.session5 import connect5
from jitney.daemon.broker.sessions.session311 import connect311
from tests.daemon.broker.sessions.listening import Recorder, connected, options


async def test_it_carries_messages_and_keeps_retained_ones(embedded: str) -> None:
    async with connected(connect311, embedded, "one") as (session, told):
        session.send([(1, Message("kept/x", b"value", retain=True))])
        assert await told.acks_until(1) == [(1, 0)]
    async with connected(connect311, embedded, "two") as (session, told):
        await session.subscribe([Subscription("kept/#", replay=True)])
        assert [incoming.payload for incoming in await told.messages_until(1)] == [b"value"]


async def test_it_stops_although_somebody_is_connected_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    told, other = Recorder(), Recorder()
    async with EmbeddedBroker() as broker:
        session = await connect311(options(broker.url, "one"), told)
        await connect311(options(broker.url, "two"), other)
        await session.subscribe([Subscription("#")])
    assert isinstance(await told.end(), BrokerUnreachableError)
    assert isinstance(await other.end(), BrokerUnreachableError)
    assert asyncio.all_tasks() == before


async def test_it_stops_while_somebody_has_connected_and_says_nothing() -> None:
    before = asyncio.all_tasks()
    async with EmbeddedBroker() as broker:
        port = int(broker.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x10")
        await writer.drain()
    async with asyncio.timeout(10):
        assert await _end_of(reader)
    writer.close()
    assert asyncio.all_tasks() == before


async def test_a_connect_of_mqtt_5_is_refused_at_once(embedded: str) -> None:
    with pytest.raises(ProtocolUnsupportedError, match="older version of MQTT"):
        await connect5(options(embedded), Recorder())


async def test_two_of_them_do_not_meet() -> None:
    async with EmbeddedBroker() as one, EmbeddedBroker() as two:
        assert one.url != two.url


async def test_a_taken_port_is_a_matter_of_configuration() -> None:
    async with EmbeddedBroker() as broker:
        port = int(broker.url.rpartition(":")[2])
        with pytest.raises(MisconfiguredError, match=f"cannot listen on 127.0.0.1 port {port}"):
            await EmbeddedBroker(port=port).__aenter__()


async def test_without_the_extra_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "amqtt.broker", None)
    with pytest.raises(MisconfiguredError, match=r"pip install 'jitney\[embedded\]'"):
        await EmbeddedBroker().__aenter__()


async def test_its_libraries_are_quiet_while_it_runs_and_as_before_afterwards(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    level = logging.getLogger("amqtt").level
    async with (
        EmbeddedBroker() as broker,
        connected(connect311, broker.url, "twin") as (_, told),
        connected(connect311, broker.url, "twin"),
    ):
        await told.end()
    assert [record.name for record in caplog.records if record.name.startswith(("amqtt", "transitions"))] == []
    assert logging.getLogger("amqtt").level == level


async def _end_of(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True
