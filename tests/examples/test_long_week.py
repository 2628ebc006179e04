"""A week of long rides is told once, whatever is edited or deleted in it."""

import json
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from jitney.daemon.cli import main
from jitney.daemon.config.load import load
from tests.at_strava import PUBLIC
from tests.daemon.running import Daemon, running
from tests.examples.living import CONFIG, EXAMPLES, SECRET, Household, household
from tests.fakes.mosquitto import Broker
from tests.waiting import until

WEEK = 7 * 86_400.0


def written(house: Household, folder: Path) -> Path:
    """Write the configuration of a house, with the example beside it."""
    shutil.copy(EXAMPLES / "long-week.py", folder)
    words = {
        "state": json.dumps(str(folder / "state")),
        "broker": house.broker.url,
        "public": PUBLIC,
        "home": house.home.url,
        "radio": house.radio.connection,
        "radio_of": "alice",
        "api": house.strava.api_url,
        "oauth": house.strava.oauth_url,
    }
    path = folder / "config.toml"
    path.write_text(CONFIG.format_map(words) + '[routing]\npython = ["long-week.py"]\n', encoding="utf-8")
    return path


@asynccontextmanager
async def living(broker: Broker, folder: Path) -> AsyncIterator[tuple[Household, Daemon]]:
    async with household(broker) as house:
        settings = load(written(house, folder), environ={"HOME_TOKEN": house.home.token, "STRAVA_SECRET": SECRET})
        async with running(settings, folder / "state") as daemon:
            house.strava.lead(PUBLIC, f"http://127.0.0.1:{daemon.app.parts.doors.port}")
            await daemon.connected()
            await until(lambda: all(daemon.app.parts.runners[name].context.is_online for name in settings.adapters))
            yield house, daemon


async def test_the_goal_of_a_week_is_told_once_on_the_mesh_and_on_the_phone(broker: Broker, tmp_path: Path) -> None:
    async with living(broker, tmp_path) as (house, daemon):
        alice, bob = await house.sign_in("alice", 1001), await house.sign_in("bob", 1002)
        start = time.time() - 7200
        alice.add_activity(name="Last week", distance=90_000.0, start=start - WEEK)
        alice.add_activity(name="Out", distance=60_000.0, start=start)
        run = alice.add_activity(name="No run", sport_type="Run", distance=1500.0, start=start)
        alice.add_activity(name="Nobody's business", distance=99_000.0, private=True, start=start)
        bob.add_activity(name="Twice as far", distance=120_000.0, start=start)
        gone = alice.add_activity(name="A mistake", distance=30_000.0, start=start)
        await house.observer.until(lambda: len(house.told("alice", "strava", "activity.created")) == 4)
        await house.observer.until(lambda: house.told("alice", "strava", "activity.updated"))  # that of last week
        await house.observer.until(lambda: house.told("bob", "strava", "activity.created"))
        gone.delete()
        await house.observer.until(lambda: house.told("alice", "strava", "activity.deleted"))
        alice.add_activity(name="Nearly", distance=39_000.0, start=start)
        await house.observer.until(lambda: len(house.told("alice", "strava", "activity.created")) == 5)
        await house.settled(daemon)
        assert house.said("alice") == []
        run.edit(sport_type="Ride")
        await house.observer.until(lambda: house.said("alice"))
        alice.add_activity(name="One more", distance=10_000.0, start=start)
        await house.observer.until(lambda: len(house.told("alice", "strava", "activity.created")) == 6)
        await house.settled(daemon)
        assert house.said("alice") == ["Alice rode 100 km this week"]
        assert house.notified() == [
            {"title": "Alice rode 100 km this week", "message": "In 3 rides, the goal was 100 km"}
        ]
        assert not house.said("bob")


async def test_the_example_is_right_as_it_stands(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with household(broker) as house:
        path = written(house, tmp_path)
        monkeypatch.setenv("HOME_TOKEN", house.home.token)
        monkeypatch.setenv("STRAVA_SECRET", SECRET)
        assert main(["check", "-c", str(path)]) == 0
        assert main(["routes", "test", "-c", str(path)]) == 0
    assert "2 tests, none failed" in capsys.readouterr().err
