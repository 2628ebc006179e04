"""The fake Strava plays what goes wrong between it and a client, for the calls that a test chooses."""

import asyncio

import aiohttp
import msgspec
import pytest

from tests.fakes.strava import trouble
from tests.fakes.strava.client import Stage, bearer, receiver, stage


async def athlete(on: Stage) -> int:
    return (await on.client.get("/athlete", on.access)).status


async def test_a_status_is_answered_as_often_as_wanted_and_is_counted_by_the_limits() -> None:
    async with stage() as on:
        playing = on.fake.play(trouble.status(502), "/athlete", times=2)
        answer = await on.client.get("/athlete", on.access)
        assert (answer.status, answer.body, answer.headers["X-RateLimit-Usage"]) == (502, b"", "1,1")
        assert [await athlete(on), await athlete(on)] == [502, 200]
        assert playing.played == 2
        assert [call.status for call in on.fake.calls] == [502, 502, 200]


async def test_it_is_played_for_a_path_a_method_an_app_or_an_athlete() -> None:
    async with stage() as on:
        other, bob = on.fake.app("54321", "other"), on.fake.athlete(1002)
        accesses = [on.access, on.fake.grant(on.app, bob), on.fake.grant(other, on.alice)]

        async def statuses() -> list[int]:
            return [(await on.client.get("/athlete", access)).status for access in accesses]

        playing = on.fake.play(trouble.status(500), times=9, athlete=bob)
        assert await statuses() == [200, 500, 200]
        playing.stop()
        playing = on.fake.play(trouble.status(500), times=9, app=other)
        assert await statuses() == [200, 200, 500]
        playing.stop()
        playing = on.fake.play(trouble.status(500), "/athlete/*", times=9)
        assert await statuses() == [200, 200, 200]
        assert (await on.client.get("/athlete/zones", on.access)).status == 500
        playing.stop()
        on.fake.play(trouble.status(500), "/athlete", method="PUT", times=9)
        assert await statuses() == [200, 200, 200]


async def test_a_glob_ends_at_a_slash_unless_it_is_double() -> None:
    async with stage() as on:
        ride = on.alice.add_activity()
        await on.client.get(f"/activities/{ride.id}", on.access)
        await on.client.get(f"/activities/{ride.id}/photos", on.access)
        found = [on.fake.count("GET", path) for path in ("/activities/*", "/activities/**", "/activities/*/photos")]
        assert found == [1, 2, 1]
        assert on.fake.count("PUT", "/activities/**") == 0


@pytest.mark.parametrize("status", [200, 503])
async def test_a_page_of_html_is_answered(status: int) -> None:
    async with stage() as on:
        on.fake.play(trouble.html(status))
        answer = await on.client.get("/athlete", on.access)
        assert (answer.status, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
        assert answer.body.startswith(b"<!DOCTYPE html>")


async def test_half_of_the_json_is_answered_as_if_it_were_all() -> None:
    async with stage() as on:
        on.fake.play(trouble.truncated())
        answer = await on.client.get("/athlete", on.access)
        assert (answer.status, answer.headers["Content-Length"]) == (200, str(len(answer.body)))
        assert answer.body.startswith(b'{"id":1001,')
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(answer.body)


async def test_the_connection_ends_in_the_middle_of_the_answer() -> None:
    async with stage() as on:
        on.fake.play(trouble.cut_off())
        with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientOSError)):
            await athlete(on)
        assert on.fake.calls[-1].status == 0
        assert await athlete(on) == 200


@pytest.mark.parametrize("kind", [trouble.truncated(), trouble.cut_off()])
async def test_a_refresh_whose_answer_is_lost_has_not_happened(kind: trouble.Trouble) -> None:
    async with stage() as on:
        token = on.access.grant.refresh_token
        on.fake.play(kind, "/oauth/token")
        try:
            answer = await on.client.refresh(on.app, token)
        except aiohttp.ClientError:
            pass
        else:
            assert answer.body.startswith(b'{"token_type"')
        assert on.access.grant.refresh_token == token
        assert (await on.client.refresh(on.app, token)).status == 200


async def test_json_is_called_something_else() -> None:
    async with stage() as on:
        on.fake.play(trouble.wrong_type())
        answer = await on.client.get("/athlete", on.access)
        assert (answer.json["id"], answer.headers["Content-Type"]) == (1001, "text/html; charset=utf-8")


async def test_a_call_hangs_until_it_is_released() -> None:
    async with stage() as on:
        playing = on.fake.play(trouble.hang(), times=5)
        asking = asyncio.create_task(athlete(on), name="asking")
        await on.fake.until(lambda: playing.waiting == 1)
        assert on.fake.calls[-1].status == 0
        playing.release()
        assert await asking == 200
        assert await athlete(on) == 200
        assert playing.played == 2


