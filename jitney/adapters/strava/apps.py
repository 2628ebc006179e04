"""The Strava apps of one adapter: for each its limits, its subscription and its way to the API."""

import asyncio
from typing import Final

import aiohttp

from jitney.adapters.base import Context
from jitney.adapters.strava.api import Api
from jitney.adapters.strava.config import Config
from jitney.adapters.strava.limiter import Limiter
from jitney.adapters.strava.oauth import OAuth
from jitney.adapters.strava.subscription import Subscriptions
from jitney.adapters.strava.timing import Timing
from jitney.adapters.strava.tokens import Tokens

PATIENCE: Final = 10.0
"""Seconds that a call waits for its turn: whoever would wait longer is told when to come again."""

KEEP_EVERY: Final = 30.0
"""Seconds between two writings of what was used of the limits."""

ENSURE_EVERY: Final = 3600.0
"""Seconds between two looks at whether the subscriptions are still there."""

ENSURE_AGAIN: Final = 120.0
"""Seconds until the next look where something was wrong."""


class Apps:
    """Every app by its name in the configuration. ``load`` comes first."""

    def __init__(
        self, ctx: Context, config: Config, http: aiohttp.ClientSession, *, webhooks: bool, timing: Timing
    ) -> None:
        self._ctx = ctx
        self._timing = timing
        self._kept: dict[str, bytes] = {}
        self.limiters = {
            name: Limiter(reserve=config.reserve, clock=timing.now, patience=PATIENCE, pause=timing.pause)
            for name in config.apps
        }
        self.oauths = {
            name: OAuth(http, app, oauth_url=config.oauth_url, timeout=config.timeout)
            for name, app in config.apps.items()
        }
        self.tokens = Tokens(ctx.vault, self.oauths, clock=timing.now, audit=ctx.audit)
        self.apis = {
            name: Api(
                http, api_url=config.api_url, limiter=self.limiters[name], tokens=self.tokens, timeout=config.timeout
            )
            for name in config.apps
        }
        self.subscriptions = {
            name: Subscriptions(
                ctx,
                http,
                name=name,
                app=app,
                url=config.subscriptions,
                public_url=ctx.public_url if webhooks else "",
                limiter=self.limiters[name],
                timeout=config.timeout,
            )
            for name, app in config.apps.items()
        }

    async def load(self) -> None:
        """Read what is kept; raises what the vault raises."""
        for name, limiter in self.limiters.items():
            kept = await self._ctx.load(f"limits/{name}")
            if kept is not None:
                limiter.restore(kept)
            await self.subscriptions[name].load()

    async def watch(self) -> None:
        """Keep the subscriptions and what was used of the limits; cancelled to stop it."""
        never = asyncio.Event()
        due = 0.0
        while True:
            if self._timing.now() >= due:
                await asyncio.gather(*(subscription.ensure() for subscription in self.subscriptions.values()))
                well = all(subscription.state in {"active", "off"} for subscription in self.subscriptions.values())
                due = self._timing.now() + (ENSURE_EVERY if well else ENSURE_AGAIN)
            await self.keep()
            await self._timing.wait(never, self._timing.now() + KEEP_EVERY)

    async def keep(self) -> None:
        """Write what was used of the limits, where that has changed; raises RefusedError."""
        now = {name: limiter.dump() for name, limiter in self.limiters.items()}
        changed = {f"limits/{name}": raw for name, raw in now.items() if self._kept.get(name) != raw}
        if changed:
            await self._ctx.save_all(changed)
            self._kept = now
