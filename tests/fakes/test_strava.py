"""The fake Strava lets apps in, and gives and ends tokens, as the real one does."""

import pytest

from tests.fakes.strava import ConsentError, FakeStrava, trouble
from tests.fakes.strava.client import CALLBACK, bearer, client_of, link, receiver, stage

READ = ("read", "activity:read")
GONE = ("RefreshToken", "refresh_token", "invalid")


async def test_consent_sends_the_browser_back_with_a_code_and_what_was_ticked() -> None:
    async with stage() as on:
        bob = on.fake.athlete(1002, firstname="Bob")
        landing = await on.fake.consent(link(on.fake, on.app), bob, granted=READ, follow=False)
        assert landing.url.startswith(f"{CALLBACK}?")
        assert landing.query["state"] == "once"
        assert landing.query["scope"] == "read,activity:read"
        answer = await on.client.exchange(on.app, landing.query["code"])
        assert answer.json["athlete"]["id"] == 1002
        assert answer.json["expires_at"] == on.clock.now + 21_600
        assert answer.json["expires_in"] == 21_600
        assert "scope" not in answer.json
        assert "X-RateLimit-Limit" not in answer.headers
        assert (await on.client.get("/athlete", answer.json["access_token"])).json["firstname"] == "Bob"


async def test_a_refusal_sends_the_browser_back_without_a_code() -> None:
    async with stage() as on:
        address = link(on.fake, on.app, approval_prompt="force")
        landing = await on.fake.consent(address, on.alice, refuse=True, follow=False)
        assert landing.query == {"state": "once", "error": "access_denied"}
        with pytest.raises(AssertionError, match="was not asked"):
            await on.fake.consent(link(on.fake, on.app), on.alice, refuse=True)


async def test_the_browser_goes_where_it_is_sent_and_shows_the_page() -> None:
    async with stage() as on, receiver() as page:
        page.answer, page.challenge = 200, "welcome"
        on.fake.lead("https://jitney.example", page.url.removesuffix("/hook"))
        address = link(
            on.fake, on.app, redirect_uri="https://jitney.example/strava/callback?x=1", approval_prompt="force"
        )
        landing = await on.fake.consent(address, on.alice)
        assert (landing.status, landing.text) == (200, "welcome")
        assert page.queries == [landing.query]
        assert landing.query.keys() == {"x", "state", "code", "scope"}


async def test_the_browser_goes_on_where_the_page_sends_it_but_not_for_ever() -> None:
    async with stage() as on, receiver() as page:
        page.answer, page.challenge = 303, "moved"
        url = page.url.replace("127.0.0.1", "localhost")
        with pytest.raises(AssertionError, match=f"more than 5 redirects from {url}"):
            await on.fake.consent(link(on.fake, on.app, redirect_uri=url), on.alice)
        assert [len(query) for query in page.queries] == [3, 0, 0, 0, 0]
        with pytest.raises(AssertionError, match="the link does not lead to Strava"):
            await on.fake.consent(page.url, on.alice)


async def test_a_page_that_leads_nowhere_and_one_that_breaks_are_shown_to_the_person() -> None:
    async with stage() as on, receiver() as page:
        page.challenge = "no link here"
        with pytest.raises(ConsentError, match="status 200: no link here"):
            await on.fake.consent(page.url, on.alice)
        on.fake.play(trouble.status(500), "/oauth/accept_application")
        with pytest.raises(ConsentError, match="status 500"):
            await on.fake.consent(link(on.fake, on.app, approval_prompt="force"), on.alice)


async def test_the_link_may_lead_to_strava_over_a_page_of_the_client() -> None:
    async with stage() as on, receiver() as page:
        page.challenge = f'<a href="{link(on.fake, on.app).replace("&", "&amp;")}">Connect</a>'
        landing = await on.fake.consent(page.url, on.alice, follow=False)
        assert landing.query["code"]


