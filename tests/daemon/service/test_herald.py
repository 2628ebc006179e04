"""What the herald says aloud."""

import pytest

from jitney.daemon.service.herald import Herald
from jitney.daemon.service.notify import Notifier


def test_what_is_stuck_is_told_once_and_its_end_with_how_long_it_took(capsys: pytest.CaptureFixture[str]) -> None:
    now = 1000.0
    herald = Herald(Notifier({}, pid=1), clock=lambda: now)
    for seconds, stuck in ((0, []), (5, ["store"]), (10, ["store", "outbox"]), (47.3, []), (50, [])):
        now = 1000.0 + seconds
        herald._complain(list(stuck))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "parts of the bus are stuck" in lines[0]
    assert "everything turns again" in lines[1]
    assert "after_seconds=42.3" in lines[1]
