"""The kinds of events that come from Home Assistant, and the retained value of an entity."""

from typing import ClassVar

from msgspec import UNSET, Raw, Struct, UnsetType

from jitney.topics import EventData


class StateChanged(EventData, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An entity has a new state or new attributes, or is gone; the event's subject is the entity.

    ``state`` is null when the entity was removed, ``old_state`` when it is new. ``attributes`` is the object that
    Home Assistant sent. Flags that do not apply are left out: ``missed`` it happened while the bus was away and was
    found by comparing (what lay between is unknown), ``skipped`` so many changes in between were left out because
    they came faster than they could be taken, ``own`` it was caused by a command or token of this bus.
    """

    type: ClassVar[str] = "homeassistant.state_changed"

    entity_id: str
    state: str | None
    old_state: str | None
    attributes: Raw
    last_changed: str = ""
    last_updated: str = ""
    missed: bool = False
    skipped: int = 0
    own: bool = False


class ServiceCalled(EventData, frozen=True, kw_only=True, omit_defaults=True):
    """A service (an "action") was called; ``data`` names its targets and may hold codes. The subject is its name.

    ``own``: called by a command or token of this bus.
    """

    type: ClassVar[str] = "homeassistant.service_called"
    private: ClassVar[bool] = True

    domain: str
    service: str
    data: Raw
    own: bool = False


class OtherEvent(EventData, frozen=True, kw_only=True, omit_defaults=True):
    """Any other event on Home Assistant's bus: ``event_type``, also the subject, and ``data`` as it was sent.

    ``own``: fired by a command or token of this bus.
    """

    type: ClassVar[str] = "homeassistant.event"

    event_type: str
    data: Raw
    own: bool = False


class Started(EventData, frozen=True, kw_only=True):
    """Home Assistant has finished starting while the bus was watching; ``version`` is its own."""

    type: ClassVar[str] = "homeassistant.started"

    version: str


class Stopped(EventData, frozen=True):
    """Home Assistant is about to stop. It does not always manage to say so."""

    type: ClassVar[str] = "homeassistant.stopped"


class EntityState(Struct, frozen=True, gc=False):
    """The retained value of an entity; ``actor`` is the owner or user who caused it, left out when nobody is known."""

    state: str
    attributes: Raw
    last_changed: str
    last_updated: str
    actor: str | UnsetType = UNSET


KINDS: tuple[type[EventData], ...] = (StateChanged, ServiceCalled, OtherEvent, Started, Stopped)
