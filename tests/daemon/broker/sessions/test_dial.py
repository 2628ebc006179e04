"""Which version of MQTT is spoken."""

import asyncio

import pytest

from jitney.daemon.broker.session import BrokerRefusedError, ProtocolUnsupportedError
from jitney.daemon.broker.sessions.dial import dial
from tests.daemon.broker.sessions.listening import CONNACK_311, Recorder, options, packet, scripted
from tests.fakes.mosquitto import Broker


async def test_mqtt_5_is_spoken_where_it_is_understood(broker: Broker) -> None:
    session = await dial(options(broker.url), Recorder(), protocol="auto")
    assert session.protocol == "5"
    await session.close()


async def test_an_older_broker_is_spoken_to_in_3_1_1(embedded: str) -> None:
    session = await dial(options(embedded), Recorder(), protocol="auto")
    assert session.protocol == "3.1.1"
    await session.close()


async def test_3_1_1_is_spoken_where_it_is_asked_for(broker: Broker) -> None:
    session = await dial(options(broker.url), Recorder(), protocol="3.1.1")
    assert session.protocol == "3.1.1"
    await session.close()


async def test_nothing_older_is_tried_where_mqtt_5_is_asked_for(embedded: str) -> None:
    with pytest.raises(ProtocolUnsupportedError):
        await dial(options(embedded), Recorder(), protocol="5")


async def test_a_refusal_is_not_tried_again_in_an_older_version() -> None:
    connects = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connects.append(await packet(reader))
        writer.write(b"\x20\x03\x00\x87\x00" if len(connects) == 1 else CONNACK_311)
        await reader.read()

    async with scripted(refuse) as url:
        with pytest.raises(BrokerRefusedError):
            await dial(options(url), Recorder(), protocol="auto")
    assert len(connects) == 1
