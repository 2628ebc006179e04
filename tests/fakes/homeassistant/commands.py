"""The commands of the websocket API: who may send them, how they must look and what is answered."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Struct

from tests.fakes.homeassistant.compressed import difference, snapshot
from tests.fakes.homeassistant.connection import Connection
from tests.fakes.homeassistant.record import Record
from tests.fakes.homeassistant.schema import Shape, merged
from tests.fakes.homeassistant.services import ServiceCall, ServiceError
from tests.fakes.homeassistant.users import User
from tests.fakes.homeassistant.world import Fired, World

FOR_EVERYBODY: Final = frozenset(
    {
        "area_registry_updated",
        "category_registry_updated",
        "component_loaded",
        "core_config_updated",
        "device_registry_updated",
        "entity_registry_updated",
        "floor_registry_updated",
        "label_registry_updated",
        "labs_updated",
        "lovelace_updated",
        "panels_updated",
        "recorder_5min_statistics_generated",
        "recorder_hourly_statistics_generated",
        "repairs_issue_registry_updated",
        "service_registered",
        "service_removed",
        "shopping_list_updated",
        "state_changed",
        "themes_updated",
    }
)
"""The events that a user who is no admin may subscribe to."""

_ALL: Final = "*"
_LATER: Final = object()
"""The result of a handler that answers by itself."""

_encode = msgspec.json.Encoder().encode


class RefusalError(Exception):
    """A command is answered with an error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message}


class _Kind(Struct, frozen=True):
    """One type of command; ``handler`` returns its result."""

    handler: Callable[[Connection, dict[str, Any]], Any]
    shape: Shape = Shape()
    admin: bool = False


