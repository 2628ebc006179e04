"""What only the session of MQTT 3.1.1 does."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitney.daemon.broker.session import (
    BrokerRefusedError,
    BrokerUnreachableError,
    Message,
    ProtocolUnsupportedError,
    Subscription,
)
from jitney.daemon.broker.sessions.session311 import Session311, connect311
from tests.conftest import StartBroker
from tests.daemon.broker.sessions.listening import (
    CONNACK_311,
    PINGRESP,
    Recorder,
    answering,
    connected,
    frame,
    options,
    packet,
    scripted,
    upgrade,
)
from tests.fakes.mosquitto import Broker

PUBLISH_QOS_2 = b"\x34\x05\x00\x01x\x00\x01" + b"\x62\x02\x00\x01"


async def test_connect_asks_for_a_session_that_outlives_the_connection() -> None:
    seen: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.set_result(await packet(reader))
        writer.write(CONNACK_311)
        await reader.read()

    async with scripted(accept) as url, connected(connect311, url, keepalive=44):
        said = await seen
    # Level 4; will with QoS 1, no clean session; the keep-alive.
    assert said[2:12] == b"\x00\x04MQTT\x04" + bytes([0b0000_1100]) + b"\x00\x2c"


async def test_messages_sent_in_one_turn_of_the_loop_keep_their_order_and_their_ids() -> None:
    told = Recorder()

    async def reversing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(CONNACK_311)
        sent = [await packet(reader) for _ in range(3)]
        assert [each[-1:] for each in sent] == [b"a", b"b", b"c"]
        writer.writelines(b"\x40\x02" + each[5:7] for each in reversed(sent))
        await reader.read()

    async with scripted(reversing) as url:
        session = await connect311(options(url), told)
        session.send([(60_000, Message("x", b"a")), (7, Message("x", b"b"))])
        session.send([(9, Message("x", b"c"))])
        assert await told.acks_until(3) == [(9, 0), (7, 0), (60_000, 0)]
        await session.close()


async def test_a_refusal_by_the_acl_cannot_be_seen(
    mosquitto: StartBroker, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rules = tmp_path_factory.mktemp("acl") / "acl"
    rules.write_text("topic readwrite mine/#\n", encoding="ascii")
    rules.chmod(0o600)
    guarded = mosquitto(extra=[f"acl_file {rules}"])
    async with connected(connect311, guarded.url) as (session, told):
        session.send([(1, Message("theirs/x", b""))])
        assert await told.acks_until(1) == [(1, 0)]


async def test_a_long_message_goes_out_in_pieces(broker: Broker) -> None:
    payload = b"x" * 3_000_000
    async with (
        connected(connect311, broker.url, "reader") as (receiver, heard),
        connected(connect311, broker.url) as (
            sender,
            told,
        ),
    ):
        await receiver.subscribe([Subscription("long", qos=0)])
        sender.send([(number, Message("long", payload)) for number in (1, 2, 3)])
        await told.acks_until(3)
        assert all(incoming.payload == payload for incoming in await heard.messages_until(3))


async def test_a_websocket_that_takes_only_a_part_loses_nothing() -> None:
    numbers = list(range(1, 13))
    full = asyncio.Event()
    arrived: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        await frame(reader)
        writer.write(b"\x82\x04" + CONNACK_311)
        await full.wait()
        arrived.set_result([(await frame(reader))[9] for _ in numbers])

    async with scripted(slow) as url:
        session = await connect311(options(url.replace("mqtt:", "ws:")), Recorder())
        assert isinstance(session, Session311)
        session.send([(number, Message("x", bytes([number]) + b"-" * 700_000)) for number in numbers])
        async with asyncio.timeout(20):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert session._client.want_write()
            full.set()
            assert await arrived == numbers
        session.abort()


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (1, ProtocolUnsupportedError, "does not speak MQTT 3.1.1"),
        (2, BrokerRefusedError, "our client id"),
        (3, BrokerUnreachableError, "server unavailable"),
        (4, BrokerRefusedError, "username and password"),
        (5, BrokerRefusedError, "username and password"),
    ],
)
async def test_a_refused_connect_says_what_to_do(code: int, error: type[Exception], words: str) -> None:
    async with scripted(answering(b"\x20\x02\x00" + bytes([code]))) as url:
        with pytest.raises(error, match=words):
            await connect311(options(url), Recorder())


async def test_a_closed_door_is_an_unreachable_broker() -> None:
    async def closing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await packet(reader)

    async with scripted(closing) as url:
        with pytest.raises(BrokerUnreachableError, match="closed the connection without an answer"):
            await connect311(options(url), Recorder())


@pytest.mark.parametrize("unasked", [PUBLISH_QOS_2, b"\x30\x05\x00\x03\xff\xfe\xfd", b"\x30\x02\x00\x09", b"\xf0\x00"])
async def test_what_does_not_belong_here_ends_the_session(unasked: bytes) -> None:
    async with scripted(answering(CONNACK_311, unasked)) as url, connected(connect311, url) as (_, told):
        assert isinstance(await told.end(), BrokerUnreachableError)


BYTES = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda topic, at, byte: (b"\x30" + bytes([len(topic) + 4, 0]) + topic + b"--")[:at] + bytes([byte]) + PINGRESP,
        st.binary(max_size=9),
        st.integers(0, 12),
        st.integers(0, 255),
    ),
)


@settings(max_examples=40, deadline=None)
@given(sent=BYTES)
async def test_whatever_a_broker_sends_the_session_goes_on_or_ends(sent: bytes) -> None:
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(CONNACK_311 + sent)
        writer.write_eof()
        await reader.read()

    async with scripted(speak) as url, connected(connect311, url) as (_, told):
        assert isinstance(await told.end(), BrokerUnreachableError)
    assert complaints == []
