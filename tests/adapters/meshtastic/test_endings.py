"""However a connection to a radio ends, it is noticed, said in words and leaves nothing behind."""

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from pubsub import pub

from jitney.adapters.errors import DisconnectedError
from jitney.adapters.meshtastic import link as links
from jitney.adapters.meshtastic.config import Config
from jitney.adapters.meshtastic.heard import QueueStatus
from jitney.adapters.meshtastic.link import Link
from jitney.adapters.meshtastic.pubsub import listening
from jitney.adapters.meshtastic.rivals import Rivals
from tests.adapters.meshtastic.linked import BOB, config, end, hear, linked, texts, threads
from tests.fakes.meshtastic import Handshake, Radio
from tests.fakes.meshtastic.payloads import PORTS
from tests.fakes.meshtastic.rival import Rival
from tests.waiting import until

PROMPT = 2.0
SUBSCRIBED = ("receive", "clientNotification", "connection.lost")


async def reason(link: Link) -> DisconnectedError:
    """Return why a radio could not be connected."""
    with pytest.raises(DisconnectedError) as raised:
        async with link:
            pass
    return raised.value


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        (Radio.drop, "the radio closed the connection"),
        (Radio.reset, "Connection reset by peer"),
        (Radio.announce_reboot, "the radio has started anew"),
    ],
)
async def test_an_end_is_told_with_its_reason(ending: Callable[[Radio], None], said: str) -> None:
    async with linked() as (radio, bob, link):
        await hear(link, QueueStatus)
        bob.text("before")
        assert await texts(link) == ["before"]
        ending(radio)
        gone = await end(link)
        assert said in str(gone)
        assert (gone.after, gone.within) == (0, 60)
        assert radio.connections == 1


async def test_everything_that_came_before_the_end_is_heard_before_it_is_told() -> None:
    async with linked() as (radio, bob, link):
        await hear(link, QueueStatus)
        for number in range(100):
            bob.text(str(number))
        radio.drop()
        assert await texts(link, 100) == [str(number) for number in range(100)]
        assert "the radio closed the connection" in str(await end(link))


@pytest.mark.parametrize("ending", [Radio.drop, Radio.reset])
async def test_the_library_does_not_connect_again_by_itself(ending: Callable[[Radio], None]) -> None:
    async with linked() as (radio, _, link):
        ending(radio)
        await end(link)
        with pytest.raises(DisconnectedError):
            await link.send(b"late", port=PORTS.PRIVATE_APP, to=BOB)
        assert radio.connections == 1


async def test_a_radio_that_stalls_is_noticed_by_the_watchdog() -> None:
    async with linked(heartbeat=0.1) as (radio, _, link):
        await radio.until(lambda: radio.client and radio.client.heartbeats > 2)
        radio.stall()
        assert "no sign of life for 0.1 s" in str(await end(link))


def test_a_stall_is_noticed_within_ninety_seconds_however_it_is_configured() -> None:
    assert 2 * Config(connection="tcp://radio").heartbeat <= 90
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"connection": "tcp://radio", "heartbeat": 45.1}, Config)


async def test_a_quiet_radio_that_answers_heartbeats_stays_connected() -> None:
    async with linked(heartbeat=0.05) as (radio, bob, link):
        await radio.until(lambda: radio.client and radio.client.heartbeats > 10)
        bob.text("still here")
        assert await texts(link) == ["still here"]


async def test_a_radio_that_refuses_connections_is_named() -> None:
    async with Radio() as radio:
        await radio.refuse()
        gone = await reason(Link(config(radio)))
        assert f"no radio at 127.0.0.1:{radio.port}: it refuses the connection" in str(gone)
        assert gone.within == 60


async def test_a_radio_whose_name_is_not_known_is_named() -> None:
    gone = await reason(Link(Config(connection="tcp://no-such-radio.invalid")))
    assert "no radio at no-such-radio.invalid: " in str(gone)


@pytest.mark.parametrize("handshake", [Handshake.SILENT, Handshake.UNFINISHED, Handshake.WRONG_ID])
async def test_a_handshake_that_does_not_end_is_given_up(handshake: Handshake) -> None:
    async with Radio() as radio:
        radio.handshake = handshake
        gone = await reason(Link(config(radio, timeout=0.3)))
        assert "has told nothing of its configuration for 0.3 s" in str(gone)
        await radio.disconnected()
    await until(lambda: not threads())


async def test_a_radio_that_accepts_and_says_nothing_is_given_up() -> None:
    async with Radio() as radio:
        radio.stall()
        gone = await reason(Link(config(radio, timeout=0.3)))
        assert "has told nothing of its configuration" in str(gone)
        radio.unstall()
        await radio.disconnected()


async def test_a_slow_handshake_is_waited_for_as_long_as_it_goes_on() -> None:
    async with Radio() as radio:
        radio.handshake_delay = 0.02
        async with Link(config(radio, timeout=0.3)) as link:
            assert link.info.number == radio.own.number


@pytest.mark.parametrize("ending", [Radio.drop, Radio.reset])
async def test_an_end_in_the_middle_of_the_handshake_is_told_at_once(ending: Callable[[Radio], None]) -> None:
    async with Radio() as radio:
        radio.handshake = Handshake.UNFINISHED
        connecting = asyncio.create_task(reason(Link(config(radio))), name="connecting")
        await radio.until(lambda: radio.client and radio.client.asked)
        ending(radio)
        async with asyncio.timeout(PROMPT):
            gone = await connecting
        assert "radio at 127.0.0.1" in str(gone)


