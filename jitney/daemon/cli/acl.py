"""`jitney acl`: who may do what at the broker, written for it, brought to it, and proved."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from jitney.daemon import log
from jitney.daemon.access.devices import FileDevices
from jitney.daemon.access.dynsec import administering
from jitney.daemon.access.model import Model, model
from jitney.daemon.access.reconcile import Plan, plan
from jitney.daemon.access.render import TARGETS, render
from jitney.daemon.access.visitor import Login
from jitney.daemon.cli import acl_verify
from jitney.daemon.cli.administrator import add_administrator, administrator
from jitney.daemon.cli.audited import tell
from jitney.daemon.cli.common import UsageError, add_broker_arguments, configuration, names_only_a_broker, note
from jitney.daemon.config.paths import state_dir
from jitney.daemon.config.schema import Config
from jitney.topics import JitneyError

_DESCRIPTION: Final = """\
The broker's rules are the walls between owners. They follow from the configuration: the people in it, their devices,
the Home Assistants that are told something, and the daemon itself.
"""

_EPILOG: Final = """examples:
  jitney acl render --target mosquitto-acl --output /etc/mosquitto/acl
  jitney acl apply --admin-username admin --dry-run
  jitney acl verify --admin-username admin

`jitney acl ACTION -h` says more.
"""

_RENDER: Final = """\
Write the rules in the language of a broker. What it cannot enforce stands in comments, and is told on stderr. With
mosquitto-acl the devices are those of `jitney devices`, and everybody without one can have a login called like them.
"""

_APPLY: Final = """\
Make the roles that mosquitto's dynamic security needs, and correct what is not as it should be: a role for each owner,
and the daemon's login. Whatever is not ours, whose name does not begin with jitney-, is left alone. Done again, it
changes nothing.
"""


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "acl",
        help="let the broker keep owners apart, and prove that it does",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    write = _action(actions, "render", _render, summary="write the rules for a broker", description=_RENDER)
    write.add_argument("--target", required=True, choices=TARGETS, help="which sort of broker")
    write.add_argument("--output", type=Path, metavar="FILE", help="write them there instead of standard output")
    write.add_argument("--state-dir", type=Path, metavar="FOLDER", help="where the names of devices are kept")
    bring = _action(
        actions, "apply", _apply, summary="bring the rules to mosquitto's dynamic security", description=_APPLY
    )
    bring.add_argument("--dry-run", action="store_true", help="only tell what would be done")
    bring.add_argument("--json", action="store_true", help="print one line of JSON instead")
    add_administrator(bring, summary="another login than the daemon's, which may do nothing else.")
    acl_verify.add(actions)


def _action(
    actions: "argparse._SubParsersAction[Any]",
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    summary: str,
    description: str,
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=summary, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_broker_arguments(parser)
    parser.set_defaults(run=run)
    return parser


def _render(args: argparse.Namespace) -> int:
    config = with_owners(args)
    folder = args.state_dir or state_dir(config.bus, os.environ)
    rendered = render(model(config), args.target, FileDevices(folder).names())
    if args.output is None:
        sys.stdout.write(rendered.text)
    else:
        try:
            args.output.write_text(rendered.text, encoding="utf-8")
        except OSError as error:
            raise JitneyError(f"{args.output} cannot be written: {error.strerror}") from error
        note(f"Written to {args.output}.")
    for one in rendered.notes:
        note(f"note: {one}")
    return 0


def _apply(args: argparse.Namespace) -> int:
    log.configure("auto", "warning")
    config = with_owners(args)
    admin = administrator(args)
    if admin is None:
        raise UsageError("name who administers dynamic security with --admin-username")
    made = asyncio.run(_applied(config, model(config), admin, dry=args.dry_run))
    if made.changes and not args.dry_run:
        tell(config, args, "acl", detail="; ".join(change.text for change in made.changes))
    if args.json:
        texts = [change.text for change in made.changes]
        print(msgspec.json.encode({"changes": texts, "notes": made.notes, "dry_run": args.dry_run}).decode())
        return 0
    for change in made.changes:
        print(f"{'would ' if args.dry_run else ''}{change.text}")
    if not made.changes:
        print("Nothing to do: everything is as it should be.")
    for one in made.notes:
        note(f"note: {one}")
    return 0


async def _applied(config: Config, wanted: Model, admin: Login, *, dry: bool) -> Plan:
    """Bring the model to the broker, and look whether it has arrived: an unknown word is taken without an error."""
    async with administering(config.mqtt, admin) as security:
        found = plan(wanted, await security.standing(), password=config.mqtt.password)
        if dry or not found.changes:
            return found
        await security.ask(*(change.command for change in found.changes))
        left = plan(wanted, await security.standing(), password=config.mqtt.password)
        if left.changes:
            listed = "; ".join(change.text for change in left.changes)
            raise JitneyError(f"the broker took everything, and this is still to do: {listed}")
        return found


def with_owners(args: argparse.Namespace) -> Config:
    """Return a configuration that says who there is; raises UsageError for one of nothing but a broker."""
    if names_only_a_broker(args):
        raise UsageError("--mqtt names a broker alone: the rules follow from a configuration, which --config names")
    return configuration(args)
