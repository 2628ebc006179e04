"""Home Assistant: its events and states in, its services out."""

from typing import ClassVar

from msgspec import Struct

from jitney.adapters.base import Context
from jitney.adapters.errors import RefusedError, UnauthorisedError
from jitney.adapters.groups import most_telling
from jitney.adapters.homeassistant import config as settings
from jitney.adapters.homeassistant.connection import connect
from jitney.adapters.homeassistant.events import KINDS
from jitney.adapters.homeassistant.examine import findings
from jitney.adapters.homeassistant.expiry import refuse_expired
from jitney.adapters.homeassistant.memory import Memory
from jitney.adapters.homeassistant.session import Session
from jitney.topics import Command, EventData, Reply


class HomeAssistant:
    """One Home Assistant."""

    name: ClassVar[str] = "homeassistant"
    Config: ClassVar[type[Struct]] = settings.Config
    Identity: ClassVar[type[Struct] | None] = settings.Identity
    durable: ClassVar[bool] = False
    kinds: ClassVar[tuple[type[EventData], ...]] = KINDS
    commands: ClassVar[tuple[str, ...]] = ("call_service", "fire_event", "get_states")
    controls: ClassVar[tuple[str, ...]] = ("call_service", "fire_event")
    examine = staticmethod(findings)

    def __init__(self, name: str, config: settings.Config) -> None:
        self._name = name
        self._config = config
        self._memory = Memory(config)
        self._session: Session | None = None
        self._let_in: bool | None = None

    async def run(self, ctx: Context) -> None:
        """Follow Home Assistant until the connection ends; cancelled to stop it.

        Raises DisconnectedError, UnauthorisedError or MisconfiguredError.
        """
        try:
            refuse_expired(self._config)
            async with connect(
                self._config, lambda kind, detail: self._memory.oddities.note(ctx, kind, detail)
            ) as home:
                self._accepted(ctx)
                self._session = Session(ctx, self._config, self._memory, connection=home)
                await self._session.run()
        except UnauthorisedError:
            self._accepted(ctx, yes=False)
            raise
        except ExceptionGroup as group:
            raise most_telling(group) from None
        finally:
            self._session = None

    def _accepted(self, ctx: Context, *, yes: bool = True) -> None:
        """Tell the audit log whether the token is accepted, when that is news."""
        if yes is not self._let_in:
            self._let_in = yes
            ctx.audit(ctx.default_owner, "sign_in", outcome="ok" if yes else "refused", detail="token")

    async def command(self, command: Command) -> Reply:
        """Carry out call_service, fire_event or get_states; raises RefusedError."""
        if self._session is None:
            message = f"{self._name} is not connected to Home Assistant now"
            raise RefusedError("disconnected", message)
        return await self._session.command(command)
