"""`jitney owners`: the people of the bus."""

import argparse
import asyncio
from typing import Any, Final

import msgspec

from jitney.daemon import log
from jitney.daemon.cli import owners_export, owners_usage
from jitney.daemon.cli.asking import Errand, add_timeout, ask, data_of
from jitney.daemon.cli.common import add_broker_arguments, configuration, note
from jitney.daemon.cli.terminal import confirmed
from jitney.daemon.config.problems import one_line
from jitney.daemon.supervision.erasure import Erased
from jitney.topics.owners import person

_ERASE: Final = """\
Erase everything that the running bus keeps of somebody: what adapters were granted and know, secrets in the vault,
what waits to be published, retained topics, files. It also works for somebody who is not in the configuration any
more. What the configuration says of them stays, and so does what others have received.
"""

_EXAMPLES: Final = """examples:
  jitney owners usage                      what each of them takes
  jitney owners export alice alice.tar.gz  all of it, to read
  jitney owners erase alice                for good
"""

_EPILOG: Final = """examples:
  jitney owners erase alice          asks first
  jitney owners erase alice --yes    does not

Exit status: 0 all is erased, 1 something is left to do or nobody answered.
"""


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "owners",
        help="what is kept of somebody: how much, all of it to read, or erase it",
        description="What concerns the people of the bus as a whole.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    owners_usage.add(actions)
    owners_export.add(actions)
    erase = actions.add_parser(
        "erase",
        help="erase everything that is kept of somebody",
        description=_ERASE,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    erase.add_argument("owner", metavar="OWNER", help="who is to be forgotten")
    erase.add_argument("-y", "--yes", action="store_true", help="do not ask first")
    erase.add_argument("--json", action="store_true", help="print one line of JSON instead")
    erase.add_argument("--instance", metavar="NAME", help="of the bus, where it is not the configured one or 'main'")
    add_timeout(erase, seconds=75.0)
    add_broker_arguments(erase)
    erase.set_defaults(run=_erase)


def _erase(args: argparse.Namespace) -> int:
    log.configure("auto", "warning")
    config = configuration(args)
    owner = person(args.owner)
    if not confirmed(f"This erases everything that the bus keeps of {owner}, for good.\nErase {owner}?", yes=args.yes):
        note(f"Nothing of {owner} was erased.")
        return 1
    errand = Errand(
        instance=args.instance or config.bus.instance,
        request="erase_owner",
        data={"owner": owner},
        seconds=args.timeout,
    )
    erased = data_of(asyncio.run(ask(config.mqtt, errand)), Erased)
    if args.json:
        print(msgspec.json.encode(erased).decode())
    else:
        _tell(erased)
    return 1 if erased.unfinished else 0


def _tell(erased: Erased) -> None:
    states = _counted(erased.states, "retained state")
    events = _counted(erased.events, "event")
    print(f"Erased of {erased.owner}: {states}, {events} that waited, and all secrets, files and what adapters knew.")
    if erased.traces:
        note("Traces of it can be found in the raw state file until Jitney is started again.")
    if erased.unfinished:
        note("Left to do outside of the bus:")
    for adapter, what in erased.unfinished.items():
        note(f"  {one_line(adapter)}: {one_line(what)}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
