"""A broker inside this process, for trying things out: ``[mqtt] url = "embedded:"``.

It is amqtt: MQTT 3.1.1 only, nothing outlives the process, and everybody on this machine may connect.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, Final, Self

from jitney.adapters.errors import MisconfiguredError

_HOST: Final = "127.0.0.1"
_LISTENER: Final = "default"
_SILENCED: Final = ("amqtt", "transitions")
_CONNECT_SECONDS: Final = 10.0
_CONNECT_BEGINNING: Final = 12
"""Bytes that every CONNECT has, and that reach to its protocol level."""
_LEVEL_5: Final = b"\x00\x04MQTT\x05"
_UNSUPPORTED: Final = b"\x20\x02\x00\x01"


class EmbeddedBroker:
    """A broker on a port of the loopback, by default any free one; ``async with`` it.

    Raises MisconfiguredError when the extra ``embedded`` is not installed or the port is taken.
    """

    def __init__(self, *, port: int = 0) -> None:
        self.url = ""
        self._port = port
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.enter_context(_silenced())
            broker = _new_broker()
            await broker.start()
            stack.push_async_callback(broker.shutdown)
            self.url = await stack.enter_async_context(_listening(broker, self._port))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()


class _Rewound:
    """What amqtt reads from: ``beginning`` once more, then the rest."""

    def __init__(self, beginning: bytes, reader: asyncio.StreamReader) -> None:
        self._beginning = beginning
        self._reader = reader

    async def read(self, n: int = -1) -> bytes:
        """Return ``n`` bytes, or all there are until the end."""
        if n < 0:
            taken, self._beginning = self._beginning, b""
            return taken + await self._reader.read()
        taken, self._beginning = self._beginning[:n], self._beginning[n:]
        return taken + await self._reader.readexactly(n - len(taken)) if len(taken) < n else taken

    def feed_eof(self) -> None:
        """End the stream."""
        self._reader.feed_eof()


@asynccontextmanager
async def _listening(broker: Any, port: int) -> AsyncIterator[str]:  # noqa: ANN401 - amqtt declares no types
    """Accept connections, in tasks that have ended when this has."""
    from amqtt.adapters import StreamWriterAdapter  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra

    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                beginning = await reader.readexactly(_CONNECT_BEGINNING)
            if _LEVEL_5 in beginning:
                # amqtt would not refuse it but wait for an end that never comes.
                writer.write(_UNSUPPORTED)
                writer.close()
                await writer.wait_closed()
            else:
                await broker.external_connected(_Rewound(beginning, reader), StreamWriterAdapter(writer), _LISTENER)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(serve(reader, writer), name="embedded broker connection")
        connections.add(task)
        task.add_done_callback(connections.discard)

    try:
        server = await asyncio.start_server(accept, _HOST, port)
    except OSError as error:
        message = f"[mqtt] url: the embedded broker cannot listen on {_HOST} port {port}: {error.strerror}"
        raise MisconfiguredError(message) from None
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
        message = f"[mqtt] url: the embedded broker is not installed ({error}): pip install 'jitney[embedded]'"
        raise MisconfiguredError(message) from None
    return Broker(
        {
            "listeners": {_LISTENER: {"type": "external"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep the libraries quiet: amqtt warns about every client that comes and logs a traceback for every slow one."""
    before = {name: logging.getLogger(name).level for name in _SILENCED}
    for name in _SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
