"""`jitney devices`: a login for each phone and program of somebody."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from msgspec import to_builtins

from jitney.daemon import log
from jitney.daemon.access.devices import Device, DynsecDevices, FileDevices
from jitney.daemon.access.dynsec import administering
from jitney.daemon.access.model import Model, model
from jitney.daemon.access.passwords import password_line
from jitney.daemon.access.visitor import Login
from jitney.daemon.cli.acl import with_owners
from jitney.daemon.cli.administrator import add_administrator, administrator
from jitney.daemon.cli.audited import tell as audit
from jitney.daemon.cli.colours import padded, width
from jitney.daemon.cli.common import UsageError, add_broker_arguments, note
from jitney.daemon.cli.terminal import is_terminal
from jitney.daemon.config.paths import state_dir
from jitney.daemon.config.schema import Config

_DESCRIPTION: Final = """\
Give each phone and program of somebody a login of its own at the broker, so that one can be revoked without disturbing
the others. It may do what its owner may. OWNER is somebody of the configuration, _house for what belongs to everybody,
_home for Home Assistant (which is shown what [discovery] announces), or _bus for whoever may ask the bus itself.

With mosquitto's dynamic security (--admin-username) the broker does everything at once. Without it the name is kept in
the state folder for `jitney acl render --target mosquitto-acl`, and what remains to be done at the broker is told.
"""

_EPILOG: Final = """examples:
  jitney devices add alice phone --admin-username admin
  jitney devices add alice nodered
  jitney devices list
  jitney devices revoke alice phone --admin-username admin

The password is shown once, and kept by nobody but the broker. Without dynamic security standard output has nothing but
the line for the broker's password file:
  jitney devices add alice nodered | sudo tee -a /etc/mosquitto/passwd
