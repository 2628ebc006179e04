"""The fake Strava shows its world as the real one does: by scope, page, state of detail and with all that is odd."""

from datetime import UTC, datetime

import pytest
from aiohttp import FormData
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.strava import ABSENT, polyline
from tests.fakes.strava.client import Stage, bearer, stage

READ = ("read", "activity:read")
PNG = bytes.fromhex("89504e470d0a1a0a")


def decoded(line: str) -> list[tuple[float, float]]:
    points, numbers, value, shift = [], [], 0, 0
    for letter in line:
        bits = ord(letter) - 63
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits < 0x20:
            numbers.append(~(value >> 1) if value & 1 else value >> 1)
            value = shift = 0
    latitude = longitude = 0
    for north, east in zip(numbers[::2], numbers[1::2], strict=True):
        latitude, longitude = latitude + north, longitude + east
        points.append((latitude / 100_000, longitude / 100_000))
    return points


async def ids(on: Stage, **query: str | int) -> list[int]:
    answer = await on.client.get("/athlete/activities", on.access, **query)
    assert answer.status == 200
    return [row["id"] for row in answer.json]


async def test_a_summary_lacks_what_only_a_detail_has() -> None:
    async with stage() as on:
        bike = on.alice.add_bike("Blue", distance=1_204_000.0)
        ride = on.alice.add_activity(name='<b>Ride</b> "🚴"', gear_id=bike.id)
        detail = (await on.client.get(f"/activities/{ride.id}", on.access, include_all_efforts="true")).json
        (summary,) = (await on.client.get("/athlete/activities", on.access)).json
        assert (detail["resource_state"], summary["resource_state"]) == (3, 2)
        only = {"calories", "description", "gear", "laps", "splits_metric", "segment_efforts", "photos", "best_efforts"}
        assert only <= detail.keys()
        assert not only & summary.keys()
        assert detail["name"] == summary["name"] == '<b>Ride</b> "🚴"'
        assert detail["gear"]["name"] == "Blue"
        assert summary["gear_id"] == bike.id
        assert summary["device_name"] == "Garmin Edge 840"
        assert "polyline" not in summary["map"]
        assert len(detail["map"]["polyline"]) > len(summary["map"]["summary_polyline"]) > 0
        assert ride.id > 16 * 10**9


async def test_a_route_is_a_polyline_from_start_to_end() -> None:
    async with stage() as on:
        fields = on.alice.add_activity().detail()
        points = decoded(fields["map"]["polyline"])
        assert points[0] == pytest.approx(fields["start_latlng"], abs=1e-5)
        assert points[-1] == pytest.approx(fields["end_latlng"], abs=1e-5)
        assert len(points) == 60


@given(st.lists(st.tuples(st.floats(-90, 90), st.floats(-180, 180)), max_size=50))
def test_a_polyline_holds_points_to_the_fifth_decimal(points: list[tuple[float, float]]) -> None:
    assert decoded(polyline.encode(points)) == [pytest.approx(point, abs=6e-6) for point in points]


async def test_local_time_ends_in_z_too() -> None:
    async with stage() as on:
        start = datetime(2026, 7, 1, 6, 0, tzinfo=UTC).timestamp()
        on.alice.utc_offset = 7200.0
        fields = on.alice.add_activity(start=start).summary()
        assert fields["start_date"] == "2026-07-01T06:00:00Z"
        assert fields["start_date_local"] == "2026-07-01T08:00:00Z"
        assert (fields["timezone"], fields["utc_offset"]) == ("(GMT+01:00) Europe/Amsterdam", 7200.0)


@pytest.mark.parametrize(
    ("sport_type", "legacy"),
    [("GravelRide", "Ride"), ("TrailRun", "Run"), ("EMountainBikeRide", "EBikeRide"), ("Padel", "Padel")],
)
async def test_a_sport_has_an_older_type_or_is_new(sport_type: str, legacy: str) -> None:
    async with stage() as on:
        fields = on.alice.add_activity(sport_type=sport_type).summary()
        assert (fields["sport_type"], fields["type"]) == (sport_type, legacy)


