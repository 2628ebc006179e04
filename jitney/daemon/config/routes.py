"""Routes and grants of a file: compiled, and every mistake noted at its line."""

from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from jitney.daemon.config.problems import Problems
from jitney.daemon.config.schema import Config
from jitney.daemon.routes import granting
from jitney.daemon.routes.allowed import Pattern
from jitney.daemon.routes.compiled import Fault, Route, compile_routes
from jitney.daemon.routes.trials import Trial, try_route


def compiled(config: Config) -> tuple[list[Route], list[Fault]]:
    """Return the routes of a configuration, and every fault of those that have one."""
    owners = list(config.owners)
    return compile_routes(config.routes, owners=owners, adapters=_adapters(config), kinds=kinds(config))


def tried(config: Config) -> list[tuple[Route, list[Trial]]]:
    """Return the routes without fault, each with how its tests ended; one that is not enabled is tried all the same."""
    return _tried(config, compiled(_all_enabled(config))[0])


def check_routes(config: Config, indices: Sequence[int], problems: Problems, *, trials: bool) -> None:
    """Note what is wrong with the routes, whose places in the file are ``indices``; with ``trials`` which tests fail.

    A route with a fault is not tried.
    """
    routes, faults = compiled(_all_enabled(config) if trials else config)
    for fault in faults:
        problems.add(("routes", indices[fault.route], *fault.path), fault.text)
    if not trials:
        return
    faulty = {fault.route for fault in faults}
    sound = [index for number, index in enumerate(indices) if number not in faulty]
    for index, (_, ended) in zip(sound, _tried(config, routes), strict=True):
        for number, trial in enumerate(ended):
            if trial.problem:
                problems.add(("routes", index, "tests", number), f"{trial.name} fails: {trial.problem}")


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


def _adapters(config: Config) -> dict[str, str]:
    return {adapter.name: adapter.owner for adapter in config.adapters.values()}


def kinds(config: Config) -> Callable[[str], bool | None]:
    """Return what tells whether a type is private, None for one that no adapter has."""
    return {kind.type: kind.private for adapter in config.adapters.values() for kind in adapter.type.kinds}.get


def _all_enabled(config: Config) -> Config:
    return replace(config, routes=tuple(replace(route, enabled=True) for route in config.routes))


def _tried(config: Config, routes: Iterable[Route]) -> list[tuple[Route, list[Trial]]]:
    names = {owner.id: owner.name or owner.id for owner in config.owners.values()}
    return [(route, try_route(route, names=names)) for route in routes]
