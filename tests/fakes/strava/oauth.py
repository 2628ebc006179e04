"""The calls below ``/oauth``: tokens and their end."""

import asyncio
import time
from base64 import b64decode
from binascii import Error as Base64Error
from secrets import token_hex

from aiohttp import web

from tests.fakes.strava import answers
from tests.fakes.strava.asked import FORMS, Asked, Room
from tests.fakes.strava.consent import Consent
from tests.fakes.strava.grants import Access, Grant
from tests.fakes.strava.record import Record
from tests.fakes.strava.world import App, World


class OAuth(Room):
    """Calls of clients, and the consent page. A refresh takes ``refresh_seconds``, so that two can meet."""

    def __init__(self, world: World, record: Record, *, refresh_seconds: float, grace: float) -> None:
        self._consent = Consent(world, record)
        self._world = world
        self._record = record
        self._refresh_seconds = refresh_seconds
        self._grace = grace

    def identify(self, asked: Asked) -> None:
        grants, fields = self._world.grants, asked.form
        client_id = fields.get("client_id") or asked.query.get("client_id", "")
        if asked.path == "/oauth/revoke":
            client_id = _basic(asked)[0]
        code = grants.codes.get(fields.get("code", ""))
        bearer = asked.request.headers.get("Authorization", "").removeprefix("Bearer ")
        for token in (fields.get("access_token", ""), fields.get("token", ""), bearer):
            asked.access = asked.access or grants.accesses.get(token)
        token = fields.get("refresh_token") or fields.get("token", "")
        grant = asked.access.grant if asked.access else grants.refreshes.get(token)
        asked.app = self._world.apps.get(client_id) or (grant.app if grant else None)
        asked.call.app = asked.app.client_id if asked.app else client_id
        athlete = code.athlete if code else grant.athlete if grant else None
        asked.call.athlete = athlete.id if athlete else 0

    def admit(self, asked: Asked) -> web.Response | None:
        secret = {"client_secret", "code", "refresh_token", "access_token", "token"} & asked.query.keys()
        if secret:
            self._blame(asked, f"{', '.join(sorted(secret))} in the address")
        if asked.path == "/oauth/deauthorize" and asked.app is not None:
            asked.app.quota.use()
        grant = self._world.grants.refreshes.get(asked.form.get("refresh_token", ""))
        if grant is not None:
            if any(not other.gone for other in grant.refreshing):
                self._blame(asked, f"two refreshes at the same time for {grant}")
            grant.refreshing.append(asked)
        return None

    async def answer(self, asked: Asked) -> web.Response:
        match asked.call.method, asked.path:
            case "GET", "/oauth/authorize":
                return self._consent.authorize(asked)
            case "POST", "/oauth/accept_application":
                return self._consent.accept(asked)
            case "POST", "/oauth/token":
                return await self._token(asked)
            case "POST", "/oauth/revoke":
                return self._revoke(asked)
            case "POST", "/oauth/deauthorize":
                return self._deauthorize(asked)
        self._blame(asked, "there is no such path")
        return answers.not_found("Path")

    async def rehearse(self, asked: Asked) -> web.Response:
        if asked.path != "/oauth/token":
            return await self.answer(asked)
        now = int(self._world.clock())
        return answers.json(
            {
                "token_type": "Bearer",
                "access_token": token_hex(20),
                "expires_at": now + 21_600,
                "expires_in": 21_600,
                "refresh_token": token_hex(20),
            }
        )

    def finish(self, asked: Asked, response: web.Response) -> None:
        if asked.path == "/oauth/deauthorize" and asked.app is not None:
            response.headers.update(asked.app.quota.headers())
        grant = self._world.grants.refreshes.get(asked.form.get("refresh_token", ""))
        if grant is not None:
            grant.refreshing.remove(asked)

    async def _token(self, asked: Asked) -> web.Response:
        if asked.content_type not in FORMS:
            return self._refuse(asked, answers.unknown_app(), f"a body that is no form but {asked.content_type!r}")
        app = self._world.apps.get(asked.form.get("client_id", ""))
        if app is None:
            return answers.unknown_app()
        if asked.form.get("client_secret") != app.secret:
            return answers.wrong_secret()
        match asked.form.get("grant_type"):
            case "authorization_code":
                return self._exchange(asked, app)
            case "refresh_token":
                return await self._refresh(asked, app)
        refusal = answers.bad_request("RequestToken", "grant_type", "invalid")
        return self._refuse(asked, refusal, f"grant_type {asked.form.get('grant_type')!r}")

    def _exchange(self, asked: Asked, app: App) -> web.Response:
        code = self._world.grants.codes.get(asked.form.get("code", ""))
        if code is None or code.app is not app:
            return answers.bad_request("AuthorizationCode", "code", "invalid")
        if code.used:
            refusal = answers.bad_request("AuthorizationCode", "", "expired")
            return self._refuse(asked, refusal, "the same code exchanged twice")
        if self._world.clock() >= code.expires_at:
            return answers.bad_request("AuthorizationCode", "", "expired")
        if self._world.full_for(app, code.athlete):
            return answers.too_many_athletes()
        code.used = True
        access = self._world.grants.grant(app, code.athlete, code.scopes)
        self._record.changed()
        return self._tokens(access, athlete=True)

    async def _refresh(self, asked: Asked, app: App) -> web.Response:
        token = asked.form.get("refresh_token", "")
        grant = self._world.grants.refreshes.get(token)
        refusal = answers.bad_request("RefreshToken", "refresh_token", "invalid")
        if grant is None or grant.app is not app:
            return self._refuse(asked, refusal, "a refresh token that this app never got")
        await asyncio.sleep(self._refresh_seconds)
        if grant.ended_by:
            self._after_the_end(asked, grant)
            return refusal
        if token != grant.refresh_token:
            return self._refuse(asked, refusal, f"stale refresh token sent for {grant}")
        return self._tokens(self._world.grants.refresh(grant), athlete=False)

    def _after_the_end(self, asked: Asked, grant: Grant) -> None:
        now = time.monotonic()
        if grant.ended_by == "client":
            self._blame(asked, f"refreshed {grant} after ending it")
        elif grant.refused_at and now - grant.refused_at > self._grace:
            self._blame(asked, f"refreshed {grant} again, which has ended")
        grant.refused_at = grant.refused_at or now

    def _revoke(self, asked: Asked) -> web.Response:
        client_id, secret = _basic(asked)
        app = self._world.apps.get(client_id)
        if app is None or app.secret != secret:
            return self._refuse(asked, answers.wrong_secret(), "no client id and secret by HTTP Basic")
        if not asked.form.get("token"):
            return self._refuse(asked, answers.bad_request("Token", "token", "missing"), "no token to revoke")
        grants, token = self._world.grants, asked.form["token"]
        access = grants.accesses.get(token)
        grant = access.grant if access else grants.refreshes.get(token)
        if grant is not None and grant.app is app and not grant.ended_by:
            if token == grant.refresh_token or (access is not None and grants.good(access)):
                self._world.revoke(grant, by="client")
                self._record.changed()
            else:
                self._blame(asked, f"a dead token revoked, which does not end {grant}")
        return answers.json({})

    def _deauthorize(self, asked: Asked) -> web.Response:
        access = asked.access
        if access is None or not self._world.grants.good(access):
            return answers.invalid_token()
        self._world.revoke(access.grant, by="client")
        self._record.changed()
        return answers.json({"access_token": access.token})

    def _tokens(self, access: Access, *, athlete: bool) -> web.Response:
        body = {
            "token_type": "Bearer",
            "access_token": access.token,
            "expires_at": access.expires_at,
            "expires_in": access.expires_at - int(self._world.clock()),
            "refresh_token": access.grant.refresh_token,
        }
        if athlete:
            body["athlete"] = access.grant.athlete.summary()
        return answers.json(body)

    def _refuse(self, asked: Asked, response: web.Response, what: str) -> web.Response:
        self._blame(asked, what)
        return response

    def _blame(self, asked: Asked, what: str) -> None:
        self._record.blame(asked.call, what)


def _basic(asked: Asked) -> tuple[str, str]:
    """Return client id and secret of a request with HTTP Basic, empty ones without."""
    scheme, _, credentials = asked.request.headers.get("Authorization", "").partition(" ")
    if scheme != "Basic":
        return "", ""
    try:
        client_id, _, secret = b64decode(credentials, validate=True).decode().partition(":")
    except (Base64Error, UnicodeDecodeError):
        return "", ""
    return client_id, secret
