"""The fake Strava notices what a correct client never does, and fails the test that does not want it."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from tests.fakes.strava import ConsentError, FakeStrava, Limits, trouble
from tests.fakes.strava.client import CALLBACK, Stage, bearer, client_of, link, receiver, stage

TOKEN = "0123456789abcdef0123456789abcdef01234567"
Misbehaviour = Callable[[Stage], Awaitable[object]]


async def misbehave(*, error: Exception | None = None, allow: str = "nothing") -> None:
    async with FakeStrava(allow=[allow]) as fake, client_of(fake) as client:
        await client.get("/athlete", TOKEN)
        if error is not None:
            raise error


async def test_a_fault_fails_the_test_that_does_not_allow_it() -> None:
    said = "a correct client of Strava never does this:\nGET /athlete: an access token that was never given out"
    with pytest.raises(AssertionError) as caught:
        await misbehave()
    assert str(caught.value) == said
    await misbehave(allow="never given out")


async def test_a_fault_does_not_hide_the_error_of_a_test() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        await misbehave(error=ZeroDivisionError())
    assert "never given out" in caught.value.__notes__[0]


async def test_a_fault_that_a_test_wants_is_taken_once() -> None:
    async with stage() as on:
        await on.client.get("/athlete", TOKEN)
        assert on.fake.take_fault("never given out").startswith("GET /athlete: ")
        with pytest.raises(AssertionError, match="no fault like"):
            on.fake.take_fault("never given out")


async def test_faults_can_be_allowed_afterwards() -> None:
    async with stage() as on:
        await on.client.get("/athlete", TOKEN)
        on.fake.allow("given out")
        assert len(on.fake.faults) == 1


async def test_what_breaks_in_the_fake_fails_the_test() -> None:
    async def breaking() -> None:
        async with stage() as on:
            ride = on.alice.add_activity()
            del ride.fields["start_date"]
            await on.client.get(f"/activities/{ride.id}/photos", on.access)

    with pytest.raises(AssertionError, match="the fake broke: KeyError"):
        await breaking()


def api(path: str, **options: object) -> Misbehaviour:
    method = str(options.pop("method", "GET"))
    return lambda on: on.client.ask(method, f"{on.fake.api_url}{path}", **{"headers": bearer(on.access), **options})


def oauth(path: str, **fields: str) -> Misbehaviour:
    return lambda on: on.client.ask("POST", f"{on.fake.oauth_url}{path}", data=fields)


def basic(authorization: str, token: str) -> Misbehaviour:
    headers = {"Authorization": authorization}
    return lambda on: on.client.ask("POST", f"{on.fake.oauth_url}/revoke", data={"token": token}, headers=headers)


@pytest.mark.parametrize(
    ("act", "fault"),
    [
        (api("/athlete", headers={}), "no Authorization header"),
        (api("/athlete", headers={"Authorization": f"bearer {TOKEN}"}), "an Authorization header of 'bearer'"),
        (api("/athlete", headers={"Authorization": TOKEN}), "an Authorization header of"),
        (api("/athlete", params={"access_token": TOKEN}), "access_token outside of the Authorization header"),
        (api("/athlete", params={"client_secret": "secret"}), "client_secret outside of the Authorization header"),
        (api("/athlete/activities", params={"per_page": 201}), "page 1 of 201 activities"),
        (api("/athlete/activities", params={"per_page": "all"}), "page 1 of -1 activities"),
        (api("/athlete/activities", params={"page": 0}), "page 0 of 30 activities"),
        (api("/athlete/activities", params={"after": "2026-11-21"}), "after -1 is absurd"),
        (api("/activities/5/photos", params={"size": 20_000}), "photos of 20000 pixels"),
        (api("/athletes/1002/stats"), "statistics of athlete 1002 asked for with the token of another athlete"),
        (api("/athlete/activities", params={"perpage": 200}), "parameters that change nothing: perpage"),
        (api("/clubs/5"), "there is no such path"),
        (api("/athlete", method="POST"), "there is no such path"),
        (api("/../../x"), "there is no such path"),
        (oauth("/tokens"), "there is no such path"),
        (oauth("/token?client_secret=secret"), "client_secret in the address"),
        (oauth("/token?refresh_token=x"), "refresh_token in the address"),
        (oauth("/token", client_id="12345", client_secret="secret", grant_type="password"), "grant_type 'password'"),
        (oauth("/revoke", token=TOKEN), "no client id and secret by HTTP Basic"),
        (basic("Basic !", TOKEN), "no client id and secret by HTTP Basic"),
        (basic(aiohttp.encode_basic_auth("12345", "guess"), TOKEN), "no client id and secret by HTTP Basic"),
        (basic(aiohttp.encode_basic_auth("12345", "secret"), ""), "no token to revoke"),
        (api("/activities/16500000007", method="PUT", data="name=x"), "a change as 'text/plain' instead of JSON"),
    ],
)
async def test_a_call_that_is_none_is_a_fault(act: Misbehaviour, fault: str) -> None:
    async with stage() as on:
        on.alice.add_activity()
        await act(on)
        assert len(on.fake.faults) == 1
        on.fake.take_fault(fault)


async def test_a_token_in_a_body_is_a_fault() -> None:
    async with stage() as on:
        ride = on.alice.add_activity()
        url = f"{on.fake.api_url}/activities/{ride.id}"
        await on.client.ask("PUT", url, data={"access_token": on.access.token}, headers=bearer(on.access))
        on.fake.take_fault("access_token outside of the Authorization header")
        on.fake.take_fault("instead of JSON")


async def test_the_token_of_one_athlete_for_what_is_another_s_is_a_fault_and_finds_nothing() -> None:
    async with stage() as on:
        bob = on.fake.athlete(1002, firstname="Bob")
        ride, bike = bob.add_activity(), bob.add_bike("Blue")
        assert (await on.client.get(f"/activities/{ride.id}", on.access)).status == 404
        on.fake.take_fault(f"activity {ride.id} asked for with the token of another athlete")
        assert (await on.client.get(f"/gear/{bike.id}", on.access)).status == 404
        on.fake.take_fault(f"gear {bike.id} asked for with the token of another athlete")


@pytest.mark.parametrize("where", ["header", "query"])
async def test_a_token_sent_to_the_photos_is_a_fault(where: str) -> None:
    async with stage() as on:
        photo = on.alice.add_activity().add_photo()
        url = photo.url(on.fake.origin, 600)
        if where == "header":
            await on.client.ask("GET", url, headers=bearer(on.access))
        else:
            await on.client.ask("GET", url, params={"x": on.access.token})
        on.fake.take_fault("a token sent to the network that serves photos")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"title": "x"}, "title cannot be changed"),
        ({"commute": "true"}, "commute cannot be changed to 'true'"),
        ([], "no object of texts and booleans"),
    ],
)
async def test_a_change_of_another_shape_is_a_fault(body: object, fault: str) -> None:
    async with stage() as on:
        ride = on.alice.add_activity()
        await on.client.put(f"/activities/{ride.id}", on.access, body)
        on.fake.take_fault(fault)


@pytest.mark.parametrize(
    ("fields", "fault", "status"),
    [
        ({"client_id": "9"}, "a link of an unknown client_id", 400),
        ({"redirect_uri": "https://evil.example/x"}, "a redirect_uri on evil.example", 400),
        ({"redirect_uri": ""}, "a redirect_uri on nowhere", 400),
        ({"response_type": "token"}, "no code asked for", 400),
        ({"scope": "read activity:read"}, "scopes like", 400),
        ({"scope": ""}, "scopes like", 400),
        ({"approval_prompt": "never"}, "an unknown approval_prompt", 400),
        ({"client_secret": "secret"}, "client_secret in the address", 0),
        ({"state": ""}, "a link without state", 0),
    ],
)
async def test_a_wrong_link_is_a_fault(fields: dict[str, str], fault: str, status: int) -> None:
    async with stage() as on:
        if status:
            with pytest.raises(ConsentError) as caught:
                await on.fake.consent(link(on.fake, on.app, **fields), on.alice, follow=False)
            assert caught.value.status == status
        else:
            assert (await on.fake.consent(link(on.fake, on.app, **fields), on.alice, follow=False)).query["code"]
        assert len(on.fake.faults) == 1
        on.fake.take_fault(fault)


async def test_the_same_code_twice_is_a_fault() -> None:
    async with stage() as on:
        code = (await on.fake.consent(link(on.fake, on.app), on.alice, follow=False)).query["code"]
        assert (await on.client.exchange(on.app, code)).status == 200
        answer = await on.client.exchange(on.app, code)
        assert answer.error == ("AuthorizationCode", "", "expired")
        on.fake.take_fault("the same code exchanged twice")


async def test_a_refresh_token_that_was_never_given_out_or_is_another_app_s_is_a_fault() -> None:
    async with stage() as on:
        other = on.fake.app("54321", "other")
        for app, token in ((on.app, TOKEN), (other, on.access.grant.refresh_token)):
            assert (await on.client.refresh(app, token)).error == ("RefreshToken", "refresh_token", "invalid")
            on.fake.take_fault("a refresh token that this app never got")


async def test_tokens_asked_for_as_json_are_a_fault() -> None:
    async with stage() as on:
        await on.client.ask("POST", f"{on.fake.oauth_url}/token", json={"client_id": "12345"})
        on.fake.take_fault("a body that is no form")


async def test_two_refreshes_at_the_same_time_are_a_fault() -> None:
    async with stage(refresh_seconds=0.5) as on:
        on.app.rotate = False
        token = on.access.grant.refresh_token
        await asyncio.gather(on.client.refresh(on.app, token), on.client.refresh(on.app, token))
        on.fake.take_fault("two refreshes at the same time for the grant of athlete 1001 to the app 12345")


async def test_a_refresh_that_hangs_is_one_too_until_its_client_has_gone() -> None:
    async with stage() as on:
        token = on.access.grant.refresh_token
        playing = on.fake.play(trouble.hang(), "/oauth/token")
        first = asyncio.create_task(on.client.refresh(on.app, token), name="first")
        await on.fake.until(lambda: playing.waiting == 1)
        second = (await on.client.refresh(on.app, token)).json["refresh_token"]
        on.fake.take_fault("two refreshes at the same time")
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert (await on.client.refresh(on.app, second)).status == 200


async def test_refreshes_of_two_athletes_at_the_same_time_are_none() -> None:
    async with stage(refresh_seconds=0.1) as on:
        tokens = [on.access.grant.refresh_token, on.fake.grant(on.app, on.fake.athlete(1002)).grant.refresh_token]
        await asyncio.gather(*(on.client.refresh(on.app, token) for token in tokens))


async def test_after_a_revocation_one_refused_call_and_one_refused_refresh_are_right() -> None:
    async with stage(grace=0) as on:
        token = on.access.grant.refresh_token
        on.fake.revoke(on.app, on.alice)
        assert (await on.client.get("/athlete", on.access)).status == 401
        assert (await on.client.refresh(on.app, token)).status == 400
        assert on.fake.faults == []
        assert (await on.client.refresh(on.app, token)).status == 400
        on.fake.take_fault("refreshed the grant of athlete 1001 to the app 12345 again, which has ended")
        assert (await on.client.get("/athlete", on.access)).status == 401
        on.fake.take_fault("as a refused refresh had told")


async def test_what_was_on_its_way_when_the_refresh_was_refused_is_forgiven() -> None:
    async with stage(grace=60) as on:
        token = on.access.grant.refresh_token
        on.fake.revoke(on.app, on.alice)
        assert (await on.client.refresh(on.app, token)).status == 400
        assert (await on.client.get("/athlete", on.access)).status == 401


async def test_whoever_ends_a_grant_may_not_use_it_again() -> None:
    async with stage(grace=0) as on:
        token = on.access.grant.refresh_token
        await on.client.revoke(on.app, token)
        await on.client.get("/athlete", on.access)
        on.fake.take_fault("called with a token of the grant .* after ending it")
        await on.client.refresh(on.app, token)
        on.fake.take_fault("refreshed the grant .* after ending it")


async def test_to_end_a_grant_with_a_dead_token_is_a_fault_because_it_does_not_end() -> None:
    async with stage() as on:
        first = on.access.grant.refresh_token
        second = (await on.client.refresh(on.app, first)).json["refresh_token"]
        assert (await on.client.revoke(on.app, first)).status == 200
        on.fake.take_fault("a dead token revoked, which does not end the grant of athlete 1001 to the app 12345")
        on.clock.now += 21_600
        assert (await on.client.revoke(on.app, on.access.token)).status == 200
        on.fake.take_fault("a dead token revoked")
        assert on.fake.grant_of(on.app, on.alice) is not None
        assert (await on.client.revoke(on.app, second)).status == 200
        assert on.fake.grant_of(on.app, on.alice) is None


async def test_to_send_a_refused_token_again_and_again_is_a_fault() -> None:
    async with stage() as on:
        on.fake.spoil(on.app, on.alice)
        for _ in range(4):
            assert (await on.client.get("/athlete", on.access)).status == 401
        assert on.fake.faults == []
        await on.client.get("/athlete", on.access)
        on.fake.take_fault("sent a refused token 5 times")


async def test_a_call_while_the_app_must_wait_is_a_fault_and_the_same_one_at_once() -> None:
    async with stage(limits=Limits(read_short=1), grace=60) as on:
        await on.client.get("/athlete", on.access)
        assert (await on.client.get("/athlete", on.access)).status == 429
        await on.client.get("/athlete/zones", on.access)
        assert on.fake.faults == []
        await on.client.get("/athlete", on.access)
        on.fake.take_fault("called although the app got a 429 and must wait for 900 s")


@pytest.mark.parametrize("path", ["api", "subscriptions"])
async def test_any_call_while_the_app_must_wait_is_a_fault_when_it_was_not_on_its_way(path: str) -> None:
    async with stage(grace=0) as on:
        on.fake.play(trouble.limited(30), "/athlete")
        assert (await on.client.get("/athlete", on.access)).status == 429
        bob = on.fake.grant(on.app, on.fake.athlete(1002))
        ask = on.client.get("/athlete", bob) if path == "api" else on.client.subscriptions(on.app)
        assert (await ask).status == 200
        on.fake.take_fault("must wait for 30 s")
        assert (await on.client.get("/athlete", on.fake.grant(on.fake.app("54321", "x"), on.alice))).status == 200
        on.clock.now += 30
        assert (await on.client.get("/athlete", bob)).status == 200


async def test_to_refresh_while_the_app_must_wait_is_right() -> None:
    async with stage(grace=0) as on:
        on.fake.play(trouble.limited(), "/athlete")
        await on.client.get("/athlete", on.access)
        assert (await on.client.refresh(on.app, on.access.grant.refresh_token)).status == 200


async def test_subscriptions_have_faults_of_their_own() -> None:
    async with stage() as on, receiver() as hook:
        url, secrets = on.fake.subscription_url, {"client_id": "12345", "client_secret": "secret"}
        await on.client.ask("POST", url, params=secrets, data={"callback_url": hook.url, "verify_token": "x"})
        on.fake.take_fault("secrets in the address of a POST")
        on.fake.subscriptions.known.clear()
        await on.client.ask("POST", url, json=secrets)
        on.fake.take_fault("a subscription as 'application/json' instead of a form")
        await on.client.ask("GET", url, params=secrets, headers=bearer(on.access))
        on.fake.take_fault("an athlete's token sent to the subscriptions")
        await on.client.ask("PATCH", url, params=secrets)
        on.fake.take_fault("there is no such path")
        for wrong in ("ftp://x", f"https://x/{'x' * 300}", ""):
            assert (await on.client.subscribe(on.app, wrong)).status == 400
            on.fake.take_fault("a callback_url of")
        assert (await on.client.subscribe(on.app, hook.url, verify_token="")).status == 201
        on.fake.take_fault("no verify_token")


async def test_two_subscriptions_asked_for_at_the_same_time_are_a_fault() -> None:
    async with stage() as on, receiver() as hook:
        hook.going.clear()
        first = asyncio.create_task(on.client.subscribe(on.app, hook.url), name="first")
        await on.fake.until(lambda: on.fake.count("POST", "/push_subscriptions") == 1)
        assert (await on.client.subscribe(on.app, hook.url)).status == 400
        hook.going.set()
        assert (await first).status == 201
        on.fake.take_fault("while one exists")


async def test_to_delete_the_subscription_of_another_program_is_a_fault_unless_allowed() -> None:
    async with stage() as on:
        foreign = on.fake.subscribe(on.app, "https://n8n.example/hook", foreign=True)
        assert (await on.client.unsubscribe(on.app, foreign.id)).status == 204
        on.fake.take_fault(f"deleted the foreign subscription {foreign.id}")
        own = on.fake.subscribe(on.app, CALLBACK)
        assert (await on.client.unsubscribe(on.app, own.id)).status == 204
