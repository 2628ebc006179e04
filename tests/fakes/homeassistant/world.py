"""What a Home Assistant knows, and its bus: states, contexts, persons, services and its own life."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from jitney.topics import new_id
from tests.fakes.homeassistant.registries import Registries
from tests.fakes.homeassistant.services import Services
from tests.fakes.homeassistant.users import User, Users

VERSION: Final = "2026.2.3"
UNAVAILABLE: Final = "unavailable"
_RESTORED_KEYS: Final[tuple[str, ...]] = (
    "device_class",
    "icon",
    "friendly_name",
    "supported_features",
    "unit_of_measurement",
)
_COMPONENTS: Final = ("api", "auth", "config", "homeassistant", "http", "person", "websocket_api", "zone")


class Context(Struct, frozen=True):
    """Why something happened: who did it, and which other context led to it."""

    id: str
    parent_id: str | None = None
    user_id: str | None = None


class State(Struct, frozen=True):
    """A state object, with its keys in Home Assistant's order."""

    entity_id: str
    state: str
    attributes: dict[str, Any]
    last_changed: str
    last_reported: str
    last_updated: str
    context: Context


class Fired(Struct, frozen=True):
    """An event on Home Assistant's bus."""

    event_type: str
    data: dict[str, Any]
    origin: str
    time_fired: str
    context: Context


