"""What every test may use."""

import gc
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest
from hypothesis import HealthCheck, settings

from tests.fakes.mosquitto import Broker, binary

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


class StartBroker(Protocol):
    """Start a mosquitto for one test or a whole module; it ends with the session, or earlier by ``kill``."""

    def __call__(self, *, persistence: bool = False, anonymous: bool = True, extra: Iterable[str] = ()) -> Broker:
        """Return a broker that answers."""


def pytest_configure(config: pytest.Config) -> None:
    """Fail at once, before any test, where a broker is demanded and there is none."""
    del config
    if binary() is None and os.environ.get("JITNEY_REQUIRE_BROKER") == "1":
        message = "JITNEY_REQUIRE_BROKER=1, but no mosquitto is installed: on Debian  sudo apt install mosquitto"
        raise pytest.UsageError(message)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that uses mosquitto, so that none is forgotten."""
    for item in items:
        if "mosquitto" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.broker)


@pytest.fixture(scope="session", autouse=True)
def collected() -> Iterator[None]:
    """Let the last test tell what the garbage complains of: the end of a process of pytest-xdist tells nobody."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartBroker]:
    """Return what starts brokers, each on a port of its own."""
    if binary() is None:
        pytest.skip("no mosquitto is installed: on Debian  sudo apt install mosquitto")
    with ExitStack() as running:

        def start(*, persistence: bool = False, anonymous: bool = True, extra: Iterable[str] = ()) -> Broker:
            folder = tmp_path_factory.mktemp("mosquitto")
            broker = Broker(folder, persistence=persistence, anonymous=anonymous, extra=extra)
            return running.enter_context(broker)

        yield start


@pytest.fixture
def broker(mosquitto: StartBroker) -> Iterator[Broker]:
    """Give one test a broker without persistence that nobody else uses."""
    started = mosquitto()
    yield started
    started.kill()
