"""The consent page, which a person sees in a browser: what an app wants, a box for each, and the way back."""

from collections.abc import Mapping
from html import escape
from typing import Final
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from tests.fakes.strava import answers
from tests.fakes.strava.asked import Asked
from tests.fakes.strava.record import Record
from tests.fakes.strava.world import World

SCOPES: Final = (
    "read",
    "read_all",
    "profile:read_all",
    "profile:write",
    "activity:read",
    "activity:read_all",
    "activity:write",
)
SESSION: Final = "strava_session"
"""The cookie of a browser: the number of the athlete who is signed in there."""
_LOCAL: Final = frozenset({"localhost", "127.0.0.1"})


class Consent:
    """The page and its button; a link that a client has made wrongly is a fault."""

    def __init__(self, world: World, record: Record) -> None:
        self._world = world
        self._record = record

    def authorize(self, asked: Asked) -> web.Response:
        """Show the page with a box for each scope, or send back at once who has allowed all of them already."""
        refusal = self._wrong_link(asked)
        if refusal is not None:
            return refusal
        if SESSION not in asked.request.cookies:
            return web.Response(text="<h1>Log in to Strava</h1>", content_type="text/html")
        app, query = self._world.apps[asked.query["client_id"]], asked.query
        athlete = self._world.athletes[int(asked.request.cookies[SESSION])]
        if app.capacity_at == "consent" and self._world.full_for(app, athlete):
            return answers.too_many_athletes()
        wanted = query["scope"].split(",")
        grant = self._world.grants.of(app, athlete)
        if grant and query.get("approval_prompt", "auto") == "auto" and set(wanted) <= set(grant.scopes):
            return _back(query, self._consented(asked, tuple(wanted)))
        boxes = "".join(f'<input type="checkbox" name="scopes" value="{escape(scope)}" checked>' for scope in wanted)
        page = f'<form method="post" action="/oauth/accept_application?{escape(urlencode(query))}">{boxes}</form>'
        return web.Response(text=page, content_type="text/html")

    def accept(self, asked: Asked) -> web.Response:
        """Send the browser back, with a code or with the refusal."""
        query = asked.query
        if "refuse" in asked.form:
            return _back(query, {"error": "access_denied"})
        granted = tuple(scope for scope in query["scope"].split(",") if scope in asked.form["scopes"].split(","))
        return _back(query, self._consented(asked, granted))

    def _consented(self, asked: Asked, granted: tuple[str, ...]) -> dict[str, str]:
        app = self._world.apps[asked.query["client_id"]]
        athlete = self._world.athletes[int(asked.request.cookies[SESSION])]
        code = self._world.grants.code(app, athlete, granted)
        return {"code": code.code, "scope": ",".join(granted)}

    def _wrong_link(self, asked: Asked) -> web.Response | None:
        """Return the answer to a link that leads nowhere, each of which is a fault; None for a good one."""
        query = asked.query
        app = self._world.apps.get(query.get("client_id", ""))
        if app is None:
            return self._refuse(asked, answers.unknown_app(), "a link of an unknown client_id")
        host = (urlsplit(query.get("redirect_uri", "")).hostname or "").lower()
        domain = app.callback_domain.lower()
        if host not in _LOCAL and host != domain and not (domain and host.endswith(f".{domain}")):
            said = f"a redirect_uri on {host or 'nowhere'}, which is not in the callback domain {domain}"
            return self._refuse(asked, answers.bad_request("Application", "redirect_uri", "invalid"), said)
        if query.get("response_type") != "code":
            return self._refuse(
                asked, answers.bad_request("Authorize", "response_type", "invalid"), "no code asked for"
            )
        scopes = query.get("scope", "").split(",")
        if unknown := [scope for scope in scopes if scope not in SCOPES]:
            return self._refuse(asked, answers.bad_request("Authorize", "scope", "invalid"), f"scopes like {unknown}")
        if query.get("approval_prompt", "auto") not in {"auto", "force"}:
            refusal = answers.bad_request("Authorize", "approval_prompt", "invalid")
            return self._refuse(asked, refusal, "an unknown approval_prompt")
        if not query.get("state"):
            self._blame(asked, "a link without state, so that anybody could send a code back")
        return None

    def _refuse(self, asked: Asked, response: web.Response, what: str) -> web.Response:
        self._blame(asked, what)
        return response

    def _blame(self, asked: Asked, what: str) -> None:
        self._record.blame(asked.call, what)


def _back(query: Mapping[str, str], fields: dict[str, str]) -> web.Response:
    redirect_uri = query["redirect_uri"]
    joint = "&" if urlsplit(redirect_uri).query else "?"
    state = {"state": query["state"]} if "state" in query else {}
    return web.Response(
        status=302, headers={"Location": f"{redirect_uri}{joint}{urlencode(state | fields, safe=',:')}"}
    )
