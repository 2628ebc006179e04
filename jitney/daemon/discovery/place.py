"""Where a device stands: whose it is, through which adapter, and on which topics its values and commands are."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from jitney.adapters.entities import At, OfStatus, Source
from jitney.daemon.discovery import names
from jitney.topics import InvalidTopicError, TopicTree
from jitney.topics.tree import BusTopic, CommandTopic, EventTopic, StateTopic, StatusTopic, Topic


class Place(Struct, frozen=True, kw_only=True):
    """What an announcement needs to know besides the device; ``adapter`` empty: the bus itself.

    ``system`` native: Home Assistant converts by itself. ``below_bus``: the bus is shown there too, as a device that
    the adapters come through. ``version`` is Jitney's.
    """

    tree: TopicTree
    instance: str
    owner: str
    adapter: str
    system: Literal["metric", "imperial", "native"] = "metric"
    version: str = ""
    below_bus: bool = True

    def identifier(self, device: str = "") -> str:
        """Return the identifier of a device of this owner and adapter."""
        return names.identifier(self.tree.root, self.instance, owner=self.owner, adapter=self.adapter, device=device)

    def via(self, device: str) -> str:
        """Return the identifier of the device that a device is reached through, empty when there is none."""
        if device:
            return self.identifier()
        if self.adapter and self.below_bus:
            return names.identifier(self.tree.root, self.instance, owner="", adapter="")
        return ""

    def topic(self, source: Source) -> str:
        """Return the topic that a value is read from."""
        if isinstance(source, At):
            return self._name(StateTopic(self.owner, self.adapter, source.subject))
        if isinstance(source, OfStatus):
            return self.status_topic
        return self._name(BusTopic(self.instance, source.name))

    @property
    def bus_topic(self) -> str:
        """The topic that tells whether the bus is there."""
        return self._name(BusTopic(self.instance, "state"))

    @property
    def status_topic(self) -> str:
        """The topic that tells how the adapter is doing for the owner."""
        return self._name(StatusTopic(self.owner, self.adapter))

    def event_topic(self, kinds: Sequence[str]) -> str:
        """Return the filter under which events of some kinds come, perhaps with others among them."""
        if len(kinds) == 1:
            return self._name(EventTopic(self.owner, self.adapter, kinds[0]))
        return self.tree.filter(EventTopic, owner=self.owner, adapter=self.adapter)

    def command_topic(self, command: str) -> str:
        """Return the topic on which the adapter takes a command."""
        return self._name(CommandTopic(self.owner, self.adapter, command))

    def _name(self, address: Topic) -> str:
        """Return the topic of an address, empty where there can be none: what reads from it is refused as a whole."""
        try:
            return self.tree.name(address)
        except InvalidTopicError:
            return ""
