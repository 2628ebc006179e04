"""The one subscriber of this process to the library's messages.

Radios are told apart by the identity of their interface. What still comes from an interface that nobody listens to any
more is dropped.
"""

from collections.abc import Mapping
from threading import Lock
from typing import Any, Final, Protocol

from pubsub import pub


class Listener(Protocol):
    """Whoever is connected to one radio; called on the library's one publishing thread, so it must not wait."""

    def received(self, packet: Mapping[str, Any]) -> None:
        """Take a packet."""

    def noticed(self, level: str, message: str, reply_id: int) -> None:
        """Take what the firmware tells a person."""

    def lost(self) -> None:
        """Know that the connection is gone, after everything that came by it."""


_listeners: Final[dict[object, Listener]] = {}
_lock: Final = Lock()


def listen(interface: object, listener: Listener) -> None:
    """Give a listener what comes from an interface, until ``forget``."""
    with _lock:
        if not _listeners:
            for handler, topic in _SUBSCRIPTIONS:
                pub.subscribe(handler, topic)
        _listeners[interface] = listener


def forget(interface: object) -> None:
    """Let nothing of an interface be heard any more; no error when nobody listened."""
    with _lock:
        if _listeners.pop(interface, None) is not None and not _listeners:
            for handler, topic in _SUBSCRIPTIONS:
                pub.unsubscribe(handler, topic)


def listening() -> int:
    """Return how many interfaces are listened to."""
    return len(_listeners)


def publish(packet: Mapping[str, Any], interface: object) -> None:
    """Publish a packet as the library does."""
    pub.sendMessage(_PACKETS, packet=packet, interface=interface)


def _received(packet: Mapping[str, Any], interface: object) -> None:
    if (listener := _listeners.get(interface)) is not None:
        listener.received(packet)


def _noticed(notification: Any, interface: object) -> None:  # noqa: ANN401 - a protobuf
    if (listener := _listeners.get(interface)) is not None:
        level = notification.DESCRIPTOR.fields_by_name["level"].enum_type.values_by_number.get(notification.level)
        word = level.name if level is not None else str(notification.level)
        listener.noticed(word, notification.message, notification.reply_id)


def _lost(interface: object) -> None:
    if (listener := _listeners.get(interface)) is not None:
        listener.lost()


# The library keeps its listeners weakly, and the first one fixes the names of a topic's arguments.
_PACKETS: Final = "meshtastic.receive"
_SUBSCRIPTIONS: Final = (
    (_received, _PACKETS),
    (_noticed, "meshtastic.clientNotification"),
    (_lost, "meshtastic.connection.lost"),
)
