"""When an owner's devices are declared, and that they follow from what is retained of that owner alone."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from jitney.adapters.base import Owner
from jitney.adapters.entities import Device
from jitney.adapters.strava.config import Identity, Privacy, Show
from tests.adapters.strava.playing import Household, Turned, household, running
from tests.fakes.strava import Athlete

WITH_PHOTOS = {"alice": Identity(show=Show(photos=True, photo_seconds=15))}


def declared(house: Household, owner: str) -> dict[str, Device]:
    """Return the devices of an owner by key."""
    return {device.key: device for device in house.ctx.devices.get(owner, ())}


def entities(house: Household, owner: str, device: str = "") -> set[str]:
    """Return the keys of the entities of a device."""
    found = declared(house, owner)
    return {entity.key for entity in found[device].entities} if device in found else set()


async def connected(house: Household, owner: str, number: int) -> Athlete:
    """Sign an owner in who has a bike and has ridden."""
    athlete = house.strava.athlete(number, firstname=owner.title())
    athlete.add_bike(f"Bike of {owner}", distance=1000.0 * number)
    athlete.add_activity(sport_type="GravelRide", name=f"Ride of {owner}")
    await house.sign_in(owner, athlete)
    await house.ctx.until(lambda: any(key.startswith("gear") for key in declared(house, owner)))
    return athlete


async def test_who_signs_in_has_devices_of_what_is_retained(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        assert not house.ctx.devices
        alice = await connected(house, "alice", 1001)
        found = declared(house, "alice")
        gear = f"gear_{next(iter(alice.gear))}"
        assert set(found) == {"", "recent_1", "latest_gravel_ride", gear, "stats"}
        assert found[""].name == "Strava Alice"
        assert found[gear].name == "Strava Alice Bike of alice"
        assert found[""].url == "https://www.strava.com/athletes/1001"
        run = alice.add_activity(sport_type="TrailRun", name="Up")
        await house.ctx.until(lambda: "latest_trail_run" in declared(house, "alice"))
        assert declared(house, "alice")["recent_1"].url == f"https://www.strava.com/activities/{run.id}"
        assert "bob" not in house.ctx.devices


async def test_two_athletes_have_nothing_of_each_other(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        await connected(house, "alice", 1001)
        await connected(house, "bob", 1002)
        for owner, other, number in (("alice", "bob", "1002"), ("bob", "alice", "1001")):
            told = repr(house.ctx.devices[owner])
            assert f"Bike of {owner}" in told
            assert f"Bike of {other}" not in told
            assert number not in told


async def test_devices_are_declared_before_the_adapter_is_online(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identities = {"bob": Identity(athlete=1002)}
    async with household(tmp_path, owners=("alice", "bob", "carol"), identities=identities) as house:
        await connected(house, "alice", 1001)
        await house.stop()
        before = dict(house.ctx.devices)
        house.ctx.devices.clear()
        first: list[dict[str, Any]] = []
        online = house.ctx.online

        def watched() -> None:
            first.append(dict(house.ctx.devices))
            online()

        monkeypatch.setattr(house.ctx, "online", watched)
        async with running(house.strava, house.ctx, house.apps, house.timing):
            assert first[0]["alice"] == before["alice"]
            assert first[0].keys() == {"alice", "bob"}


async def test_somebody_who_is_expected_has_one_device_that_says_so(tmp_path: Path) -> None:
    identities = {"alice": Identity(athlete=1001), "bob": Identity(app="of another adapter")}
    async with household(tmp_path, identities=identities) as house:
        assert {owner: len(devices) for owner, devices in house.ctx.devices.items()} == {"alice": 1}
        assert entities(house, "alice") == {"sign_in"}


async def test_who_disconnects_keeps_one_device_with_nothing_of_strava(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        await connected(house, "alice", 1001)
        bob = await connected(house, "bob", 1002)
        await house.command("alice", "disconnect")
        assert list(declared(house, "alice")) == [""]
        assert entities(house, "alice") == {"sign_in"}
        assert "1001" not in repr(house.ctx.devices["alice"])
        house.strava.revoke(house.apps["main"], bob)
        await house.ctx.until(lambda: entities(house, "bob") == {"sign_in"})
        assert list(declared(house, "bob")) == [""]
        await house.stop()
        house.ctx.devices.clear()
        async with running(house.strava, house.ctx, house.apps, house.timing) as again:
            assert entities(again, "bob") == {"sign_in"}
            _, link = again.ctx.alerts["bob", "sign_in"]
            await again.strava.consent(link, bob)
            await again.ctx.until(lambda: "recent_1" in declared(again, "bob"))


async def test_erasing_somebody_who_is_configured_no_more_declares_nothing(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        await connected(house, "alice", 1001)
        await house.stop()
        house.ctx.devices.clear()
        house.ctx.owners = {"bob": Owner("bob", "Bob")}
        async with running(house.strava, house.ctx, house.apps, house.timing) as again:
            await again.adapter.erase("alice")
            assert not again.ctx.devices


async def test_devices_are_declared_again_only_when_they_have_changed(tmp_path: Path) -> None:
    timing = Turned()
    async with household(tmp_path, timing=timing) as house:
        alice = house.strava.athlete(1001, firstname="Alice")
        ride = alice.add_activity(name="Lunch")
        await house.sign_in("alice", alice)
        await house.go_on(until=lambda: house.state("alice", "stats") is not None)
        before = house.ctx.devices["alice"]
        ride.edit(name="Long lunch")
        await house.strava.settled()
        await house.go_on(until=lambda: house.named("alice", "recent_1") == "Long lunch")
        await house.go_on(seconds=3600)
        assert house.ctx.devices["alice"] is before
        ride.edit(sport_type="TrailRun")
        await house.strava.settled()
        await house.go_on(until=lambda: house.ctx.devices["alice"] is not before)
        assert "latest_trail_run" in declared(house, "alice")


async def test_what_the_owner_does_not_want_to_be_shown_is_not(tmp_path: Path) -> None:
    show = Show(sports=("Run",), recent=7, gear=0, statistics=False)
    identities = {"alice": Identity(show=show)}
    async with household(tmp_path, identities=identities, privacy=Privacy(coordinates=False)) as house:
        alice = house.strava.athlete(1001, firstname="Alice")
        alice.add_bike("Bike")
        for number in range(8):
            alice.add_activity(name=f"Ride {number}")
        await house.sign_in("alice", alice)
        await house.ctx.until(lambda: house.state("alice", "stats") is not None)
        assert set(declared(house, "alice")) == {"", *(f"recent_{slot}" for slot in range(1, 8)), "latest_run"}
        assert "start_place" not in entities(house, "alice", "recent_1")
        assert {"recent_7"} == {key for key in house.subjects("alice") if key in ("recent_7", "recent_8")}


async def with_photos(house: Household, number: int) -> None:
    """Sign alice in who has taken so many photos."""
    alice = house.strava.athlete(1001, firstname="Alice")
    ride = alice.add_activity(name="With a view")
    for _ in range(number):
        ride.add_photo()
    await house.sign_in("alice", alice)
    await house.go_on(until=lambda: len(house.photos("alice")) == number)


def shown_photo(house: Household) -> str:
    state = house.state("alice", "photo")
    return "" if state is None else str(state["unique_id"])


async def test_photos_take_turns(tmp_path: Path) -> None:
    timing = Turned()
    async with household(tmp_path, timing=timing, identities=WITH_PHOTOS) as house:
        await with_photos(house, 3)
        assert "photos" in declared(house, "alice")
        await house.go_on(seconds=15 - timing.now() % 15)
        seen = []
        for _ in range(6):
            seen.append(shown_photo(house))
            await house.go_on(seconds=15)
        ids = [photo["unique_id"] for photo in house.photos("alice")]
        first = ids.index(seen[0])
        assert seen == [ids[(first + number) % 3] for number in range(6)]
        assert house.state("alice", "photo") in house.photos("alice")


async def test_nobody_looks_at_the_clock_for_photos_that_are_not_shown(tmp_path: Path) -> None:
    timing = Turned()
    kept_back = Privacy(photos=False)
    async with household(tmp_path, timing=timing, identities=WITH_PHOTOS, privacy=kept_back) as house:
        alice = house.strava.athlete(1001, firstname="Alice")
        alice.add_activity().add_photo()
        await house.sign_in("alice", alice)
        await house.go_on(until=lambda: house.state("alice", "stats") is not None)
        assert "photos" not in declared(house, "alice")
        assert "photo" not in house.subjects("alice")
        assert house.house._porch._turns == []


async def test_photos_that_are_gone_are_not_shown(tmp_path: Path) -> None:
    timing = Turned()
    async with household(tmp_path, timing=timing, identities=WITH_PHOTOS) as house:
        await with_photos(house, 1)
        assert shown_photo(house)
        await house.command("alice", "disconnect")
        assert not house.subjects("alice")


async def test_a_button_shows_at_once_what_it_has_fetched(tmp_path: Path) -> None:
    timing = Turned()
    async with household(tmp_path, timing=timing) as house:
        alice = house.strava.athlete(1001, firstname="Alice")
        ride = alice.add_activity(name="Lunch")
        await house.sign_in("alice", alice)
        await house.go_on(until=lambda: house.state("alice", "stats") is not None)
        house.strava.automatic = False
        ride.edit(name="Long lunch")
        (button,) = (one for one in declared(house, "alice")["recent_1"].entities if one.key == "refresh")
        asked = msgspec.to_builtins(button)
        await house.command("alice", asked["command"], **asked["data"])
        assert house.named("alice", "recent_1") == "Long lunch"


async def test_nothing_of_what_is_shown_is_in_a_log_line(tmp_path: Path) -> None:
    async with household(tmp_path, identities=WITH_PHOTOS) as house:
        alice = await connected(house, "alice", 1001)
        alice.add_activity(name="At dawn", sport_type="Rowing")
        await house.ctx.until(lambda: "latest_rowing" in declared(house, "alice"))
        await house.command("alice", "disconnect")
        written = repr([line for line in house.ctx.lines.written if line[0] != "debug"])
        for private in ("Bike of", "Ride of", "dawn", "owing", "1001"):
            assert private not in written
