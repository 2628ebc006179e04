"""The broker that tests start: it answers, keeps its port, and loses what it should."""

import socket
from pathlib import Path

import pytest

from tests.conftest import StartBroker
from tests.fakes.mosquitto import Broker, BrokerError

_CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x05\x00\x04test"
_RETAINED = b"\x33\x0a\x00\x03a/b\x00\x01yes"
_SUBSCRIBE = b"\x82\x08\x00\x02\x00\x03a/b\x00"


def connected(broker: Broker) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", broker.port), timeout=10)
    connection.sendall(_CONNECT)
    assert connection.recv(4, socket.MSG_WAITALL) == b"\x20\x02\x00\x00"
    return connection


def retain(broker: Broker) -> None:
    with connected(broker) as connection:
        connection.sendall(_RETAINED)
        assert connection.recv(4, socket.MSG_WAITALL) == b"\x40\x02\x00\x01"


def retained(broker: Broker) -> bool:
    """Tell whether the retained message is there: PINGRESP after SUBACK comes alone or behind it."""
    with connected(broker) as connection:
        connection.sendall(_SUBSCRIBE)
        assert connection.recv(5, socket.MSG_WAITALL)[:2] == b"\x90\x03"
        connection.sendall(b"\xc0\x00")
        return connection.recv(1, socket.MSG_WAITALL)[0] >> 4 == 3


def test_what_was_retained_outlives_a_stop_of_a_broker_with_persistence_until_it_is_wiped(
    mosquitto: StartBroker,
) -> None:
    broker = mosquitto(persistence=True)
    port = broker.port
    retain(broker)
    broker.stop()
    broker.start()
    assert broker.port == port
    assert retained(broker)
    broker.kill()
    broker.wipe()
    broker.start()
    assert not retained(broker)


def test_a_broker_without_persistence_forgets_when_it_is_stopped(mosquitto: StartBroker) -> None:
    broker = mosquitto()
    retain(broker)
    assert retained(broker)
    broker.stop()
    broker.start()
    assert not retained(broker)


def test_a_killed_broker_refuses_connections(broker: Broker) -> None:
    broker.kill()
    assert not broker.running
    with pytest.raises(ConnectionRefusedError):
        connected(broker)


def test_a_frozen_broker_keeps_its_connections_and_answers_when_it_is_thawed(mosquitto: StartBroker) -> None:
    broker = mosquitto()
    with connected(broker) as connection:
        broker.freeze()
        connection.sendall(b"\xc0\x00")
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            connection.recv(2)
        broker.thaw()
        connection.settimeout(10)
        assert connection.recv(2, socket.MSG_WAITALL) == b"\xd0\x00"


def test_a_broker_that_asks_for_a_password_can_be_started(mosquitto: StartBroker, tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    broker = mosquitto(anonymous=False, extra=[f"password_file {passwords}"])
    with socket.create_connection(("127.0.0.1", broker.port), timeout=10) as connection:
        connection.sendall(_CONNECT)
        assert connection.recv(4, socket.MSG_WAITALL) == b"\x20\x02\x00\x05"


def test_a_wrong_configuration_shows_the_log_of_the_broker(mosquitto: StartBroker) -> None:
    with pytest.raises(BrokerError, match="no_such_setting"):
        mosquitto(extra=["no_such_setting true"])


def test_a_running_broker_is_not_wiped(mosquitto: StartBroker) -> None:
    with pytest.raises(BrokerError, match="must be stopped"):
        mosquitto().wipe()
