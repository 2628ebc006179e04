"""Both kinds of session, and brokers for them."""

from collections.abc import AsyncIterator

import pytest

from jitney.daemon.broker.sessions.embedded import EmbeddedBroker
from jitney.daemon.broker.sessions.session5 import connect5
from jitney.daemon.broker.sessions.session311 import connect311
from tests.daemon.broker.sessions.listening import Connect


@pytest.fixture(params=["5", "3.1.1"])
def connect(request: pytest.FixtureRequest) -> Connect:
    """Return what opens a session of either version."""
    return connect5 if request.param == "5" else connect311


@pytest.fixture
async def embedded() -> AsyncIterator[str]:
    """Return the URL of a broker in this process."""
    async with EmbeddedBroker() as broker:
        yield broker.url
