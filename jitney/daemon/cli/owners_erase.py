"""`jitney owners erase`: nothing of somebody is kept any more."""

import argparse
import asyncio
import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import msgspec

from jitney.daemon import log
from jitney.daemon.cli.asking import Errand, add_timeout, ask, data_of
from jitney.daemon.cli.common import add_broker_arguments, configuration, names_only_a_broker, note
from jitney.daemon.cli.terminal import confirmed
from jitney.daemon.config.parts import Whole, together
from jitney.daemon.config.paths import default_path
from jitney.daemon.config.people import says
from jitney.daemon.config.positions import Key
from jitney.daemon.config.problems import dotted, one_line
from jitney.daemon.supervision.erasure import Erased
from jitney.topics.owners import person

_ERASE: Final = """\
Erase everything that the running bus keeps of somebody: what adapters were granted and know, secrets in the vault,
what waits to be published, retained topics, files, the names of their devices. It also works for somebody who is not
in the configuration any more. What the configuration says of them stays, and so does what others have received.
"""

_EPILOG: Final = """examples:
  jitney owners erase alice          asks first
  jitney owners erase alice --yes    does not

Exit status: 0 all is erased, 1 something is left to do or nobody answered.
"""


def add(actions: "argparse._SubParsersAction[Any]") -> None:
    """Register the action."""
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
    erase.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Erase; returns 0, or 1 when something is left to do. Raises JitneyError."""
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
        if not names_only_a_broker(args):
            _tell_left(owner, together(args.config or default_path(os.environ)))
    return 1 if erased.unfinished else 0


def _tell(erased: Erased) -> None:
    states = _counted(erased.states, "retained state")
    events = _counted(erased.events, "event")
    print(f"Erased of {erased.owner}: {states}, {events} that waited, and all secrets, files and what adapters knew.")
    if erased.devices:
        note(f"Forgotten are the names of devices, whose logins the broker still has: {', '.join(erased.devices)}.")
    if erased.traces:
        note("Traces of it can be found in the raw state file until Jitney is started again.")
    if erased.unfinished:
        note("Left to do outside of the bus:")
    for adapter, what in erased.unfinished.items():
        note(f"  {one_line(adapter)}: {one_line(what)}")


def _tell_left(owner: str, whole: Whole) -> None:
    """Tell where the configuration still names somebody, and what ends their logins at the broker."""
    named = [f"{dotted(key)} ({says(whole, key)})" for key in _naming(owner, whole.document)]
    if named:
        note("Left in the configuration, which this does not change:")
        for one in named:
            note(f"  {one_line(one)}")
        note(f"Their logins at the broker are left too: take [owners.{owner}] out, and then run `jitney acl apply`.")
    else:
        note("Logins that they still have at the broker end with `jitney acl apply`.")


def _naming(owner: str, document: Mapping[str, Any]) -> Iterator[Key]:
    """Yield the keys of a configuration that are about somebody."""
    if owner in document.get("owners", {}):
        yield "owners", owner
    for name, adapter in document.get("adapters", {}).items():
        if adapter.get("owner") == owner:
            yield "adapters", name
        if owner in adapter.get("allow", {}):
            yield "adapters", name, "allow", owner
    if owner in document.get("access", {}).get("logins", {}):
        yield "access", "logins", owner
    for section, keys in (("routes", ("owner",)), ("grants", ("from", "to"))):
        for number, entry in enumerate(document.get(section, ())):
            if any(owner in _listed(entry.get(key, ())) for key in keys):
                yield section, number


def _listed(words: object) -> Collection[object]:
    return [words] if isinstance(words, str) else words if isinstance(words, list) else ()


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
