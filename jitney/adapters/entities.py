"""What Home Assistant is shown of an adapter: devices and their entities, told by where their values lie.

An adapter declares them with ``Context.announce``. It names subjects of its own states, kinds of its own events and its
own commands; topics, templates, ids, availability and the format of the announcement are the daemon's.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import Struct

StateClass = Literal["", "measurement", "total", "total_increasing"]
Category = Literal["", "diagnostic", "config"]

KEY: Final = re.compile(r"[a-z0-9_]{1,100}")
"""What the key of an entity or a device looks like."""


class At(Struct, frozen=True):
    """A value in a state: at ``path`` in that of ``subject``. Keys are joined by dots, an empty path is all of it.

    A whole number among the keys is a position in a list.
    """

    subject: str
    path: str = ""


class OfStatus(Struct, frozen=True):
    """A value in the status of the adapter as its owner sees it."""

    path: str = "state"


class OfBus(Struct, frozen=True):
    """A value in what the bus says of itself: ``name`` is state, info or health."""

    name: str
    path: str


Source = At | OfStatus | OfBus


class Entity(Struct, frozen=True, kw_only=True):
    """What all entities have in common.

    ``key`` never changes and is unique within its device; it becomes part of the unique id. ``name`` does not repeat
    the name of the device; empty: this is the device's main entity. ``needs`` is what has to be online for it to be
    available. ``system``: only for owners who measure like that. ``attributes`` is an object shown beside the value.
    """

    key: str
    name: str = ""
    icon: str = ""
    category: Category = ""
    enabled: bool = True
    needs: Literal["adapter", "bus", "nothing"] = "adapter"
    system: Literal["", "metric", "imperial"] = ""
    attributes: Source | None = None

    def __post_init__(self) -> None:
        _check_key(self.key)


class Sensor(Entity, frozen=True, kw_only=True):
    """A value that is read. ``unit`` is that of the value, ``shown_as`` the (metric, imperial) units to show it in.

    ``expression`` is a Jinja2 expression of Home Assistant over ``value``, which it sees only when there is one; its
    result is in ``unit``. With a unit, class, state class or precision only a number counts, else it is unknown.
    ``precision`` are decimals, ``options`` all the values of the class enum (others are unknown), ``expires`` is in
    seconds.
    """

    value: Source
    unit: str = ""
    shown_as: tuple[str, str] = ("", "")
    device_class: str = ""
    state_class: StateClass = ""
    precision: int | None = None
    options: tuple[str, ...] = ()
    expression: str = "value"
    expires: int = 0


class BinarySensor(Entity, frozen=True, kw_only=True):
    """A value that is on while it is one of ``on``, and unknown while there is none."""

    value: Source
    on: tuple[bool | int | str, ...] = (True,)
    device_class: str = ""


class DeviceTracker(Entity, frozen=True, kw_only=True):
    """A place: ``place`` is an object with latitude and longitude in degrees and perhaps accuracy in metres.

    Its attributes can only be of the same subject. It is not available while there is no place.
    """

    place: At

    def __post_init__(self) -> None:
        super().__post_init__()
        beside = self.attributes
        if beside is not None and not (isinstance(beside, At) and beside.subject == self.place.subject):
            message = f"attributes: expected to be of the subject {self.place.subject!r}, as the place is"
            raise ValueError(message)


class EventEntity(Entity, frozen=True, kw_only=True):
    """Events of these ``kinds``; with ``where`` only those whose data have a value at a path: ("node", "!a1b2c3d4")."""

    kinds: tuple[str, ...]
    where: tuple[str, str] | None = None
    device_class: str = ""


class Image(Entity, frozen=True, kw_only=True):
    """A picture at the http or https address that is the value; not available while there is none."""

    url: At


class Asking(Entity, frozen=True, kw_only=True):
    """What sends a command of this adapter: ``data`` is the same each time."""

    command: str
    data: Mapping[str, Any] = {}


class Button(Asking, frozen=True, kw_only=True):
    """A command at the press of a button."""

    device_class: str = ""


class Notify(Asking, frozen=True, kw_only=True):
    """A command that gets a message as ``text`` in its data."""

    text: str = "text"


class Text(Asking, frozen=True, kw_only=True):
    """A command that gets what is typed as ``text`` in its data; ``value`` is what is shown, if anything is."""

    text: str = "text"
    value: Source | None = None
    longest: int = 200


class Select(Asking, frozen=True, kw_only=True):
    """A command that gets one of ``options`` as ``choice`` in its data; ``value`` is which it is now."""

    choice: str
    options: tuple[str, ...]
    value: Source


class Update(Entity, frozen=True, kw_only=True):
    """The version that is ``installed``, and the ``latest`` one where that is known."""

    installed: Source
    latest: Source
    title: str = ""
    release_url: str = ""


AnyEntity = Sensor | BinarySensor | DeviceTracker | EventEntity | Image | Button | Notify | Text | Select | Update


class Device(Struct, frozen=True, kw_only=True):
    """A thing with its entities. ``key`` empty: the adapter itself as its owner sees it, through which the others come.

    ``private``: it is shown only when its owner has said so, because everybody in a house sees what its Home Assistant
    shows. ``url`` is where a person can look further.
    """

    key: str = ""
    name: str
    manufacturer: str = ""
    model: str = ""
    model_id: str = ""
    serial: str = ""
    software: str = ""
    hardware: str = ""
    url: str = ""
    private: bool = False
    entities: tuple[AnyEntity, ...] = ()

    def __post_init__(self) -> None:
        if self.key:
            _check_key(self.key)


def _check_key(key: str) -> None:
    if KEY.fullmatch(key) is None:
        message = f"key: expected small letters, digits and _, at most 100, got {key!r}"
        raise ValueError(message)
