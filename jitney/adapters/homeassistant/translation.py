"""From what Home Assistant says to events and states of the bus. Every change takes this path: keep it short."""

import re
from datetime import datetime
from typing import Final
from zlib import crc32

import msgspec
from msgspec import UNSET, Raw, Struct

from jitney.adapters.base import Context
from jitney.adapters.homeassistant.causes import NOBODY, Cause, Causes
from jitney.adapters.homeassistant.config import Config
from jitney.adapters.homeassistant.events import EntityState, OtherEvent, ServiceCalled, StateChanged, Stopped
from jitney.adapters.homeassistant.frames import NOWHERE, Happened, NewState, Odd, StateChange, ignore, one
from jitney.adapters.homeassistant.house import Entity, House
from jitney.topics import EMPTY, Event, EventData, State, derived_id, rfc3339

CALL: Final = "call_service"
STOP: Final = "homeassistant_stop"
STARTS: Final = frozenset({"homeassistant_start", "homeassistant_started"})

UNREAL: Final = frozenset({None, "unavailable", "unknown"})
"""What stands for a state that Home Assistant does not know."""

_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_USUAL_LENGTH: Final = len("2026-11-21T05:41:00.120000+00:00")
_UTC: Final = "+00:00"

_encode = msgspec.json.Encoder().encode


