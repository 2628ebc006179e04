"""The whole adapter against a Strava on a real socket: who is told what, and that nothing is lost or told twice."""

import asyncio
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from jitney.adapters.errors import MisconfiguredError, RefusedError
from jitney.adapters.strava.config import Privacy
from jitney.adapters.strava.kinds import KINDS
from jitney.topics import Kinds
from tests.adapters.strava.playing import Household, Turned, household, running
from tests.fakes.strava import Athlete, trouble
from tests.waiting import until

DECODED = Kinds(KINDS)


async def connected(house: Household, owner: str, number: int, **consent: object) -> Athlete:
    """Sign an owner in as a new athlete and wait until what was before is known."""
    athlete = house.strava.athlete(number, firstname=owner.title())
    await house.sign_in(owner, athlete, **consent)
    await house.ctx.until(lambda: house.state(owner, "stats") is not None)
    return athlete


async def test_who_signs_in_sees_what_there_is_and_is_told_what_is_new(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        alice = house.strava.athlete(1001, firstname="Alice")
        alice.add_activity(sport_type="Ride", name="Before")
        await house.sign_in("alice", alice)
        await house.ctx.until(lambda: house.state("alice", "recent_1") is not None)
        assert not house.events()
        alice.add_activity(sport_type="Run", name="After")
        (event,) = await house.told(1)
        assert (event.owner, event.type) == ("alice", "strava.activity.created")
        assert DECODED.data(event) is not None
        await house.ctx.until(lambda: house.named("alice", "recent_1") == "After")
        assert house.named("alice", "recent_2") == "Before"
        assert house.named("alice", "latest_run") == "After"
        assert not house.subjects("bob")


async def test_edits_and_deletions_are_told_once_each_with_what_changed(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        alice = await connected(house, "alice", 1001)
        ride = alice.add_activity(name="Lunch")
        await house.told(1)
        ride.edit(name="Long lunch")
        created, updated = await house.told(2)
        assert (created.subject, updated.subject) == (f"activity/{ride.id}", f"activity/{ride.id}")
        told = msgspec.json.decode(updated.data)
        assert (updated.type, told["name"], told["changed"]) == ("strava.activity.updated", "Long lunch", ["name"])
        ride.delete()
        *_, deleted = await house.told(3)
        assert deleted.type == "strava.activity.deleted"
        await house.ctx.until(lambda: "recent_1" not in house.subjects("alice"))


async def test_ten_athletes_on_two_apps_each_see_their_own_whatever_order_strava_tells_in(tmp_path: Path) -> None:
    owners = tuple(f"owner{number}" for number in range(10))
    identities = {owner: house_of(number) for number, owner in enumerate(owners)}
    async with household(tmp_path, owners=owners, identities=identities, apps=("one", "two")) as house:
        athletes = {owner: await connected(house, owner, 2000 + number) for number, owner in enumerate(owners)}
        house.strava.automatic = False
        expected: dict[str, set[int]] = {}
        for owner, athlete in athletes.items():
            kept, edited, gone = (athlete.add_activity(name=f"{owner} {number}") for number in range(3))
            edited.edit(name=f"{owner} edited")
            edited.edit(sport_type="TrailRun")
            gone.edit(name=f"{owner} doomed")
            gone.delete()
            expected[owner] = {kept.id, edited.id}
        deliveries = await house.strava.deliver_all(shuffled=True, twice=True)
        assert len(deliveries) == 2 * 10 * 7
        await house.told(20, kind="created")
        for owner in owners:
            await until(lambda owner=owner: not (house.standing(owner).waiting))  # type: ignore[misc]
            known = house.house.worker(owner).athlete.library.present()
            assert {one.id for one in known} == expected[owner]
            told = Counter((event.type, event.subject) for event in house.events(owner))
            assert set(told.values()) == {1}
            assert {event.subject for event in house.events(owner)} == {f"activity/{one}" for one in expected[owner]}


def house_of(number: int) -> object:
    from jitney.adapters.strava.config import Identity  # noqa: PLC0415

    return Identity(app="one" if number % 2 else "two")


async def test_a_token_that_expires_in_a_burst_is_refreshed_once(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        alice = await connected(house, "alice", 1001)
        house.strava.spoil(house.apps["main"], alice)
        refreshes = house.strava.count("POST", "/oauth/token")
        for number in range(10):
            alice.add_activity(name=f"Ride {number}")
        await house.told(10)
        assert house.strava.count("POST", "/oauth/token") == refreshes + 1


async def test_one_athlete_who_ends_the_permission_is_asked_to_sign_in_again_and_nobody_else_notices(
    tmp_path: Path,
) -> None:
    async with household(tmp_path) as house:
        alice = await connected(house, "alice", 1001)
        bob = await connected(house, "bob", 1002)
        alice.add_activity()
        await house.told(1)
        house.strava.revoke(house.apps["main"], alice)
        (ended,) = await house.told(1, kind="deauthorised")
        await house.ctx.until(lambda: ("alice", "sign_in") in house.ctx.alerts)
        assert ended.owner == "alice"
        assert house.ctx.owner_statuses["alice"][0] == "reauth"
        assert not house.subjects("alice")
        assert [key for key in house.ctx.kept if "/alice" in key] == ["ended/alice"]
        assert [key for key in house.ctx.vault.secrets if key[0] == "alice"] == [("alice", "invitation")]
        assert "bob" not in house.ctx.owner_statuses
        bob.add_activity()
        await house.told(1, "bob", "created")
        assert house.ctx.status == "online"
        _, link = house.ctx.alerts["alice", "sign_in"]
        await house.strava.consent(link, alice)
        await house.ctx.until(lambda: "recent_1" in house.subjects("alice"))
        assert "alice" not in house.ctx.owner_statuses
        assert not house.ctx.alerts


async def test_a_deauthorisation_that_is_not_true_is_not_believed(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        alice = await connected(house, "alice", 1001)
        before = house.strava.count("GET", "/athlete")
        event = house.strava.event(
            house.apps["main"],
            alice,
            object_type="athlete",
            object_id=alice.id,
            aspect_type="update",
            updates={"authorized": "false"},
        )
        await house.strava.deliver(house.apps["main"], event)
        await house.strava.until(lambda: house.strava.count("GET", "/athlete") > before)
        alice.add_activity()
        await house.told(1)
        assert [one.type for one in house.events()] == ["strava.activity.created"]


async def test_a_deletion_that_is_not_true_is_not_believed(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        alice = await connected(house, "alice", 1001)
        ride = alice.add_activity()
        await house.told(1)
        looks = house.strava.count("GET", f"/activities/{ride.id}")
        event = house.strava.event(house.apps["main"], alice, object_id=ride.id, aspect_type="delete")
        await house.strava.deliver(house.apps["main"], event)
        await house.strava.until(lambda: house.strava.count("GET", f"/activities/{ride.id}") > looks)
        await until(lambda: not house.standing("alice").waiting)
        assert [one.type for one in house.events()] == ["strava.activity.created"]


@pytest.mark.parametrize(
    "wrong",
    [
        trouble.html(),
        trouble.html(200),
        trouble.status(500),
        trouble.truncated(),
        trouble.cut_off(),
        trouble.reset(),
        trouble.limited(),
        trouble.limited(retry_after=60, old=True),
    ],
    ids=lambda wrong: wrong.name,
)
async def test_what_strava_answers_wrongly_is_asked_again(tmp_path: Path, wrong: trouble.Trouble) -> None:
    timing = Turned()
    async with household(tmp_path, timing=timing) as house:
        alice = await connected_turned(house, "alice", 1001)
        playing = house.strava.play(wrong, "/activities/*", method="GET", times=4)
        alice.add_activity()
        await house.strava.settled()
        await house.go_on(until=lambda: bool(house.events()))
        assert playing.left <= 0
        assert [one.type for one in house.events()] == ["strava.activity.created"]


async def test_a_strava_that_does_not_answer_in_time_is_asked_again(tmp_path: Path) -> None:
    timing = Turned()
    async with household(tmp_path, timing=timing, timeout=0.3) as house:
        alice = await connected_turned(house, "alice", 1001)
        playing = house.strava.play(trouble.hang(), "/activities/*", method="GET", times=2)
        alice.add_activity()
        await house.strava.settled()
        await house.go_on(until=lambda: bool(house.events()))
        assert playing.played == 2
        playing.release()


async def connected_turned(house: Household, owner: str, number: int) -> Athlete:
    athlete = house.strava.athlete(number, firstname=owner.title())
    await house.sign_in(owner, athlete)
    await house.go_on(until=lambda: house.state(owner, "stats") is not None)
    return athlete


async def test_nothing_secret_is_in_any_log_line_or_state_or_event(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        alice = await connected(house, "alice", 1001)
        bob = await connected(house, "bob", 1002)
        alice.add_activity(name="Alice at dawn")
        bob.add_activity(name="Bob at dusk")
        await house.told(2)
        house.strava.revoke(house.apps["main"], bob)
        await house.told(3)
        secrets = [secret.reveal() for secret in house.ctx.vault.secrets.values()]
        secrets += [app.secret for app in house.apps.values()]
        assert len(secrets) >= 5
        written = repr(house.ctx.lines.written) + repr(house.ctx.statuses) + repr(house.ctx.owner_statuses)
        published = repr(house.ctx.events) + repr(house.ctx.states)
        for secret in secrets:
            for part in parts(secret):
                assert part not in written + published
        assert "at dawn" not in written
        assert "at dusk" not in written
        assert "Bob at dusk" not in repr([event for event in house.ctx.events if event.owner == "alice"])


def parts(secret: str) -> list[str]:
    """Return the secrets in a value of the vault, which may be an object of several."""
    try:
        found = msgspec.json.decode(secret)
    except msgspec.DecodeError:
        return [secret]
    return [value for value in found.values() if isinstance(value, str)] if isinstance(found, dict) else [secret]


async def test_strangers_who_flood_the_webhook_cost_no_call_and_hold_nobody_up(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        alice = await connected(house, "alice", 1001)
        app = house.apps["main"]
        calls = len(house.strava.calls)
        strangers = [house.strava.event(app, 666_000 + number, object_id=number + 1) for number in range(300)]
        await asyncio.gather(*(house.strava.deliver_raw(app, msgspec.json.encode(one)) for one in strangers))
        assert len(house.strava.calls) == calls
        assert house.ctx.counts["unknown_athlete"] == 300
        assert not [key for key in house.ctx.kept if key.startswith("delivery/")]
        assert len(house.ctx.warnings()) < 5
        alice.add_activity()
        await house.told(1)


async def test_another_athlete_or_somebody_elses_is_refused_with_a_page(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        alice = await connected(house, "alice", 1001)
        link = (await house.command("bob", "connect"))["link"]
        landing = await house.strava.consent(link, alice)
        assert landing.status == 200 or landing.status == 403  # noqa: PLR1714
        assert "somebody else" in landing.text
        assert not house.standing("bob").connected
        alice.add_activity()
        await house.told(1, "alice")


async def test_photos_are_told_when_they_are_added_and_downloaded_where_that_is_wanted(tmp_path: Path) -> None:
    async with household(tmp_path, privacy=Privacy(photo_files=True)) as house:
        alice = house.strava.athlete(1001, firstname="Alice")
        old = alice.add_activity(name="With a view")
        old.add_photo()
        await house.sign_in("alice", alice)
        await house.ctx.until(lambda: house.state("alice", "photos") is not None)
        assert not house.events(kind="photo.added")
        old.add_photo()
        await house.command("alice", "refresh")
        (added,) = await house.told(1, kind="photo.added")
        assert added.subject == f"activity/{old.id}"
        await house.ctx.until(lambda: len(house.photos("alice")) == 2)
        files = tmp_path / "alice" / "strava" / "photos"
        await house.ctx.until(lambda: all(photo.get("file") for photo in house.photos("alice")))
        assert {path.name for path in files.iterdir()} == {photo["file"] for photo in house.photos("alice")}
        await house.command("alice", "disconnect")
        assert not files.exists()


async def test_a_photo_that_strava_still_processes_is_told_when_it_is_there(tmp_path: Path) -> None:
    timing = Turned()
    async with household(tmp_path, timing=timing) as house:
        alice = await connected_turned(house, "alice", 1001)
        house.strava.play(trouble.placeholders(), "/activities/*/photos", times=1)
        ride = alice.add_activity()
        ride.add_photo()
        await house.strava.settled()
        await house.go_on(until=lambda: bool(house.events(kind="photo.added")))
        assert house.strava.count("GET", f"/activities/{ride.id}/photos") == 2


async def test_commands_need_a_connected_owner_and_reach_only_their_own(tmp_path: Path) -> None:
    async with household(tmp_path, write=True) as house:
        house.strava.allow("with the token of another athlete")
        with pytest.raises(RefusedError) as refused:
            await house.command("bob", "refresh")
        assert refused.value.code == "not_connected"
        alice = await connected(house, "alice", 1001)
        await connected(house, "bob", 1002)
        alice.subscriber = True
        ride = alice.add_activity(name="Mine")
        await house.told(1)
        assert (await house.command("alice", "get_activity", activity=ride.id))["name"] == "Mine"
        with pytest.raises(RefusedError) as refused:
            await house.command("bob", "get_activity", activity=ride.id)
        assert refused.value.code == "not_found"
        changed = await house.command("alice", "update_activity", activity=ride.id, name="Ours", commute=True)
        assert (changed["name"], changed["commute"]) == ("Ours", True)
        route = await house.command("alice", "get_route", activity=ride.id)
        assert len(route["points"]) > 5
        zones = await house.command("alice", "get_zones", activity=ride.id)
        assert [one["kind"] for one in zones["zones"]] == ["heartrate"]
        assert (await house.command("alice", "refresh"))["activities"] == 1
        await house.told(2, "alice")
        assert not house.events("bob")


async def test_who_disconnects_is_forgotten_here_and_at_strava(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        alice = await connected(house, "alice", 1001)
        alice.add_activity()
        await house.told(1)
        assert (await house.command("alice", "disconnect"))["revoked"]
        assert house.strava.grant_of(house.apps["main"], alice) is None
        assert not house.subjects("alice")
        assert not [key for key in house.ctx.kept if "/alice" in key]
        assert not [key for key in house.ctx.vault.secrets if key[0] == "alice"]
        assert house.events()[-1].type == "strava.athlete.deauthorised"
        assert house.ctx.audited[-1] == ("alice", "sign_out", "ok", "app main, by the owner")


async def test_after_a_restart_nothing_is_told_again_and_what_was_missed_is_found(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        alice = await connected(house, "alice", 1001)
        ride, gone = alice.add_activity(name="One"), alice.add_activity(name="Two")
        await house.told(2)
        house.strava.automatic = False
        await house.stop()
        ride.edit(name="One, edited while nobody listened")
        gone.delete()
        alice.add_activity(name="Three")
        async with running(house.strava, house.ctx, house.apps, house.timing) as again:
            await again.told(5)
            assert Counter(event.type for event in again.events()) == {
                "strava.activity.created": 3,
                "strava.activity.updated": 1,
                "strava.activity.deleted": 1,
            }


async def test_polling_tells_the_same_within_an_interval_and_a_day_costs_few_calls(tmp_path: Path) -> None:
    timing = Turned()
    async with household(tmp_path, timing=timing, public=False) as house:
        alice = await connected_turned(house, "alice", 1001)
        begun = len(house.strava.calls)
        rides = []
        for hour in (3, 9, 15):
            await house.go_on(seconds=hour * 3600 - (timing.now() - timing.began))
            rides.append(alice.add_activity(name=f"Ride at {hour}"))
            asked = timing.now()
            await house.go_on(until=lambda: len(house.events(kind="created")) == len(rides))
            assert timing.now() - asked <= 900 + 60
        rides[0].edit(name="Edited")
        await house.go_on(until=lambda: bool(house.events(kind="updated")))
        rides[1].delete()
        await house.go_on(seconds=24 * 3600 - (timing.now() - timing.began))
        assert Counter(event.type for event in house.events(kind="ed") if "activity" in event.type) == {
            "strava.activity.created": 3,
            "strava.activity.updated": 1,
            "strava.activity.deleted": 1,
        }
        calls = [call for call in house.strava.calls[begun:] if not call.path.startswith("/oauth")]
        assert len(calls) <= 150, Counter(call.path for call in calls)


async def test_used_up_calls_wait_for_the_next_window_and_nothing_is_lost(tmp_path: Path) -> None:
    timing = Turned()
    async with household(tmp_path, timing=timing) as house:
        alice = await connected_turned(house, "alice", 1001)
        house.strava.automatic = False
        house.apps["main"].quota.use(100 - house.apps["main"].quota.usage[2] - 3)
        for number in range(8):
            alice.add_activity(name=f"Ride {number}")
        await house.strava.deliver_all()
        await house.go_on(until=lambda: house.ctx.owner_statuses.get("alice", ("", ""))[0] == "degraded")
        assert len(house.events(kind="created")) < 8
        await house.go_on(until=lambda: len(house.events(kind="created")) == 8)
        assert "alice" not in house.ctx.owner_statuses


async def test_webhooks_without_an_address_are_told_as_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredError, match="public_url"):
        async with household(tmp_path, public=False, mode="webhook"):
            pytest.fail("it runs")
