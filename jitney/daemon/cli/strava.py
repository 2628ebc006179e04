"""`jitney strava`: connects people with their Strava accounts, and tells how it stands."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from jitney.adapters.strava.standing import Link, Standing
from jitney.daemon import log
from jitney.daemon.cli.asking import NoReplyError, add_timeout
from jitney.daemon.cli.colours import Paint
from jitney.daemon.cli.common import add_broker_arguments, configuration, note
from jitney.daemon.cli.desk import Desk
from jitney.daemon.cli.mqtt_client import connect
from jitney.daemon.cli.signing_in import SignIn
from jitney.daemon.cli.standings import table, welcome
from jitney.daemon.cli.terminal import confirmed, is_terminal
from jitney.daemon.config.problems import one_line
from jitney.daemon.config.schema import MqttSettings
from jitney.daemon.log.stream import has_colours
from jitney.topics import TopicTree
from jitney.topics.tree import StateTopic, StatusTopic

_DESCRIPTION: Final = """\
Connect people with their Strava accounts. The running daemon does it, and is asked over MQTT; what Strava grants, it
keeps in its vault.
"""

_EPILOG: Final = """examples:
  jitney strava connect alice            print a link to sign in with, and wait until that is done
  jitney strava connect alice --local    Strava leads back to this machine, not to the public address
  jitney strava connect alice --url 'http://localhost:8077/strava/callback?state=…'
                                         finish with the address of a page that did not load
  jitney strava status                   who is connected, how news come, what is wrong
  jitney strava disconnect alice         end the permission at Strava, and erase what is kept here

