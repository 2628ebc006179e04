"""What both sessions do, against mosquitto; 3.1.1 also against the embedded broker.

amqtt forgets what was on its way to a client that left, so what a later session gets is tried with mosquitto alone.
"""

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest
from msgspec import Struct

from jitney.adapters.secret import Secret
from jitney.daemon.broker.session import (
    REFUSED,
    BrokerRefusedError,
    BrokerUnreachableError,
    Message,
    Session,
    Subscription,
)
from jitney.daemon.broker.sessions.embedded import EmbeddedBroker
from jitney.daemon.broker.sessions.session5 import connect5
from jitney.daemon.broker.sessions.session311 import connect311
from tests.conftest import StartBroker
from tests.daemon.broker.sessions.listening import (
    CONNACK_5,
    CONNACK_311,
    PINGRESP,
    Connect,
    Recorder,
    connected,
    options,
    packet,
    scripted,
)
from tests.fakes.mosquitto import Broker


class Side(Struct):
    """One version of MQTT and a broker that speaks it."""

    connect: Connect
    url: str

    def open(self, client_id: str, **more: object) -> AbstractAsyncContextManager[tuple[Session, Recorder]]:
        return connected(self.connect, self.url, client_id, **more)


@pytest.fixture(params=["5", "3.1.1", "3.1.1 embedded"])
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    if request.param == "3.1.1 embedded":
        async with EmbeddedBroker() as broker:
            yield Side(connect311, broker.url)
    else:
        mosquitto: Broker = request.getfixturevalue("broker")
        yield Side(connect5 if request.param == "5" else connect311, mosquitto.url)


async def test_every_message_is_confirmed_and_a_flush_follows(side: Side) -> None:
    async with side.open("a-sender") as (session, told):
        session.send([(number, Message("confirmed/x", b"%d" % number)) for number in range(1, 21)])
        assert sorted(packet_id for packet_id, _ in await told.acks_until(20)) == list(range(1, 21))
        assert all(reason < REFUSED for _, reason in told.acks)
        await told.until(lambda told: told.told[-1] == "flushed")


async def test_messages_arrive_in_the_order_in_which_they_were_sent(side: Side) -> None:
    async with side.open("order-receiver") as (receiver, heard), side.open("order-sender") as (sender, told):
        heard.on_received = lambda incoming: receiver.ack([incoming.packet_id])
        await receiver.subscribe([Subscription("order/#")])
        window = min(20, sender.limits.receive_max)
        for first in range(0, 400, window):
            sender.send([(index + 1, Message("order/x", b"%d" % (first + index))) for index in range(window)])
            await told.acks_until(first + window)
        received = await heard.messages_until(400)
    assert [int(incoming.payload) for incoming in received] == list(range(400))


async def test_only_qos_1_carries_a_packet_id(side: Side) -> None:
    async with side.open("qos-receiver") as (receiver, heard), side.open("qos-sender") as (sender, _):
        assert await receiver.subscribe([Subscription("qos/one"), Subscription("qos/nought", qos=0)]) == [1, 0]
        sender.send([(1, Message("qos/one", b"1")), (2, Message("qos/nought", b"2"))])
        ids = {incoming.topic: incoming.packet_id for incoming in await heard.messages_until(2)}
    assert ids["qos/one"] > 0
    assert ids["qos/nought"] == 0


async def test_what_was_not_acknowledged_comes_again_in_the_next_session(connect: Connect, broker: Broker) -> None:
    side = Side(connect, broker.url)
    async with side.open("again-receiver") as (receiver, heard), side.open("again-sender") as (sender, _):
        await receiver.subscribe([Subscription("again/#")])
        sender.send([(number, Message("again/x", b"%d" % number)) for number in (1, 2, 3)])
        first = await heard.messages_until(3)
        receiver.ack([first[0].packet_id])
    async with side.open("again-receiver") as (receiver, heard):
        assert receiver.limits.session_present
        again = await heard.messages_until(2)
        receiver.ack([incoming.packet_id for incoming in again])
    assert [incoming.payload for incoming in again] == [b"2", b"3"]


async def test_nothing_is_told_before_the_session_is_handed_over(connect: Connect, broker: Broker) -> None:
    side = Side(connect, broker.url)
    async with side.open("early-receiver") as (receiver, _):
        await receiver.subscribe([Subscription("early/#")])
    async with side.open("early-sender") as (sender, told):
        sender.send([(1, Message("early/x", b"waits"))])
        await told.acks_until(1)
    heard = Recorder()
    session = await side.connect(options(side.url, "early-receiver"), heard)
    assert heard.told == []
    session.pause()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert heard.told == []
    session.resume()
    session.ack([(await heard.messages_until(1))[0].packet_id])
    await session.close()


