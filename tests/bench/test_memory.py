from pathlib import Path

from bench.memory import House


def event(number: int) -> bytes:
    return b'{"id":"id%d","seq":%d,"data":{"attributes":{"bench_number": %d}}}' % (number, number, number)


def house(folder: Path, *, sent: int, arrived: list[int]) -> House:
    found = House(folder)
    found.home.sent = sent
    for number in arrived:
        found.arrivals.take("jitney/alice/event/home/state_changed", event(number))
    return found


def test_a_house_of_which_everything_arrived_is_complete(tmp_path: Path) -> None:
    found = house(tmp_path, sent=3, arrived=[1, 2, 3, 3])
    assert found.complete()
    assert found.compared().violations() == []


def test_what_was_sent_and_never_arrived_is_lost(tmp_path: Path) -> None:
    found = house(tmp_path, sent=4, arrived=[1, 3])
    assert not found.complete()
    assert [number for _, number in found.compared().lost] == [2, 4]
