"""What the adapters have declared, and what Home Assistant has to be told because of it."""

from collections.abc import Iterable, Iterator

from jitney.adapters.entities import Device
from jitney.daemon.config.schema import Config, OwnerDiscoverySettings
from jitney.daemon.discovery import devices as known
from jitney.daemon.discovery import names
from jitney.daemon.discovery.payload import Announcement, Place, announcements
from jitney.topics import HOUSE, TopicTree


class Declared:
    """The devices of every owner by adapter; no adapter is the bus itself."""

    def __init__(self, config: Config, tree: TopicTree, *, version: str) -> None:
        self._config = config
        self._tree = tree
        self._version = version
        self._adapters = {name: adapter for name, adapter in config.adapters.items() if adapter.enabled}
        self._devices: dict[tuple[str, str], tuple[Device, ...]] = {}
        self._node = names.node_id(tree.root, config.bus.instance)
        self.prefixes = frozenset(self._prefix(owner) for owner in (HOUSE, *config.owners))

    @property
    def patterns(self) -> list[str]:
        """The filters under which everything that this instance announces lies."""
        return [f"{prefix}/+/{self._node}/+/config" for prefix in sorted(self.prefixes)]

    def covers(self, topic: str) -> bool:
        """Tell whether a topic is one on which this instance announces."""
        start, slash, rest = topic.removesuffix("/config").rpartition(f"/{self._node}/")
        if not slash or not rest or "/" in rest or not topic.endswith("/config"):
            return False
        return start.rpartition("/")[0] in self.prefixes

    def begin(self) -> None:
        """Declare the bus."""
        self._devices["", HOUSE] = (known.bus(self._config.bus.instance, self._version),)

    def adapters(self, owner: str) -> list[str]:
        """Return the adapters through which devices of an owner were declared."""
        return [adapter for adapter, whose in self._devices if whose == owner]

    def declare(self, adapter: str, owner: str, devices: Iterable[Device]) -> bool:
        """Learn all devices that an owner has through an adapter; tell whether that is news."""
        declared = tuple(devices)
        if adapter not in self._adapters or (owner != HOUSE and owner not in self._config.owners):
            return False
        if self._devices.get((adapter, owner)) == declared:
            return False
        self._devices[adapter, owner] = declared
        return True

    def knows(self, adapter: str, owner: str) -> bool:
        """Tell whether devices of an owner were declared through an adapter, or that there are none."""
        return (adapter, owner) in self._devices

    def announcements(self, adapter: str, owner: str) -> Iterator[Announcement]:
        """Yield what Home Assistant has to be told of an owner's devices through an adapter."""
        settings = self._settings(owner)
        if not settings.enabled:
            return
        prefix = self._prefix(owner)
        place = Place(
            tree=self._tree,
            instance=self._config.bus.instance,
            owner=owner,
            adapter=adapter,
            system=settings.units,
            version=self._version,
            below_bus=prefix == self._prefix(HOUSE),
        )
        for device in self._of(adapter, owner):
            if not device.private or adapter in settings.private:
                yield from announcements(
                    device, place, prefix=prefix, per_component=self._config.discovery.per_component
                )

    def may_stay(self, topic: str, owner: str, adapter: str) -> bool:
        """Tell whether a topic that an earlier run announced is still where such announcements are."""
        name = adapter.removeprefix(names.BRANCH)
        if name and name not in self._adapters:
            return False
        if owner != HOUSE and owner not in self._config.owners:
            return False
        prefix = f"{self._prefix(owner)}/"
        if not (topic.startswith(prefix) and self._settings(owner).enabled):
            return False
        return topic.startswith(f"{prefix}{names.DEVICE}/") is not self._config.discovery.per_component

    def _of(self, adapter: str, owner: str) -> Iterable[Device]:
        declared = self._devices.get((adapter, owner), ())
        if not adapter:
            return declared
        settings = self._adapters[adapter]
        if not declared and owner != settings.owner:
            return ()
        name = "" if owner == HOUSE else self._config.owners[owner].name or owner
        return known.of_adapter(declared, adapter=adapter, kind=settings.type.name, owner=name)

    def _settings(self, owner: str) -> OwnerDiscoverySettings:
        settings = self._config.owners.get(owner)
        return OwnerDiscoverySettings() if settings is None else settings.discovery

    def _prefix(self, owner: str) -> str:
        return self._settings(owner).prefix or self._config.discovery.prefix