async def test_a_retained_message_comes_with_a_replay_and_is_cleared_by_an_empty_one(side: Side) -> None:
    async with side.open("retained") as (session, told):
        session.send([(1, Message("kept/x", b"value", retain=True))])
        await told.acks_until(1)
        await session.subscribe([Subscription("kept/#", qos=0, replay=True)])
        (incoming,) = await told.messages_until(1)
        assert (incoming.payload, incoming.retain, incoming.packet_id) == (b"value", True, 0)
        await session.unsubscribe(["kept/#"])
        session.send([(1, Message("kept/x", b"", retain=True)), (2, Message("kept/y", b"other", retain=True))])
        await told.acks_until(3)
        await session.subscribe([Subscription("kept/#", qos=0, replay=True)])
        assert [each.topic for each in (await told.messages_until(2))[1:]] == ["kept/y"]


async def test_after_unsubscribe_nothing_comes(side: Side) -> None:
    async with side.open("leaver") as (receiver, heard), side.open("leaver-sender") as (sender, told):
        await receiver.subscribe([Subscription("left/#", qos=0), Subscription("stayed/#", qos=0)])
        await receiver.unsubscribe(["left/#"])
        sender.send([(1, Message("left/x", b"")), (2, Message("stayed/x", b"-"))])
        await told.acks_until(2)
        assert [incoming.topic for incoming in await heard.messages_until(1)] == ["stayed/x"]


async def test_while_paused_nothing_is_told_and_afterwards_everything(side: Side) -> None:
    async with side.open("pausing") as (receiver, heard), side.open("pausing-sender") as (sender, told):
        await receiver.subscribe([Subscription("paused/#", qos=0)])
        receiver.pause()
        sender.send([(number, Message("paused/x", b"%d" % number)) for number in range(1, 11)])
        await told.acks_until(10)
        assert heard.messages == []
        receiver.resume()
        assert len(await heard.messages_until(10)) == 10


async def test_leaving_in_order_keeps_the_will_back(side: Side) -> None:
    async with side.open("heir") as (heir, heard):
        await heir.subscribe([Subscription("will/#", qos=0), Subscription("mark/#", qos=0)])
        async with side.open("leaving-well", session_expiry=0) as (session, told):
            await session.close()
            assert told.ends == [None]
        async with side.open("leaving-badly", session_expiry=0) as (session, told):
            session.abort()
            assert await told.end() is None
        assert [incoming.topic for incoming in await heard.messages_until(1)] == ["will/leaving-badly"]


async def test_whoever_is_replaced_by_the_same_client_id_learns_it(side: Side) -> None:
    async with side.open("twin") as (_, told), side.open("twin"):
        error = await told.end()
    assert isinstance(error, BrokerUnreachableError | BrokerRefusedError)
    assert "client id" in str(error)
    assert "twin" not in str(error)


async def test_a_message_that_cannot_be_written_is_refused_and_the_others_go(side: Side) -> None:
    async with side.open("unwritable") as (session, told):
        session.send([(1, Message("long/" + "x" * 65_536, b"")), (2, Message("ok", b"")), (3, Message("\ud800", b""))])
        reasons = dict(await told.acks_until(3))
    assert reasons[2] < REFUSED
    assert reasons[1] >= REFUSED
    assert reasons[3] >= REFUSED


async def test_closing_twice_and_using_a_closed_session_is_harmless(side: Side) -> None:
    async with side.open("closed") as (session, told):
        await session.close()
        await session.close()
        session.send([(1, Message("x", b""))])
        session.ack([1])
        session.pause()
        session.resume()
        session.abort()
        with pytest.raises(BrokerUnreachableError):
            await session.subscribe([Subscription("x")])
        with pytest.raises(BrokerUnreachableError):
            await session.unsubscribe(["x"])
        assert told.told == ["lost"]


async def test_a_killed_broker_ends_the_session_and_whoever_waits_for_an_answer(
    connect: Connect, broker: Broker
) -> None:
    async with connected(connect, broker.url) as (session, told):
        broker.freeze()
        waiting = asyncio.ensure_future(session.subscribe([Subscription("x")]))
        await asyncio.sleep(0)
        await asyncio.to_thread(broker.kill)
        assert isinstance(await told.end(), BrokerUnreachableError)
        with pytest.raises(BrokerUnreachableError):
            await waiting


