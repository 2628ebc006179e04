"""The services that can be called: some that every house has, and those that a test adds."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from tests.fakes.homeassistant.world import Context, World

Response = Literal["none", "optional", "only"]
_DOMAIN: Final = "homeassistant"
_SWITCHED: Final = ("homeassistant", "input_boolean", "light", "switch")
_TAKING_MORE: Final = ("homeassistant", "light")
_TARGETS: Final = ("entity_id", "device_id", "area_id", "floor_id", "label_id")


class ServiceCall(Struct, frozen=True):
    """One call that was accepted. ``data`` is the service data with the target merged into it."""

    domain: str
    service: str
    data: dict[str, Any]
    context: "Context"

    def entity_ids(self) -> list[str]:
        """Return the entities that it is for."""
        found = self.data.get("entity_id", [])
        return [found] if isinstance(found, str) else list(found)


class ServiceError(Exception):
    """What a service answers instead of a result; raise it in a handler to play a failing device."""

    def __init__(self, code: str, message: str, *, key: str = "", **placeholders: str) -> None:
        super().__init__(message)
        self.error: dict[str, Any] = {"code": code, "message": message}
        if key:
            self.error |= {
                "translation_key": key,
                "translation_placeholders": placeholders,
                "translation_domain": _DOMAIN,
            }


Handler = Callable[[ServiceCall], Awaitable[dict[str, Any] | None]]


class Service(Struct, frozen=True):
    """A service: what it does, the fields it must have, and whether it answers.

    ``entities``: it needs a target; ``strict``: it takes no fields but these.
    """

    handler: Handler
    required: dict[str, type]
    response: Response = "none"
    entities: bool = False
    strict: bool = False


class Services:
    """The services of a house by domain and name, and every call that was accepted."""

    def __init__(self, world: "World") -> None:
        self.calls: list[ServiceCall] = []
        self._world = world
        self._services: dict[tuple[str, str], Service] = {}
        for domain in _SWITCHED:
            self._put(domain, "turn_on", self._turn("on"))
            self._put(domain, "turn_off", self._turn("off"))
            self._put(domain, "toggle", self._toggle)
        self._put("input_number", "set_value", self._set_number, required={"value": float})
        self._put("input_text", "set_value", self._set_text, required={"value": str})

    def add(
        self,
        domain: str,
        service: str,
        handler: Handler | None = None,
        *,
        required: Mapping[str, type] | None = None,
        response: Response = "none",
    ) -> None:
        """Register a service; without a handler it does nothing."""
        self._services[domain, service] = Service(handler or _nothing, dict(required or {}), response)
        self._world.fire("service_registered", {"domain": domain, "service": service})

    def remove(self, domain: str, service: str) -> None:
        """Remove a service."""
        del self._services[domain, service]
        self._world.fire("service_removed", {"domain": domain, "service": service})

    def of(self, domain: str) -> list[str]:
        """Return the names of a domain's services."""
        return [service for known, service in self._services if known == domain]

    def listed(self) -> dict[str, dict[str, Any]]:
        """Return what ``get_services`` answers."""
        found: dict[str, dict[str, Any]] = {}
        for (domain, name), service in self._services.items():
            fields = {field: {"required": True} for field in service.required}
            answer = {} if service.response == "none" else {"response": {"optional": service.response == "optional"}}
            described = {"name": name, "description": "", "fields": fields, **answer}
            found.setdefault(domain, {})[name] = described
        return found

    async def call(self, call: ServiceCall, *, respond: bool) -> dict[str, Any] | None:
        """Carry out a call in its context; raises ServiceError. The event comes before what the call does."""
        domain, name = call.domain, call.service
        service = self._services.get((domain, name))
        if service is None:
            message = f"Service {domain}.{name} not found."
            raise ServiceError("not_found", message, key="service_not_found", domain=domain, service=name)
        _check_response(service, respond=respond)
        _check_data(service, call.data)
        data = {"domain": domain, "service": name, "service_data": call.data}
        self._world.fire_in(call.context, "call_service", data)
        self.calls.append(call)
        answer = await service.handler(call)
        return (answer or {}) if respond else None

    def _put(self, domain: str, service: str, handler: Handler, required: Mapping[str, type] | None = None) -> None:
        strict = domain not in _TAKING_MORE
        fields = dict(required or {})
        self._services[domain, service] = Service(handler, fields, entities=True, strict=strict)

    def _turn(self, state: str) -> Handler:
        async def turn(call: ServiceCall) -> None:
            self._write(call, lambda _: state)

        return turn

    async def _toggle(self, call: ServiceCall) -> None:
        self._write(call, lambda old: "off" if old == "on" else "on")

    async def _set_number(self, call: ServiceCall) -> None:
        value = float(call.data["value"])
        for entity_id in call.entity_ids():
            limits = self._world.states[entity_id].attributes if entity_id in self._world.states else {}
            low, high = limits.get("min", float("-inf")), limits.get("max", float("inf"))
            if not low <= value <= high:
                message = f"Invalid value for {entity_id}: {value} (range {low} - {high})"
                raise ServiceError("invalid_format", message)
        self._write(call, lambda _: str(value))

    async def _set_text(self, call: ServiceCall) -> None:
        self._write(call, lambda _: str(call.data["value"]))

    def _write(self, call: ServiceCall, new: Callable[[str], str]) -> None:
        """Write the states of a call's entities; one that does not exist is no error."""
        for entity_id in call.entity_ids():
            if entity_id in self._world.states:
                old = self._world.states[entity_id].state
                self._world.set_state(entity_id, new(old), context=call.context)


async def _nothing(call: ServiceCall) -> None:
    del call


def _check_response(service: Service, *, respond: bool) -> None:
    asked = {"return_response": "return_response=True"}
    code = "service_validation_error"
    if respond and service.response == "none":
        message = (
            "Validation error: An action which does not return responses can't be called with return_response=True"
        )
        raise ServiceError(code, message, key="service_does_not_support_response", **asked)
    if not respond and service.response == "only":
        message = "Validation error: The action requires responses and must be called with return_response=True"
        raise ServiceError(code, message, key="service_lacks_response_request", **asked)


def _check_data(service: Service, data: Mapping[str, Any]) -> None:
    for field, wanted in service.required.items():
        if field not in data:
            message = f"required key not provided @ data['{field}']"
            raise ServiceError("invalid_format", message)
        try:
            wanted(data[field])
        except ValueError:
            message = f"expected {wanted.__name__} for dictionary value @ data['{field}']"
            raise ServiceError("invalid_format", message) from None
    for field in data:
        if service.strict and field not in service.required and field not in _TARGETS:
            message = f"extra keys not allowed @ data['{field}']"
            raise ServiceError("invalid_format", message)
    if service.entities and not any(target in data for target in _TARGETS):
        message = f"must contain at least one of {', '.join(_TARGETS)}."
        raise ServiceError("invalid_format", message)
