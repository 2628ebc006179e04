"""What processes write goes into the log, as far as there is room."""

import pytest

from jitney.daemon.log import bound
from jitney.daemon.scripts.printed import LONGEST_LINE, MOST_BYTES, MOST_LINES, Printed


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def printed(clock: Clock | None = None) -> tuple[Printed, list[int]]:
    floods: list[int] = []
    return Printed(file="a.py", owner="alice", too_much=lambda: floods.append(1), clock=clock or Clock()), floods


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if "a.py" in line]


async def test_lines_are_put_together_and_told_with_file_and_owner(capsys: pytest.CaptureFixture[str]) -> None:
    one, _ = printed()
    for part in (b"first", b" line\nsec", "ond λ\n".encode(), b"\n\xff third\r\nnot yet"):
        one.data_received(part)
    lines = told(capsys)
    assert len(lines) == 3
    assert all("owner=alice" in line for line in lines)
    assert list(one.last) == ["first line", "second λ", "� third"]


async def test_in_a_minute_there_are_only_so_many_and_then_how_many_more(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    one, _ = printed(clock)
    one.data_received(b"x\n" * (MOST_LINES + 30))
    assert len(told(capsys)) == MOST_LINES
    clock.now += 59.9
    one.say("y")
    assert told(capsys) == []
    clock.now += 0.1
    one.say("z", "warning")
    first, second = told(capsys)
    assert "lines=31" in first
    assert "text=z" in second
    one.say("more")
    one.summarise()
    assert len(told(capsys)) == 1


async def test_what_is_too_much_is_told_once_and_not_kept(capsys: pytest.CaptureFixture[str]) -> None:
    one, floods = printed()
    for _ in range(64):
        one.data_received(b"x" * (MOST_BYTES // 64))
    assert (floods, one.flooded) == ([], False)
    for _ in range(3):
        one.data_received(b"x")
    assert (floods, one.flooded) == ([1], True)
    assert told(capsys) == []


async def test_every_event_may_write_as_much_again() -> None:
    one, floods = printed()
    for _ in range(5):
        one.begin()
        one.data_received(b"x\n" * (MOST_BYTES // 4))
    assert floods == []


async def test_a_long_line_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    one, _ = printed()
    one.data_received(b"z" * 100_000)
    one.data_received(b"y\n")
    (line,) = told(capsys)
    assert line.count("z") <= LONGEST_LINE
    assert "y" not in one.last[0]


async def test_where_a_process_is_comes_from_the_innermost_line_in_its_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one, _ = printed()
    one.data_received(b'  File "/x/a.py", line 1 in no\n')
    assert len(told(capsys)) == 1
    one.await_dump("/x/a.py")
    one.data_received(
        b"Current thread 0x00007f (most recent call first):\n"
        b'  File "/lib/json.py", line 2 in loads\n  File "/x/a.py", line 14 in inner\n  File "/x/a.py", line 20 in f\n'
    )
    assert one.placed.is_set()
    assert one.place == (14, "inner")
    assert told(capsys) == []


async def test_a_line_is_about_the_event_that_is_answered_and_not_about_the_one_that_started_the_process(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one, _ = printed()
    with bound(adapter="route", event_id="event-1"):
        one.data_received(b"while it started\n")
        for number in (1, 2):
            with bound(event_id=f"event-{number}"):
                one.begin()
            one.data_received(b"answering\n")
    started, first, second = told(capsys)
    assert "event_id" not in started
    assert "event_id=event-1" in first
    assert "event_id=event-2" in second
    assert all("owner=alice" in line for line in (started, first, second))


async def test_how_many_lines_were_left_out_is_about_no_event(capsys: pytest.CaptureFixture[str]) -> None:
    one, _ = printed()
    with bound(event_id="event-1"):
        one.begin()
        one.data_received(b"x\n" * (MOST_LINES + 2))
        told(capsys)
        one.summarise()
    (line,) = told(capsys)
    assert "lines=2" in line
    assert "event_id" not in line
