"""`jitney routes`: what the routes of a configuration do, and whether their tests hold."""

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from jitney.daemon.cli import routes_asking, routes_explain, routes_replay, routes_try
from jitney.daemon.cli.colours import BOLD, FAINT, GREEN, RED, YELLOW, Paint
from jitney.daemon.cli.common import from_vault, note
from jitney.daemon.cli.routes_asking import paint, print_json
from jitney.daemon.cli.routes_words import conditions, intentions, timing
from jitney.daemon.config.load import load
from jitney.daemon.config.paths import default_path
from jitney.daemon.config.problems import one_line
from jitney.daemon.config.routes import compiled, tried
from jitney.daemon.config.schema import Config
from jitney.daemon.routes.compiled import Route

_EPILOG: Final = """examples:
  jitney routes list                 whose they are, which events they want, and what they do
  jitney routes test -c config.toml  run their tests, and tell how each ends

Nothing is asked of a running daemon. Exit status: 0 done, 1 a test fails, 78 the configuration is wrong.
"""

_ALL: Final = """examples:
  jitney routes list                           whose they are, which events they want, and what they do
  jitney routes test                           run their tests, and tell how each ends
  jitney routes explain                        the newest events, and what routes did about them
  jitney routes explain 01JD3QZ6M2             why a route did something about an event, or nothing
  jitney routes try 'long ride'                what it would do about the newest event that it wants
  jitney routes replay alice --since 2h        publish what has come to alice again
"""


class Listed(Struct, frozen=True, kw_only=True):
    """A route in words. ``owners`` is ["*"] for everybody, ``on`` is empty for a schedule."""

    name: str
    enabled: bool
    owners: list[str]
    on: list[str]
    conditions: list[str]
    actions: list[str]
    tests: int


class Ended(Struct, frozen=True, kw_only=True):
    """How a test of a route ended; ``problem`` is empty when all was as expected."""

    route: str
    test: str
    ok: bool
    problem: str


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "routes",
        help="look at the routes, test and try them, and see what they did",
        description="Look at the routes of a configuration, and at what they did in the running bus.",
        epilog=_ALL,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    _action(actions, "list", _list, summary="list the routes: owners, events, conditions, actions")
    _action(actions, "test", _test, summary="run the tests of the routes")
    routes_explain.add(actions)
    routes_try.add(actions)
    routes_replay.add(actions)


def _action(
    actions: "argparse._SubParsersAction[Any]", name: str, run: Callable[[argparse.Namespace], int], *, summary: str
) -> None:
    parser = routes_asking.action(actions, name, run, summary=summary, epilog=_EPILOG)
    parser.add_argument(
        "-c", "--config", type=Path, metavar="FILE", help="the configuration (default: as `jitney check` finds it)"
    )


def _list(args: argparse.Namespace) -> int:
    found = [_listed(route) for route in compiled(_configured(args))[0]]
    if args.json:
        print_json(found)
        return 0
    if not found:
        note("There are no routes.")
    for one in found:
        print(*_lines(one, paint()), sep="\n")
    return 0


def _test(args: argparse.Namespace) -> int:
    found = [
        Ended(route=route.name, test=trial.name, ok=not trial.problem, problem=trial.problem)
        for route, trials in tried(_configured(args))
        for trial in trials
    ]
    failed = sum(not one.ok for one in found)
    if args.json:
        print_json(found)
    else:
        _tell(found, failed, paint())
    return 1 if failed else 0


def _tell(found: list[Ended], failed: int, colours: Paint) -> None:
    for one in found:
        outcome = colours("ok    ", GREEN) if one.ok else colours("failed", RED)
        problem = "" if one.ok else f": {colours(one_line(one.problem), YELLOW)}"
        print(f"{outcome}  {one_line(one.route)}: {one_line(one.test)}{problem}")
    if not found:
        note("There are no tests of routes.")
    else:
        note(f"{len(found)} test{'' if len(found) == 1 else 's'}, {failed or 'none'} failed.")


def _configured(args: argparse.Namespace) -> Config:
    return load(args.config or default_path(os.environ), environ=os.environ, vault=from_vault)


def _lines(one: Listed, colours: Paint) -> Iterator[str]:
    yield colours(one_line(one.name), BOLD) + ("" if one.enabled else colours("  not enabled", YELLOW))
    rows = [
        ("owner", [", ".join(one.owners).replace("*", "everybody, each for themselves")]),
        ("on", [", ".join(one.on)] if one.on else []),
        ("when", one.conditions),
        ("do", one.actions),
        ("tests", [str(one.tests)]),
    ]
    for head, texts in rows:
        for text in texts:
            yield f"  {colours(f'{head:<5}', FAINT)}  {one_line(text)}"


def _listed(route: Route) -> Listed:
    settings = route.settings
    return Listed(
        name=route.name,
        enabled=settings.enabled,
        owners=["*"] if route.owners is None else sorted(route.owners),
        on=list(route.patterns),
        conditions=[*conditions(route), *timing(settings)],
        actions=intentions(settings),
        tests=len(settings.tests),
    )
