"""The API: every answer ends as what was asked for or as an error that says what to do."""

import asyncio
import gzip
import logging

import pytest
from aiohttp import web

from jitney.adapters.strava.api import Api
from jitney.adapters.strava.errors import (
    GrantGoneError,
    InactiveError,
    NotFoundError,
    ScopeMissingError,
    StravaError,
    UnavailableError,
)
from jitney.adapters.strava.grants import Grant
from jitney.adapters.strava.http import MOST_BYTES
from jitney.adapters.strava.limiter import Priority
from jitney.adapters.strava.models import Activity, AthleteInfo, each, ignore, one
from tests.adapters.strava.speaking import SECRET, answering, api_at, asked, fault, said, side, tokens_of
from tests.adapters.strava.turning import outcome
from tests.fakes.strava import trouble

EVENT, RECONCILE, *_ = Priority
QUARTER = 900
INVALID_TOKEN = fault(401, "Athlete", "access_token", "invalid", message="Authorization Error")


async def test_what_is_asked_for_comes_back_as_it_was_sent() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        activity = alice.add_activity(name="Morning Ride 🚲")
        for path in (f"activities/{activity.id}", f"/activities/{activity.id}"):
            found = one(await at.api.get(grant, path, priority=EVENT), Activity)
            assert (found.id, found.name) == (activity.id, "Morning Ride 🚲")
        (call, _) = at.fake.find("GET", "/activities/*")
        assert (call.athlete, dict(call.query)) == (5, {})


async def test_the_query_says_numbers_and_truth_as_strava_writes_them() -> None:
    async with answering(said(200, "{}")) as server, side() as at:
        _, found = await asked(at, server, after=5, include_all_efforts=True, keys="time,latlng")
        assert found == b"{}"
        request = server.asked[0]
        assert request.query == {"after": "5", "include_all_efforts": "true", "keys": "time,latlng"}
        assert request.headers["Authorization"] == f"Bearer {SECRET}"
        assert request.headers["User-Agent"].startswith("jitney/")
        assert "Cookie" not in request.headers


async def test_a_change_is_sent_as_json() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        activity = alice.add_activity(name="Lunch")
        raw = await at.api.put(grant, f"activities/{activity.id}", {"name": "Supper", "commute": True})
        assert one(raw, Activity).name == activity.fields["name"] == "Supper"
        assert activity.fields["commute"] is True


async def test_cookies_of_one_athlete_are_not_sent_for_another() -> None:
    async with answering(said(200, "{}", Set_Cookie="session=alice; Path=/")) as server, side() as at:
        server.url = server.url.replace("127.0.0.1", "localhost")  # cookies of bare addresses are never kept
        grant, _ = await asked(at, server)
        await api_at(at, server).get(grant, "athlete", priority=EVENT)
        assert [request.headers.get("Cookie") for request in server.asked] == [None, None]


async def test_an_expired_token_is_refreshed_before_it_is_sent() -> None:
    async with side() as at:
        _, grant = await at.join("alice", 5)
        at.turn(21_600)
        await at.api.get(grant, "athlete", priority=EVENT)
        assert at.refreshes == 1
        assert [call.status for call in at.fake.find("GET", "/athlete")] == [200]


async def test_a_refused_token_is_refreshed_once_and_the_call_repeated_once() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        at.fake.spoil(at.app, alice)
        assert one(await at.api.get(grant, "athlete", priority=EVENT), AthleteInfo).id == 5
        assert at.refreshes == 1
        assert [call.status for call in at.fake.find("GET", "/athlete")] == [401, 200]


async def test_many_calls_with_a_refused_token_refresh_it_once() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        at.fake.spoil(at.app, alice)
        await asyncio.gather(*(at.api.get(grant, "athlete", priority=EVENT) for _ in range(4)))
        assert at.refreshes == 1


async def test_a_refused_change_is_repeated_too() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        activity = alice.add_activity()
        at.fake.spoil(at.app, alice)
        await at.api.put(grant, f"activities/{activity.id}", {"name": "Supper"})
        assert activity.fields["name"] == "Supper"


async def test_a_permission_that_was_taken_back_is_no_longer_used() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        at.fake.revoke(at.app, alice)
        for _ in range(3):
            with pytest.raises(GrantGoneError, match="sign in again"):
                await at.api.get(grant, "athlete", priority=EVENT)
        assert at.fake.count("GET", "/athlete") == 1
        assert at.refreshes == 1


async def test_one_athlete_s_end_is_nobody_else_s() -> None:
    async with side() as at:
        alice, of_alice = await at.join("alice", 5)
        _, of_bob = await at.join("bob", 6)
        at.fake.revoke(at.app, alice)
        with pytest.raises(GrantGoneError):
            await at.api.get(of_alice, "athlete", priority=EVENT)
        assert one(await at.api.get(of_bob, "athlete", priority=EVENT), AthleteInfo).id == 6


