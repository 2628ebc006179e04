"""What only the session of MQTT 5 does."""

import asyncio

import mqtt5
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitney.daemon.broker.session import (
    BrokerRefusedError,
    BrokerUnreachableError,
    Message,
    ProtocolUnsupportedError,
    Subscription,
    TakenOverError,
)
from jitney.daemon.broker.sessions.session5 import connect5
from tests.conftest import StartBroker
from tests.daemon.broker.sessions.listening import (
    CONNACK_5,
    CONNACK_311,
    Recorder,
    answering,
    connected,
    options,
    packet,
    scripted,
)
from tests.fakes.mosquitto import Broker

# The codec tells Python of text that is not UTF-8 as an exception that cannot be raised, before it panics.
unicode_panics = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


async def test_a_message_goes_out_with_everything_that_mqtt_5_can_say() -> None:
    seen: asyncio.Future[mqtt5.Packet] = asyncio.get_running_loop().create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(CONNACK_5)
        seen.set_result(mqtt5.read(memoryview(await packet(reader)))[0])
        await reader.read()

    message = Message(
        "x/y",
        b"{}",
        retain=True,
        expiry=60,
        content_type="application/cloudevents+json",
        properties=[("id", "1"), ("id", "2")],
        correlation=b"\x00\xff",
    )
    async with scripted(accept) as url, connected(connect5, url) as (session, _):
        session.send([(7, message)], duplicate=True)
        sent = await seen
    assert isinstance(sent, mqtt5.PublishPacket)
    assert (sent.topic, sent.payload, sent.retain, sent.duplicate, sent.packet_id) == ("x/y", b"{}", True, True, 7)
    assert (sent.message_expiry_interval, sent.content_type) == (60, "application/cloudevents+json")
    assert (sent.correlation_data, sent.user_properties) == (b"\x00\xff", [("id", "1"), ("id", "2")])


async def test_connect_asks_for_a_session_that_outlives_the_connection_and_for_a_late_will() -> None:
    seen: asyncio.Future[mqtt5.Packet] = asyncio.get_running_loop().create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.set_result(mqtt5.read(memoryview(await packet(reader)))[0])
        writer.write(CONNACK_5)
        await reader.read()

    async with scripted(accept) as url, connected(connect5, url, receive_max=33, session_expiry=77, keepalive=44):
        said = await seen
    assert isinstance(said, mqtt5.ConnectPacket)
    assert (said.clean_start, said.session_expiry_interval, said.receive_max, said.keep_alive) == (False, 77, 33, 44)
    assert said.will is not None
    assert (said.will.topic, said.will.will_delay_interval, said.will.qos) == ("will/jitney", 5, 1)


async def test_a_batch_is_one_write() -> None:
    got: asyncio.Queue[bytes] = asyncio.Queue()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(CONNACK_5)
        while data := await reader.read(65_536):
            got.put_nowait(data)

    async with scripted(accept) as url, connected(connect5, url) as (session, _):
        session.send([(number, Message("x", b"y" * 100)) for number in range(1, 21)])
        first = await got.get()
        session.ack(list(range(1, 11)))
        second = await got.get()
    assert first.count(b"y" * 100) == 20
    assert second == b"".join(b"\x40\x02" + number.to_bytes(2) for number in range(1, 11))


async def test_what_the_broker_allows_is_handed_up(mosquitto: StartBroker) -> None:
    strict = mosquitto(extra=["max_inflight_messages 7", "max_packet_size 5000", "max_keepalive 11"])
    async with connected(connect5, strict.url, keepalive=60) as (session, _):
        limits = session.limits
    assert (limits.receive_max, limits.packet_bytes, limits.keepalive) == (7, 5000, 11)


async def test_a_message_longer_than_the_broker_takes_is_refused_here(mosquitto: StartBroker) -> None:
    strict = mosquitto(extra=["max_packet_size 500"])
    async with connected(connect5, strict.url) as (session, told):
        session.send([(1, Message("x", b"y" * 600)), (2, Message("x", b"y"))])
        assert dict(await told.acks_until(2)) == {1: 0x95, 2: 0x10}


