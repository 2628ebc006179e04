"""A radio that gives no sign of life is noticed after two intervals at the latest, and no other."""

import asyncio

import pytest

from jitney.adapters.errors import DisconnectedError
from jitney.adapters.meshtastic.watchdog import Watchdog

INTERVAL = 30.0


class House:
    """A radio under a clock that the watchdog turns by waiting."""

    def __init__(self, *, silent_from: float = float("inf"), noisy: bool = False, ends: float = 600.0) -> None:
        self.now = 0.0
        self.frames = 0
        self.beats: list[float] = []
        self._silent_from = silent_from
        self._noisy = noisy
        self._ends = ends

    async def beat(self) -> None:
        self.beats.append(self.now)
        if self.now < self._silent_from and not self._noisy:
            self.frames += 1

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self._noisy:
            self.frames += 1
        if self.now >= self._ends:
            raise asyncio.CancelledError

    def dog(self) -> Watchdog:
        return Watchdog(beat=self.beat, heard=lambda: self.frames, interval=INTERVAL, sleep=self.sleep)


@pytest.mark.parametrize("silent_from", [0.0, 0.1, 29.9, 30.0, 30.1, 299.0])
async def test_silence_is_noticed_within_two_intervals(silent_from: float) -> None:
    house = House(silent_from=silent_from)
    with pytest.raises(DisconnectedError, match="no sign of life for 30 s"):
        await house.dog().run()
    assert silent_from < house.now <= silent_from + 2 * INTERVAL


async def test_a_radio_that_answers_is_asked_again_and_again() -> None:
    house = House()
    with pytest.raises(asyncio.CancelledError):
        await house.dog().run()
    assert house.beats == [number * INTERVAL for number in range(20)]


async def test_anything_that_comes_is_a_sign_of_life() -> None:
    house = House(noisy=True)
    with pytest.raises(asyncio.CancelledError):
        await house.dog().run()
    assert house.now == 600.0


async def test_a_heartbeat_that_cannot_be_sent_ends_the_watch() -> None:
    async def beat() -> None:
        raise DisconnectedError("the radio takes nothing any more")

    house = House()
    dog = Watchdog(beat=beat, heard=lambda: 0, interval=INTERVAL, sleep=house.sleep)
    with pytest.raises(DisconnectedError, match="takes nothing any more"):
        await dog.run()
