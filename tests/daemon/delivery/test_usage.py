"""What owners use, and the alert to whoever has used up a quota."""

from pathlib import Path

from msgspec import Raw
from msgspec.structs import replace

from jitney.daemon.config.limits import LimitSettings, OwnLimits
from jitney.daemon.config.schema import OwnerSettings
from jitney.daemon.delivery.usage import CALM, Usage
from jitney.topics import State
from tests.daemon.running import Daemon, config, running
from tests.fakes.mosquitto import Broker


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def watched(daemon: Daemon, clock: Clock, told: dict[tuple[str, str], str]) -> Usage:
    app = daemon.app

    def notice(owner: str, quota: str, message: str) -> None:
        told[owner, quota] = message

    return Usage(
        app.parts.limits,
        app.parts.doorkeeper,
        ledger=app.parts.ledger,
        outbox=app.parts.outbox,
        counters=app.parts.bus._counters,
        notice=notice,
        clock=clock,
    )


async def test_an_owner_who_is_over_a_quota_is_told_once_it_is_and_when_it_is_over(
    broker: Broker, tmp_path: Path
) -> None:
    async with running(config(broker.url, limits=LimitSettings(states=100)), tmp_path) as daemon:
        told: dict[tuple[str, str], str] = {}
        clock = Clock()
        usage = watched(daemon, clock, told)
        for number in range(150):
            daemon.context().set_state(State("alice", f"thing-{number}", Raw(b"1")))
        usage.look()
        assert list(told) == [("alice", "states")]
        assert "new ones are dropped" in told["alice", "states"]
        assert usage.limited == 1
        standing = usage.standings()["alice"]["states"]
        assert (standing.limit, standing.used) == (100, 100)
        assert standing.refused >= 50
        assert usage.standings()["bob"]["states"].refused == 0
        clock.now += CALM - 1
        usage.look()
        assert told["alice", "states"]
        clock.now += 1
        usage.look()
        assert told["alice", "states"] == ""
        assert usage.limited == 0


async def test_the_files_of_all_adapters_count_together(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url, adapters={"played": "_house", "other": "_house"})
    alice = OwnerSettings(id="alice", limits=OwnLimits(files_mb=1))
    settings = replace(settings, owners={**settings.owners, "alice": alice})
    async with running(settings, tmp_path) as daemon:
        played, other = daemon.context(), daemon.context("other")
        assert played.room("alice") == 1_000_000
        for context, number in ((played, 300_000), (other, 200_000)):
            folder = context.folder("alice") / "photos"
            folder.mkdir(parents=True)
            (folder / "one.jpg").write_bytes(bytes(number))
        assert played.room("alice") == 800_000
        assert other.room("alice") == 700_000
        assert played.room("bob") == 500_000_000
        told: dict[tuple[str, str], str] = {}
        played.count("files_full", owner="alice")
        watched(daemon, Clock(), told).look()
        assert list(told) == [("alice", "files")]
