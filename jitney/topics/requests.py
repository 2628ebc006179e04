"""What people send: commands and their own events, in the three forms they may have."""

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from jitney.topics.errors import InvalidPayloadError
from jitney.topics.messages import EMPTY


class Request(Struct, frozen=True):
    """The body of a command or of an inbox event, whichever form it came in.

    ``transaction`` and the claims (``owner``, ``id``, ``type``, ``time``, ``subject``) are empty when not given.
    """

    data: Raw = EMPTY
    transaction: str = ""
    client: str = ""
    owner: str = ""
    id: str = ""
    type: str = ""
    time: str = ""
    subject: str = ""
    hops: int = 0
    causation: str = ""
    traceparent: str = ""


class _Envelope(Struct):
    """Every key that has a meaning in one of the forms; null is the same as left out."""

    specversion: str | UnsetType | None = UNSET
    data: Raw | UnsetType = UNSET
    data_base64: Raw | UnsetType = UNSET
    transaction: str | int | UnsetType | None = UNSET
    client: str | None = None
    owner: str | None = None
    id: str | None = None
    type: str | None = None
    time: str | None = None
    subject: str | None = None
    hops: int | None = None
    causationid: str | None = None
    traceparent: str | None = None


_keys = msgspec.json.Decoder(dict[str, Raw]).decode
_envelope = msgspec.json.Decoder(_Envelope).decode
_any = msgspec.json.Decoder().decode
_WRAPPER = frozenset({"data", "transaction", "client"})


def decode(payload: bytes) -> Request:
    """Return the request in bare JSON, ``{"data":…,"transaction":…}`` or a CloudEvent; raises InvalidPayloadError.

    Bare JSON is an object whose keys are not those of the other two forms; nothing at all is an empty object.
    """
    if not payload.strip():
        return Request()
    try:
        _any(payload)
        keys = _keys(payload).keys()
        if "specversion" not in keys and not (keys and keys <= _WRAPPER):
            return Request(data=Raw(payload))
        envelope = _envelope(payload)
        if envelope.data_base64 is not UNSET:
            message = "expected the JSON object in 'data', got binary data in 'data_base64'"
            raise InvalidPayloadError(message)
        data = EMPTY if envelope.data is UNSET or bytes(envelope.data) == b"null" else envelope.data
        _keys(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        message = f"expected a JSON object: {error}"
        raise InvalidPayloadError(message) from error
    return _request(envelope, Raw(bytes(data)))


def _request(envelope: _Envelope, data: Raw) -> Request:
    transaction = envelope.transaction
    named = "" if transaction is UNSET or transaction is None else str(transaction)
    return Request(
        data=data,
        transaction=named or (envelope.id or "" if envelope.specversion is not UNSET else ""),
        client=envelope.client or "",
        owner=envelope.owner or "",
        id=envelope.id or "",
        type=envelope.type or "",
        time=envelope.time or "",
        subject=envelope.subject or "",
        hops=envelope.hops or 0,
        causation=envelope.causationid or "",
        traceparent=envelope.traceparent or "",
    )
