"""Opening the way to a radio: where it is, which interface of the library leads there, and what its failures mean."""

from typing import TYPE_CHECKING

from jitney.adapters.errors import DisconnectedError, MisconfiguredError, UnauthorisedError
from jitney.adapters.meshtastic.config import Ble, Endpoint, Serial, Tcp
from jitney.topics import JitneyError

if TYPE_CHECKING:
    from jitney.adapters.meshtastic.library import Fenced


def build(endpoint: Endpoint, *, patience: float) -> "Fenced":
    """Return an interface that is not yet open. Blocks; raises ImportError when something is not installed."""
    from jitney.adapters.meshtastic.library import (  # noqa: PLC0415 - slow, and it starts a thread
        FencedSerial,
        FencedTcp,
        silence,
    )

    interface: Fenced
    match endpoint:
        case Tcp(host, port):
            interface = FencedTcp(host, port, patience=patience)
        case Serial(path):
            interface = FencedSerial(path, patience=patience)
        case Ble(address):
            from jitney.adapters.meshtastic.bluetooth import FencedBle  # noqa: PLC0415 - needs bleak

            interface = FencedBle(address, patience=patience)
    silence()
    return interface


def failure(endpoint: Endpoint, cause: BaseException | None, *, within: float) -> JitneyError:
    """Return what it means that a radio could not be opened, in words that name the place and the remedy."""
    what = str(cause) or type(cause).__name__
    if isinstance(cause, ImportError):
        return MisconfiguredError(
            f"a radio needs {cause.name or what}, which is not installed: pip install 'jitney[meshtastic]'"
        )
    if isinstance(cause, PermissionError):
        reason = f"no permission to open {endpoint}"
        remedy = "add the user that runs jitney to the group of the device (ls -l shows it, often dialout)"
        return UnauthorisedError(reason, remedy=remedy)
    if isinstance(cause, FileNotFoundError) and isinstance(endpoint, Serial):
        return DisconnectedError(f"there is no {endpoint}: is the radio plugged in?", within=within)
    if isinstance(cause, ConnectionRefusedError):
        what = "it refuses the connection: is it starting, or is its network API off?"
    if isinstance(endpoint, Ble):
        what = f"{what} (is Bluetooth on, is the radio near, paired and not connected to a phone?)"
    return DisconnectedError(f"no radio at {endpoint}: {what}", within=within)
