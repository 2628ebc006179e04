"""Who rests: people whose section says ``enabled = false``, and what of a configuration works without them."""

from collections.abc import Iterator

from msgspec.structs import replace

from jitney.daemon.config.schema import AdapterSettings, Config
from jitney.daemon.routes.settings import GrantSettings

DISABLED = "owner_disabled"
"""The code of what is refused, and the reason of what is dropped, because of it."""


def why(owner: str) -> str:
    """Return in words why nothing is done for somebody who rests, and what ends that."""
    return f"{owner} is disabled:  jitney owners enable {owner}"


def resting(config: Config) -> frozenset[str]:
    """Return the ids of those who rest."""
    return frozenset(owner.id for owner in config.owners.values() if not owner.enabled)


def running(config: Config) -> dict[str, AdapterSettings]:
    """Return the adapters that are to run, by name."""
    away = resting(config)
    return {name: one for name, one in config.adapters.items() if one.enabled and one.owner not in away}


def at_rest(config: Config) -> dict[str, str]:
    """Return by the name of each adapter that would run, if only its owner did not rest, who that is."""
    away = resting(config)
    return {name: one.owner for name, one in config.adapters.items() if one.enabled and one.owner in away}


def forgetful(config: Config, owner: str) -> list[str]:
    """Return the adapters that would have to forget somebody, and do not run because of them."""
    return [name for name, whose in at_rest(config).items() if whose == owner and _erases(config.adapters[name])]


def _erases(adapter: AdapterSettings) -> bool:
    return hasattr(adapter.type, "erase")


def without_resting(config: Config) -> Config:
    """Return a configuration in which nobody who rests grants or sees anything, or is shown in Home Assistant."""
    away = resting(config)
    if not away:
        return config
    owners = {
        name: replace(owner, discovery=replace(owner.discovery, enabled=False)) if name in away else owner
        for name, owner in config.owners.items()
    }
    return replace(config, owners=owners, grants=tuple(_grants(config, away)))


def _grants(config: Config, away: frozenset[str]) -> Iterator[GrantSettings]:
    for grant in config.grants:
        named = (grant.to,) if isinstance(grant.to, str) else grant.to
        to = tuple(owner for owner in named if owner not in away)
        if grant.from_ not in away and to:
            yield replace(grant, to=to)
