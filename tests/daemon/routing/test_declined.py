"""What a radio on purpose does not answer: no failure, but not unseen."""

from pathlib import Path

import pytest

from jitney.adapters.errors import RefusedError
from jitney.daemon.routing.failures import BLOCKING, DECLINED, NEVER, UNSURE, FailedError, judge
from jitney.daemon.routing.planned import Planned
from tests.daemon.routing.doing import command, name, performing, planned


@pytest.mark.parametrize("code", sorted(DECLINED))
async def test_it_is_asked_once_and_leaves_nothing_but_a_count_and_a_word(tmp_path: Path, code: str) -> None:
    told: list[tuple[str, str]] = []

    def declined(one: Planned, why: str) -> None:
        told.append((name(one), why))

    async with performing(tmp_path) as stage:
        stage.executor.declined = declined
        stage.player.errors["answer"] = [RefusedError(code, "better not")]
        await stage.accept(planned(command("answer"), command("next")))
        await stage.did("next")
        assert [name(one) for one in stage.player.asked] == ["answer", "next"]
        assert await stage.rows() == await stage.rows("dead") == []
        assert stage.executor.waiting() == 0
        assert stage.counters.total("dropped", owner="alice", adapter="route", reason=code) == 1
        assert stage.counters.total("dead") == 0
    assert told == [("answer", f"{code}: better not")]


def test_no_code_means_two_things() -> None:
    assert not DECLINED & (NEVER | BLOCKING | UNSURE)
    assert judge(FailedError("cooling", "")).declined
    assert not judge(FailedError("timeout", "")).declined