async def test_who_has_allowed_everything_is_not_asked_again_unless_forced() -> None:
    async with stage() as on:
        await on.fake.consent(link(on.fake, on.app), on.alice, follow=False)
        assert on.fake.count("POST", "/oauth/accept_application") == 0
        await on.fake.consent(link(on.fake, on.app, approval_prompt="force"), on.alice, follow=False)
        assert on.fake.count("POST", "/oauth/accept_application") == 1


async def test_a_box_that_is_not_on_the_page_cannot_be_ticked() -> None:
    async with stage() as on:
        with pytest.raises(AssertionError, match="no box for"):
            await on.fake.consent(link(on.fake, on.app, scope="read"), on.fake.athlete(1002), granted=READ)


async def test_nobody_signed_in_sees_the_page_to_log_in() -> None:
    async with stage() as on:
        answer = await on.client.ask("GET", link(on.fake, on.app))
        assert answer.status == 200
        assert b"Log in" in answer.body


async def test_one_athlete_too_many_is_told_so_at_the_consent_page() -> None:
    async with stage() as on:
        on.app.capacity, on.app.capacity_at = 1, "consent"
        with pytest.raises(ConsentError, match="Limit of connected athletes exceeded") as caught:
            await on.fake.consent(link(on.fake, on.app), on.fake.athlete(1002))
        assert caught.value.status == 403
        again = await on.fake.consent(link(on.fake, on.app, approval_prompt="force"), on.alice, follow=False)
        assert again.query["code"]


async def test_one_athlete_too_many_is_told_so_at_the_exchange() -> None:
    async with stage() as on:
        on.app.capacity = 1
        landing = await on.fake.consent(link(on.fake, on.app), on.fake.athlete(1002), follow=False)
        answer = await on.client.exchange(on.app, landing.query["code"])
        assert answer.status == 403
        assert answer.json["message"] == "Limit of connected athletes exceeded"


async def test_a_code_expires_and_belongs_to_its_app() -> None:
    async with stage() as on:
        other = on.fake.app("54321", "other")
        code = (await on.fake.consent(link(on.fake, on.app), on.alice, follow=False)).query["code"]
        assert (await on.client.exchange(other, code)).error == ("AuthorizationCode", "code", "invalid")
        assert (await on.client.exchange(on.app, "nonsense")).error == ("AuthorizationCode", "code", "invalid")
        on.clock.now += 3600
        answer = await on.client.exchange(on.app, code)
        assert answer.status == 400
        assert answer.error == ("AuthorizationCode", "", "expired")


async def test_a_wrong_app_or_secret_is_refused() -> None:
    async with stage() as on:
        answer = await on.client.token(on.app, client_id="9", grant_type="refresh_token")
        assert (answer.status, answer.error) == (400, ("Application", "client_id", "invalid"))
        answer = await on.client.token(on.app, client_secret="guess", grant_type="refresh_token")
        assert (answer.status, answer.error) == (401, ("Application", "", "invalid"))


async def test_a_refresh_gives_the_same_access_token_while_it_is_good_for_more_than_an_hour() -> None:
    async with stage() as on:
        on.clock.now += 21_600 - 3601
        answer = (await on.client.refresh(on.app, on.access.grant.refresh_token)).json
        assert answer["access_token"] == on.access.token
        assert answer["expires_in"] == 3601
        assert "athlete" not in answer


async def test_with_an_hour_left_a_refresh_gives_a_new_one_and_the_older_stays_good_until_its_own_end() -> None:
    async with stage() as on:
        on.clock.now += 21_600 - 3600
        answer = (await on.client.refresh(on.app, on.access.grant.refresh_token)).json
        assert answer["access_token"] != on.access.token
        on.clock.now += 3599
        assert (await on.client.get("/athlete", on.access)).status == 200
        on.clock.now += 1
        refused = await on.client.get("/athlete", on.access)
        assert (refused.status, refused.error) == (401, ("Athlete", "access_token", "invalid"))
        assert (await on.client.get("/athlete", answer["access_token"])).status == 200


