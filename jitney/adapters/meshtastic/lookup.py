"""What an owner may read of the mesh without sending anything: nodes and the last packets."""

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic.asked import GetNodes, GetPackets
from jitney.adapters.meshtastic.node_state import NodeState
from jitney.adapters.meshtastic.nodes import Nodes
from jitney.adapters.meshtastic.packet_log import Entry, PacketLog
from jitney.adapters.meshtastic.ports import ENCRYPTED, NO_PORT, find_port

_HOUR = 3600.0


def nodes(known: Nodes, owner: str, asked: GetNodes, *, unix: float) -> list[NodeState]:
    """Return the nodes that an owner may see, the one heard last first; raises RefusedError."""
    own = known.of_owner(owner)
    if asked.node:
        number = known.number(asked.node)
        own = [node for node in own if node.number == number]
        if not own:
            raise RefusedError("unknown_node", f"{owner} has no node {asked.node}, or it was never heard")
    since = unix - asked.hours * _HOUR if asked.hours else 0.0
    newest = sorted((node for node in own if node.seen >= since), key=lambda node: node.seen, reverse=True)
    return [known.state(node, unix) for node in newest[: asked.limit]]


def packets(log: PacketLog, known: Nodes, owner: str, asked: GetPackets, *, unix: float) -> list[Entry]:
    """Return the last packets that an owner may see; raises RefusedError."""
    return log.entries(
        owner,
        node=known.number(asked.node) if asked.node else None,
        port=_port(asked.port) if asked.port != "" else None,
        since=unix - asked.hours * _HOUR if asked.hours else 0.0,
        limit=asked.limit,
    )


def _port(asked: str | int) -> int:
    text = str(asked)
    port = NO_PORT if text.upper() == ENCRYPTED else find_port(text)
    if port is None:
        raise RefusedError("invalid", f'port: there is no port "{text}": give a name like text_message, or its number')
    return port
