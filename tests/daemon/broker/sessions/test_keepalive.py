"""Pings come in time; silence ends it, unless nobody reads."""

import asyncio

from jitney.daemon.broker.sessions.keepalive import KeepAlive

SHORT = 0.08


class Peer:
    """Counts what the keep-alive does; answers pings while ``answers`` is set."""

    def __init__(self, *, answers: bool) -> None:
        self.answers = answers
        self.pings = 0
        self.deaths = 0
        self.changed = asyncio.Event()
        self.alive = KeepAlive(SHORT, ping=self.ping, dead=self.dead)

    def ping(self) -> None:
        self.pings += 1
        if self.answers:
            self.alive.heard()
        self.changed.set()

    def dead(self) -> None:
        self.deaths += 1
        self.changed.set()

    async def until_pinged(self, times: int) -> None:
        async with asyncio.timeout(10):
            while self.pings < times and not self.deaths:
                self.changed.clear()
                await self.changed.wait()


async def test_a_peer_that_answers_is_pinged_on_and_on() -> None:
    peer = Peer(answers=True)
    peer.alive.start()
    await peer.until_pinged(8)
    peer.alive.stop()
    assert (peer.pings, peer.deaths) == (8, 0)


async def test_a_peer_that_says_nothing_is_dead_after_one_and_a_half_intervals_and_only_once() -> None:
    peer = Peer(answers=False)
    began = asyncio.get_running_loop().time()
    peer.alive.start()
    await peer.until_pinged(100)
    assert asyncio.get_running_loop().time() - began >= SHORT * 1.5 - 0.001
    assert peer.deaths == 1
    assert peer.pings == 2


async def test_while_paused_a_silent_peer_is_pinged_and_lives() -> None:
    peer = Peer(answers=False)
    peer.alive.start()
    peer.alive.pause()
    await peer.until_pinged(6)
    assert peer.deaths == 0
    peer.alive.resume()
    await peer.until_pinged(100)
    assert peer.deaths == 1


async def test_once_stopped_nothing_is_called() -> None:
    peer = Peer(answers=False)
    peer.alive.start()
    peer.alive.stop()
    await asyncio.sleep(SHORT)
    assert (peer.pings, peer.deaths) == (0, 0)
