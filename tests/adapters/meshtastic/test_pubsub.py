"""What the library publishes reaches the one listener whose interface it came from."""

import gc
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from meshtastic.protobuf import mesh_pb2
from pubsub import pub

from jitney.adapters.meshtastic.pubsub import forget, listen, listening, publish

TOPICS = ("meshtastic.receive", "meshtastic.clientNotification", "meshtastic.connection.lost")


class Interface:
    """Stands for an interface of the library: only its identity counts."""


class Recorder:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def received(self, packet: Mapping[str, Any]) -> None:
        self.told.append(packet["id"])

    def noticed(self, level: str, message: str, reply_id: int) -> None:
        self.told.append((level, message, reply_id))

    def lost(self) -> None:
        self.told.append("lost")


Connect = Callable[[], tuple[Interface, Recorder]]


@pytest.fixture
def connect() -> Iterator[Connect]:
    interfaces: list[Interface] = []

    def new() -> tuple[Interface, Recorder]:
        interface, recorder = Interface(), Recorder()
        interfaces.append(interface)
        listen(interface, recorder)
        return interface, recorder

    yield new
    for interface in interfaces:
        forget(interface)


def listeners() -> list[int]:
    return [pub.getDefaultTopicMgr().getTopic(topic).getNumListeners() for topic in TOPICS]


def notification(level: int, message: str, reply_id: int) -> mesh_pb2.ClientNotification:
    return mesh_pb2.ClientNotification(level=level, message=message, reply_id=reply_id)


def test_each_listener_is_told_what_came_from_its_interface(connect: Connect) -> None:
    one, first = connect()
    two, second = connect()
    pub.sendMessage("meshtastic.receive.text", packet={"id": 1}, interface=one)
    pub.sendMessage("meshtastic.receive.data.PRIVATE_APP", packet={"id": 2}, interface=two)
    publish({"id": 3}, one)
    warning = notification(mesh_pb2.LogRecord.Level.WARNING, "careful", 7)
    pub.sendMessage("meshtastic.clientNotification", notification=warning, interface=two)
    pub.sendMessage("meshtastic.connection.lost", interface=one)
    assert first.told == [1, 3, "lost"]
    assert second.told == [2, ("WARNING", "careful", 7)]


def test_a_level_without_a_name_is_told_in_digits(connect: Connect) -> None:
    interface, recorder = connect()
    pub.sendMessage("meshtastic.clientNotification", notification=notification(99, "new", 0), interface=interface)
    assert recorder.told == [("99", "new", 0)]


def test_what_comes_late_from_a_forgotten_interface_is_dropped(connect: Connect) -> None:
    old, before = connect()
    _, after = connect()
    forget(old)
    forget(old)
    publish({"id": 1}, old)
    pub.sendMessage("meshtastic.connection.lost", interface=old)
    assert before.told == []
    assert after.told == []


def test_there_is_one_subscription_however_many_radios_there_are(connect: Connect) -> None:
    assert listeners() == [0, 0, 0]
    interfaces = [connect()[0] for _ in range(5)]
    assert listeners() == [1, 1, 1]
    assert listening() == 5
    for interface in interfaces:
        forget(interface)
    assert listeners() == [0, 0, 0]
    assert listening() == 0


def test_the_subscription_survives_a_collection_of_garbage(connect: Connect) -> None:
    interface, recorder = connect()
    gc.collect()
    publish({"id": 1}, interface)
    assert recorder.told == [1]


def test_another_subscriber_of_the_same_process_is_not_disturbed(connect: Connect) -> None:
    heard: list[int] = []

    def other(packet: Mapping[str, Any], interface: object) -> None:
        del interface
        heard.append(packet["id"])

    pub.subscribe(other, "meshtastic.receive")
    interface, recorder = connect()
    publish({"id": 1}, interface)
    forget(interface)
    publish({"id": 2}, interface)
    pub.unsubscribe(other, "meshtastic.receive")
    assert heard == [1, 2]
    assert recorder.told == [1]
