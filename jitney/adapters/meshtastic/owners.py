"""Whom a packet belongs to: the owner of the radio that heard it, on a shared radio the owner of its sender."""

from collections.abc import Iterator, Mapping

from jitney.adapters.base import Owner
from jitney.adapters.meshtastic.addresses import node_number
from jitney.adapters.meshtastic.config import Identity
from jitney.topics import RESERVED


class NodeOwners:
    """The owners of nodes as one radio sees them; ``default`` is the radio's own.

    ``named`` are the nodes that its owner calls theirs, on a shared radio those that anybody does.
    """

    def __init__(self, owners: Mapping[str, Owner], default: str) -> None:
        self.default = default
        self.is_shared = default in RESERVED
        by_node: dict[int, str] = {}
        for owner in owners.values():
            if self.is_shared or owner.id == default:
                for number in _nodes(owner):
                    by_node.setdefault(number, owner.id)
        self.named = frozenset(by_node)
        self._by_node = by_node if self.is_shared else {}

    def of(self, number: int) -> str:
        """Return the owner of a node: of its packets and its state."""
        return self._by_node.get(number, self.default)

    def is_mapped(self, number: int) -> bool:
        """Tell whether somebody named a node as theirs."""
        return number in self._by_node


def _nodes(owner: Owner) -> Iterator[int]:
    named = owner.identity.nodes if isinstance(owner.identity, Identity) else ()
    return (number for node in named if (number := node_number(node)) is not None)
