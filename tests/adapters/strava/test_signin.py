"""Signing in: from a link to a grant, by the page or by a pasted address, and every way in which that can fail."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.base import HttpRequest, Owner
from jitney.adapters.errors import RefusedError
from jitney.adapters.secret import Secret
from jitney.adapters.strava import config, http, signin
from jitney.adapters.strava.callback import read_answer
from jitney.adapters.strava.config import Identity
from jitney.adapters.strava.grants import Grant, Grants
from jitney.adapters.strava.oauth import OAuth
from jitney.adapters.strava.signin import LIFE, SCOPES, SignIn
from jitney.adapters.strava.tokens import Tokens
from tests.adapters.strava.front import front
from tests.fakes.context import DEADLINE, RecordingContext
from tests.fakes.strava import App, Athlete, FakeStrava, trouble
from tests.fakes.strava.client import Clock

OWNERS = (
    Owner("alice", "Alice", Identity(app="main")),
    Owner("bob", "Bob", Identity(app="main")),
    Owner("carol", "Carol", Identity(app="club", athlete=33)),
)
ALL = ("read", "activity:read", "activity:read_all", "profile:read_all")
PUBLIC = "https://jitney.example/strava"


@dataclass
class Scene:
    strava: FakeStrava
    apps: dict[str, App]
    ctx: RecordingContext
    clock: Clock
    grants: Grants
    tokens: Tokens
    signin: SignIn
    alice: Athlete
    bob: Athlete
    carol: Athlete
    connected: list[Grant] = field(default_factory=list)

    async def signed_in(self, owner: str, athlete: Athlete) -> None:
        """Let an owner sign in as an athlete, which must work."""
        landing = await self.strava.consent(self.signin.begin(owner), athlete)
        assert landing.status == 200, landing.text

    async def refused(self, owner: str, url: str) -> RefusedError:
        with pytest.raises(RefusedError) as caught:
            await self.signin.finish(owner, url)
        return caught.value

    async def works(self, owner: str) -> bool:
        """Tell whether Strava takes the tokens that are kept for an owner."""
        grant = self.grants.of(owner)
        assert grant is not None
        token = await self.tokens.refreshed(grant, await self.tokens.access(grant))
        headers = {"Authorization": f"Bearer {token.reveal()}"}
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.strava.api_url}/athlete", headers=headers) as answer,
        ):
            return answer.status == 200 and (await answer.json())["id"] == grant.athlete


@asynccontextmanager
async def scene(*, public: bool = False, write: bool = False) -> AsyncIterator[Scene]:
    """Alice and Bob share an app, Carol has one of her own and is known as athlete 33."""
    clock = Clock()
    ctx = RecordingContext(name="strava", owners=OWNERS)
    async with FakeStrava(clock=clock) as strava, front(ctx) as url, http.session() as session:
        ctx.local_url, ctx.public_url = url, PUBLIC if public else ""
        strava.lead("https://jitney.example", url.removesuffix("/strava"))
        apps = {"main": strava.app("12345", "main-secret-main-secret"), "club": strava.app("54321", "club-secret-club")}
        oauths = {
            name: OAuth(
                session,
                config.App(client_id=app.client_id, client_secret=Secret(app.secret)),
                oauth_url=strava.oauth_url,
                timeout=DEADLINE,
                clock=clock,
            )
            for name, app in apps.items()
        }
        grants = Grants(apps)
        await grants.load(ctx)
        tokens = Tokens(ctx.vault, oauths, clock=clock)
        connected: list[Grant] = []

        async def note(grant: Grant) -> None:
            assert grants.of(grant.owner) == grant
            assert await tokens.access(grant)
            connected.append(grant)

        made = SignIn(ctx, grants, tokens, oauths=oauths, connected=note, write=write, clock=clock)
        ctx.serve(made.page)
        people = [strava.athlete(11, firstname="Alice"), strava.athlete(22, firstname="Bob")]
        people.append(strava.athlete(33, firstname="Carol"))
        yield Scene(strava, apps, ctx, clock, grants, tokens, made, *people, connected)


def asked(link: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}


@pytest.mark.parametrize("public", [False, True])
async def test_the_browser_comes_back_and_the_owner_is_connected(*, public: bool) -> None:
    async with scene(public=public) as on:
        link = on.signin.begin("alice")
        landing = await on.strava.consent(link, on.alice)
        assert landing.url.startswith(f"{PUBLIC if public else on.ctx.local_url}/callback?")
        assert (landing.status, landing.content_type) == (200, "text/html")
        assert "connected for Alice" in landing.text
        assert on.grants.all() == on.connected == [Grant(owner="alice", app="main", athlete=11, scopes=ALL)]
        assert await on.works("alice")
        assert on.ctx.audited == [("alice", "sign_in", "ok", "app main")]


async def test_a_pasted_address_takes_the_same_road() -> None:
    async with scene() as on:
        landing = await on.strava.consent(on.signin.begin("alice", redirect="local"), on.alice, follow=False)
        grant = await on.signin.finish("alice", f"  '{landing.url}'\n")
        assert [grant] == on.grants.all() == on.connected
        assert await on.works("alice")


async def test_the_link_asks_for_what_is_needed_and_to_be_sent_back_where_the_browser_can_go() -> None:
    async with scene(public=True) as on:
        link = asked(on.signin.begin("alice"))
        assert link["client_id"] == "12345"
        assert link["scope"] == ",".join(SCOPES) == "read,activity:read,activity:read_all,profile:read_all"
        assert link["approval_prompt"] == "force"
        assert link["redirect_uri"] == f"{PUBLIC}/callback"
        assert len(link["state"]) >= 22
        assert asked(on.signin.begin("alice", redirect="public"))["redirect_uri"] == f"{PUBLIC}/callback"
        assert asked(on.signin.begin("alice", redirect="local"))["redirect_uri"] == f"{on.ctx.local_url}/callback"
        assert asked(on.signin.begin("carol"))["client_id"] == "54321"


async def test_without_any_address_the_browser_is_sent_to_one_that_can_be_copied() -> None:
    async with scene() as on:
        on.ctx.local_url = ""
        landing = await on.strava.consent(on.signin.begin("alice"), on.alice, follow=False)
        assert landing.url.startswith("http://localhost/strava/callback?")
        assert await on.signin.finish("alice", landing.url)
        assert await on.signin.invite("alice") == ""


async def test_the_permission_to_write_is_asked_for_where_it_is_wanted() -> None:
    async with scene(write=True) as on:
        link = on.signin.begin("alice")
        assert asked(link)["scope"].endswith(",activity:write")
        landing = await on.strava.consent(link, on.alice, granted=ALL)
        assert landing.status == 200
        assert "nothing of your activities can be changed from here" in landing.text


async def test_nobody_and_who_has_no_app_get_no_link() -> None:
    async with scene() as on:
        with pytest.raises(RefusedError, match=r"owners\.mallory"):
            on.signin.begin("mallory")
        with pytest.raises(RefusedError, match=r"http\.public_url"):
            on.signin.begin("alice", redirect="public")
        on.ctx.owners = {"alice": Owner("alice", "Alice")}
        with pytest.raises(RefusedError, match=r"set app = .* in owners\.alice\.strava"):
            on.signin.begin("alice")


async def test_a_link_works_once() -> None:
    async with scene() as on:
        landing = await on.strava.consent(on.signin.begin("alice"), on.alice)
        again = await on.ctx.ask("GET", "callback", **landing.query)
        assert again.status == 410
        assert b"used up" in again.body
        error = await on.refused("alice", landing.url)
        assert (error.code, "jitney strava connect alice" in str(error)) == ("unknown_state", True)
        assert on.strava.count("POST", "/oauth/token") == 1


@pytest.mark.parametrize(("seconds", "works"), [(LIFE - 1, True), (LIFE, False)])
async def test_a_link_works_for_fifteen_minutes(seconds: float, *, works: bool) -> None:
    async with scene() as on:
        link = on.signin.begin("alice")
        on.clock.now += seconds
        landing = await on.strava.consent(link, on.alice)
        assert landing.status == (200 if works else 410)
        assert bool(on.grants.all()) is works


async def test_a_state_that_was_never_given_out_leads_nowhere() -> None:
    async with scene() as on:
        on.signin.begin("alice")
        for query in ({}, {"state": ""}, {"state": "guess", "code": "x", "scope": "activity:read"}):
            answer = await on.ctx.ask("GET", "callback", **query)
            assert answer.status == 410
        assert on.strava.calls == []


async def test_only_the_newest_links_of_an_owner_work_and_those_of_others_are_not_touched() -> None:
    async with scene() as on:
        bobs = on.signin.begin("bob")
        links = [on.signin.begin("alice") for _ in range(50)]
        assert len({asked(link)["state"] for link in links}) == 50
        assert len(on.signin._asked) == signin.MOST + 1
        oldest = await on.strava.consent(links[-signin.MOST - 1], on.alice)
        assert oldest.status == 410
        newest = await on.strava.consent(links[-signin.MOST], on.alice)
        assert newest.status == 200
        assert (await on.strava.consent(bobs, on.bob)).status == 200


async def test_links_that_nobody_uses_are_forgotten() -> None:
    async with scene() as on:
        on.signin.begin("alice")
        on.signin.begin("bob")
        on.clock.now += LIFE
        on.signin.begin("carol")
        assert len(on.signin._asked) == 1


async def test_the_link_of_one_owner_is_not_finished_by_another_and_still_works() -> None:
    async with scene() as on:
        landing = await on.strava.consent(on.signin.begin("alice"), on.alice, follow=False)
        error = await on.refused("bob", landing.url)
        assert error.code == "other_owner"
        assert "alice" not in str(error)
        assert await on.signin.finish("alice", landing.url)


async def test_a_refusal_at_strava_is_told_and_offers_a_fresh_link_that_works() -> None:
    async with scene() as on:
        landing = await on.strava.consent(on.signin.begin("alice"), on.alice, refuse=True)
        assert landing.status == 403
        assert "not to allow it" in landing.text
        assert on.strava.count("POST", "/oauth/token") == 0
        link = fresh_link(landing.text, on.strava)
        assert (await on.strava.consent(link, on.alice)).status == 200


def fresh_link(html: str, strava: FakeStrava) -> str:
    _, _, rest = html.partition(f'href="{strava.oauth_url}')
    assert rest, html
    return strava.oauth_url + rest.partition('"')[0].replace("&amp;", "&")


async def test_without_the_box_for_activities_nothing_is_kept_and_the_box_is_named() -> None:
    async with scene() as on:
        landing = await on.strava.consent(on.signin.begin("alice"), on.alice, granted=["read", "profile:read_all"])
        assert landing.status == 403
        assert "“View data about your activities”" in landing.text
        assert on.strava.count("POST", "/oauth/token") == 0
        assert on.grants.all() == []
        assert on.ctx.vault.secrets == {}
        assert (await on.strava.consent(fresh_link(landing.text, on.strava), on.alice)).status == 200


async def test_a_pasted_address_without_any_box_names_the_box() -> None:
    async with scene() as on:
        landing = await on.strava.consent(on.signin.begin("alice"), on.alice, granted=["read"], follow=False)
        error = await on.refused("alice", landing.url.replace("scope=read", "scope="))
        assert error.code == "missing_scope"
        assert "“View data about your activities”" in str(error)


async def test_who_is_connected_stays_so_when_a_second_sign_in_lacks_the_box() -> None:
    async with scene() as on:
        await on.signed_in("alice", on.alice)
        landing = await on.strava.consent(on.signin.begin("alice"), on.alice, granted=["read"])
        assert landing.status == 403
        assert await on.works("alice")


@pytest.mark.parametrize(
    ("granted", "says"),
    [
        (["read", "activity:read", "profile:read_all"], "View data about your private activities"),
        (["read", "activity:read", "activity:read_all"], "View your complete Strava profile"),
        (["activity:read_all"], "View your complete Strava profile"),
    ],
)
async def test_other_boxes_may_be_left_out_and_what_that_means_is_told(granted: list[str], says: str) -> None:
    async with scene() as on:
        landing = await on.strava.consent(on.signin.begin("alice"), on.alice, granted=granted)
        assert landing.status == 200
        assert says in landing.text
        (grant,) = on.grants.all()
        assert grant.scopes == tuple(granted)
        more = await on.strava.consent(fresh_link(landing.text, on.strava), on.alice)
        assert "Not every box" not in more.text
        assert on.grants.all()[0].scopes == ALL
        assert await on.works("alice")


async def test_an_athlete_of_somebody_else_on_the_same_app_is_refused_and_theirs_goes_on() -> None:
    async with scene() as on:
        await on.signed_in("bob", on.bob)
        landing = await on.strava.consent(on.signin.begin("alice"), on.bob)
        assert landing.status == 403
        assert "belongs to somebody else" in landing.text
        assert "Bob" not in landing.text
        assert "22" not in landing.text.partition("<main>")[2].partition("<a")[0]
        assert on.grants.of("alice") is None
        assert not [key for key in on.ctx.vault.secrets if key[0] == "alice"]
        assert await on.works("bob")
        assert on.strava.count("POST", "/oauth/revoke") == 0
        assert len(on.connected) == 1


async def test_what_an_athlete_allows_by_somebody_elses_link_is_what_counts_for_their_own_owner() -> None:
    async with scene() as on:
        await on.signed_in("bob", on.bob)
        landing = await on.strava.consent(on.signin.begin("alice"), on.bob, granted=["read", "activity:read"])
        assert landing.status == 403
        kept = on.grants.of("bob")
        assert kept is not None
        assert kept.scopes == ("read", "activity:read")
        assert await on.works("bob")


async def test_an_athlete_of_somebody_else_on_another_app_is_refused_and_the_new_permission_ended() -> None:
    async with scene() as on:
        await on.signed_in("carol", on.carol)
        landing = await on.strava.consent(on.signin.begin("alice"), on.carol)
        assert landing.status == 403
        assert on.strava.grant_of(on.apps["main"], on.carol) is None
        assert on.strava.grant_of(on.apps["club"], on.carol) is not None
        assert await on.works("carol")


async def test_an_athlete_who_is_configured_for_somebody_else_is_refused_before_they_ever_sign_in() -> None:
    async with scene() as on:
        landing = await on.strava.consent(on.signin.begin("alice"), on.carol)
        assert landing.status == 403
        assert on.strava.grant_of(on.apps["main"], on.carol) is None
        assert on.grants.all() == []


async def test_another_athlete_than_the_configured_one_is_refused_and_the_permission_ended() -> None:
    async with scene() as on:
        landing = await on.strava.consent(on.signin.begin("carol"), on.bob)
        assert landing.status == 403
        assert "not the one expected for Carol" in landing.text
        assert on.strava.grant_of(on.apps["club"], on.bob) is None
        assert (await on.strava.consent(fresh_link(landing.text, on.strava), on.carol)).status == 200


async def test_another_athlete_than_before_is_refused_and_the_first_goes_on() -> None:
    async with scene() as on:
        await on.signed_in("alice", on.alice)
        landing = await on.strava.consent(on.signin.begin("alice"), on.bob, follow=False)
        error = await on.refused("alice", landing.url)
        assert error.code == "foreign_athlete"
        assert "jitney strava disconnect alice" in str(error)
        assert on.strava.grant_of(on.apps["main"], on.bob) is None
        assert await on.works("alice")


async def test_a_refused_permission_that_cannot_be_ended_is_counted_and_told() -> None:
    async with scene() as on:
        on.strava.play(trouble.status(500), "/oauth/revoke")
        landing = await on.strava.consent(on.signin.begin("carol"), on.bob)
        assert landing.status == 403
        assert on.ctx.counts["not_revoked"] == 1
        assert [line["app"] for line in on.ctx.warnings()] == ["club"]


async def test_one_athlete_for_two_owners_at_once_is_one_owners() -> None:
    async with scene() as on:
        landings = [
            await on.strava.consent(on.signin.begin(owner), on.alice, follow=False) for owner in ("alice", "bob")
        ]
        answers = await asyncio.gather(
            *(on.signin.finish(owner, landing.url) for owner, landing in zip(("alice", "bob"), landings, strict=True)),
            return_exceptions=True,
        )
        codes = sorted(getattr(answer, "code", "") for answer in answers)
        assert codes == ["", "claimed_athlete"]
        (grant,) = on.grants.all()
        assert [key[0] for key in on.ctx.vault.secrets] == [grant.owner]
        assert await on.works(grant.owner)


async def test_an_owner_may_sign_in_again_and_is_connected_with_the_newest_tokens() -> None:
    async with scene() as on:
        await on.signed_in("alice", on.alice)
        await on.signed_in("alice", on.alice)
        assert len(on.grants.all()) == 1
        assert len(on.connected) == 2
        assert await on.works("alice")


async def test_an_owner_who_changes_the_app_leaves_nothing_at_the_one_before() -> None:
    async with scene() as on:
        await on.signed_in("alice", on.alice)
        on.ctx.owners = {"alice": Owner("alice", "Alice", Identity(app="club"))}
        await on.signed_in("alice", on.alice)
        assert [grant.app for grant in on.grants.all()] == ["club"]
        assert on.strava.grant_of(on.apps["main"], on.alice) is None
        assert list(on.ctx.vault.secrets) == [("alice", "tokens/club")]
        assert await on.works("alice")


def full(on: Scene) -> None:
    on.apps["main"].capacity = 0


def stopped(on: Scene) -> None:
    on.strava.play(trouble.inactive(), "/oauth/token")


def busy(on: Scene) -> None:
    on.strava.play(trouble.limited(), "/oauth/token")


def down(on: Scene) -> None:
    on.strava.play(trouble.html(503), "/oauth/token")


def cut(on: Scene) -> None:
    on.strava.play(trouble.truncated(), "/oauth/token")


def torn(on: Scene) -> None:
    on.strava.play(trouble.reset(), "/oauth/token")


def late(on: Scene) -> None:
    on.clock.now += 700


def unlike(on: Scene) -> None:
    body = '{"message":"Teapot","errors":[]}'
    on.strava.play(trouble.status(418, body, content_type="application/json"), "/oauth/token")


@pytest.mark.parametrize(
    ("spoil", "code", "says"),
    [
        (full, "athlete_limit", "no free place"),
        (stopped, "inactive", "Strava has stopped this connection"),
        (busy, "limited", "in a quarter of an hour"),
        (down, "unavailable", "Strava does not answer"),
        (cut, "unavailable", "Strava does not answer"),
        (torn, "unavailable", "Strava does not answer"),
        (late, "bad_code", "That took too long"),
        (unlike, "failed", "This did not work"),
    ],
)
async def test_what_goes_wrong_at_strava_is_told_on_a_page_and_to_who_pastes(
    spoil: Callable[[Scene], None], code: str, says: str
) -> None:
    async with scene() as on:
        first = await on.strava.consent(on.signin.begin("alice"), on.alice, follow=False)
        spoil(on)
        page = await on.ctx.ask("GET", "callback", **first.query)
        assert page.status >= 400
        assert says in page.body.decode()
        on.clock.now = Clock().now
        second = await on.strava.consent(on.signin.begin("alice"), on.alice, follow=False)
        spoil(on)
        assert (await on.refused("alice", second.url)).code == code
        assert on.grants.all() == []
        assert on.ctx.vault.secrets == {}
        assert on.connected == []


async def test_a_strava_that_hangs_is_given_up_before_the_browser_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signin, "PATIENCE", 0.1)
    async with scene() as on:
        hanging = on.strava.play(trouble.hang(), "/oauth/token")
        landing = await on.strava.consent(on.signin.begin("alice"), on.alice)
        assert landing.status == 503
        assert "Strava does not answer" in landing.text
        hanging.cut()


async def test_a_full_disk_is_told_and_leaves_nobody_connected() -> None:
    async with scene() as on:
        on.ctx.vault.full = True
        landing = await on.strava.consent(on.signin.begin("alice"), on.alice)
        assert landing.status == 503
        assert "did not work" in landing.text
        on.ctx.vault.full, on.ctx.full = False, True
        second = await on.strava.consent(on.signin.begin("alice"), on.alice, follow=False)
        assert (await on.refused("alice", second.url)).code == "not_kept"
        assert on.grants.all() == on.connected == []


async def test_an_invitation_lasts_until_the_owner_is_connected() -> None:
    async with scene() as on:
        link = await on.signin.invite("alice")
        assert link.startswith(f"{on.ctx.local_url}/connect/alice/")
        assert await on.signin.invite("alice") == link
        on.clock.now += 30 * 86_400
        landing = await on.strava.consent(link, on.alice)
        assert landing.status == 200
        path = link.removeprefix(f"{on.ctx.local_url}/")
        assert (await on.ctx.ask("GET", path)).status == 410
        assert await on.signin.invite("alice") != link


async def test_an_invitation_says_whose_account_is_to_be_connected() -> None:
    async with scene(public=True) as on:
        link = await on.signin.invite("alice")
        assert link.startswith(f"{PUBLIC}/connect/alice/")
        page = await on.ctx.ask("GET", link.removeprefix(f"{PUBLIC}/"))
        assert page.status == 200
        assert b"the Strava account of Alice" in page.body


async def test_a_guessed_invitation_leads_nowhere() -> None:
    async with scene() as on:
        word = (await on.signin.invite("alice")).rpartition("/")[2]
        guesses = ["connect", "connect/alice", "connect/alice/", "connect/bob/", f"connect/bob/{word}"]
        guesses += [
            f"connect/alice/{word[:-1]}",
            f"connect/alice/{word}/x",
            "connect/alice/ü",
            f"connect/_house/{word}",
        ]
        for path in guesses:
            assert (await on.ctx.ask("GET", path)).status == 410
        assert on.signin._asked == {}


async def test_an_invitation_of_who_has_no_app_says_that_it_does_not_work() -> None:
    async with scene() as on:
        path = (await on.signin.invite("alice")).removeprefix(f"{on.ctx.local_url}/")
        on.ctx.owners = {"alice": Owner("alice", "Alice")}
        assert (await on.ctx.ask("GET", path)).status == 503


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT"])
async def test_a_link_is_not_used_up_by_who_only_looks_whether_it_is_there(method: str) -> None:
    async with scene() as on:
        landing = await on.strava.consent(on.signin.begin("alice"), on.alice, follow=False)
        answer = await on.signin.page(HttpRequest(method, "callback", landing.query))
        assert (answer.status, answer.headers) == (405, {"Allow": "GET"})
        assert await on.signin.finish("alice", landing.url)


async def test_there_is_nothing_at_other_paths() -> None:
    async with scene() as on:
        landing = await on.strava.consent(on.signin.begin("alice"), on.alice, follow=False)
        for path in ("", "elsewhere", "callback/x", "callbacks"):
            assert (await on.ctx.ask("GET", path, **landing.query)).status == 404
        assert await on.signin.finish("alice", landing.url)


async def test_an_answer_without_code_or_scopes_is_told_as_incomplete() -> None:
    async with scene() as on:
        for left_out in ("code", "scope"):
            landing = await on.strava.consent(on.signin.begin("alice"), on.alice, follow=False)
            query = {name: value for name, value in landing.query.items() if name != left_out}
            answer = await on.ctx.ask("GET", "callback", **query)
            assert answer.status == 400
            assert b"Something is missing" in answer.body
        shell_has_cut_it = (await on.strava.consent(on.signin.begin("alice"), on.alice, follow=False)).url
        error = await on.refused("alice", shell_has_cut_it.partition("&")[0])
        assert (error.code, "in quotes" in str(error)) == ("incomplete", True)


async def test_an_error_that_strava_has_not_documented_is_told_too() -> None:
    async with scene() as on:
        state = asked(on.signin.begin("alice"))["state"]
        answer = await on.ctx.ask("GET", "callback", state=state, error="<script>server_error</script>")
        assert answer.status == 503
        assert b"server_error" not in answer.body


async def test_nothing_that_is_said_has_a_secret_in_it() -> None:
    async with scene() as on:
        await on.signed_in("alice", on.alice)
        landing = await on.strava.consent(on.signin.begin("bob"), on.alice, follow=False)
        error = await on.refused("bob", landing.url)
        on.strava.play(trouble.status(500), "/oauth/revoke")
        await on.strava.consent(on.signin.begin("carol"), on.bob)
        said = f"{on.ctx.lines.written} {error} {error.__cause__!r} {on.grants.all()} {on.ctx.kept}"
        secrets = [code.code for code in on.strava.world.grants.codes.values()]
        secrets += [*on.strava.world.grants.accesses, *on.strava.world.grants.refreshes]
        secrets += [*on.signin._asked, landing.query["state"], *(app.secret for app in on.apps.values())]
        assert len(secrets) > 8
        assert not [secret for secret in secrets if secret in said]
        assert "11" not in str(on.ctx.lines.written)


@pytest.mark.parametrize(
    "pasted",
    [
        "http://localhost:8077/strava/callback?state=s&code=c&scope=read,activity:read",
        "localhost:8077/strava/callback?state=s&code=c&scope=read%2Cactivity%3Aread#_=_",
        "?state=s&code=c&scope=read,activity:read",
        "state=s&code=c&scope=read,activity:read",
        '"https://[bus/callback?state=s&code=c&scope=read,activity:read&state=other"\r\n',
        "<http://localhost/?code=c&amp;scope=read,activity:read&amp;state=s>",
    ],
)
def test_whatever_somebody_copies_is_read_as_long_as_all_of_it_is_there(pasted: str) -> None:
    assert read_answer(pasted) == {"state": "s", "code": "c", "scope": "read,activity:read"}


@given(st.text() | st.text(alphabet="?&=;#%ab state", max_size=60).map(lambda rest: f"http://x/?{rest}"))
def test_any_text_is_an_answer_with_a_state_or_refused_as_incomplete(pasted: str) -> None:
    try:
        answer = read_answer(pasted)
    except RefusedError as error:
        assert error.code == "incomplete"  # noqa: PT017 - both outcomes are right
    else:
        assert "state" in answer


def test_what_is_far_too_long_is_not_read() -> None:
    with pytest.raises(RefusedError, match="too long"):
        read_answer("?state=s&" + "x=y&" * 2000)
