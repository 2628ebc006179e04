"""Meshtastic: what a radio hears in, what owners want on the air out. The library is imported when it runs."""

from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from jitney.adapters.base import Context
from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic import config as settings
from jitney.adapters.meshtastic import kinds, kinds_sending
from jitney.adapters.meshtastic.examine import findings
from jitney.adapters.meshtastic.link import Link
from jitney.adapters.meshtastic.memory import Memory
from jitney.topics import Command, EventData, Reply

if TYPE_CHECKING:
    from jitney.adapters.meshtastic.session import Session


class Meshtastic:
    """One radio."""

    name: ClassVar[str] = "meshtastic"
    Config: ClassVar[type[Struct]] = settings.Config
    Identity: ClassVar[type[Struct] | None] = settings.Identity
    durable: ClassVar[bool] = True
    kinds: ClassVar[tuple[type[EventData], ...]] = (*kinds.KINDS, *kinds_sending.KINDS_SENDING)
    commands: ClassVar[tuple[str, ...]] = (
        "send_text",
        "respond",
        "send_alert",
        "send_position",
        "send_waypoint",
        "traceroute",
        "request_position",
        "request_telemetry",
        "sweep",
        "get_nodes",
        "get_packets",
        "set_owner",
        "set_mqtt",
        "reboot",
        "shutdown",
        "factory_reset",
        "get_device_config",
    )
    controls: ClassVar[tuple[str, ...]] = ("set_owner", "set_mqtt", "reboot", "shutdown", "factory_reset")
    examine = staticmethod(findings)

    def __init__(self, name: str, config: settings.Config) -> None:
        self._name = name
        self._config = config
        self._memory = Memory(config)
        self._session: Session | None = None

    async def run(self, ctx: Context) -> None:
        """Follow the radio until the connection ends; cancelled to stop it.

        Raises DisconnectedError, UnauthorisedError or MisconfiguredError.
        """
        try:
            async with Link(self._config, rivals=self._memory.rivals) as link:
                from jitney.adapters.meshtastic.session import Session  # noqa: PLC0415 - imports the library

                self._session = Session(ctx, self._config, self._memory, link=link)
                await self._session.run()
        finally:
            self._session = None

    async def command(self, command: Command) -> Reply:
        """Carry out one of ``commands``; raises RefusedError."""
        return await self._connected().command(command)

    async def erase(self, owner: str) -> None:
        """Forget an owner's nodes, packets and what they wanted sent; raises RefusedError while not connected."""
        await self._connected().erase(owner)

    def _connected(self) -> "Session":
        if self._session is None:
            raise RefusedError("disconnected", f"{self._name} is not connected to its radio now")
        return self._session
