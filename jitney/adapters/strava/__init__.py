"""Strava: each athlete's activities, by webhook or by polling, each under its owner."""

import asyncio
from typing import ClassVar

from msgspec import Struct

from jitney.adapters.base import Context, HttpRequest, HttpResponse
from jitney.adapters.errors import MisconfiguredError, RefusedError
from jitney.adapters.groups import most_telling
from jitney.adapters.strava import config as settings
from jitney.adapters.strava.apps import Apps
from jitney.adapters.strava.commands import Commands
from jitney.adapters.strava.examine import findings
from jitney.adapters.strava.house import House
from jitney.adapters.strava.http import session
from jitney.adapters.strava.kinds import KINDS
from jitney.adapters.strava.timing import Timing
from jitney.adapters.strava.webhook import Webhook
from jitney.topics import Command, EventData, Reply


class Strava:
    """Any number of athletes through any number of Strava apps."""

    name: ClassVar[str] = "strava"
    Config: ClassVar[type[Struct]] = settings.Config
    Identity: ClassVar[type[Struct] | None] = settings.Identity
    durable: ClassVar[bool] = True
    kinds: ClassVar[tuple[type[EventData], ...]] = KINDS
    commands: ClassVar[tuple[str, ...]] = (
        "connect",
        "disconnect",
        "get_activity",
        "get_route",
        "get_zones",
        "refresh",
        "status",
        "update_activity",
    )
    examine = staticmethod(findings)

    def __init__(self, name: str, config: settings.Config, *, timing: Timing | None = None) -> None:
        self._name = name
        self._config = config
        self._timing = timing or Timing()
        self._house: House | None = None
        self._commands: Commands | None = None

    async def run(self, ctx: Context) -> None:
        """Follow every athlete who is connected; cancelled to stop it.

        What hinders single owners or apps is told to those. Raises MisconfiguredError when the vault cannot be opened
        or webhooks are wanted and cannot come, and RefusedError when the disk takes nothing.
        """
        webhooks = self._config.mode != "poll" and bool(ctx.public_url)
        if self._config.mode == "webhook" and not webhooks:
            message = 'mode = "webhook" needs an address that Strava reaches: set public_url and listen in [http]'
            raise MisconfiguredError(message)
        async with session() as http:
            apps = Apps(ctx, self._config, http, webhooks=webhooks, timing=self._timing)
            house = House(ctx, self._config, apps, http=http, webhooks=webhooks, timing=self._timing)
            await apps.load()
            await house.load()
            webhook = Webhook(
                ctx, apps.subscriptions, grants=house.grants, deliveries=house.deliveries, clock=self._timing.now
            )

            async def answer(request: HttpRequest) -> HttpResponse:
                match request.path.partition("/")[0]:
                    case "webhook":
                        return await webhook.handle(request)
                    case "callback" | "connect":
                        return await house.signin.page(request)
                return HttpResponse(404, b"{}")

            ctx.serve(answer)
            self._house, self._commands = house, Commands(house, privacy=self._config.privacy)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(apps.watch(), name=f"{ctx.name}: apps")
                    tasks.create_task(house.run(ready=ctx.online), name=f"{ctx.name}: athletes")
            except ExceptionGroup as group:
                raise most_telling(group) from None
            finally:
                self._house = self._commands = None
                await apps.keep()

    async def command(self, command: Command) -> Reply:
        """Carry out one of ``commands``; raises RefusedError."""
        if self._commands is None:
            raise RefusedError("offline", f"{self._name} is not running")
        return await self._commands.carry_out(command)

    async def erase(self, owner: str) -> None:
        """Disconnect an owner and forget all that was kept of them; raises RefusedError."""
        if self._house is None:
            raise RefusedError("offline", f"{self._name} is not running")
        await self._house.erase(owner)
