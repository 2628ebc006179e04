"""What is asked of the bus or of an adapter, read from a message."""

from typing import Final, Literal

from jitney.adapters.errors import RefusedError
from jitney.daemon.broker.session import Incoming
from jitney.topics import InvalidPayloadError, requests

MOST_BYTES: Final = 64_000


def read(incoming: Incoming, what: Literal["command", "request"]) -> requests.Request:
    """Return what a message asks; raises RefusedError: ``retained``, ``too_large`` or ``invalid``."""
    if incoming.retain:
        raise RefusedError("retained", f"a {what} must not be retained: it would be carried out again and again")
    if len(incoming.payload) > MOST_BYTES:
        raise RefusedError("too_large", f"a {what} has at most {MOST_BYTES} bytes")
    try:
        return requests.decode(incoming.payload)
    except InvalidPayloadError as error:
        raise RefusedError("invalid", str(error)) from error
