"""Which nodes Home Assistant is shown, and announcing them when something has changed about how they look."""

from collections.abc import Iterator
from typing import Final

from jitney.adapters.base import Context
from jitney.adapters.meshtastic import entities
from jitney.adapters.meshtastic.addresses import node_number
from jitney.adapters.meshtastic.config import FAVOURITES, OWN, Config
from jitney.adapters.meshtastic.entities import RadioView, View
from jitney.adapters.meshtastic.nodes import Nodes
from jitney.adapters.meshtastic.outline import Outline, default_name, outline
from jitney.adapters.meshtastic.owners import NodeOwners
from jitney.adapters.meshtastic.plain import plain_name
from jitney.adapters.meshtastic.radio import RadioInfo

EVERY: Final = 10.0
"""Seconds between two announcements to one owner: anybody on the mesh can change a name with every packet."""

CONTROL: Final = ("reboot", "set_owner")
"""What of device control is shown where it is allowed."""


def named(config: Config, owners: NodeOwners) -> frozenset[int]:
    """Return the numbers of the nodes that are to be shown whatever the radio says."""
    numbers = {number for word in config.show if (number := node_number(word)) is not None}
    return frozenset(numbers) | (owners.named if OWN in config.show else frozenset())


class Showing:
    """Tells the bus what every owner is shown of one radio.

    A node is shown to whose it is: on a shared radio to the person who named it, else to the radio's owner.
    """

    def __init__(self, ctx: Context, config: Config, *, info: RadioInfo, nodes: Nodes, owners: NodeOwners) -> None:
        self._ctx = ctx
        self._info = info
        self._nodes = nodes
        self._owners = owners
        self._named = named(config, owners)
        self._favourites = FAVOURITES in config.show
        self._allowed = {
            owner: frozenset(action for action in CONTROL if config.allows(owner, action))
            for owner in (owners.default, *ctx.owners)
        }
        self._shown: dict[str, View] = {}
        self._announced: dict[str, float] = {}

    def look(self, now: float, *, at_once: bool = False) -> bool:
        """Announce to each owner what is not as they were told last, if that is long enough ago (Unix seconds).

        Returns whether anything was announced: what it is about had better be kept, or a crash would take it back.
        """
        views = self._views()
        announced = False
        for owner in {**self._shown, **views}:
            view = views.get(owner)
            waits = 0.0 <= now - self._announced.get(owner, 0.0) < EVERY and not at_once
            if waits or view == self._shown.get(owner):
                continue
            announced = True
            self._announced[owner] = now
            if view is None:
                del self._shown[owner]
                self._ctx.announce(owner, ())
            else:
                self._shown[owner] = view
                self._ctx.announce(owner, entities.devices(view))
        return announced

    def _views(self) -> dict[str, View]:
        """Return what there is to be shown, by owner."""
        nodes: dict[str, list[Outline]] = {}
        for node in self._chosen():
            nodes.setdefault(self._owners.of(node.number), []).append(node)
        default = self._owners.default
        people = [owner for owner, allowed in self._allowed.items() if allowed and self._owners.is_shared]
        owners = dict.fromkeys((default, *people, *nodes))
        return {owner: self._view(owner, tuple(nodes.get(owner, ()))) for owner in owners}

    def _view(self, owner: str, nodes: tuple[Outline, ...]) -> View:
        is_theirs = owner == self._owners.default
        return View(
            info=self._info,
            name=self._name(),
            radio=self._radio() if is_theirs else None,
            person="" if is_theirs else self._ctx.owners[owner].name or owner,
            nodes=nodes,
            allowed=self._allowed[owner],
        )

    def _radio(self) -> RadioView:
        own = self._nodes.get(self._info.number) if self._is_radio_of_default() else None
        return RadioView(own=None if own is None else outline(own), is_shared=self._owners.is_shared)

    def _name(self) -> str:
        own = self._nodes.get(self._info.number)
        known = own.long_name if own is not None else ""
        return known or plain_name(self._info.long_name) or default_name(self._info.number)

    def _chosen(self) -> Iterator[Outline]:
        """Yield the nodes that are shown, by their numbers; the radio is among them only where it is a person's."""
        chosen = set(self._named)
        if self._favourites:
            chosen.update(node.number for node in self._nodes.all() if node.favourite)
        if self._is_radio_of_default():
            chosen.discard(self._info.number)
        for number in sorted(chosen):
            node = self._nodes.get(number)
            if node is not None:
                yield outline(node)

    def _is_radio_of_default(self) -> bool:
        return self._owners.of(self._info.number) == self._owners.default