class Commands:
    """Answers the commands of every connection; what is in ``held`` types (``*``: all) waits for ``release``."""

    def __init__(self, world: World, record: Record) -> None:
        self.held: set[str] = set()
        self.unknown: set[str] = set()
        """Types that this Home Assistant is too old to know."""
        self._waiting: list[tuple[Connection, dict[str, Any]]] = []
        self._world = world
        self._record = record
        rows = world.registries
        self._kinds = {
            "ping": _Kind(self._ping),
            "supported_features": _Kind(self._features, Shape({"features": dict})),
            "subscribe_events": _Kind(self._subscribe, Shape(optional={"event_type": str})),
            "subscribe_entities": _Kind(self._entities, Shape(optional={"entity_ids": list})),
            "unsubscribe_events": _Kind(self._unsubscribe, Shape({"subscription": int})),
            "get_states": _Kind(lambda *_: list(world.states.values())),
            "get_config": _Kind(lambda *_: world.config()),
            "get_services": _Kind(lambda *_: world.services.listed()),
            "call_service": _Kind(
                self._call,
                Shape({"domain": str, "service": str}, {"target": dict, "service_data": dict, "return_response": bool}),
            ),
            "fire_event": _Kind(self._fire, Shape({"event_type": str}, {"event_data": dict}), admin=True),
            "auth/current_user": _Kind(lambda connection, _: _user(connection).current()),
            "config/auth/list": _Kind(lambda *_: [user.listed() for user in world.users], admin=True),
            "person/list": _Kind(lambda *_: rows.persons),
            "config/area_registry/list": _Kind(lambda *_: list(rows.areas.values())),
            "config/device_registry/list": _Kind(lambda *_: list(rows.devices.values())),
            "config/entity_registry/list": _Kind(lambda *_: list(rows.entities.values())),
            "config/entity_registry/list_for_display": _Kind(lambda *_: rows.displayed()),
        }

    def handle(self, connection: Connection, message: Any) -> None:  # noqa: ANN401 - whatever a client sent
        """Answer one message."""
        number, name = _identity(message)
        if number is None:
            connection.blame(f"sent a command without a usable id or type: {message!r:.200}")
            refused = message.get("id") if isinstance(message, dict) else 0
            self._error(connection, refused, "", _coded("invalid_format", "Message incorrectly formatted."))
            return
        self._record.add(connection.number, message)
        if number <= connection.last_id:
            connection.blame(f"sent id {number} ({name}) after {connection.last_id}")
            self._error(connection, number, name, _coded("id_reuse", "Identifier values have to increase."))
            return
        kind = self._kinds.get(name)
        if kind is None or name in self.unknown:
            if kind is None:
                connection.blame(f"sent the command {name!r}, which is none, or none that the fake plays")
            self._error(connection, number, name, _coded("unknown_command", "Unknown command."))
            return
        connection.last_id = number
        try:
            self._check(connection, kind, message)
            result = kind.handler(connection, message)
        except (RefusalError, ServiceError) as refusal:
            self._error(connection, number, name, refusal.error)
        else:
            if result is not _LATER:
                self._result(connection, message, result)

    def release(self) -> None:
        """Send the held answers, in their order, and hold none any more."""
        self.held.clear()
        waiting, self._waiting = self._waiting, []
        for connection, answer in waiting:
            connection.send(answer)

    def _check(self, connection: Connection, kind: _Kind, message: dict[str, Any]) -> None:
        name = message["type"]
        if refusal := kind.shape.refusal(message):
            connection.blame(f"sent a wrong {name}: {refusal}")
            raise RefusalError("invalid_format", refusal)
        if kind.admin:
            _need_admin(connection, f"sent {name}")

    def _features(self, connection: Connection, message: dict[str, Any]) -> None:
        connection.coalesce = "coalesce_messages" in message["features"]

    def _ping(self, connection: Connection, message: dict[str, Any]) -> object:
        self._send(connection, message["type"], {"id": message["id"], "type": "pong"})
        return _LATER

    def _subscribe(self, connection: Connection, message: dict[str, Any]) -> None:
        wanted = message.get("event_type", _ALL)
        if wanted not in FOR_EVERYBODY:
            _need_admin(connection, f"subscribed to {wanted}")
        if wanted == "state_reported":
            raise RefusalError("home_assistant_error", "Event filter is required for event state_reported")
        end = b',"id":%d}' % message["id"]

        def forward(fired: Fired) -> None:
            if fired.event_type == wanted or (wanted == _ALL and fired.event_type != "state_reported"):
                connection.send(b'{"type":"event","event":' + _encode(fired) + end)

        self._listen(connection, message["id"], wanted, forward)

    def _entities(self, connection: Connection, message: dict[str, Any]) -> object:
        only = frozenset(message.get("entity_ids", ()))
        end = b',"id":%d}' % message["id"]

        def forward(fired: Fired) -> None:
            if fired.event_type == "state_changed" and (not only or fired.data["entity_id"] in only):
                connection.send(b'{"type":"event","event":' + _encode(difference(fired)) + end)

        self._listen(connection, message["id"], "entities", forward)
        self._result(connection, message, None)
        states = [state for state in self._world.states.values() if not only or state.entity_id in only]
        connection.send({"id": message["id"], "type": "event", "event": snapshot(states)})
        return _LATER

    def _listen(self, connection: Connection, number: int, wanted: str, forward: Callable[[Fired], None]) -> None:
        if wanted in connection.subscribed():
            connection.blame(f"subscribed to {wanted} twice")
        listeners = self._world.listeners
        listeners.append(forward)
        connection.subscriptions[number] = wanted, lambda: listeners.remove(forward)

    def _unsubscribe(self, connection: Connection, message: dict[str, Any]) -> None:
        number = message["subscription"]
        if number not in connection.subscriptions:
            connection.blame(f"unsubscribed from {number}, which is no subscription of this connection")
            raise RefusalError("not_found", "Subscription not found.")
        connection.subscriptions.pop(number)[1]()

    def _fire(self, connection: Connection, message: dict[str, Any]) -> dict[str, Any]:
        context = self._world.fire(message["event_type"], message.get("event_data"), user=connection.user)
        return {"context": context}

    def _call(self, connection: Connection, message: dict[str, Any]) -> object:
        connection.run(self._carry_out(connection, message), f"{message['domain']}.{message['service']}")
        return _LATER

    async def _carry_out(self, connection: Connection, message: dict[str, Any]) -> None:
        context = self._world.context(connection.user)
        data = merged(message.get("service_data", {}), message.get("target", {}))
        call = ServiceCall(message["domain"], message["service"], data, context)
        respond = message.get("return_response", False)
        try:
            response = await self._world.services.call(call, respond=respond)
        except ServiceError as failure:
            self._error(connection, message["id"], message["type"], failure.error)
        else:
            answer = {"context": context, "response": response} if respond else {"context": context}
            self._result(connection, message, answer)
        finally:
            self._record.changed()

    def _result(self, connection: Connection, message: dict[str, Any], result: object) -> None:
        answer = {"id": message["id"], "type": "result", "success": True, "result": result}
        self._send(connection, message["type"], answer)

    def _error(self, connection: Connection, number: object, name: str, error: dict[str, Any]) -> None:
        self._send(connection, name, {"id": number, "type": "result", "success": False, "error": error})

    def _send(self, connection: Connection, name: str, answer: dict[str, Any]) -> None:
        if name in self.held or _ALL in self.held:
            self._waiting.append((connection, answer))
        else:
            connection.send(answer)


def _identity(message: object) -> tuple[int | None, str]:
    """Return a message's id and type; the id is None when either is unusable."""
    if not isinstance(message, dict):
        return None, ""
    number, name = message.get("id"), message.get("type")
    if type(number) is not int or number <= 0 or not isinstance(name, str) or not name:
        return None, ""
    return number, name


def _coded(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message}


def _user(connection: Connection) -> User:
    assert connection.user is not None
    return connection.user


def _need_admin(connection: Connection, what: str) -> None:
    user = _user(connection)
    if not user.admin:
        connection.blame(f"{what} as {user.name}, who is no admin")
        raise RefusalError("unauthorized", "Unauthorized")
