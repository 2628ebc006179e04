"""`jitney owners add`, `rename`, `disable` and `enable`: changes of what the configuration says of the people."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from jitney.daemon.cli.common import UsageError, note
from jitney.daemon.cli.owners_config import known, opened, put
from jitney.daemon.config.people import Value, changed, introduced, says
from jitney.daemon.config.schema import Config
from jitney.daemon.owners.identities import Identities, meanings
from jitney.topics.owners import person

_ADD: Final = """\
Declare somebody, in a new file of their own beside the configuration: config.d/OWNER.toml. The id is a level of all
their topics and never changes; the name is what people call them.
"""

_EPILOG: Final = """examples:
  jitney owners add carol --name Carol --homeassistant-person person.carol
  jitney owners add carol --mesh-node '!a1b2c3d4' '!00c0ffee' --dry-run

Exit status: 0 done or nothing to do, 1 it cannot be written, 2 wrong usage, 78 what comes out could not be used.
"""


def add(actions: "argparse._SubParsersAction[Any]") -> None:
    """Register the actions."""
    new = _action(actions, "add", _add, "declare somebody", description=_ADD, epilog=_EPILOG)
    new.add_argument("owner", metavar="OWNER", help="the id: 1 to 32 of a-z, 0-9, '-' and '_'")
    new.add_argument("--name", default="", metavar="NAME", help="what people call them (default: the id)")
    new.add_argument("--homeassistant-person", default="", metavar="ENTITY", help="who they are there: person.alice")
    new.add_argument("--strava-athlete", default="", metavar="N", help="the number in the address of their profile")
    new.add_argument(
        "--mesh-node", nargs="+", default=[], metavar="!ID", help="the ids of their nodes, quoted for the shell"
    )
    renamed = _action(actions, "rename", _rename, "give somebody another name; the id stays")
    _owner(renamed)
    renamed.add_argument("name", nargs="+", metavar="NAME", help="what people call them from now on")
    _owner(_action(actions, "disable", _disable, "let everything that is somebody's rest; what is kept of them stays"))
    _owner(_action(actions, "enable", _enable, "end that"))


def _action(
    actions: "argparse._SubParsersAction[Any]",
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    *,
    description: str = "",
    epilog: str = "",
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name,
        help=summary,
        description=description or f"{summary.capitalize()}. The file that declares them is changed; comments stay.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="the configuration (default: see check -h)")
    parser.add_argument("--dry-run", action="store_true", help="only show what would change")
    parser.set_defaults(run=run)
    return parser


def _owner(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("owner", metavar="OWNER", help="who")


def _add(args: argparse.Namespace) -> int:
    owner = person(args.owner)
    identities = _identities(args)
    whole, config = opened(args)
    if owner not in config.owners:
        put(introduced(whole, owner, name=args.name, identities=identities), dry=args.dry_run)
        return 0
    where = says(whole, ("owners", owner))
    differing = list(_differing(config, owner, args))
    if differing:
        raise UsageError(f"{owner} is declared already ({where}):\n  " + "\n  ".join(differing))
    note(f"Nothing to do: {owner} is declared already ({where}).")
    return 0


def _identities(args: argparse.Namespace) -> dict[str, dict[str, Value]]:
    """Return who somebody is outside, by adapter type and key; raises UsageError."""
    found: dict[str, dict[str, Value]] = {}
    if args.homeassistant_person:
        found["homeassistant"] = {"person": args.homeassistant_person}
    if args.strava_athlete:
        if not args.strava_athlete.isascii() or not args.strava_athlete.isdigit():
            raise UsageError(f"--strava-athlete: expected a number, got {args.strava_athlete!r}")
        found["strava"] = {"athlete": int(args.strava_athlete)}
    if args.mesh_node:
        found["meshtastic"] = {"nodes": list(dict.fromkeys(args.mesh_node))}
    return found


def _differing(config: Config, owner: str, args: argparse.Namespace) -> Iterator[str]:
    """Yield what to do for each wish that is not as the configuration says it."""
    if args.name and args.name != config.owners[owner].name:
        yield f"to give them another name:  jitney owners rename {owner} {args.name}"
    theirs = {(claim.type, claim.id) for claim in Identities(config).of(owner)}
    for external_id in (args.homeassistant_person, args.strava_athlete, *args.mesh_node):
        if external_id and not theirs.intersection((kind, one) for kind, _, one in meanings(external_id)):
            yield f"to make {external_id} theirs:  jitney owners claim '{external_id}' {owner}"


def _rename(args: argparse.Namespace) -> int:
    whole, config = opened(args)
    owner, name = known(config, args.owner), " ".join(args.name)
    if not name.strip() or not name.isprintable():
        raise UsageError(f"{name!r} is no name: use letters that can be printed")
    if config.owners[owner].name == name:
        note(f"Nothing to do: {owner} is called {name} already.")
        return 0
    put(changed(whole, ("owners", owner, "name"), name, why="another name"), dry=args.dry_run)
    return 0


def _disable(args: argparse.Namespace) -> int:
    return _switch(args, enabled=False)


def _enable(args: argparse.Namespace) -> int:
    return _switch(args, enabled=True)


def _switch(args: argparse.Namespace, *, enabled: bool) -> int:
    whole, config = opened(args)
    owner = known(config, args.owner)
    if config.owners[owner].enabled is enabled:
        note(f"Nothing to do: {owner} is {'enabled' if enabled else 'disabled'} already.")
        return 0
    put(changed(whole, ("owners", owner, "enabled"), enabled, why="switched"), dry=args.dry_run)
    if not args.dry_run:
        note("Their logins at the broker follow with `jitney acl apply`, or with what `jitney acl render` writes.")
    return 0
