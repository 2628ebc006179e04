"""The webhook subscriptions: one for each app, made only after its callback has answered a challenge."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web

from tests.fakes.strava import answers
from tests.fakes.strava.admission import Admission
from tests.fakes.strava.asked import FORMS, Asked, Room
from tests.fakes.strava.callbacks import Callbacks
from tests.fakes.strava.record import Record
from tests.fakes.strava.world import App, World

PATH: Final = "/push_subscriptions"
_LONGEST_URL: Final = 255


@dataclass(eq=False)
class Subscription:
    """Where an app wants its events; ``foreign``: another program has made it."""

    id: int
    app: App
    callback_url: str
    created_at: float
    foreign: bool = False

    def shown(self) -> dict[str, Any]:
        """Return it as the list shows it."""
        made = datetime.fromtimestamp(int(self.created_at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "id": self.id,
            "resource_state": 2,
            "application_id": int(self.app.client_id),
            "callback_url": self.callback_url,
            "created_at": made,
            "updated_at": made,
        }


class Subscriptions(Room):
    """List, create and delete, with client id and secret."""

    def __init__(self, world: World, record: Record, admission: Admission, *, callbacks: Callbacks) -> None:
        self.known: list[Subscription] = []
        self._world = world
        self._record = record
        self._admission = admission
        self._callbacks = callbacks
        self._creating: set[str] = set()
        self._number = 120_475

    def of(self, app: App) -> Subscription | None:
        """Return the subscription of an app."""
        return next((one for one in self.known if one.app is app), None)

    def add(self, app: App, callback_url: str, *, foreign: bool = False) -> Subscription:
        """Make a subscription without asking its callback."""
        self._number += 1
        made = Subscription(self._number, app, callback_url, self._world.clock(), foreign=foreign)
        self.known.append(made)
        self._record.changed()
        return made

    def identify(self, asked: Asked) -> None:
        client_id = asked.form.get("client_id") or asked.query.get("client_id", "")
        asked.app = self._world.apps.get(client_id)
        asked.call.app = client_id

    def admit(self, asked: Asked) -> web.Response | None:
        if asked.call.method == "POST" and {"client_secret", "verify_token"} & asked.query.keys():
            self._blame(asked, "secrets in the address of a POST")
        if asked.call.method == "POST" and asked.content_type not in FORMS:
            self._blame(asked, f"a subscription as {asked.content_type!r} instead of a form")
        if "Authorization" in asked.request.headers:
            self._blame(asked, "an athlete's token sent to the subscriptions, which want client id and secret")
        app = asked.app
        if app is None:
            return answers.unknown_app()
        if (asked.form.get("client_secret") or asked.query.get("client_secret")) != app.secret:
            return answers.wrong_secret()
        self._admission.judge_time(asked, app)
        if not app.active:
            return answers.inactive()
        if field := app.quota.exceeded:
            return answers.limited(field)
        return None

    async def answer(self, asked: Asked) -> web.Response:
        app = asked.app
        assert app is not None
        number = re.fullmatch(rf"{PATH}/([0-9]+)", asked.path)
        if asked.path == PATH and asked.call.method == "GET":
            return answers.json([one.shown() for one in self.known if one.app is app])
        if asked.path == PATH and asked.call.method == "POST":
            return await self._create(asked, app)
        if number and asked.call.method == "DELETE":
            return self._delete(asked, app, int(number[1]))
        self._blame(asked, "there is no such path")
        return answers.not_found("Path")

    def finish(self, asked: Asked, response: web.Response) -> None:
        if response.status == 429 and asked.app is not None:
            self._admission.close(asked, asked.app, response)

    async def _create(self, asked: Asked, app: App) -> web.Response:
        if self.of(app) or app.client_id in self._creating:
            self._blame(asked, "a subscription asked for while one exists")
            return answers.bad_request("PushSubscription", "", "already exists")
        url, verify_token = asked.form.get("callback_url", ""), asked.form.get("verify_token", "")
        if urlsplit(url).scheme not in {"http", "https"} or len(url) > _LONGEST_URL:
            self._blame(asked, f"a callback_url of {len(url)} characters that is none, or too long")
            return answers.bad_request("PushSubscription", "callback url", "invalid")
        if not verify_token:
            self._blame(asked, "no verify_token: anybody could answer the challenge")
        self._creating.add(app.client_id)
        try:
            reason = await self._callbacks.challenge(url, verify_token)
        finally:
            self._creating.discard(app.client_id)
        if reason:
            return answers.bad_request("PushSubscription", "callback url", reason)
        return answers.json({"id": self.add(app, url).id}, status=201)

    def _delete(self, asked: Asked, app: App, number: int) -> web.Response:
        found = next((one for one in self.known if one.id == number and one.app is app), None)
        if found is None:
            return answers.not_found("PushSubscription")
        if found.foreign:
            self._blame(asked, f"deleted the foreign subscription {number}")
        self.known.remove(found)
        self._record.changed()
        return web.Response(status=204)

    def _blame(self, asked: Asked, what: str) -> None:
        self._record.blame(asked.call, what)
