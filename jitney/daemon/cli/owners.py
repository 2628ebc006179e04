"""`jitney owners`: the people of the bus."""

import argparse
from typing import Any, Final

from jitney.daemon.cli import (
    owners_changes,
    owners_claim,
    owners_erase,
    owners_export,
    owners_people,
    owners_usage,
)

_EXAMPLES: Final = """examples:
  jitney owners list                        who there is
  jitney owners add carol --name Carol      one more
  jitney owners claim                       who was met outside and is nobody's
  jitney owners claim '!a1b2c3d4' carol     that is hers
  jitney owners disable bob                 what is his rests; nothing of it is lost
  jitney owners export alice alice.tar.gz   all that is kept of her, to read
  jitney owners erase alice                 for good
"""


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "owners",
        help="the people: who there is, who they are outside, what is kept of them",
        description="The people of the bus. Who they are stands in the configuration, and is changed there; what is"
        " kept of them is in the state folder.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    for part in (owners_people, owners_changes, owners_claim, owners_usage, owners_export, owners_erase):
        part.add(actions)
