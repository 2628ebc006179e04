"""Who can see what: of whom which Home Assistant shows what, and what owners have granted to each other."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from jitney.adapters.base import Found
from jitney.daemon.config.resting import running, without_resting
from jitney.daemon.config.schema import Config, OwnerDiscoverySettings
from jitney.daemon.discovery import names
from jitney.daemon.discovery.declared import Declared
from jitney.daemon.owners.registry import Owners
from jitney.daemon.routes.settings import GrantSettings
from jitney.daemon.service.doctor.case import Case
from jitney.topics import HOUSE, TopicTree

MOST_NAMES: Final = 6
"""Devices that are named; of more only their number is told."""


class _Device(Struct, frozen=True):
    identifiers: tuple[str, ...] = ()
    name: str = ""


class _Announcement(Struct, frozen=True):
    device: _Device = _Device()


def announced(config: Config, tree: TopicTree) -> list[str]:
    """Return the filters under which Home Assistant is told of devices."""
    return Declared(config, tree, version="").patterns if config.discovery.enabled else []


async def look(case: Case) -> AsyncIterator[Found]:
    """Yield who can see what."""
    config = case.config
    if config.discovery.enabled:
        retained = (await case.heard()).retained
        for found in _discovery(config, devices(config, case.tree, retained)):
            yield found
    else:
        yield Found("ok", "no Home Assistant is told anything: there is no section [discovery], or it is not enabled")
    for grant in config.grants:
        yield _granted(grant)


def devices(
    config: Config, tree: TopicTree, retained: Mapping[str, bytes]
) -> Mapping[tuple[str, str, str], tuple[str, ...]]:
    """Return the names of the devices that are announced, by prefix, owner and adapter."""
    declared = Declared(config, tree, version="")
    bus = names.identifier(tree.root, config.bus.instance, owner="", adapter="")
    found: dict[tuple[str, str, str], dict[str, None]] = {}
    for topic, payload in retained.items():
        if not declared.covers(topic) or not payload:
            continue
        try:
            device = msgspec.json.decode(payload, type=_Announcement).device
        except (msgspec.MsgspecError, UnicodeError):
            continue
        identifier = device.identifiers[0] if device.identifiers else ""
        owner, _, rest = identifier.removeprefix(f"{bus}.").partition(".")
        prefix = next((one for one in declared.prefixes if topic.startswith(f"{one}/")), "")
        if identifier.startswith(f"{bus}.") and rest:
            found.setdefault((prefix, owner, rest.partition(".")[0]), {})[device.name] = None
    return {key: tuple(one) for key, one in found.items()}


def _discovery(config: Config, known: Mapping[tuple[str, str, str], tuple[str, ...]]) -> Iterator[Found]:
    config = without_resting(config)
    house = config.discovery.prefix
    sharing: dict[str, list[str]] = {house: ["the house"]}
    for owner in config.owners.values():
        if owner.discovery.enabled:
            sharing.setdefault(owner.discovery.prefix or house, []).append(owner.id)
        else:
            yield Found("ok", f"{owner.id}: no Home Assistant shows anything of theirs (owners.{owner.id}.discovery)")
    for prefix, people in sharing.items():
        yield _seen_by(prefix, people, alone=prefix != house and len(people) == 1)
    for name, adapter in _pairs(config):
        settings = config.owners[name].discovery if name in config.owners else OwnerDiscoverySettings()
        prefix = settings.prefix or house
        if settings.enabled:
            shown, private = known.get((prefix, name, adapter), ()), adapter in settings.private
            if shown or private:
                yield _shown(name, adapter, shown, private=private, shared=len(sharing[prefix]) > 1)


def _seen_by(prefix: str, people: Iterable[str], *, alone: bool) -> Found:
    listed = " and ".join(filter(None, [", ".join([*people][:-1]), [*people][-1]]))
    if alone:
        return Found("ok", f"the Home Assistant with the prefix {prefix} shows what is {listed}'s, and nothing else")
    return Found("note", f"everybody who uses the Home Assistant with the prefix {prefix} sees what is of {listed}")


def _pairs(config: Config) -> Iterator[tuple[str, str]]:
    """Yield every owner with every adapter that serves them."""
    owners = Owners(config.owners)
    for adapter in running(config).values():
        for owner in owners.served_by(adapter):
            yield owner, adapter.name


def _shown(owner: str, adapter: str, shown: tuple[str, ...], *, private: bool, shared: bool) -> Found:
    whose = f"{adapter} of {'the house' if owner == HOUSE else owner}"
    many = "1 device is" if len(shown) == 1 else f"{len(shown) or 'no'} devices are"
    listed = ", ".join(shown[:MOST_NAMES]) + (", …" if len(shown) > MOST_NAMES else "")
    text = f"{whose}: {many} shown{f' ({listed})' if listed else ''}"
    if not private:
        return Found("ok", f"{text}; what is private is not")
    text = f"{text}, also what is private, as owners.{owner}.discovery.private says"
    return (
        Found("note", text, f"take {adapter} out of it to hide that from the others") if shared else Found("ok", text)
    )


def _granted(grant: GrantSettings) -> Found:
    def words(given: str | tuple[str, ...]) -> str:
        return given if isinstance(given, str) else ", ".join(given)

    private = ", private ones too" if grant.private else ""
    until = f" until {grant.until}" if grant.until is not None else ""
    only = ", as far as a route forwards them" if grant.only_forwarded else ""
    return Found(
        "note", f"{words(grant.to)} can see events of {grant.from_}: {words(grant.kinds)}{private}{until}{only}"
    )
