from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest
from paho.mqtt import publish

from jitney.daemon import log
from tests.conftest import StartBroker
from tests.daemon.cli.at_strava import AtHome, household
from tests.fakes.mosquitto import Broker
from tests.fakes.strava import FakeStrava


class Publish(Protocol):
    """Publish to a broker with QoS 1; returns when the broker has it."""

    def __call__(self, topic: str, payload: str | bytes, *, retain: bool = False) -> None: ...


def publisher(broker: Broker, root: str = "jitney") -> Publish:
    def send(topic: str, payload: str | bytes, *, retain: bool = False) -> None:
        publish.single(f"{root}/{topic}", payload, qos=1, retain=retain, hostname="127.0.0.1", port=broker.port)

    return send


@pytest.fixture(scope="module")
def shared_broker(mosquitto: StartBroker) -> Broker:
    """Give a module one broker; each test uses a topic root of its own."""
    return mosquitto()


@pytest.fixture
def root(request: pytest.FixtureRequest) -> str:
    """Return a topic root that no other test uses."""
    return f"test/{abs(hash(request.node.nodeid))}"


@pytest.fixture(autouse=True)
def unconfigured_log() -> Iterator[None]:
    yield
    log.reset()


@pytest.fixture
async def strava() -> AsyncIterator[FakeStrava]:
    async with FakeStrava() as fake:
        yield fake


@pytest.fixture
def at_home(
    strava: FakeStrava, shared_broker: Broker, root: str, tmp_path: Path, *, monkeypatch: pytest.MonkeyPatch
) -> AtHome:
    """Return what runs a daemon with the Strava adapter, each time with the same state."""
    for name in ("CREDENTIALS_DIRECTORY", "JITNEY_VAULT_KEY", "JITNEY_CONFIG", "JITNEY_MQTT", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    return partial(household, strava, shared_broker, tmp_path, root=root)
