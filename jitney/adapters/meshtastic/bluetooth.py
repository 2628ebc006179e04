"""The fence for Bluetooth. Importing it needs ``bleak``, which needs BlueZ and D-Bus to work."""

# mypy: allow-subclassing-any, disable-error-code="import-untyped"
# The library is not typed: what comes from it is Any.

from contextlib import suppress
from typing import Any

from meshtastic.ble_interface import BLEClient, BLEInterface
from meshtastic.mesh_interface import MeshInterface

from jitney.adapters.meshtastic.library import Fenced


class FencedBle(Fenced, BLEInterface):
    """A radio on Bluetooth. The library connects in its constructor, which here only ``open`` calls."""

    def __init__(self, address: str, *, patience: float) -> None:
        self.fence(patience)
        self._address = address
        self._closing = False
        self._exit_handler = None
        self._want_receive = False
        self._receiveThread = None
        self.client = None
        MeshInterface.__init__(self)

    def open(self) -> None:
        """Scan for the radio, connect and be told the whole configuration."""
        BLEInterface.__init__(self, self._address, timeout=int(self._patience) + 1)
        self._give_up_if_closing()

    def close(self) -> None:
        """Close the connection; before it is open, let ``open`` end as soon as it can."""
        self._closing = True
        self._settled.set()
        super().close()

    def stop_reading(self) -> None:
        """End the connection from the reader's thread."""
        self._want_receive = False

    def connect(self, address: str | None = None) -> BLEClient:
        """Return a connected client: with a deadline, and not closed in its own loop, which would hang."""
        device = self.find_device(address)
        self._give_up_if_closing()
        client = BLEClient(device.address, disconnected_callback=self._left)
        try:
            client.async_await(client.bleak_client.connect(), self._patience)
            self._give_up_if_closing()
        except BaseException:
            client.close()
            raise
        return client

    def _receiveFromRadioImpl(self) -> None:  # noqa: N802 - the library's name
        try:
            super()._receiveFromRadioImpl()
        except Exception as error:  # noqa: BLE001 - this thread ends with whatever bleak raises; the link has to know
            self.ending = self.ending or f"Bluetooth: {error}"
        self._disconnected()

    def _left(self, _: Any) -> None:  # noqa: ANN401 - bleak's client
        self.ending = self.ending or "the radio is out of reach, or another client has taken it"
        self._want_receive = False
        self._disconnected()

    def _give_up_if_closing(self) -> None:
        if self._closing:
            with suppress(Exception):  # whatever was begun ends here, and how is told by what is raised next
                super().close()
            raise ConnectionAbortedError("closed while it was connecting")
