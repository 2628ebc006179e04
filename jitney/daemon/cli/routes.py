"""`jitney routes`: what the routes of a configuration do, and whether their tests hold."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from jitney.daemon.cli.colours import BOLD, FAINT, GREEN, RED, YELLOW, Paint
from jitney.daemon.cli.common import from_vault, note
from jitney.daemon.config.load import load
from jitney.daemon.config.paths import default_path
from jitney.daemon.config.problems import one_line
from jitney.daemon.config.routes import compiled, tried
from jitney.daemon.config.schema import Config
from jitney.daemon.log.stream import has_colours
from jitney.daemon.routes.compiled import Route
from jitney.daemon.routes.document import Document
from jitney.daemon.routes.settings import RouteSettings, ScheduleSettings, Words
from jitney.daemon.routes.trials import event_of
from jitney.daemon.routing.planned import place

_EPILOG: Final = """examples:
  jitney routes list                 whose they are, which events they want, and what they do
  jitney routes test -c config.toml  run their tests, and tell how each ends

Nothing is asked of a running daemon. Exit status: 0 done, 1 a test fails, 78 the configuration is wrong.
"""

ACTIONS: Final = ("command", "publish", "state", "reply", "notify", "webhook", "forward", "drop", "set")
"""The words that actions of the file begin with."""

_LONGEST: Final = 60


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
        help="list the routes, and run their tests",
        description="Look at the routes of a configuration.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    _action(actions, "list", _list, summary="list the routes: owners, events, conditions, actions")
    _action(actions, "test", _test, summary="run the tests of the routes")


def _action(
    actions: "argparse._SubParsersAction[Any]", name: str, run: Callable[[argparse.Namespace], int], *, summary: str
) -> None:
    parser = actions.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-c", "--config", type=Path, metavar="FILE", help="the configuration (default: as `jitney check` finds it)"
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead")
    parser.set_defaults(run=run)


def _list(args: argparse.Namespace) -> int:
    found = [_listed(route) for route in compiled(_configured(args))[0]]
    if args.json:
        _print_json(found)
        return 0
    if not found:
        note("There are no routes.")
    for one in found:
        print(*_lines(one, _paint()), sep="\n")
    return 0


def _test(args: argparse.Namespace) -> int:
    found = [
        Ended(route=route.name, test=trial.name, ok=not trial.problem, problem=trial.problem)
        for route, trials in tried(_configured(args))
        for trial in trials
    ]
    failed = sum(not one.ok for one in found)
    if args.json:
        _print_json(found)
    else:
        _tell(found, failed, _paint())
    return 1 if failed else 0


def _tell(found: list[Ended], failed: int, paint: Paint) -> None:
    for one in found:
        outcome = paint("ok    ", GREEN) if one.ok else paint("failed", RED)
        problem = "" if one.ok else f": {paint(one_line(one.problem), YELLOW)}"
        print(f"{outcome}  {one_line(one.route)}: {one_line(one.test)}{problem}")
    if not found:
        note("There are no tests of routes.")
    else:
        note(f"{len(found)} test{'' if len(found) == 1 else 's'}, {failed or 'none'} failed.")


def _configured(args: argparse.Namespace) -> Config:
    return load(args.config or default_path(os.environ), environ=os.environ, vault=from_vault)


def _lines(one: Listed, paint: Paint) -> Iterator[str]:
    yield paint(one_line(one.name), BOLD) + ("" if one.enabled else paint("  not enabled", YELLOW))
    rows = [
        ("owner", [", ".join(one.owners).replace("*", "everybody, each for themselves")]),
        ("on", [", ".join(one.on)] if one.on else []),
        ("when", one.conditions),
        ("do", one.actions),
        ("tests", [str(one.tests)]),
    ]
    for head, texts in rows:
        for text in texts:
            yield f"  {paint(f'{head:<5}', FAINT)}  {one_line(text)}"


def _listed(route: Route) -> Listed:
    settings = route.settings
    return Listed(
        name=route.name,
        enabled=settings.enabled,
        owners=["*"] if route.owners is None else sorted(route.owners),
        on=list(route.patterns),
        conditions=[*_conditions(route), *_timing(settings)],
        actions=[_done(table) for table in settings.do],
        tests=len(settings.tests),
    )


def _conditions(route: Route) -> list[str]:
    """Return what is asked of an event; what one would have to say to that is no matter here."""
    document = Document(event_of(route, {"type": "none"}))
    return [condition.explain(document).what for condition in route.conditions]


def _timing(settings: RouteSettings) -> Iterator[str]:
    if settings.schedule is not None:
        yield _schedule(settings.schedule)
    if settings.for_:
        yield f"only when it has stayed like that for {_seconds(settings.for_)}"
    if settings.count is not None:
        yield f"only number {settings.count.n} of those within {_seconds(settings.count.within)}"
    if settings.debounce:
        yield f"only when nothing more has come for {_seconds(settings.debounce)}"
    if settings.throttle:
        yield f"then not again for {_seconds(settings.throttle)}"
    if settings.once_per:
        yield f"once per {settings.once_per.strip()}"
    if settings.quiet_hours:
        yield f"not during {settings.quiet_hours}"


def _schedule(schedule: ScheduleSettings) -> str:
    times = [f"at {', '.join(_words(schedule.at))}"] if schedule.at else []
    if schedule.every:
        times.append(f"every {_seconds(schedule.every)}")
    days = f" on {', '.join(_words(schedule.days))}" if schedule.days else ""
    return " and ".join(times) + days


def _done(table: Mapping[str, Any]) -> str:
    """Return what an action of the file does, without a secret: the path of a URL can be one."""
    word = next(word for word in ACTIONS if word in table)
    value = table[word]
    if word == "webhook":
        text = f"{table.get('method', 'POST')} {place(value)}"
    elif word == "drop":
        text = ""
    else:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    short = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    after = f" after {_seconds(table['delay'])}" if table.get("delay") else ""
    return f"{word} {short}".rstrip() + after


def _words(words: Words) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else words


def _seconds(seconds: float) -> str:
    return f"{seconds:.12g} s"


def _paint() -> Paint:
    return Paint(enabled=has_colours(sys.stdout, os.environ))


def _print_json(value: object) -> None:
    print(msgspec.json.encode(value).decode())