`jitney strava ACTION -h` says more. Exit status: 0 done, 1 refused or not answered.
"""


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "strava",
        help="connect people with their Strava accounts",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    begin = _action(actions, "connect", _connect, summary="print a link with which somebody signs in at Strava")
    begin.add_argument("owner", metavar="OWNER", help="who is to be connected")
    begin.add_argument(
        "--url", default="", metavar="ADDRESS", help="finish the sign-in: where Strava led the browser, in quotes"
    )
    begin.add_argument("--local", action="store_true", help="let Strava lead back to the machine that Jitney runs on")
    begin.add_argument(
        "--take-over", action="store_true", help="take the app's webhooks from the program that has them"
    )
    add_timeout(begin, seconds=30.0)
    show = _action(actions, "status", _status, summary="tell who is connected, how news come and what is wrong")
    show.add_argument("owner", nargs="?", default="", metavar="OWNER", help="only this one (default: everybody)")
    add_timeout(show, seconds=10.0)
    end = _action(actions, "disconnect", _disconnect, summary="end the permission at Strava and erase what is kept")
    end.add_argument("owner", metavar="OWNER", help="who is to be disconnected")
    end.add_argument("-y", "--yes", action="store_true", help="do not ask first")
    add_timeout(end, seconds=60.0)


def _action(
    actions: "argparse._SubParsersAction[Any]", name: str, run: Callable[[argparse.Namespace], int], *, summary: str
) -> argparse.ArgumentParser:
    description = f"{summary[0].upper()}{summary[1:]}."
    parser: argparse.ArgumentParser = actions.add_parser(name, help=summary, description=description)
    parser.add_argument(
        "--adapter", default="", metavar="NAME", help="its name, where somebody has several of type strava"
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead")
    add_broker_arguments(parser)
    parser.set_defaults(run=run)
    return parser


def _connect(args: argparse.Namespace) -> int:
    log.configure("auto", "warning")
    config = configuration(args)
    desk = Desk(config, named=args.adapter, seconds=args.timeout)
    if args.url:
        return _connected(asyncio.run(desk.finish(args.owner, args.url)), desk, args)
    if is_terminal() and not args.json:
        return asyncio.run(_sign_in(config.mqtt, desk, args))
    link = asyncio.run(desk.link(args.owner, local=args.local, take_over=args.take_over))
    if args.json:
        _print_json(link)
    else:
        _show_link(link, args.owner)
        note(f"If that page does not load:  jitney strava connect {args.owner} --url 'ITS ADDRESS'")
    return 0


async def _sign_in(settings: MqttSettings, desk: Desk, args: argparse.Namespace) -> int:
    """Show a link and wait until it was used, as long as it can be."""
    owner = args.owner
    tree = TopicTree(settings.topic_root)
    adapter = desk.adapter(owner)
    before = await desk.standing(owner)
    async with connect(settings, purpose="strava") as news:
        states = tree.filter(StateTopic, owner=owner, adapter=adapter)
        await news.subscribe([tree.name(StatusTopic(owner, adapter)), states], qos=1)
        link = await desk.link(owner, local=args.local, take_over=args.take_over)
        if before.connected:
            note(f"{owner} is connected already, as athlete {before.athlete}. This signs them in anew.")
        _show_link(link, owner)
        note("If that page does not load, paste its address here. Ctrl-C ends the waiting; the link stays good.")
        if before.connected:
            note("If it says that Strava is connected, and nothing happens here, press Enter.")
        signing_in = SignIn(
            before, look=lambda: desk.standing(owner), finish=lambda address: desk.finish(owner, address)
        )
        try:
            async with asyncio.timeout(link.seconds):
                standing = await signing_in.wait(news)
        except TimeoutError:
            message = f"nobody has signed in in time, and the link is not good any more:  jitney strava connect {owner}"
            raise NoReplyError(message) from None
    if standing is None:
        note(f"Not waiting any longer; the link stays good.  jitney strava status {owner}  tells how it stands.")
        return 1
    return _connected(standing, desk, args)


def _show_link(link: Link, owner: str) -> None:
    minutes = link.seconds // 60
    note(f"Open this in a browser in which {owner} is signed in at Strava. It works once, within {minutes} minutes:\n")
    print(one_line(link.link), flush=True)
    if not link.returns_to:
        note("\nStrava then leads to a page that does not load: http.listen opens no port for it.")
    elif urlsplit(link.returns_to).hostname == "localhost":
        note(f"\nStrava then leads back to {link.returns_to}, on the machine that Jitney runs on.")
    else:
        note(f"\nStrava then leads back to {one_line(link.returns_to)}.")


def _connected(standing: Standing, desk: Desk, args: argparse.Namespace) -> int:
    if args.json:
        _print_json(standing)
    else:
        print(*welcome(standing, desk.wanted(args.owner), _paint()), sep="\n")
    return 0


def _status(args: argparse.Namespace) -> int:
    log.configure("auto", "warning")
    desk = Desk(configuration(args), named=args.adapter, seconds=args.timeout)
    found = asyncio.run(_standings(desk, [args.owner] if args.owner else desk.owners()))
    if args.json:
        _print_json(found)
    else:
        print(*table(found, desk.wanted, _paint()), sep="\n")
    return 0


async def _standings(desk: Desk, owners: list[str]) -> list[Standing]:
    return [await desk.standing(owner) for owner in owners]


def _disconnect(args: argparse.Namespace) -> int:
    log.configure("auto", "warning")
    desk = Desk(configuration(args), named=args.adapter, seconds=args.timeout)
    owner = args.owner
    desk.adapter(owner)
    question = (
        f"This ends the permission at Strava and erases what is kept of it: sign-in, activities, photos, states."
        f"\nDisconnect {owner}?"
    )
    if not confirmed(question, yes=args.yes):
        note(f"{owner} stays connected.")
        return 1
    ended = asyncio.run(desk.disconnect(owner))
    if args.json:
        _print_json(ended)
    else:
        print(f"{owner} is disconnected. Erased here: the sign-in, activities, photos, states.")
        if ended.revoked:
            print("Strava knows: the permission has ended there too.")
        else:
            note(f"Strava does not know: {one_line(ended.reason)}")
    return 0 if ended.revoked else 1


def _print_json(value: object) -> None:
    print(msgspec.json.encode(value).decode())


def _paint() -> Paint:
    return Paint(enabled=has_colours(sys.stdout, os.environ))
