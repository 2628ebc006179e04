"""The states of an owner: so many, and no more."""

from pathlib import Path

import pytest
from msgspec import Raw
from msgspec.structs import replace

from jitney.daemon.config.limits import LimitSettings
from jitney.topics import State
from tests.daemon.running import config, running
from tests.fakes.mosquitto import Broker


async def test_one_state_too_many_is_dropped_and_counted_and_those_there_are_go_on(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()
        await daemon.drained()
        there = sum(line.owner == "alice" for line in daemon.app.parts.ledger.lines.values())
        monkeypatch.setattr(daemon.app.parts.limits, "of", lambda _: replace(LimitSettings(), states=there + 2))
        for number in range(4):
            daemon.context().set_state(State("alice", f"light-{number}", Raw(b"1")))
        daemon.context().set_state(State("alice", "light-1", Raw(b"2")))
        daemon.context().set_state(State("bob", "light-9", Raw(b"1")))
        lines = {topic.rpartition("/")[2]: line.payload for topic, line in daemon.app.parts.ledger.lines.items()}
        assert {name: lines[name] for name in lines if name.startswith("light")} == {
            "light-0": b"1",
            "light-1": b"2",
            "light-9": b"1",
        }
        assert daemon.app.parts.bus._counters.total("dropped", owner="alice", reason="too_many_states") == 2
