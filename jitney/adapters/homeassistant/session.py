"""One attempt, once authenticated: subscribe first, then compare, then follow until the connection ends."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Final

from msgspec import Raw, Struct

from jitney.adapters.base import Context
from jitney.adapters.errors import DisconnectedError, RefusedError, UnauthorisedError
from jitney.adapters.homeassistant import expiry, frames, persons, places
from jitney.adapters.homeassistant.commands import Commands
from jitney.adapters.homeassistant.config import Config
from jitney.adapters.homeassistant.connection import NOTHING, Connection, RequestError
from jitney.adapters.homeassistant.events import Started
from jitney.adapters.homeassistant.frames import STATE_CHANGED
from jitney.adapters.homeassistant.memory import Memory
from jitney.adapters.homeassistant.processor import Processor
from jitney.adapters.homeassistant.translation import CALL, STOP, Translator
from jitney.topics import Command, Reply, event

POLL: Final = 0.5
"""Seconds between two looks at whether Home Assistant has finished starting."""

SETTLE: Final = 2.0
"""Seconds in which changes of the registries, which come in swarms, are collected before all is compared again."""

REST: Final = 10.0
"""Seconds after that in which nothing is compared again."""

_RUNNING: Final = "RUNNING"


class Session:
    """One connection to Home Assistant, followed."""

    def __init__(self, ctx: Context, config: Config, memory: Memory, *, connection: Connection) -> None:
        self._ctx = ctx
        self._config = config
        self._memory = memory
        self._connection = connection
        translator = Translator(ctx, config, memory.house, causes=memory.causes, odd=self._odd)
        self._processor = Processor(ctx, memory, translator, connection=connection)
        self._commands = Commands(connection, memory, default_owner=ctx.default_owner)
        self._online = False

    async def run(self) -> None:
        """Follow until the connection ends, which raises DisconnectedError in a group."""
        name = self._ctx.name
        self._memory.house.belong(self._ctx)
        self._memory.causes.stranger = lambda user_id: self._ctx.unclaimed("user", user_id)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._connection.read(self._processor.backlog), name=f"{name}: reader")
            group.create_task(self._processor.run(), name=f"{name}: processor")
            group.create_task(expiry.watch(self._ctx, self._config), name=f"{name}: token expiry")
            await self._subscribe()
            started = await self._wait_until_running()
            await self._compare()
            self._online = True
            self._ctx.online()
            if started is not None:
                await self._processor.deliver([event(started, adapter=name, owner=self._ctx.default_owner)])
            await self._keep_fresh()

    async def command(self, command: Command) -> Reply:
        """Carry out a command; raises RefusedError."""
        if not self._online:
            message = "Home Assistant is connecting or starting: before that is done no command is carried out"
            raise RefusedError("disconnected", message)
        return await self._commands.carry_out(command)

    async def _subscribe(self) -> None:
        """Ask for events in coalesced frames: all of them, or as many kinds as are wanted and the token may see."""
        await self._attempt(self._connection.request("supported_features", features={"coalesce_messages": 1}))
        answer = await self._attempt(self._connection.request("auth/current_user"))
        user = frames.one(answer, _User, self._odd) or _User()
        self._memory.causes.own_user = user.id
        exact = self._memory.house.filters.exact_types
        if user.is_admin and exact is None and await self._sees(""):
            self._memory.causes.sees_calls = True
            return
        if not await self._sees(STATE_CHANGED):
            message = "the user of this token may not see state changes"
            raise UnauthorisedError(message, remedy="give the token of another user", link=self._config.profile)
        wanted = list(places.CHANGES) if self._memory.house.uses_areas() else []
        if user.is_admin:
            wanted += [CALL, STOP, *(exact or ())]
        elif self._config.event_types and self._memory.first_time("not an administrator"):
            self._ctx.log.warning("the token is not an administrator's: nothing but state changes is seen")
        more = [event_type for event_type in dict.fromkeys(wanted) if event_type != STATE_CHANGED]
        seen = [event_type for event_type in more if await self._sees(event_type)]
        self._memory.causes.sees_calls = CALL in seen

    async def _sees(self, event_type: str) -> bool:
        """Subscribe to a type of event, or to all for an empty one; tell whether that is allowed."""
        try:
            if event_type:
                await self._connection.request("subscribe_events", event_type=event_type)
            else:
                await self._connection.request("subscribe_events")
        except RequestError as error:
            if self._memory.first_time(f"subscribe {event_type}"):
                self._ctx.log.warning(
                    "not subscribed", event_type=event_type or "*", code=error.code, reason=str(error)
                )
            return False
        return True

    async def _wait_until_running(self) -> Started | None:
        """Leave out the noise of a start; return the news of it when there was one."""
        config = await self._config_of_house()
        if config.state == _RUNNING:
            return None
        self._processor.backlog.discard()
        while config.state != _RUNNING:
            self._ctx.degraded(f"Home Assistant is {config.state.lower().replace('_', ' ')}")
            await asyncio.sleep(POLL)
            config = await self._config_of_house()
        self._processor.backlog.keep()
        self._memory.house.expect_noise()
        return Started(version=config.version)

    async def _config_of_house(self) -> "_HouseConfig":
        answer = await self._attempt(self._connection.request("get_config"))
        return frames.one(answer, _HouseConfig, self._odd) or _HouseConfig()

    async def _compare(self) -> None:
        """Fetch what tells whose everything is, then all states."""
        house = self._memory.house
        house.persons.load(await self._attempt(self._connection.request(persons.LIST)), self._odd)
        if house.uses_areas():
            house.places.load(
                areas=await self._attempt(self._connection.request(places.AREAS)),
                devices=await self._attempt(self._connection.request(places.DEVICES)),
                entities=await self._attempt(self._connection.request(places.ENTITIES)),
                odd=self._odd,
            )
            for area in house.unknown_areas():
                if self._memory.first_time(f"area {area}"):
                    known = ", ".join(house.places.areas())
                    self._ctx.log.warning("Home Assistant has no such area", area=area, known=known)
        house.arrange()
        try:
            await self._processor.compare()
        except RequestError as error:
            message = f"Home Assistant does not give its states: {error}"
            raise DisconnectedError(message) from error
        for entity_id in house.owners.strangers():
            self._ctx.unclaimed("person", entity_id)

    async def _keep_fresh(self) -> None:
        """Compare again whenever what is known may be wrong, and when Home Assistant has settled after a start."""
        house = self._memory.house
        while True:
            settled = house.noisy_until - time.monotonic() if house.noisy_until else None
            try:
                async with asyncio.timeout(settled):
                    await self._processor.stale.wait()
            except TimeoutError:
                house.noisy_until = 0.0
            else:
                await asyncio.sleep(SETTLE)
            self._processor.stale.clear()
            await self._compare()
            await asyncio.sleep(REST)

    async def _attempt(self, request: Awaitable[Raw]) -> Raw:
        """Return what a request gives, null where this version or user gets nothing."""
        try:
            return await request
        except RequestError as error:
            self._ctx.log.debug("not available", code=error.code, reason=str(error))
            return NOTHING

    def _odd(self, kind: str, detail: object) -> None:
        self._memory.oddities.note(self._ctx, kind, detail)


class _User(Struct):
    id: str = ""
    is_admin: bool = False


class _HouseConfig(Struct):
    state: str = _RUNNING
    version: str = ""