async def test_indoors_there_is_no_place_and_by_hand_there_is_no_upload() -> None:
    async with stage() as on:
        indoor = on.alice.add_activity(sport_type="Yoga").detail()
        assert (indoor["start_latlng"], indoor["map"]["summary_polyline"], indoor["distance"]) == ([], "", 0)
        assert "elev_high" not in indoor
        manual = on.alice.add_activity(manual=True).detail()
        assert (manual["upload_id"], manual["external_id"], manual["device_name"]) == (None, None, None)
        assert "average_watts" not in manual
        assert "has_heartrate" not in manual


async def test_numbers_are_of_both_kinds_and_a_heart_rate_may_be_missing() -> None:
    async with stage() as on:
        rows = [on.alice.add_activity(distance=12_000).detail() for _ in range(12)]
        assert {type(row.get("max_heartrate")) for row in rows} == {int, float, type(None)}
        assert all(("max_heartrate" in row) is row["has_heartrate"] for row in rows)
        assert {row["suffer_score"] is None for row in rows} == {True, False}
        assert type(rows[0]["distance"]) is int


async def test_any_field_may_be_set_to_anything_or_left_out() -> None:
    async with stage() as on:
        ride = on.alice.add_activity(average_speed=None, map=None, kilojoules="many", trainer=ABSENT)
        row = (await on.client.get(f"/activities/{ride.id}", on.access)).json
        assert (row["average_speed"], row["map"], row["kilojoules"]) == (None, None, "many")
        assert "trainer" not in row


async def test_the_list_is_newest_first_and_with_after_oldest_first() -> None:
    async with stage() as on:
        one, two, three = (on.alice.add_activity(start=on.clock.now - age).id for age in (300, 200, 100))
        assert await ids(on) == [three, two, one]
        assert await ids(on, after=0) == [one, two, three]
        assert await ids(on, after=int(on.clock.now) - 300) == [two, three]
        assert await ids(on, before=int(on.clock.now) - 100) == [two, one]
        assert await ids(on, page=2, per_page=2) == [one]
        assert await ids(on, page=3, per_page=2) == []


async def test_thirty_are_on_a_page_unless_more_are_wanted() -> None:
    async with stage() as on:
        for number in range(35):
            on.alice.add_activity(start=on.clock.now - 1000 * number)
        assert [len(await ids(on)), len(await ids(on, page=2)), len(await ids(on, per_page=200))] == [30, 5, 35]


async def test_a_page_may_be_short_or_empty_before_the_last() -> None:
    async with stage() as on:
        rides = [on.alice.add_activity(start=on.clock.now - age) for age in (400, 300, 200, 100)]
        rides[2].unlisted = rides[3].unlisted = True
        assert await ids(on, page=1, per_page=2) == []
        assert await ids(on, page=2, per_page=2) == [rides[1].id, rides[0].id]


async def test_what_is_private_is_only_for_read_all() -> None:
    async with stage() as on:
        hidden = on.alice.add_activity(private=True)
        assert hidden.summary()["visibility"] == "only_me"
        assert await ids(on) == [hidden.id]
        other = on.fake.app("54321", "other")
        access = on.fake.grant(other, on.alice, READ)
        assert (await on.client.get("/athlete/activities", access)).json == []
        answer = await on.client.get(f"/activities/{hidden.id}", access)
        assert (answer.status, answer.error) == (404, ("Activity", "", "not found"))


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/athlete/activities", "activity:read_permission"),
        ("/activities/{ride}", "activity:read_permission"),
        ("/activities/{ride}/photos", "activity:read_permission"),
        ("/athlete/zones", "profile:read_permission"),
    ],
)
async def test_a_missing_scope_is_told_as_such(path: str, field: str) -> None:
    async with stage(scopes=["read"]) as on:
        answer = await on.client.get(path.format(ride=on.alice.add_activity().id), on.access)
        assert (answer.status, answer.error) == (401, ("AccessToken", field, "missing"))


