"""One connection to one radio: everything that the library does happens behind this, in threads with deadlines."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from jitney.adapters.base import Clock
from jitney.adapters.errors import DisconnectedError, RefusedError
from jitney.adapters.meshtastic.administration import administer
from jitney.adapters.meshtastic.config import Config
from jitney.adapters.meshtastic.description import known_nodes, radio_info
from jitney.adapters.meshtastic.heard import Heard, Notice, Proxied, QueueStatus, Received
from jitney.adapters.meshtastic.inbox import Inbox
from jitney.adapters.meshtastic.opening import build, failure
from jitney.adapters.meshtastic.radio import KnownNode, RadioInfo
from jitney.adapters.meshtastic.rivals import Rivals
from jitney.adapters.meshtastic.watchdog import Watchdog
from jitney.adapters.meshtastic.worker import DeadlineError, LibraryError, Worker

if TYPE_CHECKING:
    from jitney.adapters.meshtastic.library import Fenced

__all__ = ["Heard", "Link", "Notice", "Proxied", "QueueStatus", "Received"]

CALL: Final = 10.0
"""Seconds that handing something to the radio may take: it is a write, and the library pauses 0.1 s after each."""

CLOSE: Final = 1.4
"""Seconds that closing may take before its thread is left behind; with what follows less than two."""

SCAN: Final = 15.0
"""Seconds that Bluetooth takes to look around, besides connecting."""

HANDSHAKE: Final = 4
"""Times the configured patience that connecting and a handshake that goes on may take together."""

SOON: Final = 60.0
"""Seconds after which a lost radio is tried again at the latest: an attempt costs nobody anything."""

LONGEST_PAYLOAD: Final = 233
_T = TypeVar("_T")


class Link:
    """A radio that is connected inside ``async with``. ``info`` and ``known`` are what it told at the handshake.

    Entering raises DisconnectedError, UnauthorisedError or MisconfiguredError. ``rivals`` remembers over attempts
    whether another client takes the radio away; ``now`` are Unix seconds, with which everything heard is stamped.
    """

    info: RadioInfo
    known: tuple[KnownNode, ...]

    def __init__(
        self,
        config: Config,
        *,
        rivals: Rivals | None = None,
        clock: Clock = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._endpoint = config.endpoint
        self._rivals = rivals or Rivals(clock)
        self._clock = clock
        self._now = now
        self._began = 0.0
        self._ended: DisconnectedError | None = None
        self._interface: Fenced | None = None
        self._inbox: Inbox | None = None
        self._watching: asyncio.Task[None] | None = None
        self._worker = Worker(f"meshtastic {self._endpoint}")

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    @property
    def dropped(self) -> int:
        """How much was heard and dropped because nobody took it in time."""
        return self._inbox.dropped if self._inbox is not None else 0

    @property
    def unreadable(self) -> int:
        """How many frames and packets could not be decoded."""
        return self._interface.unreadable if self._interface is not None else 0

    async def next(self) -> list[Heard]:
        """Return everything that waits, in order, at least one; raises DisconnectedError when no more will come."""
        interface, inbox = self._opened()
        if items := await inbox.take():
            return items
        raise self._ending(interface)

    async def send(
        self,
        data: bytes,
        *,
        port: int,
        to: int,
        channel: int = 0,
        want_ack: bool = False,
        want_response: bool = False,
        reply_id: int = 0,
        emoji: bool = False,
        hop_limit: int | None = None,
        priority: int | None = None,
    ) -> int:
        """Hand a packet to the radio; returns its id. One at a time, in the order of the calls.

        ``priority`` is a number of ``MeshPacket.Priority``; without one the firmware chooses. Raises RefusedError when
        the packet was surely not sent, DisconnectedError when that is not known.
        """
        if port <= 0 or len(data) > LONGEST_PAYLOAD:
            raise RefusedError("invalid", f"expected a port and at most {LONGEST_PAYLOAD} bytes, got {len(data)}")
        interface, _ = self._opened()
        return await self._call(
            lambda: interface.transmit(
                data,
                port=port,
                to=to,
                channel=channel,
                want_ack=want_ack,
                want_response=want_response,
                reply_id=reply_id,
                emoji=emoji,
                hop_limit=hop_limit,
                priority=priority,
            ),
            "sending",
        )

    async def admin(self, action: str, **arguments: object) -> None:
        """Control the radio itself; returns when the radio has been told, not when it has done so.

        ``set_owner(long_name, short_name)``, ``set_mqtt(…)`` with fields of its MQTT module, ``reboot(seconds)``,
        ``shutdown(seconds)``, ``factory_reset(full)``. Raises RefusedError or DisconnectedError.
        """
        interface, _ = self._opened()
        await self._call(lambda: administer(interface.localNode, action, arguments), action)

    def configuration(self) -> tuple[Any, Any]:
        """Return the radio's LocalConfig and LocalModuleConfig (protobufs), which hold secrets; raises as ``next``."""
        interface, _ = self._opened()
        return interface.localNode.localConfig, interface.localNode.moduleConfig

    def received(self, packet: Mapping[str, Any]) -> None:
        """Take a packet, on the library's publishing thread."""
        self._put(Received(packet, self._now()))

    def noticed(self, level: str, message: str, reply_id: int) -> None:
        """Take what the firmware tells a person, on the library's publishing thread."""
        self._put(Notice(level, message, reply_id, self._now()))

    def lost(self) -> None:
        """Know that the connection is gone, on the library's publishing thread."""
        if self._inbox is not None:
            self._inbox.end()

    def _put(self, item: Heard) -> None:
        if self._inbox is not None:
            self._inbox.put(item)

    def _opened(self) -> "tuple[Fenced, Inbox]":
        if self._interface is None or self._inbox is None:
            raise DisconnectedError(f"the radio at {self._endpoint} is not connected")
        return self._interface, self._inbox

    async def _open(self) -> None:
        patience = self._config.timeout
        self._began = self._clock()
        self._inbox = inbox = Inbox(self._config.queue, asyncio.get_running_loop())
        try:
            interface = await self._worker.call(
                lambda: build(self._endpoint, patience=patience), "loading the library", deadline=patience
            )
            self._interface = interface
            interface.on_message = self._told
            self._listen(interface)
            await self._worker.call(interface.open, "connecting", deadline=HANDSHAKE * patience + SCAN)
            if interface.myInfo is None:
                raise DisconnectedError(f"the radio at {self._endpoint} does not say who it is", within=SOON)
        except DeadlineError as error:
            raise DisconnectedError(f"no radio at {self._endpoint}: {error}", within=SOON) from error
        except LibraryError as error:
            raise self._refused(error) from error
        self.known = known_nodes(interface.records)
        own = next((record for record in interface.records if record.num == interface.myInfo.my_node_num), None)
        self.info = radio_info(interface, own)
        interface.records.clear()
        watchdog = Watchdog(beat=self._beat, heard=lambda: interface.frames, interval=self._config.heartbeat)
        self._watching = asyncio.create_task(
            self._watch(watchdog, inbox), name=f"meshtastic {self._endpoint}: watchdog"
        )

    def _listen(self, interface: "Fenced") -> None:
        from jitney.adapters.meshtastic.pubsub import listen  # noqa: PLC0415 - needs the library

        listen(interface, self)

    def _refused(self, error: LibraryError) -> Exception:
        """Return what it means that the connection was not opened, or closed in the middle of the handshake."""
        interface = self._interface
        if interface is not None and _closed_by_radio(interface, error):
            return self._ending(interface)
        return failure(self._endpoint, error.__cause__, within=SOON)

    async def _close(self) -> None:
        """Close everything; what hangs is left behind in a thread that ends with the process."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        interface, self._interface = self._interface, None
        if interface is not None:
            from jitney.adapters.meshtastic.pubsub import forget  # noqa: PLC0415 - needs the library

            forget(interface)
            closer = Worker(f"meshtastic {self._endpoint}: closing")
            with suppress(LibraryError):
                await closer.call(interface.close, "closing", deadline=CLOSE)
            await closer.stop(deadline=0.1)
        await self._worker.stop(deadline=0.3)

    def _told(self, message: Any) -> None:  # noqa: ANN401 - a protobuf
        """Take what the library tells nobody, on its reader's thread."""
        if message.HasField("queueStatus"):
            status = message.queueStatus
            self._put(QueueStatus(status.free, status.maxlen, status.mesh_packet_id, status.res))
        else:
            self._put(Proxied(self._now()))

    async def _beat(self) -> None:
        interface, _ = self._opened()
        await self._call(interface.sendHeartbeat, "a heartbeat")

    async def _watch(self, watchdog: Watchdog, inbox: Inbox) -> None:
        try:
            await watchdog.run()
        except DisconnectedError as error:
            self._ended = self._ended or error
            inbox.end()

    async def _call(self, function: Callable[[], _T], what: str) -> _T:
        """Make a call of the library; one that fails in writing or hangs ends the connection."""
        interface, inbox = self._opened()
        try:
            return await self._worker.call(function, what, deadline=CALL)
        except LibraryError as error:
            if not isinstance(error, DeadlineError) and not isinstance(error.__cause__, OSError):
                raise RefusedError("failed", f"{what}: {error}") from error
            if not _closed_by_radio(interface, error) and not interface.ending:
                interface.ending = f"it takes nothing any more: {error}"
            inbox.end()
            raise self._ending(interface) from error

    def _ending(self, interface: "Fenced") -> DisconnectedError:
        """Return why the connection ended, and that another client is the reason when everything speaks for it."""
        if self._ended is None:
            ending = "the radio closed the connection" if interface.closed_by_radio else "the connection ended"
            reason = f"radio at {self._endpoint}: {interface.ending or ending}"
            pause = 0.0
            if interface.closed_by_radio:
                pause = self._rivals.closed(after=self._clock() - self._began)
            if pause:
                reason = (
                    f"another client is using this radio: {self._endpoint} has closed the connection again right after"
                    " it began, and a radio takes one client at a time. Disconnect the phone or web app from it"
                )
            self._ended = DisconnectedError(reason, after=pause, within=max(SOON, pause))
        return self._ended


def _closed_by_radio(interface: "Fenced", error: LibraryError) -> bool:
    """Tell whether a call failed because the radio has closed the connection, and note it: the reader may be late."""
    if isinstance(error.__cause__, BrokenPipeError | ConnectionResetError):
        interface.closed_by_radio = True
    return interface.closed_by_radio