async def test_a_wrong_password_is_for_a_person_and_is_not_shown(
    connect: Connect, mosquitto: StartBroker, tmp_path_factory: pytest.TempPathFactory
) -> None:
    passwords = tmp_path_factory.mktemp("passwords") / "file"
    passwords.write_text(f"alice:{_hashed('right')}\n", encoding="ascii")
    passwords.chmod(0o600)
    closed = mosquitto(anonymous=False, extra=[f"password_file {passwords}"])
    login = partial(options, closed.url, "secretive", username="alice")
    with pytest.raises(BrokerRefusedError) as refused:
        await connect(login(password=Secret("wrong but secret")), Recorder())
    assert "user 'alice'" in str(refused.value)
    assert "[mqtt] username and password" in str(refused.value)
    assert "wrong" not in str(refused.value)
    with pytest.raises(BrokerRefusedError, match="without user name"):
        await connect(options(closed.url, "anonymous"), Recorder())
    session = await connect(login(password=Secret("right")), Recorder())
    await session.close()


async def test_a_silent_peer_is_given_up(connect: Connect) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(_connack(connect))
        await reader.read()

    async with scripted(silent) as url, connected(connect, url, keepalive=1) as (_, told):
        error = await told.end()
    assert isinstance(error, BrokerUnreachableError)
    assert "said nothing for 1.5 s" in str(error)


async def test_while_paused_the_broker_is_pinged_and_not_given_up(connect: Connect) -> None:
    pinged = asyncio.Event()

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(_connack(connect))
        for _ in range(4):
            assert await packet(reader) == b"\xc0\x00"
            writer.write(PINGRESP)
        pinged.set()
        await reader.read()

    async with scripted(counting) as url, connected(connect, url, keepalive=1) as (session, told):
        session.pause()
        async with asyncio.timeout(10):
            await pinged.wait()
        assert told.told == []
        session.resume()
        await session.close()
        assert told.ends == [None]


async def test_a_broker_that_never_answers_is_unreachable(connect: Connect) -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with scripted(silent) as url:
        with pytest.raises(BrokerUnreachableError, match=r"did not answer within 0\.1 s"):
            await connect(options(url, timeout=0.1), Recorder())


async def test_a_request_that_is_not_answered_has_a_deadline(connect: Connect) -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(_connack(connect))
        await reader.read()

    async with scripted(deaf) as url, connected(connect, url, timeout=0.1) as (session, _):
        with pytest.raises(BrokerUnreachableError, match="did not answer SUBSCRIBE"):
            await session.subscribe([Subscription("x")])
        with pytest.raises(BrokerUnreachableError, match="did not answer UNSUBSCRIBE"):
            await session.unsubscribe(["x"])


async def test_a_refused_subscription_is_told_by_its_code(connect: Connect) -> None:
    async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(_connack(connect))
        asked = await packet(reader)
        properties = b"\x00" * (connect is connect5)
        writer.write(b"\x90" + bytes([4 + len(properties)]) + asked[2:4] + properties + b"\x01\x80")
        await reader.read()

    async with scripted(refusing) as url, connected(connect, url) as (session, _):
        assert await session.subscribe([Subscription("mine"), Subscription("theirs")]) == [1, 0x80]


async def test_an_answer_to_more_or_fewer_subscriptions_than_asked_for_is_none(connect: Connect) -> None:
    async def miscounting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(_connack(connect))
        asked = await packet(reader)
        properties = b"\x00" * (connect is connect5)
        writer.write(b"\x90" + bytes([3 + len(properties)]) + asked[2:4] + properties + b"\x01")
        await reader.read()

    async with scripted(miscounting) as url, connected(connect, url) as (session, _):
        with pytest.raises(BrokerUnreachableError, match="1 reason codes, expected 2"):
            await session.subscribe([Subscription("mine"), Subscription("theirs")])


async def test_giving_up_while_connecting_leaves_no_connection(connect: Connect) -> None:
    greeted, over = asyncio.Event(), asyncio.Event()

    async def waiting(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await packet(reader)
        greeted.set()
        await reader.read()
        over.set()

    async with scripted(waiting) as url, asyncio.timeout(10):
        told = Recorder()
        connecting = asyncio.ensure_future(connect(options(url), told))
        await greeted.wait()
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        await over.wait()
        assert told.told == []


def _connack(connect: Connect) -> bytes:
    return CONNACK_5 if connect is connect5 else CONNACK_311


def _hashed(password: str) -> str:
    """Return a password as mosquitto keeps it."""
    salt, rounds = b"twelve bytes", 101
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
    return f"$7${rounds}${b64encode(salt).decode()}${b64encode(key).decode()}"