async def test_an_athlete_is_shown_with_gear_only_to_who_may_read_the_profile() -> None:
    async with stage() as on:
        bike = on.alice.add_bike("Blue", primary=True, distance=1_204_512.4)
        shoes = on.alice.add_shoes("Red", retired=True)
        detail = (await on.client.get("/athlete", on.access)).json
        assert (detail["resource_state"], detail["measurement_preference"]) == (3, "meters")
        assert [row["id"] for row in detail["bikes"]] == [bike.id]
        assert detail["bikes"][0]["converted_distance"] == 1204.5
        assert [row["retired"] for row in detail["shoes"]] == [True]
        assert (detail["username"], detail["sex"]) == (None, None)
        access = on.fake.grant(on.fake.app("54321", "other"), on.alice, READ)
        summary = (await on.client.get("/athlete", access)).json
        assert summary["resource_state"] == 2
        assert not {"bikes", "shoes", "ftp"} & summary.keys()
        assert shoes.id.startswith("g")


async def test_gear_has_more_when_it_is_asked_for_alone() -> None:
    async with stage() as on:
        bike, shoes = on.alice.add_bike("Blue"), on.alice.add_shoes("Red", distance=5000.5)
        assert (await on.client.get(f"/gear/{bike.id}", on.access)).json["frame_type"] == 3
        row = (await on.client.get(f"/gear/{shoes.id}", on.access)).json
        assert (row["brand_name"], row["distance"], "frame_type" in row) == ("Canyon", 5000.5, False)
        assert (await on.client.get("/gear/b1", on.access)).status == 404


async def test_statistics_are_of_what_everybody_sees() -> None:
    async with stage() as on:
        day = 86_400
        on.alice.add_activity(distance=20_000.5, seconds=3000, start=on.clock.now - day)
        on.alice.add_activity(sport_type="GravelRide", distance=30_000, start=on.clock.now - 60 * day)
        on.alice.add_activity(distance=40_000.0, start=on.clock.now - 600 * day)
        on.alice.add_activity(distance=90_000.0, private=True)
        on.alice.add_activity(sport_type="Hike")
        row = (await on.client.get("/athletes/1001/stats", on.access)).json
        rides = {period: row[f"{period}_ride_totals"] for period in ("recent", "ytd", "all")}
        assert [rides[period]["count"] for period in rides] == [1, 2, 3]
        assert [rides[period]["distance"] for period in rides] == [20_000.5, 50_000, 90_000]
        assert {type(rides[period]["distance"]) for period in rides} == {int, float}
        assert ["achievement_count" in rides[period] for period in rides] == [True, False, False]
        assert row["all_run_totals"]["count"] == 0
        assert (row["biggest_ride_distance"], row["biggest_climb_elevation_gain"]) == (40_000.0, None)
        on.alice.stats_fields["biggest_ride_distance"] = ABSENT
        assert "biggest_ride_distance" not in (await on.client.get("/athletes/1001/stats", on.access)).json


async def test_zones_end_with_minus_one_and_those_of_an_activity_must_be_paid_for() -> None:
    async with stage() as on:
        ride = on.alice.add_activity()
        zones = (await on.client.get("/athlete/zones", on.access)).json["heart_rate"]["zones"]
        assert zones[-1]["max"] == -1
        assert (await on.client.get(f"/activities/{ride.id}/zones", on.access)).status == 402
        on.alice.subscriber = True
        answer = await on.client.get(f"/activities/{ride.id}/zones", on.access)
        assert answer.json[0]["distribution_buckets"][-1]["max"] == -1


async def test_there_are_no_streams() -> None:
    async with stage() as on:
        ride = on.alice.add_activity()
        assert (await on.client.get(f"/activities/{ride.id}/streams", on.access, keys="time")).status == 404


