"""Whom a packet belongs to: the owner of the radio that heard it, on a shared radio the owner of its sender."""

from collections.abc import Mapping

from jitney.adapters.base import Owner
from jitney.adapters.meshtastic.addresses import node_number
from jitney.adapters.meshtastic.config import Identity
from jitney.topics import RESERVED


class NodeOwners:
    """The owners of nodes as one radio sees them; ``default`` is the radio's own."""

    def __init__(self, owners: Mapping[str, Owner], default: str) -> None:
        self.default = default
        self._by_node: dict[int, str] = {}
        if default in RESERVED:
            for owner in owners.values():
                if isinstance(owner.identity, Identity):
                    for node in owner.identity.nodes:
                        number = node_number(node)
                        if number is not None:
                            self._by_node.setdefault(number, owner.id)

    def of(self, number: int) -> str:
        """Return the owner of a node: of its packets and its state."""
        return self._by_node.get(number, self.default)

    def is_mapped(self, number: int) -> bool:
        """Tell whether somebody named a node as theirs."""
        return number in self._by_node
