import pytest

from jitney.daemon.log import Decay


class Written:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, object]]] = []

    def debug(self, event: str, **fields: object) -> None:
        self.lines.append(("debug", event, fields))

    def info(self, event: str, **fields: object) -> None:
        self.lines.append(("info", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self.lines.append(("warning", event, fields))

    def error(self, event: str, **fields: object) -> None:
        raise AssertionError(event, fields)

    exception = error

    def levels(self) -> list[str]:
        return [level for level, _, _ in self.lines]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
def decay(written: Written, clock: Clock) -> Decay:
    return Decay(written, clock=clock)


def test_the_first_failure_is_a_warning_and_the_same_again_is_not(decay: Decay, written: Written) -> None:
    for _ in range(5):
        decay.failed("no connection", reason="refused", url="x")
    assert written.levels() == ["warning", "debug", "debug", "debug", "debug"]
    assert written.lines[0] == ("warning", "no connection", {"reason": "refused", "url": "x"})


def test_the_recovery_tells_how_long_it_took_and_how_many_failures(
    decay: Decay, written: Written, clock: Clock
) -> None:
    decay.failed("no connection", reason="refused")
    clock.now += 61.23
    decay.failed("no connection", reason="refused")
    clock.now += 1
    decay.recovered("connected", url="x")
    assert written.lines[-1] == ("info", "connected", {"url": "x", "after_seconds": 62.2, "failures": 2})


def test_a_success_without_a_failure_before_it_speaks_of_none(decay: Decay, written: Written) -> None:
    decay.recovered("connected")
    assert written.lines == [("info", "connected", {})]


def test_after_a_recovery_the_next_failure_is_a_warning_again(decay: Decay, written: Written) -> None:
    for _ in range(2):
        decay.failed("no connection", reason="refused")
        decay.recovered("connected")
    assert written.levels() == ["warning", "info", "warning", "info"]


def test_another_reason_is_news_but_not_another_number_in_it(decay: Decay, written: Written) -> None:
    decay.failed("no connection", reason="no answer within 10 s")
    decay.failed("no connection", reason="no answer within 12 s")
    decay.failed("no connection", reason="wrong password")
    decay.failed("not authorised", reason="wrong password")
    assert written.levels() == ["warning", "debug", "warning", "warning"]


def test_reasons_that_are_always_new_do_not_fill_the_log(decay: Decay, written: Written) -> None:
    for number in range(100):
        decay.failed("no connection", reason="x" * number)
    assert written.levels().count("warning") == 8


def test_what_works_is_told_only_if_it_did_not_before(decay: Decay, written: Written, clock: Clock) -> None:
    decay.over("works again")
    decay.failed("does not work", reason="x")
    clock.now += 5
    decay.over("works again", owner="alice")
    decay.over("works again")
    assert [(level, fields) for level, _, fields in written.lines] == [
        ("warning", {"reason": "x"}),
        ("info", {"owner": "alice", "after_seconds": 5.0, "failures": 1}),
    ]


def test_of_crashes_the_first_of_each_type_has_its_traceback(clock: Clock) -> None:
    written = Traced()
    decay = Decay(written, clock=clock)
    for broken in (lambda: int("x"), lambda: int("y"), lambda: {}["x"]):
        try:
            broken()
        except (ValueError, KeyError):
            decay.crashed("it crashed", what="y")
    assert written.levels() == ["error", "debug", "error"]
    assert written.lines[1] == ("debug", "it crashed", {"kind": "ValueError", "failures": 2, "what": "y"})


class Traced(Written):
    def exception(self, event: str, **fields: object) -> None:
        self.lines.append(("error", event, fields))
