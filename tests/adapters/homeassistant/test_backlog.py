"""The backlog: in order, bounded, patient only for as long as Home Assistant is."""

import asyncio

import msgspec
import pytest

from jitney.adapters.homeassistant import backlog
from jitney.adapters.homeassistant.backlog import Backlog

SOON = 5.0


class Bench:
    """A backlog of 1000 bytes with a clock that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0
        self.shed: list[int] = []
        self.odd: list[str] = []
        self.lost_answers = 0
        self.backlog = Backlog(
            lambda kind, _: self.odd.append(kind),
            shed=self.shed.append,
            lost_answer=self._lose,
            most_bytes=1000,
            clock=lambda: self.now,
        )

    def _lose(self) -> None:
        self.lost_answers += 1


def change(entity_id: str, state: str, *, old: str = "0", pad: int = 100) -> bytes:
    new = {"state": state, "attributes": {"pad": "x" * pad}, "last_changed": "", "last_updated": ""}
    data = {"entity_id": entity_id, "new_state": new, "old_state": {"state": old}}
    return msgspec.json.encode({"type": "event", "event": {"event_type": "state_changed", "data": data}})


async def taken(bench: Bench) -> tuple[list[backlog.Shed], list[bytes]]:
    async with asyncio.timeout(SOON):
        return await bench.backlog.take()


async def test_frames_come_out_in_order_a_slice_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "SLICE_BYTES", 5)
    bench = Bench()
    for frame in (b"one", b"two", b"three"):
        assert bench.backlog.offer(frame)
    assert await taken(bench) == ([], [b"one", b"two"])
    assert await taken(bench) == ([], [b"three"])


async def test_no_more_is_taken_in_than_fits_but_one_frame_always() -> None:
    bench = Bench()
    assert bench.backlog.offer(b"x" * 5000)
    assert not bench.backlog.offer(b"y")
    await taken(bench)
    assert bench.backlog.offer(b"y")


async def test_the_reader_waits_for_room_and_nothing_is_left_out() -> None:
    bench = Bench()
    bench.backlog.offer(b"x" * 900)
    assert not bench.backlog.offer(b"y" * 200)
    waiting = asyncio.create_task(bench.backlog.make_room())
    await asyncio.sleep(0)
    await taken(bench)
    async with asyncio.timeout(SOON):
        await waiting
    assert bench.shed == []


async def test_patience_is_used_up_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "PATIENCE", 0.05)
    loop = asyncio.get_running_loop()
    bench = Bench()

    async def waited() -> bool:
        bench.backlog.offer(change("light.a", "1"))
        began, handle = loop.time(), loop.call_later(0.04, lambda: setattr(bench, "now", bench.now + 1))
        await bench.backlog.make_room()
        handle.cancel()
        return loop.time() - began > 0.03

    assert await waited()
    assert not await waited()
    bench.now += 10
    assert await waited()


async def test_the_newest_of_every_entity_is_kept_from_the_state_that_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "PATIENCE", 0.0)
    bench = Bench()
    for entity_id, state, old in (("light.a", "1", "0"), ("light.b", "5", "4"), ("light.a", "2", "1")):
        bench.backlog.offer(change(entity_id, state, old=old, pad=1))
    await bench.backlog.make_room()
    bench.backlog.offer(change("light.a", "3", old="2", pad=1))
    await bench.backlog.make_room()
    bench.backlog.offer(b"later")
    shed, frames = await taken(bench)
    assert [(one.change.data.entity_id, one.skipped) for one in shed] == [("light.b", 0), ("light.a", 2)]
    newest = shed[1].change.data
    assert newest.old_state is not None
    assert (newest.old_state.state, getattr(newest.new_state, "state", None)) == ("0", "3")
    assert frames == [b"later"]
    assert bench.shed == [1, 1]


async def test_an_answer_that_is_left_out_is_reported_and_other_events_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backlog, "PATIENCE", 0.0)
    bench = Bench()
    bench.backlog.offer(b'{"id":5,"type":"result","success":true,"result":[]}')
    bench.backlog.offer(b'{"type":"event","event":{"event_type":"doorbell","data":{}}}')
    bench.backlog.offer(b'{"type":')
    await bench.backlog.make_room()
    assert (bench.lost_answers, bench.shed, bench.odd) == (1, [1], ["not_json"])


async def test_what_is_discarded_never_comes_out() -> None:
    bench = Bench()
    bench.backlog.offer(b"old")
    bench.backlog.discard()
    assert bench.backlog.offer(b"x" * 5000)
    bench.backlog.keep()
    bench.backlog.offer(b"new")
    assert await taken(bench) == ([], [b"new"])
