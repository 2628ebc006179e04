from collections.abc import Callable, Iterator
from io import StringIO

import msgspec
import pytest

from jitney.daemon import log
from jitney.daemon.log.configure import Level

Lines = Callable[[], list[dict[str, object]]]


@pytest.fixture(autouse=True)
def unconfigured() -> Iterator[None]:
    log.reset()
    yield
    log.reset()


@pytest.fixture
def lines() -> Callable[[Level], Lines]:
    """Configure JSON lines into a text; the result gives those written since it was last called."""

    def configured(level: Level = "debug") -> Lines:
        stream = StringIO()
        log.configure("json", level, stream=stream)

        def written() -> list[dict[str, object]]:
            text = stream.getvalue()
            stream.seek(0)
            stream.truncate()
            return [msgspec.json.decode(line) for line in text.splitlines()]

        return written

    return configured