class Translator:
    """Translates during one attempt and remembers in the house what it has told."""

    def __init__(self, ctx: Context, config: Config, house: House, *, causes: Causes, odd: Odd) -> None:
        self.noisy = False
        """Whether Home Assistant settles after a start: what only comes back then is no event."""
        self.persons_changed = False
        """Whether a person has another user or other trackers than the owners were told by."""
        self._ctx = ctx
        self._source = "/" + ctx.name
        self._states = config.states
        self._events = config.events
        self._house = house
        self._entities = house.entities
        self._causes = causes
        self._odd = odd

    def change(self, change: StateChange, *, observed: str, missed: bool = False, skipped: int = 0) -> Event | None:
        """Publish the new state of an entity and return its event, None when none is wanted."""
        data = change.data
        entity_id = data.entity_id
        entity = self._entities.get(entity_id) or self._house.entity(entity_id)
        new = data.new_state
        if not isinstance(new, NewState):
            return self._gone(entity, change, observed=observed, missed=missed)
        cause = self._settle(entity, new, change)
        old = None if data.old_state is None else data.old_state.state
        if self.noisy:
            if _is_noise(entity, old, new.state):
                return None
            if old in UNREAL:
                old, missed = entity.told, True
        entity.told = new.state
        if not (entity.wanted and self._events):
            return None
        updated = new.last_updated
        origin = change.context or NOWHERE
        place = crc32((entity_id + updated).encode())
        return Event(
            id=f"{origin.id}-{place << 32 | entity.content:x}",
            source=self._source,
            type=StateChanged.type,
            subject=entity_id,
            time=updated if len(updated) == _USUAL_LENGTH and updated[-6:] == _UTC else _time(updated, observed),
            observed=observed,
            owner=entity.owner if entity.ruled or not cause.owner else cause.owner,
            hops=cause.hops,
            actor=cause.actor,
            causationid=cause.causation,
            correlationid=cause.command,
            traceparent=cause.traceparent,
            data=Raw(
                _encode(
                    StateChanged(
                        entity_id=entity_id,
                        state=new.state,
                        old_state=old,
                        attributes=new.attributes,
                        last_changed=new.last_changed,
                        last_updated=updated,
                        missed=missed,
                        skipped=skipped,
                        own=cause.own,
                    )
                )
            ),
        )

    def settle(self, change: StateChange) -> None:
        """Publish and remember the state of an entity without telling an event."""
        new = change.data.new_state
        if isinstance(new, NewState):
            entity = self._house.entity(change.data.entity_id)
            entity.told = new.state
            self._settle(entity, new, change)

    def happened(self, happened: Happened, *, observed: str) -> Event | None:
        """Return the event of anything but a changed state, None when it is not wanted."""
        event_type = happened.event_type
        if event_type == CALL:
            return self._called(happened, observed)
        origin = happened.context or NOWHERE
        self._causes.claim(origin, f"fire {event_type}")
        cause = self._causes.of(origin, self._house.owners)
        if event_type == STOP:
            return self._event(Stopped(), happened, cause=cause, observed=observed)
        if event_type in STARTS or not self._house.filters.wants_type(event_type):
            return None
        data = OtherEvent(event_type=event_type, data=happened.data, own=cause.own)
        named = one(happened.data, _Named, ignore) or _Named()
        return self._event(data, happened, cause=cause, observed=observed, subject=event_type, named=named)

    def _called(self, happened: Happened, observed: str) -> Event | None:
        call = one(happened.data, _Call, self._odd)
        if call is None:
            return None
        subject = f"{call.domain}.{call.service}"
        origin = happened.context or NOWHERE
        self._causes.claim(origin, f"call {subject}")
        cause = self._causes.of(origin, self._house.owners)
        if not self._house.filters.wants_type(CALL):
            return None
        data = ServiceCalled(domain=call.domain, service=call.service, data=call.service_data, own=cause.own)
        named = one(call.service_data, _Named, ignore) or _Named()
        return self._event(data, happened, cause=cause, observed=observed, subject=subject, named=named)

    def _event(
        self,
        data: EventData,
        happened: Happened,
        *,
        cause: Cause,
        observed: str,
        subject: str = "",
        named: "_Named | None" = None,
    ) -> Event | None:
        """Return an event; it belongs to the owner of the one entity or device it names, else to who caused it."""
        owner = ""
        if named is not None:
            entity = self._entities.get(named.entity())
            if entity is not None and not entity.wanted:
                return None
            owner = (
                entity.owner if entity is not None and entity.ruled else self._house.owners.of_device(named.device())
            )
        origin = happened.context or NOWHERE
        place = crc32((happened.event_type + happened.time_fired).encode())
        return Event(
            id=f"{origin.id}-{place << 32 | crc32(happened.data):x}",
            source=self._source,
            type=data.type,
            subject=subject or UNSET,
            time=_time(happened.time_fired, observed),
            observed=observed,
            owner=owner or cause.owner or self._ctx.default_owner,
            hops=cause.hops,
            actor=cause.actor,
            causationid=cause.causation,
            correlationid=cause.command,
            traceparent=cause.traceparent,
            data=Raw(_encode(data)),
        )

    def _settle(self, entity: Entity, new: NewState, change: StateChange) -> Cause:
        """Remember a new state, publish it, and return who caused it."""
        entity.state = new.state
        entity.content = crc32(new.attributes)
        entity.changed = new.last_changed
        entity.updated = new.last_updated
        if entity.is_person and self._house.persons.note(entity.id, new.attributes, self._odd):
            self.persons_changed = True
        origin = change.context
        cause = NOBODY
        if origin is not None and (origin.user_id is not None or origin.parent_id is not None):
            cause = self._causes.of(origin, self._house.owners)
        if entity.wanted and self._states:
            value = EntityState(new.state, new.attributes, new.last_changed, new.last_updated, cause.actor)
            self._ctx.set_state(State(entity.owner, entity.id, Raw(_encode(value))))
        return cause

    def _gone(self, entity: Entity, change: StateChange, *, observed: str, missed: bool) -> Event | None:
        """Take back the state of an entity that was removed and return that as an event."""
        if entity.is_person and self._house.persons.forget(entity.id):
            self.persons_changed = True
        if entity.wanted and self._states and entity.state is not None:
            self._ctx.set_state(State(entity.owner, entity.id, None))
        entity.state = None
        if self.noisy:
            return None
        self._house.forget(entity)
        old = change.data.old_state
        before = entity.told if old is None else old.state
        if before is None or not (entity.wanted and self._events):
            return None
        cause = self._causes.of(change.context or NOWHERE, self._house.owners)
        return Event(
            id=derived_id(self._source, entity.id, entity.updated or change.time_fired, "gone"),
            source=self._source,
            type=StateChanged.type,
            subject=entity.id,
            time=_time(change.time_fired, observed),
            observed=observed,
            owner=entity.owner if entity.ruled or not cause.owner else cause.owner,
            hops=cause.hops,
            actor=cause.actor,
            causationid=cause.causation,
            correlationid=cause.command,
            traceparent=cause.traceparent,
            data=Raw(
                _encode(
                    StateChanged(
                        entity_id=entity.id,
                        state=None,
                        old_state=before,
                        attributes=EMPTY,
                        missed=missed,
                        own=cause.own,
                    )
                )
            ),
        )


class _Call(Struct):
    domain: str
    service: str
    service_data: Raw = EMPTY


class _Named(Struct):
    """What an event is about, where its data says so."""

    entity_id: str | list[str] | None = None
    device_id: str | list[str] | None = None

    def entity(self) -> str:
        """Return the one entity it names, empty for none or several."""
        return _only(self.entity_id)

    def device(self) -> str:
        """Return the one device it names, empty for none or several."""
        return _only(self.device_id)


def _only(named: str | list[str] | None) -> str:
    if isinstance(named, list):
        return named[0] if len(named) == 1 else ""
    return named or ""


def _is_noise(entity: Entity, old: str | None, new: str) -> bool:
    """Tell whether a change after a start only takes an entity away for a while or brings it back as it was told."""
    if new in UNREAL:
        return True
    if old in UNREAL and (entity.told in UNREAL or entity.told == new):
        entity.told = new
        return True
    return False


def _time(text: str, otherwise: str) -> str:
    """Return ``text`` as RFC 3339, or ``otherwise`` when it is no time at all."""
    if _RFC3339.fullmatch(text):
        return text
    try:
        return rfc3339(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return otherwise
