"""OAuth against a fake Strava, and against answers that no Strava should give."""

from base64 import b64encode
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web

from jitney.adapters.secret import Secret
from jitney.adapters.strava.errors import GrantGoneError, InactiveError, LimitedError, StravaError, UnavailableError
from jitney.adapters.strava.http import session
from jitney.adapters.strava.models import TokenAnswer
from jitney.adapters.strava.oauth import OAuth
from tests.adapters.strava.speaking import CLIENT_ID, CLIENT_SECRET, Answering, answering, app, fault, said, side
from tests.adapters.strava.turning import NOON
from tests.fakes.strava import trouble

CALLBACK = "http://localhost:8077/strava/callback"
SCOPES = ("read", "activity:read", "activity:read_all", "profile:read_all")
TOKENS = '{"access_token":"access-0123456789","refresh_token":"refresh-0123456789","expires_at":1800000000}'


async def ended(server: Answering, call: Callable[[OAuth], Awaitable[object]], *, seconds: float = 5.0) -> StravaError:
    """Return the error that a call ends with."""
    async with session() as http:
        with pytest.raises(StravaError) as caught:
            await call(OAuth(http, app(), oauth_url=server.url, timeout=seconds, clock=lambda: NOON + 1))
    error = caught.value
    assert CLIENT_SECRET not in str(error)
    assert "hush" not in str(error)
    return error


async def refresh(oauth: OAuth) -> TokenAnswer:
    return await oauth.refresh(Secret("hush-0123456789"))


async def exchange(oauth: OAuth) -> TokenAnswer:
    return await oauth.exchange("hush-code")


async def revoke(oauth: OAuth) -> None:
    await oauth.revoke(Secret("hush-0123456789"), access=Secret("hush-access"))


async def test_the_link_says_who_asks_for_what() -> None:
    async with session() as http:
        oauth = OAuth(http, app(), oauth_url="https://www.strava.com/oauth/", timeout=5)
        link = oauth.authorize_url(redirect_uri=CALLBACK, state="a b&c", scopes=SCOPES, force=False)
        forced = oauth.authorize_url(redirect_uri=CALLBACK, state="x", scopes=SCOPES, force=True)
    parts = urlsplit(link)
    assert (parts.netloc, parts.path) == ("www.strava.com", "/oauth/authorize")
    assert parse_qs(parts.query) == {
        "client_id": [CLIENT_ID],
        "redirect_uri": [CALLBACK],
        "response_type": ["code"],
        "approval_prompt": ["auto"],
        "scope": [",".join(SCOPES)],
        "state": ["a b&c"],
    }
    assert parse_qs(urlsplit(forced).query)["approval_prompt"] == ["force"]
    assert "scope=read,activity:read," in link
    assert CLIENT_SECRET not in link


async def test_a_code_is_exchanged_for_tokens_with_the_athlete() -> None:
    async with side() as at:
        alice = at.fake.athlete(5, firstname="Alice")
        link = at.oauth.authorize_url(redirect_uri=CALLBACK, state="once", scopes=SCOPES, force=False)
        landing = await at.fake.consent(link, alice, follow=False)
        code = parse_qs(urlsplit(landing.url).query)["code"][0]
        answer = await at.oauth.exchange(code)
        assert answer.athlete is not None
        assert (answer.athlete.id, answer.athlete.firstname) == (5, "Alice")
        assert answer.expires_at == NOON + 21_600
        at.fake.allow("the same code exchanged twice")
        with pytest.raises(GrantGoneError, match="begin it again"):
            await at.oauth.exchange(code)


async def test_a_refresh_gives_the_tokens_that_are_good_from_now_on() -> None:
    async with side() as at:
        alice = at.fake.athlete(5)
        old = at.fake.grant(at.app, alice).grant.refresh_token
        answer = await at.oauth.refresh(Secret(old))
        assert answer.refresh_token.reveal() == at.refresh_token(alice) != old
        with pytest.raises(GrantGoneError, match="sign in again"):
            await at.oauth.refresh(Secret(old))
        at.fake.take_fault("stale refresh token")


async def test_a_revoked_permission_has_ended_at_strava() -> None:
    async with side() as at:
        alice = at.fake.athlete(5)
        token = at.fake.grant(at.app, alice).grant.refresh_token
        await at.oauth.revoke(Secret(token))
        assert at.fake.grant_of(at.app, alice) is None
        await at.oauth.revoke(Secret("unknown"))


@pytest.mark.parametrize("missing", [trouble.status(404), trouble.html(404)])
async def test_without_revoke_the_older_way_is_taken(missing: trouble.Trouble) -> None:
    async with side() as at:
        alice = at.fake.athlete(5)
        access = at.fake.grant(at.app, alice)
        at.fake.play(missing, "/oauth/revoke")
        await at.oauth.revoke(Secret(access.grant.refresh_token), access=Secret(access.token))
        assert at.fake.grant_of(at.app, alice) is None
        assert at.fake.count("POST", "/oauth/deauthorize") == 1


async def test_the_older_way_with_an_expired_token_says_what_is_left_to_do() -> None:
    async with answering(said(404, ""), fault(401, "Athlete", "access_token", "invalid")) as server:
        error = await ended(server, revoke)
        assert type(error) is StravaError
        assert "https://www.strava.com/settings/apps" in str(error)


