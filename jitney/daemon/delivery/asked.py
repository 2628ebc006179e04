"""What is asked of the bus or of an adapter, or handed to the inbox, read from a message."""

import re
from typing import Final, Literal

from msgspec.structs import replace

from jitney.adapters.errors import RefusedError
from jitney.daemon.broker.session import Incoming
from jitney.topics import InvalidPayloadError, requests

MOST_BYTES: Final = 64_000

LONGEST_NAME: Final = 255
"""Characters of a client and of a transaction, which become levels of the topic of the answer."""

_COUNT: Final = re.compile(r"[0-9]{1,9}")
_AGAIN: Final = {
    "command": "a command must not be retained: it would be carried out again and again",
    "request": "a request must not be retained: it would be carried out again and again",
    "event": "an event must not be retained: it would happen again at every reconnect",
}


def read(
    incoming: Incoming, what: Literal["command", "request", "event"], *, most_bytes: int = MOST_BYTES
) -> requests.Request:
    """Return what a message asks; raises RefusedError: ``retained``, ``too_large`` or ``invalid``."""
    if incoming.retain:
        raise RefusedError(
            "retained", f"{_AGAIN[what]}; publish it without retain, and clear this one with an empty retained message"
        )
    if len(incoming.payload) > most_bytes:
        raise RefusedError("too_large", f"it has {len(incoming.payload)} bytes, and at most {most_bytes} are taken")
    try:
        request = requests.decode(incoming.payload)
    except InvalidPayloadError as error:
        raise RefusedError("invalid", str(error)) from error
    if what == "command" and incoming.properties:
        request = _in_binary_mode(incoming, request)
    if max(len(request.client), len(request.transaction)) > LONGEST_NAME:
        raise RefusedError("invalid", f"client, transaction and id have at most {LONGEST_NAME} characters")
    return request


def _in_binary_mode(incoming: Incoming, request: requests.Request) -> requests.Request:
    """Return a command with what its user properties say about its cause, where the payload says nothing.

    Source: CloudEvents 1.0.2, MQTT protocol binding, section 3.1.
    """
    said = dict(incoming.properties)
    hops = said.get("hops", "")
    return replace(
        request,
        hops=request.hops or (int(hops) if _COUNT.fullmatch(hops) else 0),
        causation=request.causation or said.get("causationid", ""),
        traceparent=request.traceparent or said.get("traceparent", ""),
    )