@pytest.mark.parametrize("rotate", [True, False])
async def test_a_new_refresh_token_comes_with_each_refresh_if_the_app_has_it_so(*, rotate: bool) -> None:
    async with stage() as on:
        on.app.rotate = rotate
        first = on.access.grant.refresh_token
        second = (await on.client.refresh(on.app, first)).json["refresh_token"]
        assert (first != second) is rotate
        if rotate:
            answer = await on.client.refresh(on.app, first)
            assert (answer.status, answer.error) == (400, GONE)
            assert "stale refresh token sent" in on.fake.take_fault("stale")
        assert (await on.client.refresh(on.app, second)).status == 200


async def test_a_spoilt_access_token_is_refused_before_its_time_and_a_refresh_gives_another() -> None:
    async with stage() as on:
        on.fake.spoil(on.app, on.alice)
        assert (await on.client.get("/athlete", on.access)).status == 401
        answer = (await on.client.refresh(on.app, on.access.grant.refresh_token)).json
        assert (await on.client.get("/athlete", answer["access_token"])).status == 200


@pytest.mark.parametrize("which", ["access", "refresh"])
async def test_revoking_one_token_revokes_all_of_the_grant(which: str) -> None:
    async with stage() as on:
        token = on.access.token if which == "access" else on.access.grant.refresh_token
        answer = await on.client.revoke(on.app, token)
        assert (answer.status, answer.body) == (200, b"{}")
        assert on.fake.grant_of(on.app, on.alice) is None
        assert (await on.client.get("/athlete", on.access)).status == 401
        assert (await on.client.revoke(on.app, "unknown")).status == 200


async def test_deauthorising_ends_the_grant_and_counts_as_a_call() -> None:
    async with stage() as on:
        url = f"{on.fake.oauth_url}/deauthorize"
        answer = await on.client.ask("POST", url, headers=bearer(on.access))
        assert answer.json == {"access_token": on.access.token}
        assert answer.headers["X-ReadRateLimit-Usage"] == "1,1"
        assert on.fake.grant_of(on.app, on.alice) is None
        assert (await on.client.ask("POST", url, data={"access_token": on.access.token})).status == 401


async def test_the_grant_of_one_athlete_or_app_is_not_that_of_another() -> None:
    async with stage() as on:
        bob, other = on.fake.athlete(1002, firstname="Bob"), on.fake.app("54321", "other")
        accesses = [on.fake.grant(on.app, bob), on.fake.grant(other, on.alice)]
        on.fake.revoke(on.app, on.alice)
        assert (await on.client.get("/athlete", on.access)).status == 401
        assert [(await on.client.get("/athlete", one)).status for one in accesses] == [200, 200]
        assert on.fake.find("GET", "/athlete", app=other) == on.fake.calls[-1:]
        assert on.fake.count(athlete=bob) == 1


async def test_it_keeps_its_port_and_its_world_over_a_pause() -> None:
    async with stage() as on:
        await on.fake.stop()
        with pytest.raises(OSError, match="Connect call failed"):
            await on.client.get("/athlete", on.access)
        await on.fake.start()
        assert (await on.client.get("/athlete", on.access)).status == 200


async def test_it_may_be_down_when_a_test_ends() -> None:
    async with stage() as on:
        await on.fake.stop()


async def test_only_a_grant_that_is_there_can_end() -> None:
    async with stage() as on:
        on.fake.revoke(on.app, on.alice)
        with pytest.raises(AssertionError, match="athlete 1001 allows nothing to the app 12345"):
            on.fake.revoke(on.app, on.alice)


async def test_the_time_of_answers_is_that_of_its_clock() -> None:
    async with stage() as on:
        assert (await on.client.get("/athlete", on.access)).headers["Date"] == "Sat, 21 Nov 2026 12:00:00 GMT"


async def test_waiting_says_what_was_seen_when_it_ends_in_vain() -> None:
    async with FakeStrava() as fake, client_of(fake) as client:
        app = fake.app("12345", "secret")
        await client.get("/athlete", fake.grant(app, fake.athlete(1001)))
        with pytest.raises(AssertionError, match=r"waited 0.01 s for bob; seen so far: {'GET /athlete 200': 1}"):
            await fake.until(lambda: fake.count("GET", "/bob") > 0, "bob", 0.01)
