"""A broker inside this process, for trying things out: ``[mqtt] url = "embedded:"``.

It is amqtt: MQTT 3.1.1 only, nothing outlives the process, and everybody on this machine may connect.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from jitney.adapters.errors import MisconfiguredError

URL: Final = "embedded:"
"""The ``[mqtt] url`` that asks for it."""
PROTOCOL: Final = "3.1.1"
"""What to dial it with: it does not refuse a CONNECT of MQTT 5 but waits for its end until the time is over."""

_HOST: Final = "127.0.0.1"
_LISTENER: Final = "default"
_CHATTY: Final = {"amqtt": logging.ERROR, "transitions": logging.WARNING}


@asynccontextmanager
async def embedded(*, port: int = 0) -> AsyncIterator[str]:
    """Run the broker on a port of the loopback, by default any free one; gives its URL.

    Raises MisconfiguredError when the extra ``embedded`` is not installed.
    """
    with _quiet():
        broker = _new_broker()
        await broker.start()
        try:
            async with _listen(broker, port) as url:
                yield url
        finally:
            await broker.shutdown()


@asynccontextmanager
async def _listen(broker: Any, port: int) -> AsyncIterator[str]:  # noqa: ANN401 - amqtt declares no types
    """Accept connections, in tasks that have ended when this has."""
    from amqtt.adapters import (  # type: ignore[import-untyped]  # noqa: PLC0415 - the extra may be missing
        StreamReaderAdapter,
        StreamWriterAdapter,
    )

    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            connections.add(task)
            task.set_name("embedded broker connection")
            task.add_done_callback(connections.discard)
        try:
            await broker.external_connected(StreamReaderAdapter(reader), StreamWriterAdapter(writer), _LISTENER)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, _HOST, port)
    try:
        yield f"mqtt://{_HOST}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()


def _new_broker() -> Any:  # noqa: ANN401 - amqtt declares no types
    try:
        from amqtt.broker import Broker  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra, and 70 ms to import
    except ImportError as error:
        message = f"[mqtt] url: {URL} needs the embedded broker ({error}): pip install 'jitney[embedded]'"
        raise MisconfiguredError(message) from None
    return Broker(
        {
            "listeners": {_LISTENER: {"type": "external"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Let the libraries log only what is wrong: amqtt warns about every client that comes or goes."""
    before = {name: logging.getLogger(name).level for name in _CHATTY}
    for name, level in _CHATTY.items():
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
