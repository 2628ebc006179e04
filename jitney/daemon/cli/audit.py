"""`jitney audit`: who did what, and the proof that nothing of it was changed."""

import argparse
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import replace

from jitney.adapters.errors import MisconfiguredError
from jitney.daemon import log
from jitney.daemon.cli.asking import Errand, add_timeout, answer
from jitney.daemon.cli.colours import BOLD, FAINT, RED, Paint
from jitney.daemon.cli.common import add_broker_arguments, configuration, names_only_a_broker, note
from jitney.daemon.cli.instants import FORMS, past
from jitney.daemon.cli.routes_asking import paint, print_json
from jitney.daemon.cli.state_at_rest import reading, rests
from jitney.daemon.cli.state_folder import state_folder
from jitney.daemon.config.problems import one_line
from jitney.daemon.config.schema import MqttSettings
from jitney.daemon.owners.key_sources import KeySources
from jitney.daemon.owners.sealing import SEALS
from jitney.daemon.service.audit_requests import MOST, AskedList, Line, Lines, page
from jitney.daemon.store import audit_proof, secrets
from jitney.daemon.store.audit import Point
from jitney.daemon.store.audit_proof import Verdict
from jitney.topics import rfc3339
from jitney.topics.owners import owner as owner_id

_DESCRIPTION: Final = """\
Every sign-in, command, change of access and refusal is a row of the audit log, chained by hashes to the one before it.
The running bus is asked; where none runs on the configured state folder, its file is read.
"""

_EPILOG: Final = f"""examples:
  jitney audit list                             the newest rows
  jitney audit list --owner alice --since 1d    hers of the last day
  jitney audit list --what refused              who went where they may not
  jitney audit verify                           prove that no row was changed, left out or cut off
  jitney audit verify --known 812:1f0c…         and that it has not forgotten what it said before

WHAT is sign_in, sign_out, token_refresh, command, device, acl, owner, reload, erase, export, backup, refused, start,
stop or gap. SINCE is a time: {FORMS}.
Exit status of verify: 0 all is as it should be, 1 something is not, or nobody answered.
"""

_KNOWN: Final = """\
how the log ended when you wrote that down, NUMBER:HASH, as verify and the topic jitney/_bus/main/info tell it; may be
given several times
"""


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "audit",
        help="see who did what, and prove that nothing of it was changed",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    show = actions.add_parser("list", help="show rows, the newest last", description="Show rows, the newest last.")
    show.add_argument("--owner", default="", metavar="OWNER", help="only what concerns somebody (default: everybody)")
    show.add_argument("--what", default="", metavar="WHAT", help="only what was done of one kind, like refused")
    show.add_argument("--since", type=past, metavar="SINCE", help=f"only since then: {FORMS}")
    show.add_argument("--limit", type=int, default=50, metavar="N", help="how many at the most (default: 50; 0: all)")
    show.set_defaults(run=_list)
    prove = actions.add_parser(
        "verify",
        help="prove that no row was changed, left out or cut off",
        description="Prove that no row was changed, left out or cut off.",
    )
    prove.add_argument("--known", type=_point, action="append", default=[], metavar="HEAD", help=_KNOWN)
    prove.set_defaults(run=_verify)
    for action in (show, prove):
        action.add_argument("--json", action="store_true", help="print one line of JSON instead")
        action.add_argument(
            "--instance", metavar="NAME", help="of the bus, where it is not the configured one or 'main'"
        )
        add_timeout(action, seconds=60.0)
        add_broker_arguments(action)


class Place(Protocol):
    """Where the log is. Raises JitneyError."""

    def page(self, asked: AskedList) -> Lines:
        """Return some rows, the newest first."""

    def verdict(self, known: Sequence[Point]) -> Verdict:
        """Prove the log."""


class AtBus:
    """Asks the running bus."""

    def __init__(self, mqtt: MqttSettings, *, instance: str, seconds: float) -> None:
        self._mqtt = mqtt
        self._instance = instance
        self._seconds = seconds

    def page(self, asked: AskedList) -> Lines:
        """Return some rows, the newest first."""
        return answer(self._mqtt, self._errand("audit_list", msgspec.to_builtins(asked)), Lines)

    def verdict(self, known: Sequence[Point]) -> Verdict:
        """Prove the log."""
        return answer(self._mqtt, self._errand("audit_verify", {"known": list(map(str, known))}), Verdict)

    def _errand(self, request: str, data: Mapping[str, Any]) -> Errand:
        return Errand(instance=self._instance, request=request, data=data, seconds=self._seconds)


