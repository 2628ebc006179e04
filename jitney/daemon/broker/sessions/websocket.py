"""MQTT through a websocket: aiohttp's client behind the interface of a transport."""

import asyncio
import ssl
from typing import Final

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientWebSocketResponse,
    ClientWSTimeout,
    WSMsgType,
    WSServerHandshakeError,
)

from jitney.daemon.broker.session import BrokerUnreachableError
from jitney.daemon.broker.sessions.transport import Endpoint

_LARGEST_FRAME: Final = 4 * 1024 * 1024
_GOODBYE_SECONDS: Final = 2.0


async def open_websocket(target: Endpoint, context: ssl.SSLContext | None, protocol: asyncio.BufferedProtocol) -> None:
    """Connect ``protocol`` to the broker's websocket. Raises OSError or BrokerUnreachableError."""
    web = ClientSession()
    try:
        frames = await web.ws_connect(
            f"{target.place}?{target.query}",
            protocols=("mqtt",),
            ssl=context or True,
            max_msg_size=_LARGEST_FRAME,
            timeout=ClientWSTimeout(ws_close=_GOODBYE_SECONDS),
        )
    except ClientConnectorError as error:
        await web.close()
        raise error.os_error from error
    except WSServerHandshakeError as error:
        await web.close()
        message = f"{target.place} answered HTTP {error.status} and no websocket: check the path in [mqtt] url"
        raise BrokerUnreachableError(message) from error
    except ClientError as error:
        await web.close()
        message = f"{target.place} does not answer like a web server: is this port its websocket listener? ({error})"
        raise BrokerUnreachableError(message) from error
    except BaseException:
        await web.close()
        raise
    WebSocketTransport(web, frames, protocol).start()


class WebSocketTransport(asyncio.Transport):
    """The bytes of a protocol as frames. Its task ends with ``connection_lost``, whatever happens."""

    def __init__(self, web: ClientSession, frames: ClientWebSocketResponse, protocol: asyncio.BufferedProtocol) -> None:
        super().__init__()
        self._web = web
        self._frames = frames
        self._protocol = protocol
        self._reading = asyncio.Event()
        self._reading.set()
        self._unsent: list[bytes] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Tell the protocol about the connection and carry its bytes from now on."""
        self._protocol.connection_made(self)
        self._task = asyncio.get_running_loop().create_task(self._run(), name="mqtt websocket")

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send as one frame, together with what is written until the loop turns."""
        if not self._closing:
            self._unsent.append(bytes(data))
            self._wake.set()

    def pause_reading(self) -> None:
        """Take no more frames; one that is on its way may still come."""
        self._reading.clear()

    def resume_reading(self) -> None:
        """Take frames again."""
        self._reading.set()

    def is_closing(self) -> bool:
        """Tell whether it is closed or about to be."""
        return self._closing

    def close(self) -> None:
        """Send what is written, then close."""
        self._closing = True
        self._wake.set()

    def abort(self) -> None:
        """Close now."""
        self._closing = True
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        lost: OSError | None = None
        try:
            async with asyncio.TaskGroup() as both:
                reader = both.create_task(self._read(), name="mqtt websocket reader")
                writer = both.create_task(self._write(), name="mqtt websocket writer")
                await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
                reader.cancel()
                writer.cancel()
        except* (OSError, ClientError) as errors:
            lost = ConnectionError(str(errors.exceptions[0]))
        finally:
            self._closing = True
            await self._web.close()
            await self._frames.close()
            self._protocol.connection_lost(lost)

    async def _read(self) -> None:
        while True:
            await self._reading.wait()
            frame = await self._frames.receive()
            if frame.type is WSMsgType.BINARY:
                self._hand_over(memoryview(frame.data))
            elif frame.type is WSMsgType.ERROR:
                message = f"websocket: {frame.data}"
                raise ConnectionError(message)
            elif frame.type is WSMsgType.TEXT:
                message = "websocket: a text frame, where MQTT is binary"
                raise ConnectionError(message)
            else:
                return

    def _hand_over(self, data: memoryview) -> None:
        while data:
            buffer = memoryview(self._protocol.get_buffer(len(data)))
            size = min(len(buffer), len(data))
            buffer[:size] = data[:size]
            data = data[size:]
            self._protocol.buffer_updated(size)

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            unsent, self._unsent = self._unsent, []
            if unsent:
                await self._frames.send_bytes(b"".join(unsent))
            elif self._closing:
                await self._frames.close()
                return
