"""The devices that adapters have declared, for whoever shows them now or later."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jitney.adapters.entities import Device


class Announcements(Protocol):
    """Whoever shows devices in Home Assistant."""

    def announce(self, adapter: str, owner: str, devices: "Iterable[Device]") -> None:
        """Learn all devices that an owner has through an adapter."""

    def settled(self, adapter: str) -> None:
        """Learn that an adapter is online: who has not been announced devices by then has none."""


class Declarations:
    """Remembers what each adapter has declared last, and tells it to whoever listens."""

    def __init__(self) -> None:
        self._devices: dict[tuple[str, str], tuple[Device, ...]] = {}
        self._settled: set[str] = set()
        self._listener: Announcements | None = None

    def announce(self, adapter: str, owner: str, devices: "Iterable[Device]") -> None:
        """Learn all devices that an owner has through an adapter."""
        declared = self._devices[adapter, owner] = tuple(devices)
        if self._listener is not None:
            self._listener.announce(adapter, owner, declared)

    def settled(self, adapter: str) -> None:
        """Learn that an adapter is online."""
        self._settled.add(adapter)
        if self._listener is not None:
            self._listener.settled(adapter)

    def listen(self, listener: Announcements | None) -> None:
        """Tell somebody everything, and from now on what is new."""
        self._listener = listener
        if listener is not None:
            for (adapter, owner), devices in self._devices.items():
                listener.announce(adapter, owner, devices)
            for adapter in self._settled:
                listener.settled(adapter)

    def forget(self, adapter: str) -> None:
        """Forget an adapter that has ended."""
        self._settled.discard(adapter)
        for key in [key for key in self._devices if key[0] == adapter]:
            del self._devices[key]