async def test_a_call_hangs_until_it_is_cut() -> None:
    async with stage() as on:
        playing = on.fake.play(trouble.hang(), times=2)
        asking = asyncio.create_task(athlete(on), name="asking")
        await on.fake.until(lambda: playing.waiting == 1)
        playing.cut()
        with pytest.raises(aiohttp.ClientError):
            await asking


async def test_what_hangs_does_not_keep_the_fake_from_ending() -> None:
    async with stage() as on:
        playing = on.fake.play(trouble.hang())
        asking = asyncio.create_task(athlete(on), name="asking")
        await on.fake.until(lambda: playing.waiting == 1)
    with pytest.raises(aiohttp.ClientError):
        await asking


async def test_a_refresh_that_hangs_until_its_client_has_gone_has_not_happened() -> None:
    async with stage() as on:
        token = on.access.grant.refresh_token
        playing = on.fake.play(trouble.hang(), "/oauth/token")
        asking = asyncio.create_task(on.client.refresh(on.app, token), name="asking")
        await on.fake.until(lambda: playing.waiting == 1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert await athlete(on) == 200
        playing.release()
        await on.fake.until(lambda: playing.waiting == 0)
        assert on.access.grant.refresh_token == token


async def test_the_connection_is_reset() -> None:
    async with stage() as on:
        on.fake.play(trouble.reset(), times=2)
        with pytest.raises(aiohttp.ClientError):
            await athlete(on)
        assert [call.status for call in on.fake.calls] == [0, 0]


async def test_headers_about_limits_are_missing() -> None:
    async with stage() as on:
        on.fake.play(trouble.bare())
        answer = await on.client.get("/athlete", on.access)
        assert answer.status == 200
        assert [name for name in answer.headers if "ratelimit" in name.lower()] == []
        assert "X-RateLimit-Limit" in (await on.client.get("/athlete", on.access)).headers


async def test_a_good_token_is_called_invalid() -> None:
    async with stage() as on:
        on.fake.play(trouble.unauthorised(), times=9)
        for _ in range(9):
            answer = await on.client.get("/athlete", on.access)
            assert (answer.status, answer.error) == (401, ("Athlete", "access_token", "invalid"))
        assert await athlete(on) == 200


async def test_the_limit_is_used_up_in_the_older_form_with_a_time_to_wait() -> None:
    async with stage() as on:
        on.fake.play(trouble.limited(17, old=True))
        answer = await on.client.get("/athlete", on.access)
        assert (answer.status, answer.headers["Retry-After"]) == (429, "17")
        assert answer.json["errors"] == "Rate Limit Exceeded"
        assert on.app.closed_until == on.clock.now + 17
        on.clock.now += 17
        on.fake.play(trouble.limited())
        answer = await on.client.get("/athlete", on.access)
        assert answer.error == ("Application", "read rate limit", "exceeded")
        assert "Retry-After" not in answer.headers
        assert on.app.closed_until == on.clock.now + 900 - 17


async def test_the_app_is_stopped_for_one_call() -> None:
    async with stage() as on:
        on.fake.play(trouble.inactive(), "/oauth/token")
        answer = await on.client.refresh(on.app, on.access.grant.refresh_token)
        assert (answer.status, answer.error) == (403, ("Application", "Status", "Inactive"))


async def test_photos_are_all_in_the_making() -> None:
    async with stage() as on:
        ride = on.alice.add_activity()
        ride.add_photo()
        on.fake.play(trouble.placeholders(), "/activities/*/photos")
        (row,) = (await on.client.get(f"/activities/{ride.id}/photos", on.access, size=600)).json
        assert row["urls"] == {"600": row["placeholder_image"]["light_url"]}
        (row,) = (await on.client.get(f"/activities/{ride.id}/photos", on.access, size=600)).json
        assert "placeholder_image" not in row


async def test_revoking_may_be_unknown_and_deauthorising_is_there_then() -> None:
    async with stage() as on:
        on.fake.play(trouble.status(404), "/oauth/revoke")
        assert (await on.client.revoke(on.app, on.access.token)).status == 404
        assert on.fake.grant_of(on.app, on.alice) is not None
        url = f"{on.fake.oauth_url}/deauthorize"
        assert (await on.client.ask("POST", url, headers=bearer(on.access))).status == 200


async def test_a_subscription_whose_answer_is_lost_exists_all_the_same() -> None:
    async with stage() as on, receiver() as hook:
        on.fake.play(trouble.cut_off(), "/push_subscriptions", method="POST")
        with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientOSError)):
            await on.client.subscribe(on.app, hook.url)
        (row,) = (await on.client.subscriptions(on.app)).json
        assert row["callback_url"] == hook.url


async def test_trouble_does_not_hide_a_fault() -> None:
    async with stage() as on:
        on.fake.play(trouble.html())
        await on.client.get("/athlete", "0" * 40)
        on.fake.take_fault("never given out")