async def test_photos_have_addresses_for_a_size_and_bytes_for_everybody() -> None:
    async with stage() as on:
        ride = on.alice.add_activity()
        photo = ride.add_photo(caption="Sea", location=(52.1, 4.3))
        video = ride.add_photo(video=True)
        assert ride.summary()["total_photo_count"] == 2
        assert ride.detail()["photos"]["primary"]["unique_id"] == photo.unique_id
        (small, _) = (await on.client.get(f"/activities/{ride.id}/photos", on.access)).json
        assert small["sizes"] == {"0": [64, 48]}
        (first, second) = (await on.client.get(f"/activities/{ride.id}/photos", on.access, size=600)).json
        assert (first["unique_id"], first["type"], first["default_photo"]) == (photo.unique_id, 1, True)
        assert (first["sizes"], first["location"]) == ({"600": [600, 450]}, [52.1, 4.3])
        assert (second["type"], second["duration"], second["unique_id"]) == (2, 12.5, video.unique_id)
        answer = await on.client.ask("GET", first["urls"]["600"])
        assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, photo.bytes, "image/jpeg")
        photo.move()
        assert (await on.client.ask("GET", first["urls"]["600"])).status == 403
        (again, _) = (await on.client.get(f"/activities/{ride.id}/photos", on.access, size=600)).json
        assert again["unique_id"] == first["unique_id"]
        assert again["urls"] != first["urls"]


async def test_a_photo_in_the_making_has_a_placeholder() -> None:
    async with stage() as on:
        ride = on.alice.add_activity()
        photo = ride.add_photo(processing=True)
        (row,) = (await on.client.get(f"/activities/{ride.id}/photos", on.access, size=600)).json
        assert "placeholder_image" in row
        assert (await on.client.ask("GET", row["urls"]["600"])).body == PNG
        photo.processing = False
        (row,) = (await on.client.get(f"/activities/{ride.id}/photos", on.access, size=600)).json
        assert "placeholder_image" not in row
        assert (await on.client.ask("GET", row["urls"]["600"])).body == photo.bytes


async def test_a_change_is_applied_as_json() -> None:
    async with stage() as on:
        bike, ride = on.alice.add_bike("Blue"), on.alice.add_activity()
        body = {"name": "Commute", "commute": True, "gear_id": bike.id, "private_note": "x", "sport_type": "GravelRide"}
        answer = await on.client.put(f"/activities/{ride.id}", on.access, body)
        assert {key: answer.json[key] for key in body} == body
        assert answer.json["type"] == "Ride"
        answer = await on.client.put(f"/activities/{ride.id}", on.access, {"gear_id": "none"})
        assert answer.json["gear_id"] is None
        answer = await on.client.put(f"/activities/{ride.id}", on.access, {"gear_id": "b1"})
        assert (answer.status, answer.error) == (400, ("Activity", "gear_id", "invalid"))


async def test_a_change_needs_its_scope_and_an_activity() -> None:
    async with stage() as on:
        ride = on.alice.add_activity()
        assert (await on.client.put("/activities/5", on.access, {"name": "x"})).status == 404
        access = on.fake.grant(on.fake.app("54321", "other"), on.alice, READ)
        answer = await on.client.put(f"/activities/{ride.id}", access, {"name": "x"})
        assert (answer.status, answer.error) == (401, ("AccessToken", "activity:write_permission", "missing"))
        assert ride.fields["name"] == "Morning Ride"


async def test_booleans_of_a_form_are_not_applied() -> None:
    async with stage() as on:
        ride = on.alice.add_activity()
        form = FormData({"name": "Form", "commute": "true"})
        url = f"{on.fake.api_url}/activities/{ride.id}"
        answer = await on.client.ask("PUT", url, data=form, headers=bearer(on.access))
        assert (answer.json["name"], answer.json["commute"]) == ("Form", False)
        on.fake.take_fault("a change as 'application/x-www-form-urlencoded' instead of JSON")


async def test_what_is_deleted_is_not_found() -> None:
    async with stage() as on:
        ride = on.alice.add_activity()
        ride.delete()
        assert (await on.client.get(f"/activities/{ride.id}", on.access)).status == 404
        assert await ids(on) == []
