"""Routes and grants of a file: compiled, and every mistake noted at its line."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from operator import is_
from pathlib import Path

from msgspec.structs import replace

from jitney.adapters.base import AdapterType
from jitney.daemon.config.problems import Problems
from jitney.daemon.config.schema import Config
from jitney.daemon.config.scripts import Place, read_scripts
from jitney.daemon.routes import granting
from jitney.daemon.routes.allowed import AllowList, Pattern
from jitney.daemon.routes.compiled import Fault, Route, compile_routes
from jitney.daemon.routes.doubts import doubts
from jitney.daemon.routes.household import Skill
from jitney.daemon.routes.trials import Trial, try_route
from jitney.daemon.routes.zones import zone


def compiled(config: Config) -> tuple[Sequence[Route], Sequence[Fault]]:
    """Return the routes of a configuration, and every fault of those that have one.

    Asked again of the same configuration it returns the same: a thousand routes are compiled once when the bus starts.
    """
    return _compiled(_Part(config))


def tried(config: Config) -> list[tuple[Route, list[Trial]]]:
    """Return the routes without fault, each with how its tests ended; one that is not enabled is tried all the same."""
    return _tried(config, compiled(_all_enabled(config))[0])


def with_scripts(
    config: Config, indices: Sequence[int], problems: Problems, *, folder: Path
) -> tuple[Config, list[Place]]:
    """Return the configuration with the Python routes whose files lie in ``folder``, and the place of each route.

    Those of the routes that it has already are ``indices``.
    """
    scripts = read_scripts(config.routing.python, problems, folder=folder)
    places = [*(Place(problems, ("routes", index)) for index in indices), *scripts.places]
    return replace(config, routes=(*config.routes, *scripts.routes), scripts=scripts.files), places


def check_routes(config: Config, places: Sequence[Place], *, trials: bool) -> None:
    """Note what is wrong with the routes, each at its place; with ``trials`` also which of their tests fail.

    A route with a fault is not tried. What can never do anything is a warning.
    """
    sources = {name: {one.type: one.private for one in adapter.type.kinds} for name, adapter in config.adapters.items()}
    for doubt in doubts(config.routes, sources=sources, grants=config.grants):
        place = places[doubt.route]
        place.problems.warn((*place.key, *doubt.path), doubt.text)
    routes, faults = compiled(_all_enabled(config) if trials else config)
    for fault in faults:
        place = places[fault.route]
        place.problems.add((*place.key, *fault.path), fault.text)
    if not trials:
        return
    faulty = {fault.route for fault in faults}
    sound = [place for number, place in enumerate(places) if number not in faulty]
    for place, (_, ended) in zip(sound, _tried(config, routes), strict=True):
        for number, trial in enumerate(ended):
            if trial.problem:
                place.problems.add((*place.key, "tests", number), f"{trial.name} fails: {trial.problem}")


def check_grants(config: Config, indices: Sequence[int], problems: Problems) -> None:
    """Note what is wrong with the grants, whose places in the file are ``indices``."""
    adapters, known = _adapters(config), kinds(config)
    for fault in granting.check_grants(config.grants, owners=list(config.owners), adapters=adapters, kinds=known):
        problems.add(("grants", indices[fault.route], *fault.path), fault.text)


def check_webhooks(config: Config, problems: Problems) -> None:
    """Note what is no address or pattern of one in the list of allowed webhooks."""
    for index, text in enumerate(config.routing.webhooks):
        try:
            Pattern.parse(text)
        except ValueError as error:
            problems.add(("routing", "webhooks", index), str(error))


class _Part:
    """What of a configuration its routes depend on: another one has it in common when it holds the same objects."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._objects = (config.routes, config.owners, config.adapters, config.routing.webhooks)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Part) and all(map(is_, self._objects, other._objects))

    def __hash__(self) -> int:
        return hash(tuple(map(id, self._objects)))


@lru_cache(maxsize=1)
def _compiled(part: _Part) -> tuple[Sequence[Route], Sequence[Fault]]:
    config = part.config
    owners = list(config.owners)
    return compile_routes(
        config.routes,
        owners=owners,
        adapters=_adapters(config),
        kinds=kinds(config),
        skills={name: _skill(adapter.type) for name, adapter in config.adapters.items()},
        webhooks=AllowList(_places(config)),
    )


def _skill(kind: AdapterType) -> Skill:
    commands: object = getattr(kind, "commands", None)
    return Skill(kind.name, commands if isinstance(commands, tuple) else None)


def _places(config: Config) -> Iterator[Pattern]:
    """Give where webhooks may go; what is no pattern is told elsewhere."""
    for text in config.routing.webhooks:
        with suppress(ValueError):
            yield Pattern.parse(text)


def _adapters(config: Config) -> dict[str, str]:
    return {adapter.name: adapter.owner for adapter in config.adapters.values()}


def kinds(config: Config) -> Callable[[str], bool | None]:
    """Return what tells whether a type is private, None for one that no adapter has."""
    return {kind.type: kind.private for adapter in config.adapters.values() for kind in adapter.type.kinds}.get


def _all_enabled(config: Config) -> Config:
    return replace(config, routes=tuple(replace(route, enabled=True) for route in config.routes))


def _tried(config: Config, routes: Iterable[Route]) -> list[tuple[Route, list[Trial]]]:
    names = {owner.id: owner.name or owner.id for owner in config.owners.values()}
    house = zone(config.bus.time_zone)
    return [(route, try_route(route, names=names, zone=house)) for route in routes]