async def test_a_publish_that_the_acl_forbids_is_told_as_not_authorised(
    mosquitto: StartBroker, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rules = tmp_path_factory.mktemp("acl") / "acl"
    rules.write_text("topic readwrite mine/#\n", encoding="ascii")
    rules.chmod(0o600)
    guarded = mosquitto(extra=[f"acl_file {rules}"])
    async with connected(connect5, guarded.url) as (session, told):
        session.send([(1, Message("mine/x", b"")), (2, Message("theirs/x", b""))])
        assert dict(await told.acks_until(2)) == {1: 0x10, 2: 0x87}


async def test_own_messages_do_not_come_back(broker: Broker) -> None:
    async with (
        connected(connect5, broker.url, "mirror") as (session, told),
        connected(connect5, broker.url) as (other, _),
    ):
        await session.subscribe([Subscription("echo/#")])
        session.send([(1, Message("echo/own", b""))])
        await told.acks_until(1)
        other.send([(1, Message("echo/other", b"", expiry=90, correlation=b"c"))])
        (incoming,) = await told.messages_until(1)
    assert (incoming.topic, incoming.correlation) == ("echo/other", b"c")
    assert 80 <= incoming.expiry <= 90


async def test_what_comes_with_a_message_is_told_with_it(broker: Broker) -> None:
    async with (
        connected(connect5, broker.url, "hearer") as (session, told),
        connected(connect5, broker.url) as (other, _),
    ):
        await session.subscribe([Subscription("with/#")])
        other.send([(1, Message("with/it", b"some", content_type="text/x", properties=[("id", "1"), ("id", "2")]))])
        other.send([(2, Message("with/out", b"", content_type="text/x"))])
        rich, bare = await told.messages_until(2)
    assert (rich.content_type, rich.properties) == ("text/x", (("id", "1"), ("id", "2")))
    assert (bare.content_type, bare.properties) == ("", ())


async def test_retained_messages_come_only_where_a_replay_was_asked_for(broker: Broker) -> None:
    async with connected(connect5, broker.url) as (session, told):
        session.send([(1, Message("old/x", b"", retain=True)), (2, Message("new/x", b"-", retain=True))])
        session.send([(3, Message("old/x", b"-", retain=True))])
        await told.acks_until(3)
        await session.subscribe([Subscription("old/#")])
        await session.subscribe([Subscription("new/#", replay=True)])
        assert [incoming.topic for incoming in await told.messages_until(1)] == ["new/x"]


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (0x84, ProtocolUnsupportedError, "does not speak this version"),
        (0x85, BrokerRefusedError, "our client id"),
        (0x86, BrokerRefusedError, "username and password"),
        (0x87, BrokerRefusedError, "username and password"),
        (0x8A, BrokerRefusedError, "banned"),
        (0x90, BrokerRefusedError, "will/jitney"),
        (0x9D, BrokerRefusedError, "moved for good"),
        (0x88, BrokerUnreachableError, "server unavailable"),
        (0x89, BrokerUnreachableError, "server busy"),
        (0x9F, BrokerUnreachableError, "connection rate exceeded"),
    ],
)
async def test_a_refused_connect_says_what_to_do(code: int, error: type[Exception], words: str) -> None:
    connack = mqtt5.ConnAckPacket(reason_code=mqtt5.ConnAckReasonCode(code), reason_str="because").write()
    async with scripted(answering(connack)) as url:
        with pytest.raises(error, match=words) as raised:
            await connect5(options(url), Recorder())
    assert url in str(raised.value)


@pytest.mark.parametrize("lack", [{"retain_available": False}, {"max_qos": mqtt5.QoS.AT_MOST_ONCE}])
async def test_a_broker_without_what_the_bus_needs_is_refused(lack: dict[str, object]) -> None:
    connack = mqtt5.ConnAckPacket(**lack).write()  # type: ignore[arg-type]
    async with scripted(answering(connack)) as url:
        with pytest.raises(BrokerRefusedError, match="which the bus needs"):
            await connect5(options(url), Recorder())


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (0x8E, TakenOverError, "does a second Jitney run"),
        (0x87, BrokerRefusedError, "access rules"),
        (0x98, BrokerRefusedError, "administrator"),
        (0x8B, BrokerUnreachableError, "server shutting down"),
        (0x8D, BrokerUnreachableError, "keep alive timeout"),
        (0x93, BrokerUnreachableError, "receive max exceeded"),
        (0x00, BrokerUnreachableError, "normal disconnection"),
    ],
)
async def test_a_disconnect_from_the_broker_says_what_to_do(code: int, error: type[Exception], words: str) -> None:
    goodbye = mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode(code)).write()
    async with scripted(answering(CONNACK_5, goodbye)) as url, connected(connect5, url) as (_, told):
        ended = await told.end()
    assert type(ended) is error
    assert words in str(ended)


