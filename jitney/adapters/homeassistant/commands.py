"""The commands of a Home Assistant: call a service, fire an event, read states."""

import time
from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from jitney.adapters.errors import DisconnectedError, RefusedError
from jitney.adapters.homeassistant import fence, frames
from jitney.adapters.homeassistant.connection import Connection, NoAnswerError, RequestError
from jitney.adapters.homeassistant.frames import NOWHERE, Origin
from jitney.adapters.homeassistant.memory import Memory
from jitney.topics import Command, Reply

PATIENCE: Final = 60.0
"""Seconds to wait for a result where the command has no deadline."""

_SHORTEST: Final = 0.1

_CODES: Final = {
    "invalid_format": "invalid",
    "service_validation_error": "invalid",
    "template_error": "invalid",
    "not_found": "not_found",
    "unauthorized": "not_allowed",
    "not_allowed": "not_allowed",
    "not_supported": "not_supported",
    "unknown_command": "not_supported",
    "timeout": "timeout",
}
"""Home Assistant's words for why not, as ours; every other one is ``failed``."""

S = TypeVar("S", bound=Struct)


class CallService(Struct, frozen=True, forbid_unknown_fields=True):
    """Call ``domain``.``service`` with ``data`` on a ``target`` (``entity_id``, ``device_id``, ``area_id``…).

    ``service`` may be the whole name, ``service_data`` is another word for ``data``. With ``return_response`` the
    reply has the service's ``response``.
    """

    service: str
    domain: str = ""
    data: Raw | UnsetType = UNSET
    service_data: Raw | UnsetType = UNSET
    target: Raw | UnsetType = UNSET
    return_response: bool = False


class FireEvent(Struct, frozen=True, forbid_unknown_fields=True):
    """Fire an event of ``event_type`` with ``data``; needs the token of an administrator."""

    event_type: str
    data: Raw | UnsetType = UNSET


class GetStates(Struct, frozen=True, forbid_unknown_fields=True):
    """Read the state of ``entity_id``, or of every entity of the owner and of the adapter's own owner."""

    entity_id: str = ""


class Commands:
    """Carries out commands over one connection, any number at the same time."""

    def __init__(self, connection: Connection, memory: Memory, *, default_owner: str) -> None:
        self._connection = connection
        self._house = memory.house
        self._causes = memory.causes
        self._default_owner = default_owner

    async def carry_out(self, command: Command) -> Reply:
        """Return the reply to a command; raises RefusedError."""
        match command.name:
            case "call_service":
                return await self._call_service(command, _read(command, CallService))
            case "fire_event":
                return await self._fire_event(command, _read(command, FireEvent))
            case "get_states":
                return await self._get_states(command, _read(command, GetStates))
        message = f"there is no command {command.name!r}: known here are call_service, fire_event and get_states"
        raise RefusedError("unknown_command", message)

    async def _call_service(self, command: Command, asked: CallService) -> Reply:
        domain, _, service = asked.service.rpartition(".")
        domain = asked.domain or domain
        if not domain:
            message = "give the domain of the service too, as domain or in service: light.turn_on"
            raise RefusedError("invalid", message)
        if asked.data is not UNSET and asked.service_data is not UNSET:
            raise RefusedError("invalid", "data and service_data are the same: give one of them")
        data = asked.data if asked.service_data is UNSET else asked.service_data
        fence.check(command.owner, f"{domain}.{service}", data=data, target=asked.target, house=self._house)
        fields = {
            "domain": domain,
            "service": service,
            "service_data": data,
            "target": asked.target,
            "return_response": asked.return_response or UNSET,
        }
        called = await self._caused(command, f"call {domain}.{service}", "call_service", fields)
        return Reply.ok(_Done(called.context.id, called.response))

    async def _fire_event(self, command: Command, asked: FireEvent) -> Reply:
        fields = {"event_type": asked.event_type, "event_data": asked.data}
        fired = await self._caused(command, f"fire {asked.event_type}", "fire_event", fields)
        return Reply.ok(_Done(fired.context.id))

    async def _get_states(self, command: Command, asked: GetStates) -> Reply:
        result = await self._request(command, "get_states", {})
        states = [
            _Shown(state.entity_id, state.state, state.attributes, state.last_changed, state.last_updated)
            for state in frames.states(result, frames.ignore)
            if asked.entity_id in ("", state.entity_id) and self._may_see(command.owner, state.entity_id)
        ]
        if asked.entity_id and not states:
            message = f"{command.owner} has no entity {asked.entity_id}, nor has {self._default_owner}"
            raise RefusedError("not_found", message)
        return Reply.ok({"states": states})

    def _may_see(self, owner: str, entity_id: str) -> bool:
        """Tell whether an entity belongs to an owner or to the adapter's own, and passes the filters."""
        entity = self._house.entities.get(entity_id)
        return entity is not None and entity.wanted and entity.owner in (owner, self._default_owner)

    async def _caused(self, command: Command, what: str, kind: str, fields: Mapping[str, object]) -> "_Caused":
        """Request something that causes events, so that these are recognised; return its result."""
        call = self._causes.begin(command, what)
        caused = _Caused()
        try:
            result = await self._request(command, kind, fields)
            caused = frames.one(result, _Caused, frames.ignore) or caused
        finally:
            self._causes.finish(call, caused.context.id)
        return caused

    async def _request(self, command: Command, kind: str, fields: Mapping[str, object]) -> Raw:
        patience = max(command.deadline - time.time(), _SHORTEST) if command.deadline else PATIENCE
        given = {name: value for name, value in fields.items() if value is not UNSET}
        try:
            return await self._connection.request(kind, patience=patience, **given)
        except RequestError as error:
            raise RefusedError(_CODES.get(error.code, "failed"), str(error)) from error
        except NoAnswerError as error:
            message = f"{error}: what it was asked to do may still be under way"
            raise RefusedError("timeout", message) from error
        except DisconnectedError as error:
            message = f"{error}: whether it was done is not known"
            raise RefusedError("disconnected", message) from error


class _Done(Struct):
    context: str
    response: Raw | UnsetType = UNSET


class _Caused(Struct):
    context: Origin = NOWHERE
    response: Raw | UnsetType = UNSET


class _Shown(Struct):
    entity_id: str
    state: str
    attributes: Raw
    last_changed: str
    last_updated: str


def _read(command: Command, kind: type[S]) -> S:
    """Return the data of a command as a ``kind``; raises RefusedError."""
    try:
        return msgspec.json.decode(command.data, type=kind)
    except frames.ERRORS as error:
        message = f"data of {command.name}: {error}"
        raise RefusedError("invalid", message) from error