"""


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "devices",
        help="give each phone and program of somebody a login of its own",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    new = _action(actions, "add", _add, "make a login, and show its password once")
    _name(new)
    new.add_argument(
        "--any-client-id",
        action="store_true",
        help="let it use any client id and not its login alone (dynamic security; `jitney tail` and `send` need it)",
    )
    new.add_argument(
        "--broker", default="", metavar="URL", help="what the device has to call the broker (default: [mqtt] url)"
    )
    new.add_argument(
        "--qr",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="show broker, login and password as a QR code (default: on a terminal)",
    )
    _action(actions, "list", _list, "show the devices of everybody")
    end = _action(actions, "revoke", _revoke, "end a login")
    _name(end)


def _action(
    actions: "argparse._SubParsersAction[Any]", name: str, run: Callable[[argparse.Namespace], int], summary: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
    parser.add_argument("--json", action="store_true", help="print JSON instead")
    parser.add_argument(
        "--state-dir", type=Path, metavar="FOLDER", help="where names are kept without dynamic security"
    )
    add_broker_arguments(parser)
    add_administrator(parser, summary="named, the devices are those that it knows.")
    parser.set_defaults(run=run)
    return parser


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("owner", metavar="OWNER", help="whose it is")
    parser.add_argument("name", metavar="NAME", help="what it is called, like phone")


def _add(args: argparse.Namespace) -> int:
    config, who, admin = _asked(args)
    if admin is None:
        if args.any_client_id:
            raise UsageError("--any-client-id: without dynamic security every login can use any")
        login = _file(args, config).add(args.owner, args.name, who)
    else:
        login = asyncio.run(_added(config, who, admin, args))
    audit(config, args, "acl", owner=args.owner, detail=f"device {args.name} added")
    url = _url(args.broker or config.mqtt.url, login)
    line = password_line(login.username, login.password) if admin is None else ""
    if args.json:
        told = {"username": login.username, "password": login.password.reveal(), "client_id": login.client_id}
        print(json.dumps({**told, "url": url, **({"password_line": line} if line else {})}))
        return 0
    tell = note if line else print
    tell(f"Username:  {login.username}")
    tell(f"Password:  {login.password.reveal()}")
    tell(f"Client id: {login.client_id or 'any'}")
    if line:
        note("\nLeft to do at the broker: add this line to its password file, like /etc/mosquitto/passwd,\n")
        print(line, flush=True)
        note("\nput what `jitney acl render --target mosquitto-acl` writes where its acl_file is, and let it read both")
        note("again: systemctl reload mosquitto")
    note("\nThe password is not shown again.")
    if args.qr or (args.qr is None and is_terminal()):
        _show(url)
    return 0


def _list(args: argparse.Namespace) -> int:
    config, who, admin = _asked(args)
    found = _file(args, config).all(who) if admin is None else asyncio.run(_all(config, who, admin))
    if args.json:
        print(json.dumps(to_builtins(found)))
        return 0
    if not found:
        note("nobody has a device yet: `jitney devices add OWNER NAME`")
    columns = [max((width(text) for text in texts), default=0) for texts in zip(*map(_cells, found), strict=True)]
    for device in found:
        print("  ".join(map(padded, _cells(device), columns)).rstrip())
    return 0


def _revoke(args: argparse.Namespace) -> int:
    config, who, admin = _asked(args)
    username = who.username(args.owner, args.name)
    if admin is None:
        _file(args, config).revoke(args.owner, args.name)
        audit(config, args, "acl", owner=args.owner, detail=f"device {args.name} revoked")
        note("Left to do at the broker, for until then it still works: remove the login from its password file,\n")
        print(f"mosquitto_passwd -D /etc/mosquitto/passwd {username}", flush=True)
        note("\nput what `jitney acl render --target mosquitto-acl` writes where its acl_file is, and let it read both")
        note("again, which disconnects the device: systemctl reload mosquitto")
    else:
        asyncio.run(_revoked(config, who, admin, args))
        audit(config, args, "acl", owner=args.owner, detail=f"device {args.name} revoked")
        print(f"Revoked {username}: it is disconnected, and not let in any more.")
    return 0


def _asked(args: argparse.Namespace) -> tuple[Config, Model, Login | None]:
    log.configure("auto", "warning")
    config = with_owners(args)
    return config, model(config), administrator(args)


def _file(args: argparse.Namespace, config: Config) -> FileDevices:
    return FileDevices(args.state_dir or state_dir(config.bus, os.environ))


async def _added(config: Config, who: Model, admin: Login, args: argparse.Namespace) -> Login:
    async with administering(config.mqtt, admin) as security:
        return await DynsecDevices(security, who).add(args.owner, args.name, bound=not args.any_client_id)


async def _all(config: Config, who: Model, admin: Login) -> list[Device]:
    async with administering(config.mqtt, admin) as security:
        return await DynsecDevices(security, who).all()


async def _revoked(config: Config, who: Model, admin: Login, args: argparse.Namespace) -> None:
    async with administering(config.mqtt, admin) as security:
        await DynsecDevices(security, who).revoke(args.owner, args.name)


def _cells(device: Device) -> tuple[str, ...]:
    state = "" if device.enabled else "disabled"
    return device.owner, device.name, device.username, f"client id {device.client_id or 'any'}", state


def _url(broker: str, login: Login) -> str:
    """Return the address of the broker with the login in it, as `--mqtt` and some apps take it."""
    parts = urlsplit(broker)
    user = f"{quote(login.username, safe='')}:{quote(login.password.reveal(), safe='')}"
    query = f"client_id={quote(login.client_id)}" if login.client_id else ""
    return parts._replace(netloc=f"{user}@{parts.netloc}", query=query).geturl()


def _show(url: str) -> None:
    import segno  # noqa: PLC0415 - only for whoever wants to see it

    host = urlsplit(url).hostname or ""
    if host in ("localhost", "127.0.0.1", "::1"):
        note(f"The QR code would say {host}, which is another machine on a phone: name the broker with --broker.")
        return
    segno.make(url, error="l").terminal(out=sys.stderr, compact=True)
