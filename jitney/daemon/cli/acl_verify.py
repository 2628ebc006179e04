"""`jitney acl verify`: the proof that owners are kept apart, as a table."""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from jitney.daemon import log
from jitney.daemon.access.borrowed import borrowing
from jitney.daemon.access.dynsec import administering
from jitney.daemon.access.model import Model, model
from jitney.daemon.access.proofs import Proof, broken, verdict
from jitney.daemon.access.prove import prove
from jitney.daemon.access.visitor import Login
from jitney.daemon.cli.administrator import add_administrator, administrator, password_in
from jitney.daemon.cli.colours import BOLD, FAINT, GREEN, RED, YELLOW, Paint, padded, width
from jitney.daemon.cli.common import UsageError, add_broker_arguments, configuration, names_only_a_broker
from jitney.daemon.config.problems import one_line
from jitney.daemon.config.resting import resting
from jitney.daemon.config.schema import Config
from jitney.daemon.log.stream import has_colours

_DESCRIPTION: Final = """\
Connect as each owner and try everything: to read and to write what is theirs and what is not, shared subscriptions,
wills, what only the bus may say, what only an administrator may ask. What counts is what really arrives, which the
daemon's own login looks at. Everything that is tried has "proof-" in its topic, expires within half a minute and asks
for nothing that can be carried out; a running bus refuses it, and says so in its log.
"""

_EPILOG: Final = """As whom it is tried: with --admin-username as a device of each owner that is made for it and removed
afterwards (dynamic security); else as the logins given by --as; else as those of [access] in the configuration.

examples:
  jitney acl verify --admin-username admin
  jitney acl verify --as alice=alice:alice.txt --as bob=bob:bob.txt
  jitney acl verify --json | jq '.proofs[] | select(.holds | not)'

Marks: ✓ as it should be, ! open, but this sort of broker is known for it, ✗ not as it should be, · not tried.
Exit status: 0 all is as it should be, 1 something is not.
"""

_MARKS: Final = {"good": ("✓", GREEN), "gap": ("!", YELLOW), "broken": ("✗", RED), "untried": ("·", FAINT)}


def add(actions: "argparse._SubParsersAction[Any]") -> None:
    """Register the action."""
    parser = actions.add_parser(
        "verify",
        help="prove by trying that owners are kept apart",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--as",
        dest="logins",
        action="append",
        default=[],
        metavar="OWNER=USER:FILE",
        help="try as this login of an owner, whose password is in a file; can be given for several",
    )
    parser.add_argument("--strict", action="store_true", help="fail also for what this sort of broker is known for")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    add_broker_arguments(parser)
    add_administrator(parser, summary="a device is made for each owner, and removed afterwards.")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prove and tell; returns 0, or 1 when something is not as it should be."""
    log.configure("auto", "warning")
    if names_only_a_broker(args):
        raise UsageError("--mqtt names a broker alone: who there is stands in a configuration, which --config names")
    config = configuration(args)
    who = model(config)
    logins = {**_configured(config), **dict(_given(text, who) for text in args.logins)}
    proofs = asyncio.run(_proofs(config, who, administrator(args), logins=logins))
    wrong = broken(proofs, strict=args.strict)
    if args.json:
        told = [{**msgspec.to_builtins(proof), "holds": proof not in wrong} for proof in proofs]
        print(msgspec.json.encode({"ok": not wrong, "verdict": verdict(proofs), "proofs": told}).decode())
    else:
        for line in lines(proofs, wrong, Paint(enabled=has_colours(sys.stdout, os.environ))):
            print(line)
    return int(bool(wrong))


def lines(proofs: Sequence[Proof], wrong: Sequence[Proof], paint: Paint) -> Iterator[str]:
    """Yield the table: who tries what, whether they may, what came of it."""
    head = ("", "as", "tries to", "may", "seen")
    rows = [
        (
            _mark(proof, wrong),
            proof.owner,
            f"{proof.attempt} ({one_line(proof.topic)})",
            "yes" if proof.may else "no",
            f"{proof.does}: {one_line(proof.how)}",
        )
        for proof in proofs
    ]
    columns = [max(width(row[index]) for row in [head, *rows]) for index in range(1, len(head))]
    yield paint("  ".join(["  ", *map(padded, head[1:], columns)]).rstrip(), BOLD)
    for mark, *cells in rows:
        sign, colour = _MARKS[mark]
        text = "  ".join(map(padded, cells, columns)).rstrip()
        yield f" {paint(sign, colour)}  {paint(text, colour) if mark == 'broken' else text}"
    yield ""
    yield paint(verdict(proofs) + ".", RED if wrong else GREEN, BOLD)


def _mark(proof: Proof, wrong: Sequence[Proof]) -> str:
    if proof in wrong:
        return "broken"
    return "untried" if proof.does == "not tried" else "gap" if proof.gap else "good"


async def _proofs(config: Config, who: Model, admin: Login | None, *, logins: Mapping[str, Login]) -> list[Proof]:
    if admin is not None:
        async with (
            administering(config.mqtt, admin) as security,
            borrowing(security, who, [one for one in who.owners if one not in logins and who.who(one).enabled]) as made,
        ):
            return await prove(config.mqtt, who, {**made, **logins})
    if not logins:
        raise UsageError("nobody to try as: name --admin-username, or a login with --as, or one in [access]")
    return await prove(config.mqtt, who, logins)


def _given(text: str, who: Model) -> tuple[str, Login]:
    owner, equals, login = text.partition("=")
    username, colon, file = login.partition(":")
    if not (equals and colon and username and file):
        raise UsageError(f"--as: expected OWNER=USER:FILE, got {text!r}")
    if owner not in who.owners:
        raise UsageError(f"--as: there is no owner {owner!r}, only {', '.join(who.owners)}")
    return owner, Login(username, password_in(Path(file), "--as"))


def _configured(config: Config) -> dict[str, Login]:
    """Return the logins of those who are let in."""
    return {
        owner: Login(one.username, one.password, one.client_id)
        for owner, one in config.access.logins.items()
        if owner not in resting(config)
    }