class World:
    """A household of Owner, Alice and Bob, in which the user Jitney (an admin) is the daemon."""

    def __init__(self) -> None:
        self.life = "RUNNING"
        self.states: dict[str, State] = {}
        self.users = Users()
        self.registries = Registries(self._fire_system)
        self.services = Services(self)
        self.listeners: list[Callable[[Fired], None]] = []
        self._pending: dict[str, tuple[str, dict[str, Any]]] = {}
        self.jitney = self.users.add("Jitney", admin=True)
        self.add_person("Owner", self.users.add("Owner", owner=True))
        for name in ("Alice", "Bob"):
            tracker = f"device_tracker.{name.lower()}_phone"
            self.set_state(tracker, "not_home", attributes={"source_type": "gps", "friendly_name": f"{name} Phone"})
            self.add_person(name, self.users.add(name), trackers=[tracker])
        self.set_state("zone.home", "0", attributes={"latitude": 52.37, "longitude": 4.89, "radius": 100})

    @property
    def token(self) -> str:
        """The token of the daemon's own user, an admin."""
        return self.jitney.token

    def set_state(
        self,
        entity_id: str,
        state: str,
        *,
        attributes: Mapping[str, Any] | None = None,
        user: User | str | None = None,
        parent: Context | None = None,
        context: Context | None = None,
    ) -> Context:
        """Write a state, keeping its attributes when none are given, and return the context that it got.

        ``user`` did it, ``parent`` led to it; ``context`` instead of both continues one. As in Home Assistant, the
        same state with the same attributes is only reported, and only a new state moves ``last_changed``.
        """
        self._pending.pop(entity_id, None)
        old = self.states.get(entity_id)
        kept = old.attributes if old else {}
        context = context or self.context(user, parent)
        now = _now()
        new = State(
            entity_id=entity_id,
            state=state,
            attributes=kept if attributes is None else dict(attributes),
            last_changed=old.last_changed if old and old.state == state else now,
            last_reported=now,
            last_updated=now,
            context=context,
        )
        if old and (old.state, old.attributes) == (new.state, new.attributes):
            self.states[entity_id] = new = replace(old, last_reported=now)
            reported = {"last_reported": now, "old_last_reported": old.last_reported, "new_state": new}
            self._tell("state_reported", {"entity_id": entity_id, **reported}, context=context, at=now)
            return context
        self.states[entity_id] = new
        self._tell("state_changed", _change(entity_id, old, new), context=context, at=now)
        return context

    def remove(self, entity_id: str, *, user: User | str | None = None) -> Context:
        """Remove an entity: ``state_changed`` with a ``new_state`` of null."""
        context = self.context(user)
        self._tell("state_changed", _change(entity_id, self.states.pop(entity_id), None), context=context)
        return context

    def fire(
        self,
        event_type: str,
        data: Mapping[str, Any] | None = None,
        *,
        user: User | str | None = None,
        parent: Context | None = None,
        origin: str = "LOCAL",
    ) -> Context:
        """Fire an event and return its context."""
        context = self.context(user, parent)
        self._tell(event_type, dict(data or {}), context=context, origin=origin)
        return context

    def fire_in(self, context: Context, event_type: str, data: Mapping[str, Any] | None = None) -> None:
        """Fire an event in a context that exists."""
        self._tell(event_type, dict(data or {}), context=context)

    def add_entity(
        self,
        entity_id: str,
        state: str = "off",
        *,
        attributes: Mapping[str, Any] | None = None,
        area: str | None = None,
        device: str | None = None,
    ) -> None:
        """Register an entity, in an area of its own or in that of its device, and write its state."""
        self.registries.add_entity(entity_id, area=area, device=device)
        self.set_state(entity_id, state, attributes=attributes)

    def add_person(
        self, name: str, user: User | None = None, *, trackers: Iterable[str] = (), yaml: bool = False
    ) -> None:
        """Add a person with their entity ``person.{name}``; ``yaml``: one of the configuration file."""
        key = name.lower()
        person = {
            "id": key,
            "name": name,
            "user_id": user and user.id,
            "device_trackers": list(trackers),
        }
        self.registries.persons["config" if yaml else "storage"].append(person)
        attributes = {"editable": not yaml, "id": key, "device_trackers": list(trackers)}
        login = {"user_id": user.id} if user else {}
        self.set_state(f"person.{key}", "unknown", attributes={**attributes, **login, "friendly_name": name})

    def context(self, user: User | str | None = None, parent: Context | None = None) -> Context:
        """Return a new context."""
        if isinstance(user, str):
            user = self.users[user]
        return Context(new_id(), parent.id if parent else None, user.id if user else None)

    def config(self) -> dict[str, Any]:
        """Return what ``get_config`` answers."""
        components = {*_COMPONENTS, *(entity_id.partition(".")[0] for entity_id in self.states)}
        return {
            "allowlist_external_dirs": ["/config/www"],
            "allowlist_external_urls": [],
            "components": sorted(components),
            "config_dir": "/config",
            "config_source": "storage",
            "country": "NL",
            "currency": "EUR",
            "debug": False,
            "elevation": 0,
            "external_url": None,
            "internal_url": None,
            "language": "en",
            "latitude": 52.37,
            "location_name": "Home",
            "longitude": 4.89,
            "radius": 100,
            "recovery_mode": False,
            "safe_mode": False,
            "state": self.life,
            "time_zone": "Europe/Amsterdam",
            "unit_system": {"length": "km", "mass": "g", "temperature": "°C", "volume": "L"},
            "version": VERSION,
            "whitelist_external_dirs": ["/config/www"],
        }

    def boot(self, *, missing: Iterable[str] | None = None, unavailable: Iterable[str] = ()) -> None:
        """Begin to start: every state is written anew, without the ``missing`` ones (None: all but persons, zones).

        ``unavailable`` ones are there, but only as the registry remembers them.
        """
        self.life = "NOT_RUNNING"
        truth, self.states = self.states, {}
        if missing is None:
            missing = [key for key in truth if key.partition(".")[0] not in {"person", "zone"}]
        missing, unavailable = set(missing), set(unavailable)
        for entity_id, old in truth.items():
            if entity_id in missing - unavailable:
                continue
            attributes = old.attributes
            if entity_id in unavailable:
                remembered = {key: attributes[key] for key in _RESTORED_KEYS if key in attributes}
                self.set_state(entity_id, UNAVAILABLE, attributes={"restored": True, **remembered})
            else:
                self.set_state(entity_id, old.state, attributes=attributes)
        self._pending = {
            key: (truth[key].state, truth[key].attributes) for key in truth if key in missing | unavailable
        }

    def settle(self, *, late: Iterable[str] = ()) -> None:
        """Finish the start: the flood, ``homeassistant_start``, what was unavailable, ``homeassistant_started``.

        ``late`` entities get their value only after that.
        """
        late = set(late)
        appearing = [key for key in self._pending if key not in self.states and key not in late]
        for domain in sorted({key.partition(".")[0] for key in appearing}):
            self._recover(key for key in appearing if key.partition(".")[0] == domain)
            for service in self.services.of(domain):
                self._fire_system("service_registered", {"domain": domain, "service": service})
            self._fire_system("component_loaded", {"component": domain})
        self._live("STARTING", "homeassistant_start")
        self._recover(key for key in list(self._pending) if key not in late)
        self._live("RUNNING", "homeassistant_started")
        self._recover(list(self._pending))

    def _recover(self, entity_ids: Iterable[str]) -> None:
        for entity_id in entity_ids:
            state, attributes = self._pending[entity_id]
            self.set_state(entity_id, state, attributes=attributes)

    def _live(self, life: str, event_type: str) -> None:
        self.life = life
        self._fire_system("core_config_updated", {})
        self._fire_system(event_type, {})

    def _fire_system(self, event_type: str, data: Mapping[str, Any]) -> None:
        self._tell(event_type, dict(data), context=self.context())

    def _tell(
        self, event_type: str, data: dict[str, Any], *, context: Context, origin: str = "LOCAL", at: str = ""
    ) -> None:
        fired = Fired(event_type, data, origin, at or _now(), context)
        for listener in list(self.listeners):
            listener(fired)


def _change(entity_id: str, old: State | None, new: State | None) -> dict[str, Any]:
    return {"entity_id": entity_id, "old_state": old, "new_state": new}


def _now() -> str:
    return datetime.now(UTC).isoformat()
