"""Bluetooth without hardware: what the library uses of ``bleak``, leading to a simulated radio."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from meshtastic import ble_interface
from meshtastic.ble_interface import FROMNUM_UUID, FROMRADIO_UUID, SERVICE_UUID, TORADIO_UUID
from meshtastic.protobuf import mesh_pb2
from msgspec import Struct

from tests.fakes.meshtastic.frames import Stream, frame
from tests.fakes.meshtastic.radio import Radio

ADDRESS: Final = "AA:BB:CC:DD:EE:FF"
_CHUNK: Final = 4096


class Device(Struct):
    """A device that was seen."""

    name: str
    address: str


class Advertisement(Struct):
    """What a device says of itself."""

    service_uuids: list[str]


class Services:
    """The characteristics of a device."""

    def get_characteristic(self, specifier: str) -> str | None:
        """Return a characteristic that a radio has."""
        return specifier if specifier in {FROMNUM_UUID, FROMRADIO_UUID, TORADIO_UUID} else None


class Air:
    """What is around: one radio, or none. ``scanning`` is how many seconds looking around takes."""

    def __init__(self, radio: Radio | None, *, scanning: float = 0.0, hangs: bool = False) -> None:
        self.radio = radio
        self.scanning = scanning
        self.hangs = hangs
        self.scans = 0
        self.clients: list[BleakClient] = []

    def replace(self, patch: Callable[[object, str, object], None]) -> None:
        """Give the library this instead of bleak; ``patch`` is ``monkeypatch.setattr``."""
        air = self

        class Scanner:
            @staticmethod
            async def discover(**_: object) -> dict[str, tuple[Device, Advertisement]]:
                air.scans += 1
                await asyncio.sleep(air.scanning)
                found = (Device("Base_0001", ADDRESS), Advertisement([SERVICE_UUID]))
                return {ADDRESS: found} if air.radio is not None else {}

        def client(address: str, disconnected_callback: Callable[[object], None]) -> BleakClient:
            made = BleakClient(air, address, disconnected_callback)
            air.clients.append(made)
            return made

        patch(ble_interface, "BleakScanner", Scanner)
        patch(ble_interface, "BleakClient", client)


class BleakClient:
    """A connection by Bluetooth, over which a radio's messages are read one by one."""

    def __init__(self, air: Air, address: str, gone: Callable[[object], None]) -> None:
        self.address = address
        self.services = Services()
        self._air = air
        self._gone = gone
        self._messages: deque[bytes] = deque()
        self._notify: Callable[[object, bytes], None] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    async def connect(self, **_: object) -> None:
        """Connect to the radio, unless the air hangs."""
        if self._air.hangs or self._air.radio is None:
            await asyncio.Event().wait()
            return
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self._air.radio.port)
        self._task = asyncio.create_task(self._listen(reader), name="fake bluetooth")

    async def disconnect(self, **_: object) -> None:
        """Close the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()

    async def start_notify(self, uuid: str, handler: Callable[[object, bytes], None]) -> None:
        """Tell when there is something to read."""
        if uuid == FROMNUM_UUID:
            self._notify = handler

    async def read_gatt_char(self, _: str) -> bytes:
        """Return the next message, empty when there is none."""
        return self._messages.popleft() if self._messages else b""

    async def write_gatt_char(self, _: str, data: bytes, *, response: bool = False) -> None:
        """Write a message."""
        del response
        if self._writer is not None:
            self._writer.write(frame(mesh_pb2.ToRadio.FromString(data)))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            stream = Stream()
            while data := await reader.read(_CHUNK):
                self._messages.extend(stream.feed(data))
                if self._notify is not None:
                    self._notify(None, b"\x01\0\0\0")
        self._gone(self)
