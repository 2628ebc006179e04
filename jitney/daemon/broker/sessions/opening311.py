"""Making and connecting a paho client for one session."""

import asyncio
import warnings
from collections.abc import Callable
from functools import partial
from traceback import clear_frames
from typing import Final, Protocol

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from jitney.daemon.broker.session import BrokerUnreachableError, ConnectOptions
from jitney.daemon.broker.sessions.reasons import unanswered
from jitney.daemon.broker.sessions.transport import endpoint, reaching, tls_context

_PORT_OF_A_UNIX_SOCKET: Final = 1
"""paho wants some port even where there is none."""


class Socket(Protocol):
    """What paho gives as its socket: one of TCP, unix or TLS, or its own websocket."""

    def fileno(self) -> int:
        """Return the descriptor, -1 when it is closed."""

    def send(self, data: bytes, /) -> int:
        """Write without waiting."""

    def close(self) -> None:
        """Close it."""


async def new_client(options: ConnectOptions) -> Client:
    """Return a client that is not connected. Raises BrokerRefusedError for a TLS file that does not fit."""
    target = endpoint(options.url)
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=options.client_id,
        clean_session=False,
        protocol=MQTTProtocolVersion.MQTTv311,
        transport="unix" if target.scheme == "unix" else "websockets" if target.websocket else "tcp",
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.max_inflight_messages_set(0)  # the window is ours; it also spares a scan of all messages at every PUBACK
    client.connect_timeout = options.timeout
    if options.username:
        client.username_pw_set(options.username, options.password.reveal() or None)
    client.will_set(options.will.topic, options.will.payload, 1, options.will.retain)
    context = await tls_context(options, target)
    if context is not None:
        client.tls_set_context(context)
    if target.websocket:
        client.ws_set_options(f"{target.path}?{target.query}")
    return client


async def open_client(options: ConnectOptions, client: Client) -> Socket:
    """Connect, send CONNECT and return the socket, which does not block. Raises BrokerUnreachableError."""
    target = endpoint(options.url)
    host, port = (target.path, _PORT_OF_A_UNIX_SOCKET) if target.scheme == "unix" else (target.host, target.port)
    # In a thread, because paho resolves names and shakes hands with blocking calls.
    opening = asyncio.get_running_loop().run_in_executor(None, client.connect, host, port, options.keepalive)
    try:
        async with reaching(target, options.timeout):
            await asyncio.shield(opening)
    except BrokerUnreachableError as error:
        _close_leftovers(error.__cause__)
        raise
    finally:
        if not opening.done():
            opening.add_done_callback(partial(_discard, client))
    opened = client.socket()
    if opened is None:
        raise unanswered(place=target.place)
    if target.websocket:
        opened.send = partial(_send_whole, opened.send)  # type: ignore[method-assign]
    return opened


def _send_whole(send: Callable[[bytes | bytearray], int], data: bytes | bytearray) -> int:
    """Send a frame of paho's websocket, which returns 0 for one that went out in part.

    paho would drop the rest with the packet; told that it has to wait, it sends the rest first.
    """
    sent = send(data)
    if data and not sent:
        raise BlockingIOError
    return sent


def _discard(client: Client, opening: asyncio.Future[MQTTErrorCode]) -> None:
    """Close a connection that came too late."""
    if opening.cancelled():
        return
    opened = client.socket()
    if opened is not None:
        opened.close()
    _close_leftovers(opening.exception())


def _close_leftovers(error: BaseException | None) -> None:
    """Close the socket that paho leaves to the garbage collector when a handshake fails."""
    if error is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            clear_frames(error.__traceback__)
