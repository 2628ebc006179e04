"""Strava at the daemon's door when it storms: bursts, kills and strangers. Nothing that was answered 200 is lost."""

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import uniform

import msgspec
import pytest

from jitney.adapters.strava.deliveries import delivery
from tests.at_strava import PUBLIC, SLOTS, House, Process, household, newest, process, rows, tables, tree
from tests.fakes.mosquitto import Broker
from tests.fakes.strava import Delivery, FakeStrava, trouble
from tests.waiting import until

TEN = {f"owner{number}": "one" if number % 2 else "two" for number in range(10)}
FOUR = {"alice": "one", "bob": "one", "carol": "two", "dora": "two"}
TWO = {"alice": "one", "bob": "two"}
EDITS = 4


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_thousand_deliveries_become_one_created_event_and_one_state_for_each_activity(
    broker: Broker, tmp_path: Path
) -> None:
    async with FakeStrava() as strava, household(strava, broker.port, tmp_path, people=TEN) as (house, daemon):
        for number, owner in enumerate(TEN, start=2001):
            await house.connect(owner, number)
        strava.automatic = False
        for athlete in house.athletes.values():
            for number in range(SLOTS):
                ride = athlete.add_activity(start=strava.world.clock() - 4000.0 * (number + 1))
                for edit in range(EDITS):
                    ride.edit(name=f"Ride {number}, edit {edit}")
        answered = await strava.deliver_all(shuffled=True, twice=True)
        assert len(answered) == 1000
        assert Counter((len(one.attempts), one.delivered) for one in answered) == {(1, True): 1000}
        for owner in TEN:
            await house.digested(owner, seconds=60)
        await until(lambda: len(house.events()) >= len(TEN) * SLOTS)
        await daemon.drained()
        for owner, athlete in house.athletes.items():
            told = Counter(house.told(owner))
            assert told == {("strava.activity.created", f"activity/{one.id}"): 1 for one in athlete.activities}
            assert house.shown(owner) == newest(athlete.activities)
        assert strava.count("GET", "/activities/*") == len(TEN) * SLOTS


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_no_delivery_that_was_answered_is_lost_when_the_daemon_is_killed_before_it_has_looked(
    broker: Broker, tmp_path: Path
) -> None:
    async with (
        FakeStrava(automatic=False) as strava,
        process(strava, broker.port, tmp_path, people=FOUR) as (house, daemon),
    ):
        for number, owner in enumerate(FOUR, start=3001):
            await house.connect(owner, number)
        killer = Killer(house, daemon, folder=tmp_path)
        for kill in (killer.while_it_is_told, killer.before_it_looks, killer.while_it_looks, killer.while_it_tells) * 2:
            killer.live()
            await kill()
            killer.verify()
            await daemon.start()
        await strava.deliver_all()
        accepted = killer.accepted()
        assert len(accepted) > 4 * 8 * 2
        for owner, athlete in house.athletes.items():
            await house.digested(owner, seconds=60)
            there = [one for one in athlete.activities if one.id in accepted]
            subjects = {f"activity/{one.id}" for one in there}
            await until(lambda: house.created(owner).keys() == subjects)  # noqa: B023
            assert {len(set(ids)) for ids in house.created(owner).values()} == {1}
            await until(lambda: house.shown(owner) == newest(there))  # noqa: B023
            recent = (f"recent_{slot}" for slot in range(1, SLOTS + 1))
            assert house.topics(f"jitney/{owner}/") == tree(owner, "latest_ride", *recent)
        assert await daemon.stop() == 0
        assert len({event.id for event in house.events()}) == len({(one.owner, one.seq) for one in house.events()})
        written = daemon.log.read_text(encoding="utf-8")
        secrets = [*strava.world.grants.accesses, *strava.world.grants.refreshes, *strava.world.grants.codes]
        assert not [secret for secret in secrets if secret in written]