async def test_credentials_travel_in_the_form_or_the_header_only() -> None:
    async with answering(said(200, TOKENS)) as server:
        async with session() as http:
            oauth = OAuth(http, app(), oauth_url=f"{server.url}/oauth", timeout=5)
            await exchange(oauth)
            await refresh(oauth)
            await revoke(oauth)
        paths = [asked.path for asked in server.asked]
        assert paths == ["/oauth/token", "/oauth/token", "/oauth/revoke"]
        assert [asked.method for asked in server.asked] == ["POST"] * 3
        assert [dict(asked.query) for asked in server.asked] == [{}, {}, {}]
        app_fields = {"client_id": [CLIENT_ID], "client_secret": [CLIENT_SECRET]}
        bodies = [parse_qs(asked.body.decode()) for asked in server.asked]
        assert bodies == [
            {**app_fields, "code": ["hush-code"], "grant_type": ["authorization_code"]},
            {**app_fields, "refresh_token": ["hush-0123456789"], "grant_type": ["refresh_token"]},
            {"token": ["hush-0123456789"]},
        ]
        basic = b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        assert server.asked[2].headers["Authorization"] == f"Basic {basic}"


NOT_USABLE = [
    said(500, '{"message":"error"}'),
    said(503, "<html>down</html>", content_type="text/html"),
    said(200, "<html>fine</html>", content_type="text/html"),
    said(400, "<html>blocked</html>", content_type="text/html"),
    said(401, "<html>login</html>", content_type="text/html"),
    said(403, "<html>blocked</html>", content_type="text/html"),
    said(400, "null"),
    said(200, ""),
    said(200, TOKENS[:40]),
    said(200, '{"access_token":"a"}'),
    said(302, "", Location="https://elsewhere.example"),
    said(408, ""),
]


@pytest.mark.parametrize("answer", NOT_USABLE, ids=lambda answer: f"{answer.status} {answer.body[:9]!r}")
@pytest.mark.parametrize("call", [refresh, exchange])
async def test_no_usable_answer_ends_no_permission(
    answer: web.Response, call: Callable[[OAuth], Awaitable[object]]
) -> None:
    async with answering(answer) as server:
        assert type(await ended(server, call)) is UnavailableError
        assert len(server.asked) == 1


@pytest.mark.parametrize("call", [refresh, exchange, revoke])
async def test_silence_has_a_deadline(call: Callable[[OAuth], Awaitable[object]]) -> None:
    async with answering(None) as server:
        error = await ended(server, call, seconds=0.05)
        assert type(error) is UnavailableError
        assert "no answer within 0.05 s" in str(error)


async def test_a_connection_that_is_cut_or_refused_is_no_answer() -> None:
    async with side() as at:
        for one in (trouble.reset(), trouble.cut_off()):
            at.fake.play(one, "/oauth/token")
            with pytest.raises(UnavailableError):
                await refresh(at.oauth)
        await at.fake.stop()
        with pytest.raises(UnavailableError, match=r"no connection to 127\.0\.0\.1"):
            await refresh(at.oauth)


@pytest.mark.parametrize(
    ("answer", "call", "kind"),
    [
        (fault(400, "RefreshToken", "refresh_token", "invalid"), refresh, GrantGoneError),
        (fault(400, "RefreshToken", "refresh_token", "missing"), refresh, StravaError),
        (fault(401, "RefreshToken", "refresh_token", "invalid"), refresh, InactiveError),
        (fault(403, "RefreshToken", "refresh_token", "invalid"), refresh, StravaError),
        (fault(400, "Athlete", "id", "invalid"), refresh, StravaError),
        (said(400, '{"errors":"Bad Request"}'), refresh, StravaError),
        (said(400, ""), refresh, StravaError),
        (fault(400, "AuthorizationCode", "code", "invalid"), exchange, GrantGoneError),
        (fault(400, "AuthorizationCode", "", "expired"), exchange, GrantGoneError),
        (fault(400, "Application", "client_id", "invalid"), exchange, InactiveError),
        (fault(401, "Application", "", "invalid", message="Authorization Error"), refresh, InactiveError),
        (fault(401, "Application", "", "invalid", message="Authorization Error"), revoke, InactiveError),
        (said(401, ""), refresh, InactiveError),
        (fault(403, "Application", "Status", "Inactive", message="Forbidden"), refresh, InactiveError),
    ],
)
async def test_each_refusal_says_what_to_do(
    answer: web.Response, call: Callable[[OAuth], Awaitable[object]], kind: type[StravaError]
) -> None:
    async with answering(answer) as server:
        assert type(await ended(server, call)) is kind


@pytest.mark.parametrize(
    "answer",
    [
        said(403, '{"message":"Limit of connected athletes exceeded","errors":[]}'),
        fault(403, "Application", "connected athletes", "exceeded", message="Limit of connected athletes exceeded"),
    ],
)
async def test_an_app_that_is_full_is_called_so(answer: web.Response) -> None:
    async with answering(answer) as server:
        error = await ended(server, exchange)
        assert type(error) is StravaError
        assert "Limit of connected athletes exceeded" in str(error)


@pytest.mark.parametrize(("headers", "until"), [({}, NOON + 900), ({"Retry_After": "30"}, NOON + 31)])
async def test_too_many_calls_have_an_end(headers: dict[str, str], until: float) -> None:
    async with answering(said(429, '{"message":"Rate Limit Exceeded"}', **headers)) as server:
        error = await ended(server, refresh)
        assert isinstance(error, LimitedError)
        assert error.until == until


async def test_a_token_that_strava_repeats_is_not_shown() -> None:
    text = f'{{"message":"what is hush-0123456789 of {CLIENT_SECRET}?\\nno\\u001b[2J"}}'
    async with answering(said(400, text)) as server:
        error = await ended(server, refresh)
        assert "what is •••" in str(error)
        assert str(error).isprintable()
