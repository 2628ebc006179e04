"""When the access token expires: announced in time, and not even tried afterwards."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Final, NoReturn

from jitney.adapters.base import Clock, Context
from jitney.adapters.errors import UnauthorisedError
from jitney.adapters.homeassistant.config import Config

ALERT: Final = "token_expires"

DAY: Final = 86_400.0

ANNOUNCED: Final = 30 * DAY
"""Seconds before its expiry that a token is announced to expire."""

_REMEDY: Final = "make a new long-lived access token in Home Assistant (your profile, Security), give it and reload"


def refuse_expired(config: Config, *, now: Clock = time.time) -> None:
    """Raise UnauthorisedError when the token has expired: every try would count as a failed login."""
    expires = config.checked_token().expires
    if expires is not None and expires <= now():
        message = f"the token {config.token} for Home Assistant at {config.url} expired on {_date(expires)}"
        raise UnauthorisedError(message, remedy=_REMEDY, link=config.profile)


def announce(ctx: Context, config: Config, *, now: Clock = time.time) -> None:
    """Alert the adapter's owner when the token expires soon, or take the alert back."""
    expires = config.checked_token().expires
    if expires is None or expires - now() >= ANNOUNCED:
        ctx.resolve(ctx.default_owner, ALERT)
        return
    message = f"the token of {ctx.name} for Home Assistant expires on {_date(expires)}: {_REMEDY}"
    ctx.alert(ctx.default_owner, ALERT, message=message, link=config.profile)


async def watch(ctx: Context, config: Config) -> NoReturn:
    """Announce once a day; cancelled to stop it."""
    while True:
        announce(ctx, config)
        await asyncio.sleep(DAY)


def _date(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).date().isoformat()