async def test_a_new_token_that_is_refused_too_ends_no_permission() -> None:
    async with side() as at:
        _, grant = await at.join("alice", 5)
        at.fake.play(trouble.unauthorised(), "/athlete", times=2)
        with pytest.raises(UnavailableError, match="a token that it has just given"):
            await at.api.get(grant, "athlete", priority=EVENT)
        assert at.refreshes == 1
        assert at.fake.count("GET", "/athlete") == 2
        await at.api.get(grant, "athlete", priority=EVENT)


async def test_no_call_waits_for_a_turn_without_a_permission() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        at.fake.revoke(at.app, alice)
        at.turn(21_600)
        at.limiter.exceeded(None)
        with pytest.raises(GrantGoneError):
            await at.api.get(grant, "athlete", priority=EVENT)


async def test_a_missing_scope_is_named_and_nothing_is_refreshed() -> None:
    async with side() as at:
        alice = at.fake.athlete(5)
        access = at.fake.grant(at.app, alice, ("read",))
        _, grant = await at.join("bob", 6)
        answer = tokens_of(access.token, access.grant.refresh_token, expires_at=access.expires_at)
        grant = Grant(owner="alice", app="main", athlete=5, scopes=("read",))
        await at.tokens.keep(grant, answer)
        with pytest.raises(ScopeMissingError, match="did not allow activity:read") as caught:
            await at.api.get(grant, "athlete/activities", priority=EVENT)
        assert caught.value.scope == "activity:read"
        assert at.refreshes == 0


async def test_zones_need_a_subscription_of_the_athlete() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        activity = alice.add_activity()
        with pytest.raises(ScopeMissingError) as caught:
            await at.api.get(grant, f"activities/{activity.id}/zones", priority=EVENT)
        assert caught.value.scope == "subscription"


async def test_an_app_that_is_stopped_ends_no_permission() -> None:
    async with side() as at:
        _, grant = await at.join("alice", 5)
        at.app.active = False
        with pytest.raises(InactiveError, match="paid Strava subscription"):
            await at.api.get(grant, "athlete", priority=EVENT)
        assert at.refreshes == 0
        at.app.active = True
        await at.api.get(grant, "athlete", priority=EVENT)


async def test_what_is_not_there_is_not_found() -> None:
    async with side() as at:
        _, grant = await at.join("alice", 5)
        with pytest.raises(NotFoundError, match=r"GET /api/v3/activities/99 for alice: .* Record Not Found"):
            await at.api.get(grant, "activities/99", priority=EVENT)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (said(404, '{"message":"Record Not Found","errors":[]}'), NotFoundError),
        (said(404, ""), NotFoundError),
        (said(404, "<html>nothing here</html>", content_type="text/html"), UnavailableError),
        (said(403, "<html>blocked</html>", content_type="text/html"), UnavailableError),
        (said(401, "<html>login</html>", content_type="text/html"), UnavailableError),
        (said(402, "<html>pay</html>", content_type="text/html"), UnavailableError),
        (said(200, "\n <!DOCTYPE html>", content_type="text/html"), UnavailableError),
        (said(200, "<html>", content_type="application/json"), UnavailableError),
        (said(500, ""), UnavailableError),
        (said(502, "<html>bad gateway</html>", content_type="text/html"), UnavailableError),
        (said(503, '{"message":"error","errors":[]}'), UnavailableError),
        (said(408, ""), UnavailableError),
        (said(301, "", Location="https://elsewhere.example/"), UnavailableError),
        (said(402, '{"message":"Payment Required"}'), ScopeMissingError),
        (fault(403, "Application", "Status", "Inactive"), InactiveError),
        (fault(401, "Application", "client_id", "invalid"), InactiveError),
        (fault(401, "AccessToken", "activity:read_permission", "missing"), ScopeMissingError),
        (fault(403, "Athlete", "id", "forbidden"), StravaError),
        (fault(400, "Activity", "per_page", "invalid"), StravaError),
        (said(422, '{"errors":"no"}'), StravaError),
        (said(403, ""), StravaError),
    ],
    ids=lambda value: f"{value.status} {value.text}" if isinstance(value, web.Response) else value.__name__,
)
async def test_each_answer_is_the_error_that_says_what_to_do(answer: web.Response, kind: type[StravaError]) -> None:
    async with answering(answer) as server, side() as at:
        _, found = await asked(at, server)
        assert type(found) is kind
        assert len(server.asked) == 1
        assert at.refreshes == 0
        assert "/activities/7 for alice" in str(found)


