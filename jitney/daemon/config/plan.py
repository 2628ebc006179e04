"""What changes from one configuration to another, and what of that can be done while the bus runs."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from jitney.daemon.config.resting import running
from jitney.daemon.config.schema import AdapterSettings, Config
from jitney.topics import HOUSE

How = Literal["added", "removed", "changed"]

FIXED: Final = ("bus", "mqtt", "outbox", "http")
"""Sections that count from the next start on…"""

LIVE: Final = frozenset({("bus", "log_level"), ("bus", "log_mqtt")})
"""…but for these keys."""


class Change(Struct, frozen=True):
    """One thing of the file that is another one: ``what`` as in the file, like ``adapters.base``, and which keys."""

    what: str
    how: How
    keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        keys = f": {', '.join(self.keys)}" if self.keys else ""
        return f"{self.what} {self.how}{keys}"


class Plan(Struct, frozen=True):
    """What a reload would do. ``adapters`` are begun, ended or begun anew; all others go on undisturbed.

    ``restart`` are the changed keys that count from the next start on.
    """

    changes: tuple[Change, ...] = ()
    adapters: Mapping[str, How] = {}
    restart: tuple[str, ...] = ()

    def touches(self, section: str) -> bool:
        """Tell whether anything of a section has changed."""
        return any(change.what.partition(".")[0] == section for change in self.changes)


def plan(old: Config, new: Config) -> Plan:
    """Return what has to be done for a new configuration to be in force instead of the old one."""
    sections = tuple(_sections(old, new))
    return Plan(
        changes=(
            *sections,
            *_named("owners", old.owners, new.owners),
            *_named("adapters", old.adapters, new.adapters),
            *_named("routes", _by_name(old.routes), _by_name(new.routes)),
            *_listed("grants", old.grants, new.grants),
            *_listed("routing.python", old.scripts, new.scripts),
        ),
        adapters=dict(_adapters(old, new)),
        restart=tuple(
            f"{change.what}.{key}"
            for change in sections
            for key in change.keys
            if change.what in FIXED and (change.what, key) not in LIVE
        ),
    )


def with_fixed(new: Config, old: Config) -> Config:
    """Return a configuration with what counts from the next start on as it is now."""
    bus = replace(old.bus, **{key: getattr(new.bus, key) for section, key in LIVE if section == "bus"})
    return replace(new, bus=bus, **{section: getattr(old, section) for section in FIXED if section != "bus"})


def _sections(old: Config, new: Config) -> Iterator[Change]:
    for section in (*FIXED, "access", "audit", "tracing", "limits", "routing", "discovery"):
        keys = _differing(getattr(old, section), getattr(new, section))
        if keys:
            yield Change(section, "changed", keys)


def _named(section: str, old: Mapping[str, Struct], new: Mapping[str, Struct]) -> Iterator[Change]:
    for name in [*old, *(name for name in new if name not in old)]:
        what = f"{section}.{name}"
        if name not in new:
            yield Change(what, "removed")
        elif name not in old:
            yield Change(what, "added")
        elif keys := _differing(old[name], new[name]):
            yield Change(what, "changed", keys)


def _by_name(settings: Iterable[Any]) -> dict[str, Struct]:
    return {one.name: one for one in settings}


def _listed(section: str, old: tuple[Struct, ...], new: tuple[Struct, ...]) -> Iterator[Change]:
    if old != new:
        yield Change(section, "changed")


def _differing(old: Struct, new: Struct) -> tuple[str, ...]:
    """Return the keys whose values differ, those of the adapter's or identity's own table by their own names."""
    keys: list[str] = []
    if type(old) is not type(new):
        return ("type",)
    for field, key in zip(old.__struct_fields__, old.__struct_encode_fields__, strict=True):
        before, after = getattr(old, field), getattr(new, field)
        if before == after:
            continue
        if field == "config":
            keys += _differing(before, after)
        elif field == "identities":
            keys += sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
        else:
            keys.append(key)
    return tuple(keys)


def _adapters(old: Config, new: Config) -> Iterator[tuple[str, How]]:
    before, after = running(old), running(new)
    for name in before.keys() - after.keys():
        yield name, "removed"
    for name, settings in after.items():
        if name not in before:
            yield name, "added"
        elif before[name] != settings or _seen(old, settings) != _seen(new, settings):
            yield name, "changed"


def _seen(config: Config, adapter: AdapterSettings) -> dict[str, tuple[str, Any]]:
    """Return what an adapter knows of the people: a change of anything else does not disturb it."""
    return {
        owner.id: (owner.name, owner.identities.get(adapter.type.name))
        for owner in config.owners.values()
        if adapter.owner in (HOUSE, owner.id)
    }