@pytest.mark.parametrize("answer", [CONNACK_311, b"\x20\x02\x00\x01", b"\x20\x02\x00\x05", b""])
async def test_an_answer_in_an_older_version_or_none_means_that_mqtt_5_is_not_spoken(answer: bytes) -> None:
    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with scripted(old) as url:
        with pytest.raises(ProtocolUnsupportedError):
            await connect5(options(url), Recorder())


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10, b"\xd0\x00", b"\x00" * 20])
async def test_an_answer_that_is_no_consent_is_an_unreachable_broker(answer: bytes) -> None:
    async with scripted(answering(answer)) as url:
        with pytest.raises(BrokerUnreachableError):
            await connect5(options(url), Recorder())


@unicode_panics
@pytest.mark.parametrize(
    "unasked",
    [
        mqtt5.PublishPacket("x", b"", qos=mqtt5.QoS.EXACTLY_ONCE, packet_id=1).write(),
        mqtt5.PublishPacket("", b"", topic_alias=1).write(),
        mqtt5.PubRelPacket(1).write(),
        CONNACK_5,
        mqtt5.PublishPacket("abcd", b"").write().replace(b"abcd", b"\xff\xff\xff\xff"),
        b"\x30\xff\xff\xff\x7f",
    ],
)
async def test_what_does_not_belong_here_ends_the_session(unasked: bytes) -> None:
    async with scripted(answering(CONNACK_5, unasked)) as url, connected(connect5, url) as (_, told):
        assert isinstance(await told.end(), BrokerUnreachableError)


async def test_pausing_within_a_read_holds_back_the_rest_of_it() -> None:
    several = b"".join(mqtt5.PublishPacket(f"x/{number}", b"").write() for number in range(5))
    told = Recorder()
    async with scripted(answering(CONNACK_5, several)) as url:
        session = await connect5(options(url), told)
        told.on_received = lambda _: session.pause()
        await told.messages_until(1)
        session.send([])
        await asyncio.sleep(0)
        assert len(told.messages) == 1
        told.on_received = None
        session.resume()
        assert [incoming.topic for incoming in await told.messages_until(5)] == [f"x/{number}" for number in range(5)]
        await session.close()


async def test_aborting_within_a_read_tells_nothing_more() -> None:
    several = b"".join(mqtt5.PublishPacket("x", b"").write() for _ in range(5))
    told = Recorder()
    async with scripted(answering(CONNACK_5, several)) as url:
        session = await connect5(options(url), told)
        told.on_received = lambda _: session.abort()
        await told.end()
    assert told.told == ["received", "lost"]


BYTES = st.one_of(
    st.binary(max_size=120),
    st.builds(
        lambda topic, payload, at, byte: (
            mqtt5.PublishPacket(topic, payload).write()[:at] + bytes([byte]) + mqtt5.PubAckPacket(1).write()
        ),
        st.text("abc/", min_size=1, max_size=9),
        st.binary(max_size=9),
        st.integers(0, 20),
        st.integers(0, 255),
    ),
)


@unicode_panics
@settings(max_examples=60, deadline=None)
@given(sent=BYTES)
async def test_whatever_a_broker_sends_the_session_goes_on_or_ends(sent: bytes) -> None:
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(CONNACK_5 + sent)
        writer.write_eof()
        await reader.read()

    async with scripted(speak) as url, connected(connect5, url) as (_, told):
        assert isinstance(await told.end(), BrokerUnreachableError | BrokerRefusedError)
    assert complaints == []