async def test_strava_s_own_words_are_told() -> None:
    async with answering(fault(422, "Activity", "gear_id", "invalid", message="Bad gear")) as server, side() as at:
        _, found = await asked(at, server)
        assert str(found).endswith("HTTP 422: Bad gear: Activity gear_id invalid")


@pytest.mark.parametrize("wrong", [trouble.html(503), trouble.status(500), trouble.cut_off(), trouble.reset()])
async def test_trouble_passes(wrong: trouble.Trouble) -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        activity = alice.add_activity()
        at.fake.play(wrong, times=2)  # a connection that was kept may be tried anew by the client library
        path = f"activities/{activity.id}"
        while True:
            try:
                found = one(await at.api.get(grant, path, priority=EVENT), Activity)
            except UnavailableError:
                continue
            break
        assert found.id == activity.id
        assert at.refreshes == 0


async def test_an_answer_that_is_cut_in_half_is_seen_when_it_is_read() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        alice.add_activity()
        at.fake.play(trouble.truncated())
        raw = await at.api.get(grant, "athlete/activities", priority=EVENT)
        with pytest.raises(UnavailableError):
            each(raw, Activity, ignore)


async def test_json_by_another_name_is_json() -> None:
    async with side() as at:
        _, grant = await at.join("alice", 5)
        at.fake.play(trouble.wrong_type())
        assert one(await at.api.get(grant, "athlete", priority=EVENT), AthleteInfo).id == 5


async def test_silence_has_a_deadline() -> None:
    async with side(seconds=0.05) as at:
        _, grant = await at.join("alice", 5)
        at.fake.play(trouble.hang(), "/athlete")
        with pytest.raises(UnavailableError, match=r"GET /api/v3/athlete: no answer within 0\.05 s"):
            await at.api.get(grant, "athlete", priority=EVENT, after=5)


async def test_a_strava_that_is_not_there_is_unavailable() -> None:
    async with side() as at:
        _, grant = await at.join("alice", 5)
        await at.fake.stop()
        with pytest.raises(UnavailableError, match=r"no connection to 127\.0\.0\.1: Connection refused"):
            await at.api.get(grant, "athlete", priority=EVENT)


@pytest.mark.parametrize("packed", [False, True])
async def test_an_answer_that_is_too_large_is_not_taken(packed: bool) -> None:  # noqa: FBT001 - a case
    text = b"[" + b" " * MOST_BYTES + b"]"
    headers = {"Content-Encoding": "gzip"} if packed else {}
    large = web.Response(body=gzip.compress(text, 1) if packed else text, headers=headers)
    async with answering(large) as server, side() as at:
        _, found = await asked(at, server)
        assert type(found) is StravaError
        assert "larger than 8 MB" in str(found)


async def test_the_largest_page_is_taken() -> None:
    text = b"[" + b" " * (MOST_BYTES - 2) + b"]"
    async with answering(web.Response(body=text)) as server, side() as at:
        _, found = await asked(at, server)
        assert found == text


async def test_a_redirect_takes_no_token_along() -> None:
    async with answering(said(200, "{}")) as elsewhere:
        async with answering(said(307, "", Location=f"{elsewhere.url}/activities/7")) as server, side() as at:
            _, found = await asked(at, server)
            assert isinstance(found, UnavailableError)
        assert elsewhere.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        said(400, f'{{"message":"no {SECRET} here"}}'),
        said(500, f"<html>{SECRET}</html>"),
        said(404, f'{{"message":"x","errors":"{SECRET}"}}'),
        fault(403, SECRET, SECRET, SECRET),
        None,
    ],
    ids=str,
)
async def test_no_token_and_no_query_is_in_any_error(
    answer: web.Response | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with answering(answer) as server, side(seconds=0.2) as at:
        _, found = await asked(at, server, after="words-in-the-query")
        assert isinstance(found, StravaError)
        assert "words-in-the-query" not in str(found)
        assert found.__cause__ is None
        assert SECRET in server.asked[0].headers["Authorization"]
        assert SECRET not in caplog.text


async def test_an_address_that_is_none_is_called_so_without_showing_it() -> None:
    async with side() as at:
        _, grant = await at.join("alice", 5)
        api = Api(at.http, api_url="http://words in it", limiter=at.limiter, tokens=at.tokens, timeout=1)
        found = await outcome(api.get(grant, "athlete", priority=EVENT))
        assert isinstance(found, UnavailableError)
        assert "words in it" not in str(found)


async def test_a_body_that_is_no_json_is_the_callers_mistake() -> None:
    async with side() as at:
        _, grant = await at.join("alice", 5)
        with pytest.raises(TypeError):
            await at.api.put(grant, "activities/7", object())
        assert at.fake.calls == []
