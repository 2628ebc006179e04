"""Routes and grants of a file: compiled, and every mistake noted at its line."""

from collections.abc import Sequence

from jitney.daemon.config.problems import Problems
from jitney.daemon.config.schema import Config
from jitney.daemon.config.words import mean
from jitney.daemon.routes.allowed import Pattern
from jitney.daemon.routes.compiled import Fault, Route, compile_routes
from jitney.daemon.routes.trials import try_route
from jitney.topics import HOUSE


def compiled(config: Config) -> tuple[list[Route], list[Fault]]:
    """Return the routes of a configuration, and every fault of those that have one."""
    private = {kind.type: kind.private for adapter in config.adapters.values() for kind in adapter.type.kinds}
    adapters = {adapter.name: adapter.owner for adapter in config.adapters.values()}
    return compile_routes(config.routes, owners=list(config.owners), adapters=adapters, kinds=private.get)


def owner_names(config: Config) -> dict[str, str]:
    """Return what owners are called in routes, by id."""
    return {owner.id: owner.name or owner.id for owner in config.owners.values()}


def check_routes(config: Config, indices: Sequence[int], problems: Problems, *, trials: bool) -> None:
    """Note what is wrong with the routes, whose places in the file are ``indices``; with ``trials`` which tests fail.

    A route with a fault is not tried.
    """
    routes, faults = compiled(config)
    for fault in faults:
        problems.add(("routes", indices[fault.route], *fault.path), fault.text)
    if not trials:
        return
    faulty = {fault.route for fault in faults}
    sound = [index for number, index in enumerate(indices) if number not in faulty]
    for index, route in zip(sound, routes, strict=True):
        for number, trial in enumerate(try_route(route, names=owner_names(config))):
            if trial.problem:
                problems.add(("routes", index, "tests", number), f"{trial.name} fails: {trial.problem}")


def check_grants(config: Config, indices: Sequence[int], problems: Problems) -> None:
    """Note grants of or to somebody who is not there."""
    known = [*config.owners, HOUSE]
    for index, grant in zip(indices, config.grants, strict=True):
        receivers = (grant.to,) if isinstance(grant.to, str) else grant.to
        for name, owner in (("from", grant.from_), *(("to", receiver) for receiver in receivers)):
            if owner not in known:
                problems.add(("grants", index, name), f"there is no owner {owner!r}{mean(owner, known)}")
        if grant.from_ in receivers:
            problems.add(("grants", index, "to"), f"{grant.from_} sees their own events anyway")


def check_webhooks(config: Config, problems: Problems) -> None:
    """Note what is no address or pattern of one in the list of allowed webhooks."""
    for index, text in enumerate(config.routing.webhooks):
        try:
            Pattern.parse(text)
        except ValueError as error:
            problems.add(("routing", "webhooks", index), str(error))
