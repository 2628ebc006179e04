"""Controlling the radio itself: off unless the configuration allows it to an owner, and every attempt is told."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Protocol

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict

from jitney.adapters.base import Context
from jitney.adapters.errors import DisconnectedError, RefusedError
from jitney.adapters.meshtastic import kinds_sending
from jitney.adapters.meshtastic.asked import read
from jitney.adapters.meshtastic.config import Config
from jitney.adapters.meshtastic.device_config import SHOWN, SHOWN_MODULES, shown
from jitney.adapters.meshtastic.kinds_sending import Outcome
from jitney.adapters.meshtastic.radio import RadioInfo
from jitney.adapters.secret import Secret
from jitney.topics import Command, Reply, event

Seconds = Annotated[int, Meta(ge=1, le=3600)]


class SetOwner(Struct, frozen=True, forbid_unknown_fields=True):
    """Set the names of the radio: the long one has at most 39 bytes of UTF-8, the short one 4."""

    long_name: str | UnsetType = UNSET
    short_name: str | UnsetType = UNSET


class SetMqtt(Struct, frozen=True, forbid_unknown_fields=True):
    """Set fields of the radio's MQTT module; it restarts for that. What is not given stays as it is."""

    enabled: bool | UnsetType = UNSET
    address: str | UnsetType = UNSET
    username: Secret | UnsetType = UNSET
    password: Secret | UnsetType = UNSET
    root: str | UnsetType = UNSET
    encryption_enabled: bool | UnsetType = UNSET
    json_enabled: bool | UnsetType = UNSET
    tls_enabled: bool | UnsetType = UNSET
    proxy_to_client_enabled: bool | UnsetType = UNSET
    map_reporting_enabled: bool | UnsetType = UNSET


class Restart(Struct, frozen=True, forbid_unknown_fields=True):
    """Restart the radio, or switch it off, in so many seconds; one that is off must be switched on by hand."""

    seconds: Seconds = 10


class FactoryReset(Struct, frozen=True, forbid_unknown_fields=True):
    """Erase the radio's configuration, nodes and, with ``full``, its keys; ``confirm`` repeats its node id."""

    confirm: str
    full: bool = False


class GetDeviceConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Read how the radio is configured, without anything that may be secret."""


COMMANDS: Final[Mapping[str, type[Struct]]] = {
    "set_owner": SetOwner,
    "set_mqtt": SetMqtt,
    "reboot": Restart,
    "shutdown": Restart,
    "factory_reset": FactoryReset,
    "get_device_config": GetDeviceConfig,
}
"""What needs to be allowed. None of it may ever be done because of something that the mesh said."""


class Link(Protocol):
    """The connection to a radio, as far as control needs it."""

    info: RadioInfo

    async def admin(self, action: str, **arguments: object) -> None:
        """Do something with the radio; raises RefusedError or DisconnectedError."""

    def configuration(self) -> tuple[Any, Any]:
        """Return the radio's LocalConfig and LocalModuleConfig, which hold secrets."""


class Control:
    """Carries out device control over one connection."""

    def __init__(self, ctx: Context, config: Config, link: Link) -> None:
        self._ctx = ctx
        self._config = config
        self._link = link

    async def carry_out(self, command: Command) -> Reply:
        """Return the reply to a command; told to the owner of the radio before and after. Raises RefusedError.

        What the bus cannot tell beforehand is not done.
        """
        try:
            fields = self._checked(command)
        except RefusedError as error:
            await self._tell_after(command, "refused", (), error=error)
            raise
        names = tuple(fields)
        await self._tell(command, "allowed", names)
        try:
            reply = await self._do(command, fields)
        except RefusedError as error:
            await self._tell_after(command, "failed", names, error=error)
            raise
        except DisconnectedError as error:
            unknown = RefusedError("disconnected", f"{error}: whether it was done is not known")
            await self._tell_after(command, "failed", names, error=unknown)
            raise unknown from error
        await self._tell_after(command, "done", names)
        return reply

    def _checked(self, command: Command) -> dict[str, object]:
        """Return what was given to a command that may be carried out; raises RefusedError."""
        if not self._config.allows(command.owner, command.name):
            message = (
                f"{command.owner} is not allowed to {command.name} {self._ctx.name}: if that is wanted, "
                f'add allow.{command.owner} = ["{command.name}"] to [adapters.{self._ctx.name}]'
            )
            raise RefusedError("not_allowed", message)
        asked = read(command, COMMANDS[command.name])
        if isinstance(asked, FactoryReset) and asked.confirm.strip() != self._link.info.node_id:
            raise RefusedError("not_confirmed", "confirm: repeat the node id of the radio that is to be erased")
        fields = {name: value for name, value in asdict(asked).items() if value is not UNSET and name != "confirm"}
        if not fields and isinstance(asked, SetOwner | SetMqtt):
            raise RefusedError("invalid", f"data of {command.name}: there is nothing to be set")
        return fields

    async def _do(self, command: Command, fields: Mapping[str, object]) -> Reply:
        if command.name == "get_device_config":
            local, modules = self._link.configuration()
            config = {"config": shown(local, SHOWN), "modules": shown(modules, SHOWN_MODULES)}
            return Reply.ok({"radio": self._link.info, **config})
        await self._link.admin(command.name, **fields)
        return Reply.ok({"node": self._link.info.node_id})

    async def _tell_after(
        self, command: Command, outcome: Outcome, fields: tuple[str, ...], *, error: RefusedError | None = None
    ) -> None:
        """Write how an attempt ended to the log and tell it; what the bus cannot keep is counted."""
        try:
            await self._tell(command, outcome, fields, error=error)
        except RefusedError:
            self._ctx.count("control_not_told")

    async def _tell(
        self, command: Command, outcome: Outcome, fields: tuple[str, ...], *, error: RefusedError | None = None
    ) -> None:
        """Write an attempt to the log and tell it; raises RefusedError when the bus cannot keep that."""
        code, reason = (error.code, str(error)) if error else ("", "")
        log = self._ctx.log.warning if error else self._ctx.log.info
        log("device control", command=command.name, owner=command.owner, outcome=outcome, code=code, reason=reason)
        data = kinds_sending.Control(
            id=command.id, command=command.name, outcome=outcome, fields=fields, code=code, reason=reason
        )
        await self._ctx.emit(
            event(
                data,
                adapter=self._ctx.name,
                owner=self._ctx.default_owner,
                subject=self._link.info.node_id,
                actor=command.owner,
                causation=command.causation or command.id,
                hops=command.hops,
                traceparent=command.traceparent,
            )
        )