class Killer:
    """Lets people live, has Strava tell of it, and kills the daemon in the middle."""

    def __init__(self, house: House, daemon: Process, *, folder: Path) -> None:
        self._house = house
        self._daemon = daemon
        self._folder = folder

    def live(self) -> None:
        """Let everybody do three things that only a delivery tells of, because they are not in Strava's lists."""
        for athlete in self._house.athletes.values():
            for _ in range(3):
                ride = athlete.add_activity(seconds=600)
                ride.unlisted = True
                ride.edit(name=f"Ride {ride.id}")

    async def while_it_is_told(self) -> None:
        """Kill it among its answers."""
        self._kill_within(0.05)
        await self._house.strava.deliver_all(at_once=4)
        await self._daemon.ended()

    async def before_it_looks(self) -> None:
        """Kill it when it has answered everything, and waits whether there is more."""
        await self._house.strava.deliver_all()
        self._kill_within(1.5)
        await self._daemon.ended()

    async def while_it_looks(self) -> None:
        """Kill it while Strava holds its answers back."""
        held = self._house.strava.play(trouble.hang(), "/activities/*", method="GET", times=1000)
        await self._house.strava.deliver_all()
        await self._house.strava.until(lambda: held.waiting == len(FOUR))
        self._kill_within(1.0)
        await self._daemon.ended()
        held.stop()
        held.cut()

    async def while_it_tells(self) -> None:
        """Kill it while it looks, tells and remembers."""
        looks = self._house.strava.count("GET", "/activities/*")
        await self._house.strava.deliver_all()
        await self._house.strava.until(lambda: self._house.strava.count("GET", "/activities/*") > looks)
        self._kill_within(0.1)
        await self._daemon.ended()

    def accepted(self) -> set[int]:
        """Return the activities of which a delivery was answered 200."""
        return {one.event["object_id"] for one in self._house.strava.deliveries if one.delivered}

    def verify(self) -> None:
        """Find every delivery that was answered 200 on disk, waiting or done."""
        kept = rows(self._folder, "SELECT key FROM kept WHERE key LIKE 'delivery/%' OR key LIKE 'seen/%'")
        known = {key.rpartition("/")[2] for (key,) in kept}
        lost = [one.event for one in self._house.strava.deliveries if one.delivered and key_of(one) not in known]
        assert not lost

    def _kill_within(self, seconds: float) -> None:
        moment = uniform(0, seconds)  # noqa: S311 - any moment will do
        asyncio.get_running_loop().call_later(moment, self._daemon.kill)


def key_of(told: Delivery) -> str:
    """Return the key under which a delivery is kept."""
    event = told.event
    return delivery(
        app="",
        owner="",
        subscription=event["subscription_id"],
        object_type=event["object_type"],
        object_id=event["object_id"],
        aspect=event["aspect_type"],
        event_time=event["event_time"],
        updates=event["updates"],
        arrived=0.0,
    ).key


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_flood_of_strangers_costs_no_call_and_no_byte_and_holds_no_owner_up(
    broker: Broker, tmp_path: Path
) -> None:
    async with (
        FakeStrava(automatic=False) as strava,
        household(strava, broker.port, tmp_path, people=TWO) as (house, daemon),
    ):
        await house.connect("alice", 1001)
        bob = await house.connect("bob", 1002)
        await daemon.drained()
        assert await daemon.app.parts.audit._settled()
        calls, kept, said = len(strava.calls), on_disk(tmp_path), len(house.observer.messages)
        strangers = Strangers(house)
        await asyncio.gather(*(strangers.come(while_=lambda: strangers.answers.total() < 3000) for _ in range(32)))
        assert set(strangers.answers) == {200, 400, 404, 429}
        assert len(strava.calls) == calls
        assert on_disk(tmp_path) == kept
        news = {str(message.topic).rpartition("/")[2] for message in house.observer.messages[said:]}
        assert news <= {"health", "quota"}
        rides = [bob.add_activity(name=f"Ride {number}", seconds=600) for number in range(100)]
        is_over = False
        async with asyncio.TaskGroup() as group:
            for _ in range(32):
                group.create_task(strangers.come(while_=lambda: not is_over), name="strangers")
            answered = await strava.deliver_all(at_once=8)
            await house.digested("bob", seconds=60)
            is_over = True
        assert Counter((len(one.attempts), one.delivered) for one in answered) == {(1, True): 100}
        await until(lambda: house.created("bob").keys() == {f"activity/{ride.id}" for ride in rides})
        assert house.shown("bob") == newest(rides)
        assert not house.events("alice")
        assert set(strangers.answers) == {200, 400, 404, 429}
        assert strangers.answers.total() > 3500


class Strangers:
    """People who know nothing, or the way to the webhook of both apps and nobody's number."""

    def __init__(self, house: House) -> None:
        self.answers: Counter[int] = Counter()
        self._house = house
        self._number = count(1)

    async def come(self, *, while_: Callable[[], bool]) -> None:
        """Post one thing after the other."""
        while while_():
            url, body = self._next(next(self._number))
            attempt = await self._house.strava.callbacks.post(url, body)
            self.answers[attempt.status] += 1

    def _next(self, number: int) -> tuple[str, bytes]:
        strava, owner = self._house.strava, ("alice", "bob")[number // 4 % 2]
        url = self._house.callback(owner)
        event = strava.event(self._house.app(owner), 660_000 + number, object_id=number)
        match number % 4:
            case 0:
                return f"{PUBLIC}/strava/webhook/{self._house.people[owner]}/{number:032}", msgspec.json.encode(event)
            case 1:
                return url, b'{"object_type": "activity", "object_id": %d}' % number
            case 2:
                theirs = self._house.athletes[owner]
                other = strava.event(self._house.app(owner), theirs, subscription_id=number, object_id=number)
                return url, msgspec.json.encode(other)
        return url, msgspec.json.encode(event)


def on_disk(folder: Path) -> dict[str, str]:
    """Return what the state file has, but for what changes with the time: calls that are left, ends of states."""
    left = rows(folder, "SELECT * FROM kept WHERE key NOT LIKE 'limits/%'")
    return tables(folder) | {"kept": repr(left), "retained": ""}
