"""Looking at Strava without a token: whether it is reached, and whether what is configured fits its rules."""

from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from jitney.adapters.base import Examination, Found
from jitney.adapters.strava.config import Config, identity
from jitney.adapters.strava.errors import StravaError
from jitney.adapters.strava.http import ask, session

PATIENCE: Final = 8.0
"""Seconds for the one request."""

DAY: Final = 86_400
CALLS: Final = 1000
"""Calls that an app has in a day for reading (developers.strava.com/docs/rate-limits)."""

_SECRET_LENGTH: Final = 40
_HEX: Final = frozenset("0123456789abcdef")


async def findings(config: Config, about: Examination) -> AsyncIterator[Found]:
    """Yield whether the apps look right, the people fit into them, and Strava is reached.

    No token is used. How each sign-in stands is in the status of the adapter.
    """
    for found in (*_apps(config), *_people(config, about), *_news(config, about)):
        yield found
    if not about.offline:
        yield await _reached(config)


def _apps(config: Config) -> Iterator[Found]:
    for name, app in config.apps.items():
        secret = app.client_secret.reveal().strip().lower()
        if len(secret) != _SECRET_LENGTH or not _HEX.issuperset(secret):
            text = f"the client_secret of the app {name} does not look like one: it has 40 of 0-9 and a-f"
            yield Found("warning", text, "copy it again from strava.com/settings/api: not the access token beside it")
        else:
            yield Found("ok", f"the app {name} has a client id and a secret")


def _people(config: Config, about: Examination) -> Iterator[Found]:
    single = next(iter(config.apps)) if len(config.apps) == 1 else ""
    for owner in about.owners.values():
        app = identity(owner).app or single
        if app not in config.apps:
            said = f"names the app {app!r}, which there is not" if app else "does not say through which app to sign in"
            remedy = f"owners.{owner.id}.strava = {{ app = … }}: one of {', '.join(config.apps)}"
            yield Found("warning", f"{owner.id} {said}", remedy)


def _news(config: Config, about: Examination) -> Iterator[Found]:
    """Yield how news come, and whether the calls of a day are enough for that."""
    if config.mode == "webhook" and not about.public_url:
        text = 'mode = "webhook" needs an address that Strava reaches'
        yield Found("problem", text, 'set http.public_url and http.listen, or mode = "poll"')
        return
    if config.mode != "poll" and about.public_url:
        yield Found("ok", "news come by webhook, and by polling where that does not work")
        return
    people = max(_users(config, about), default=0)
    calls = int(people * DAY / config.poll)
    text = f"news come by polling: {calls} calls a day for {people} people of one app"
    if calls > CALLS * (1 - config.reserve):
        seconds = int(people * DAY / (CALLS * (1 - config.reserve))) + 60
        yield Found("warning", f"{text}, and it has {CALLS}", f"set poll = {seconds}, or use webhooks")
    else:
        yield Found("ok", text)


def _users(config: Config, about: Examination) -> Iterator[int]:
    """Yield how many people there are of each app."""
    single = next(iter(config.apps)) if len(config.apps) == 1 else ""
    apps = [identity(owner).app or single for owner in about.owners.values()]
    yield from (apps.count(app) for app in config.apps)


async def _reached(config: Config) -> Found:
    place = urlsplit(config.api_url).netloc
    url = f"{config.api_url.rstrip('/')}/athlete"
    try:
        async with session() as http:
            answer = await ask(http, "GET", url, timeout=PATIENCE)
    except StravaError as error:
        return Found("problem", f"{place} is not reached: {error}", "is this machine connected to the Internet?")
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return Found("ok", f"{place} answers")
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Found("note", f"{place} is reached, but not well now (HTTP {answer.status})")
    return Found("warning", f"{place} does not answer as Strava does (HTTP {answer.status})", "correct api_url")