class InFile:
    """Reads the state file of a bus that does not run; changes nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def page(self, asked: AskedList) -> Lines:
        """Return some rows, the newest first."""
        with reading(self._folder) as db:
            return page(db, asked)

    def verdict(self, known: Sequence[Point]) -> Verdict:
        """Prove the log."""
        with reading(self._folder) as db:
            return audit_proof.proved(db, self._keys(db).get, known=known)

    def _keys(self, db: sqlite3.Connection) -> dict[str, bytes]:
        needed = secrets.key_ids(db)
        try:
            found = KeySources(self._folder, environ=os.environ).find(needed) if needed else None
        except MisconfiguredError:
            return {}
        return {} if found is None else {found.key.id: found.key.derived(SEALS)}


def _list(args: argparse.Namespace) -> int:
    log.configure("auto", "warning")
    asked = AskedList(
        owner=owner_id(args.owner) if args.owner else "",
        what=args.what,
        since=rfc3339(args.since.astimezone(UTC)) if args.since is not None else "",
    )
    rows = list(_rows(_place(args), asked, args.limit))[::-1]
    if args.json:
        print_json(rows)
        return 0
    colours = paint()
    for row in rows:
        print(_told(row, colours))
    if not rows:
        note("the audit log has no such row")
    return 0


def _rows(place: Place, asked: AskedList, limit: int) -> Iterator[Line]:
    """Yield up to so many rows, the newest first."""
    left = limit or (1 << 62)
    before: int | None = asked.before
    while before is not None and left > 0:
        found = place.page(replace(asked, before=before, most=min(MOST, left)))
        yield from found.rows
        left -= len(found.rows)
        before = found.before


def _verify(args: argparse.Namespace) -> int:
    log.configure("auto", "warning")
    verdict = _place(args).verdict(args.known)
    if args.json:
        print_json(verdict)
        return 1 if verdict.broken else 0
    if verdict.broken:
        print(f"Row {verdict.broken} of the audit log is not as it should be: {one_line(verdict.why)}.")
        note(f"The rows {verdict.first} to {verdict.broken - 1} before it are whole." if verdict.rows else "")
        return 1
    print(f"The audit log is whole: {verdict.rows} rows, from number {verdict.first} on.")
    print(f"It ends with {verdict.head}")
    if verdict.sealed == "yes":
        print(f"Up to row {verdict.sealed_to} it is sealed with the vault's key.")
    elif verdict.sealed == "unknown":
        note("It is sealed with a key of the vault that is not here: that could not be looked at.")
    else:
        note("It is not sealed, as there is no secret in the vault: whoever can write the file could write it anew.")
    note("Write down how it ends, away from this machine, and give it to --known later.")
    return 0


def _place(args: argparse.Namespace) -> Place:
    if not names_only_a_broker(args) and not args.instance:
        args.state_dir = None
        folder = state_folder(args)
        if rests(folder):
            return InFile(folder)
    config = configuration(args)
    return AtBus(config.mqtt, instance=args.instance or config.bus.instance, seconds=args.timeout)


def _told(row: Line, colours: Paint) -> str:
    what = colours(f"{one_line(row.what):<13}", RED if row.what in ("refused", "gap") else BOLD)
    of = f"(erased by {row.erased})" if row.erased else one_line(row.owner)
    by = [f"by {one_line(row.who)}"] if row.who else []
    through = [f"through {one_line(row.adapter)}"] if row.adapter else []
    times = [f"{row.times} times"] if row.times > 1 else []
    rest = [one_line(text) for text in (row.outcome, row.detail) if text]
    number = colours(f"{row.number:>7}", FAINT)
    return "  ".join([number, one_line(row.time), what, f"{of:<12}", *rest, *by, *through, *times]).rstrip()


def _point(text: str) -> Point:
    try:
        return Point.parse(text)
    except ValueError:
        message = f"{text[:100]!r} is not NUMBER:HASH, as `jitney audit verify` tells it"
        raise argparse.ArgumentTypeError(message) from None