async def test_a_radio_that_starts_anew_in_the_middle_of_the_handshake_is_asked_again() -> None:
    async with Radio() as radio:
        radio.handshake = Handshake.UNFINISHED
        link = Link(config(radio))

        async def known() -> int:
            async with link:
                return len(link.known)

        opening = asyncio.create_task(known(), name="opening")
        await radio.until(lambda: radio.client and radio.client.asked)
        radio.handshake = Handshake.NORMAL
        radio.announce_reboot()
        assert await opening == 1
        assert radio.connections == 1


@pytest.mark.parametrize("handshake", [Handshake.SILENT, Handshake.UNFINISHED])
async def test_a_stop_in_the_middle_of_a_handshake_takes_less_than_two_seconds(handshake: Handshake) -> None:
    async with Radio() as radio:
        radio.handshake = handshake
        connecting = asyncio.create_task(reason(Link(config(radio))), name="connecting")
        await radio.until(lambda: radio.client and radio.client.asked)
        connecting.cancel()
        done, _ = await asyncio.wait([connecting], timeout=PROMPT)
        assert done
        assert connecting.cancelled()
        await radio.disconnected()
    await until(lambda: not threads())


async def test_a_stop_while_nothing_answers_the_connection_takes_less_than_two_seconds() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), socket.socket() as second:
            second.settimeout(0)
            second.connect_ex(("127.0.0.1", port))
            link = Link(Config(connection=f"tcp://127.0.0.1:{port}", timeout=1.5))
            connecting = asyncio.create_task(reason(link), name="connecting")
            await until(lambda: bool(threads()))
            connecting.cancel()
            done, _ = await asyncio.wait([connecting], timeout=PROMPT)
            assert done
            await until(lambda: not threads())


async def test_a_stop_while_the_library_hangs_takes_less_than_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "CLOSE", 0.1)
    async with linked() as (radio, _, link):
        interface = link._interface
        assert interface is not None
        monkeypatch.setattr(interface, "close", lambda: time.sleep(1.0))
        before = asyncio.get_running_loop().time()
        await link.__aexit__(None, None, None)
        assert asyncio.get_running_loop().time() - before < 0.9
        monkeypatch.undo()
        await asyncio.to_thread(interface.close)
        await radio.disconnected()
    await until(lambda: not threads())


async def test_a_second_client_is_diagnosed_and_not_fought() -> None:
    async with Radio() as radio, Rival(radio):
        rivals = Rivals(time.monotonic)
        endings: list[DisconnectedError] = []
        while not endings or not endings[-1].after:
            try:
                async with Link(config(radio), rivals=rivals) as link:
                    endings.append(await end(link))
            except DisconnectedError as error:
                endings.append(error)
        assert len(endings) == 3
        assert "another client is using this radio" in str(endings[-1])
        assert endings[-1].after >= 60


async def keep_sending(link: Link) -> None:
    while True:
        await link.send(b"late", port=PORTS.PRIVATE_APP, to=BOB)


async def test_a_radio_that_is_gone_when_something_is_sent_is_told_as_closed() -> None:
    async with linked() as (radio, _, link):
        await hear(link, QueueStatus)
        radio.reset()
        with pytest.raises(DisconnectedError) as gone:
            await keep_sending(link)
        assert gone.value is await end(link)
        assert gone.value.after == 0
        assert "closed" in str(gone.value) or "reset" in str(gone.value)


async def test_a_radio_that_goes_away_now_and_then_is_not_taken_for_one_with_another_client() -> None:
    clock = [0.0]
    async with Radio() as radio:
        rivals = Rivals(lambda: clock[0])
        for _ in range(5):
            async with Link(config(radio), rivals=rivals, clock=lambda: clock[0]) as link:
                clock[0] += 60
                radio.drop()
                gone = await end(link)
                assert "another client" not in str(gone)
                assert gone.after == 0


@pytest.mark.slow
@pytest.mark.parametrize("way", ["closed", "dropped", "torn", "refused", "unfinished"])
async def test_a_hundred_connections_leave_no_thread_socket_or_listener(way: str) -> None:
    await hundred(way, 100)


@pytest.mark.parametrize("way", ["closed", "dropped", "torn", "refused", "unfinished"])
async def test_a_few_connections_leave_no_thread_socket_or_listener(way: str) -> None:
    await hundred(way, 5)


async def hundred(way: str, times: int) -> None:
    async with Radio() as radio:
        async with Link(config(radio)):
            pass
        await until(lambda: not threads())
        await radio.disconnected()
        before = sockets()
        if way == "refused":
            await radio.refuse()
        if way == "unfinished":
            radio.handshake = Handshake.UNFINISHED
        for _ in range(times):
            link = Link(config(radio, timeout=0.05 if way == "unfinished" else 30.0))
            if way in {"refused", "unfinished"}:
                await reason(link)
                continue
            async with link:
                if way == "dropped":
                    radio.drop()
                elif way == "torn":
                    radio.reset()
                if way != "closed":
                    await end(link)
        await until(lambda: not threads())
        await radio.disconnected()
        await until(lambda: sockets() <= before)
        assert listening() == 0
        assert subscribed() == 0


def sockets() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def subscribed() -> int:
    topics = (pub.getDefaultTopicMgr().getTopic(f"meshtastic.{name}") for name in SUBSCRIBED)
    return sum(topic.getNumListeners() for topic in topics)
