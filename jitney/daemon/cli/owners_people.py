"""`jitney owners list` and `show`: who there is, and everything that is somebody's."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import to_builtins
from msgspec.structs import asdict

from jitney.daemon import log
from jitney.daemon.access.devices import DeviceError, FileDevices
from jitney.daemon.cli.asking import Errand, add_timeout, answer
from jitney.daemon.cli.colours import BOLD, FAINT, GREEN, RED, YELLOW, Paint, colour_of, padded, width
from jitney.daemon.cli.common import add_broker_arguments, configuration, note
from jitney.daemon.cli.owners_config import known, opened
from jitney.daemon.config.parts import Whole
from jitney.daemon.config.paths import state_dir
from jitney.daemon.config.people import says
from jitney.daemon.config.problems import one_line
from jitney.daemon.config.schema import Config
from jitney.daemon.log.stream import has_colours
from jitney.daemon.owners.identities import Identities
from jitney.daemon.routes.settings import Words
from jitney.daemon.supervision.people import Statuses
from jitney.daemon.supervision.status import Status
from jitney.topics import JitneyError

_HEADS: Final = ("owner", "name", "state", "known as", "adapters", "routes")
_GAP: Final = "  "
_COLOURS: Final = {"online": GREEN, "connecting": YELLOW, "degraded": YELLOW}


def add(actions: "argparse._SubParsersAction[Any]") -> None:
    """Register the actions."""
    every = actions.add_parser(
        "list", help="show who there is", description="Show the people of a configuration, one on each line."
    )
    every.add_argument("--json", action="store_true", help="print JSON instead")
    every.add_argument("-c", "--config", type=Path, metavar="FILE", help="the configuration (default: see check -h)")
    every.set_defaults(run=_list)
    one = actions.add_parser(
        "show",
        help="show everything that is somebody's",
        description="Show who somebody is outside and where the configuration says so, which adapters, routes, grants"
        " and devices are theirs, what they may take, and how their adapters are doing if the bus runs.",
    )
    one.add_argument("owner", metavar="OWNER", help="who")
    one.add_argument("--json", action="store_true", help="print JSON instead")
    one.add_argument("--instance", metavar="NAME", help="of the bus, where it is not the configured one")
    one.add_argument("--state-dir", type=Path, metavar="FOLDER", help="where the names of devices are kept")
    add_timeout(one, seconds=3.0)
    add_broker_arguments(one)
    one.set_defaults(run=_show)


def _list(args: argparse.Namespace) -> int:
    whole, config = opened(args)
    people = [_person(owner, whole, config) for owner in config.owners]
    if args.json:
        print(json.dumps(people))
        return 0
    if not people:
        note("there is nobody yet:  jitney owners add OWNER")
        return 0
    for line in _table(people, Paint(enabled=has_colours(sys.stdout, os.environ))):
        print(line)
    return 0


def _show(args: argparse.Namespace) -> int:
    log.configure("auto", "error")
    whole, config = opened(args)
    owner = known(config, args.owner)
    person = _person(owner, whole, config)
    person["devices"] = _devices(args.state_dir or state_dir(config.bus, os.environ), owner)
    person["limits"] = _limits(config, owner)
    statuses = _statuses(args, owner)
    person["status"] = to_builtins(statuses)
    if args.json:
        print(json.dumps(person))
        return 0
    paint = Paint(enabled=has_colours(sys.stdout, os.environ))
    print(paint(owner, colour_of(owner), BOLD) + (f" ({one_line(person['name'])})" if person["name"] else ""))
    rows = [*_rows(person), *_status_rows(statuses, paint)]
    margin = max(len(head) for head, _ in rows)
    for number, (head, text) in enumerate(rows):
        repeated = number and rows[number - 1][0] == head
        print(f"{_GAP}{paint(padded('' if repeated else head, margin), FAINT)}{_GAP}{text}".rstrip())
    return 0


def _person(owner: str, whole: Whole, config: Config) -> dict[str, Any]:
    """Return what the configuration says of somebody."""
    settings = config.owners[owner]
    return {
        "id": owner,
        "name": settings.name,
        "enabled": settings.enabled,
        "place": says(whole, ("owners", owner)),
        "known_as": [
            {"type": one.type, "id": one.id, "adapter": one.adapter, "place": says(whole, one.key)}
            for one in Identities(config).of(owner)
        ],
        "adapters": [
            {"name": one.name, "type": one.type.name, "enabled": one.enabled}
            for one in config.adapters.values()
            if one.owner == owner
        ],
        "routes": [route.name for route in config.routes if _names(route.owner, owner, everybody=True)],
        "grants_given": [to_builtins(grant, str_keys=True) for grant in config.grants if grant.from_ == owner],
        "grants_received": [to_builtins(grant, str_keys=True) for grant in config.grants if _names(grant.to, owner)],
    }


def _names(words: Words, owner: str, *, everybody: bool = False) -> bool:
    listed = (words,) if isinstance(words, str) else words
    return owner in listed or (everybody and "*" in listed)


def _devices(folder: Path, owner: str) -> list[str] | None:
    """Return the names of devices that are kept here, None where nobody may look."""
    try:
        return FileDevices(folder).names().get(owner, [])
    except DeviceError as error:
        note(f"note: {error}")
        return None


def _limits(config: Config, owner: str) -> dict[str, int]:
    own = config.owners[owner].limits
    return {name: value for name, value in asdict(config.limits.of(owner, own)).items() if isinstance(value, int)}


def _statuses(args: argparse.Namespace, owner: str) -> Mapping[str, Status] | None:
    """Return how the adapters of somebody are doing by the running bus; None where none answers, which is told."""
    try:
        config = configuration(args)
        errand = Errand(
            instance=args.instance or config.bus.instance,
            request="owner_status",
            data={"owner": owner},
            seconds=args.timeout,
        )
        return answer(config.mqtt, errand, Statuses).owners.get(owner, {})
    except (JitneyError, ExceptionGroup) as error:
        reason = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
        note(f"note: how the adapters are doing is not known: {one_line(str(reason).splitlines()[0])}")
        return None


def _rows(person: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "state", "enabled" if person["enabled"] else f"disabled:  jitney owners enable {person['id']}"
    yield "declared", person["place"]
    for one in person["known_as"] or [None]:
        if one is None:
            yield "known as", f"nobody:  jitney owners claim EXTERNAL-ID {person['id']}"
            continue
        what = f"{one['type']} {one_line(one['id'])}" + (f" ({one['adapter']})" if one["adapter"] else "")
        yield "known as", f"{what}{_GAP}{one['place']}"
    for one in person["adapters"]:
        yield "adapter", f"{one['name']} ({one['type']}{'' if one['enabled'] else ', not enabled'})"
    for route in person["routes"]:
        yield "route", one_line(route)
    for grant in person["grants_given"]:
        yield "gives", f"{_listed(grant['to'])}: {_listed(grant['kinds'])}{_until(grant)}"
    for grant in person["grants_received"]:
        yield "sees", f"{grant['from']}: {_listed(grant['kinds'])}{_until(grant)}"
    if person["devices"]:
        yield "devices", ", ".join(person["devices"])
    yield "limits", ", ".join(f"{name} {value}" for name, value in person["limits"].items())


def _status_rows(statuses: Mapping[str, Status] | None, paint: Paint) -> Iterator[tuple[str, str]]:
    for adapter, status in sorted((statuses or {}).items()):
        reason = f": {one_line(status.reason)}" if status.reason else ""
        words = paint(f"{status.state}{reason}", _COLOURS.get(status.state, RED))
        yield "status", f"{adapter} {words} since {one_line(status.since)}"


def _listed(words: Words) -> str:
    return one_line(words if isinstance(words, str) else ", ".join(words))


def _until(grant: Mapping[str, Any]) -> str:
    return f" until {grant['until']}" if grant.get("until") else ""


def _table(people: list[dict[str, Any]], paint: Paint) -> Iterator[str]:
    rows = [_cells(person) for person in people]
    widths = [max(map(width, column)) for column in zip(_HEADS, *rows, strict=True)]
    yield paint(_GAP.join(map(padded, _HEADS, widths)).rstrip(), FAINT)
    for owner, *rest in rows:
        first = paint(padded(owner, widths[0]), colour_of(owner), BOLD)
        yield _GAP.join([first, *map(padded, rest, widths[1:])]).rstrip()


def _cells(person: dict[str, Any]) -> tuple[str, ...]:
    return (
        person["id"],
        one_line(person["name"]) or "-",
        "enabled" if person["enabled"] else "disabled",
        ", ".join(one_line(one["id"]) for one in person["known_as"]) or "-",
        ", ".join(one["name"] for one in person["adapters"]) or "-",
        str(len(person["routes"])),
    )
