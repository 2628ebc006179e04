"""Who may call the API: the token is right, the app is in good standing, and its limits are not used up."""

import time
from typing import Final

from aiohttp import web

from tests.fakes.strava import answers
from tests.fakes.strava.asked import Asked
from tests.fakes.strava.grants import Access
from tests.fakes.strava.record import Record
from tests.fakes.strava.world import App, World

_PATIENCE: Final = 3
"""Times that a refused token may come again: calls may be on their way."""
CREDENTIALS: Final = frozenset({"access_token", "client_secret", "refresh_token", "token", "client_id", "code"})


class Admission:
    """Judges calls before they are answered. ``grace``: seconds in which what was on its way may still arrive."""

    def __init__(self, world: World, record: Record, *, grace: float) -> None:
        self._world = world
        self._record = record
        self._grace = grace

    def identify(self, asked: Asked) -> None:
        """Find out whose token it is."""
        token = asked.request.headers.get("Authorization", "").partition(" ")[2]
        asked.access = self._world.grants.accesses.get(token)
        if asked.access is not None:
            asked.app = asked.access.grant.app
            asked.call.app = asked.app.client_id
            asked.call.athlete = asked.access.grant.athlete.id

    def admit(self, asked: Asked) -> web.Response | None:
        """Return the refusal of a call, None when it may go on."""
        if misplaced := CREDENTIALS & (asked.query.keys() | asked.form.keys()):
            self._blame(asked, f"{', '.join(sorted(misplaced))} outside of the Authorization header")
        scheme, _, token = asked.request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            self._blame(asked, f"an Authorization header of {scheme!r}" if scheme else "no Authorization header")
            return answers.invalid_token()
        access = asked.access
        if access is None:
            self._blame(asked, "an access token that was never given out")
            return answers.invalid_token()
        self.count(asked, access.grant.app)
        if not access.grant.app.active:
            return answers.inactive()
        if field := access.grant.app.quota.exceeded:
            return answers.limited(field)
        if not self._world.grants.good(access):
            self._judge_bad_token(asked, access)
            return answers.invalid_token()
        return None

    def count(self, asked: Asked, app: App) -> None:
        """Count a call, which is a fault while the app has been told to wait."""
        app.quota.use()
        self.judge_time(asked, app)

    def judge_time(self, asked: Asked, app: App) -> None:
        """Blame a call while the app has been told to wait; a repeated one at once, others after the grace."""
        if self._world.clock() >= app.closed_until:
            app.refused.clear()
            return
        late = time.monotonic() - app.refused_at > self._grace
        if late or asked.call.key in app.refused:
            wait = app.closed_until - self._world.clock()
            self._blame(asked, f"called although the app got a 429 and must wait for {wait:g} s")

    def close(self, asked: Asked, app: App, response: web.Response) -> None:
        """Remember a 429: until when there must be no call."""
        now = self._world.clock()
        wait = float(response.headers.get("Retry-After", 0))
        if now >= app.closed_until:
            app.refused_at = time.monotonic()
        app.closed_until = max(app.closed_until, now + wait if wait else app.quota.resets_at)
        app.refused.add(asked.call.key)

    def _judge_bad_token(self, asked: Asked, access: Access) -> None:
        grant, now = access.grant, time.monotonic()
        access.refused += 1
        if grant.ended_by == "client" and now - grant.ended_at > self._grace:
            self._blame(asked, f"called with a token of {grant} after ending it")
        elif grant.refused_at and now - grant.refused_at > self._grace:
            self._blame(asked, f"called with a token of {grant}, which has ended, as a refused refresh had told")
        elif access.refused > 1 + _PATIENCE:
            self._blame(asked, f"sent a refused token {access.refused} times")

    def _blame(self, asked: Asked, what: str) -> None:
        self._record.blame(asked.call, what)
