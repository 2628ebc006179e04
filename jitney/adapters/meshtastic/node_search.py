"""Which node a person means: by its id, or by a name that no other node has."""

from collections.abc import Iterable
from typing import Final

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic.node_record import Node

_MOST_CANDIDATES: Final = 8


def by_name(nodes: Iterable[Node], name: str) -> Node:
    """Return the node of a short or long name, in whatever case.

    Raises RefusedError: ``unknown_node`` when there is none, ``ambiguous_node`` when there are several.
    """
    wanted = name.strip().casefold()
    found = [node for node in nodes if wanted and wanted in (node.short_name.casefold(), node.long_name.casefold())]
    if not found:
        message = f'no node is called "{name}": give its id, like !a1b2c3d4, or a name that get_nodes shows'
        raise RefusedError("unknown_node", message)
    if len(found) > 1:
        named = ", ".join(node.label for node in found[:_MOST_CANDIDATES])
        more = f" and {len(found) - _MOST_CANDIDATES} more" if len(found) > _MOST_CANDIDATES else ""
        message = f'{len(found)} nodes are called "{name}": {named}{more}; give the id of one'
        raise RefusedError("ambiguous_node", message)
    return found[0]
