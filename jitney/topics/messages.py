"""What travels on the bus: events, states, commands and replies."""

from typing import ClassVar, Final, Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from jitney.topics.ids import new_id
from jitney.topics.times import utc_now

MAX_HOPS: Final = 8
"""An event that was caused through more events than this is a loop and is dropped."""

ROUTE: Final = "route"
"""The source of what routes publish, and the first word of its type; no adapter has this name."""

EMPTY: Final = Raw(b"{}")
"""No data: an empty JSON object."""

_encode = msgspec.json.Encoder().encode


class EventData(Struct, frozen=True):
    """The data of one kind of event; a subclass is its schema and its docstring the description.

    ``type`` is ``{adapter type}.{kind}``. ``private`` kinds are never granted to another owner by a wildcard.
    """

    type: ClassVar[str]
    private: ClassVar[bool] = False


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """Something that happened: immutable, of exactly one owner. The fields are the CloudEvents 1.0 envelope.

    ``time`` is when it happened, ``observed`` when the bus heard of it, both RFC 3339. ``seq`` counts per owner
    and adapter and is assigned by the bus. ``actor`` is the owner or external id of who caused it.
    """

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    subject: str | UnsetType = UNSET
    time: str
    observed: str | UnsetType = UNSET
    datacontenttype: Literal["application/json"] = "application/json"
    owner: str
    seq: int = 0
    hops: int = 0
    actor: str | UnsetType = UNSET
    causationid: str | UnsetType = UNSET
    correlationid: str | UnsetType = UNSET
    traceparent: str | UnsetType = UNSET
    data: Raw = EMPTY

    @property
    def adapter(self) -> str:
        """The name of the adapter that it came from."""
        return self.source[1:]

    @property
    def kind(self) -> str:
        """The type without the adapter type: ``activity.created`` of ``strava.activity.created``."""
        return self.type.partition(".")[2]


def event(  # noqa: PLR0913 - the attributes that an event can have, all named
    data: EventData,
    *,
    adapter: str,
    owner: str,
    id: str = "",  # noqa: A002 - the attribute's name in CloudEvents
    subject: str = "",
    time: str = "",
    actor: str = "",
    causation: str = "",
    correlation: str = "",
    hops: int = 0,
    traceparent: str = "",
) -> Event:
    """Return the event that ``data`` describes; an empty text leaves its attribute out (id, time: made now).

    What a command brings about has its ``hops`` and ``traceparent``, as ``causation`` its causation or, where it has
    none, its id, and as ``correlation`` its id.
    """
    now = utc_now()
    return Event(
        id=id or new_id(),
        source="/" + adapter,
        type=data.type,
        subject=subject or UNSET,
        time=time or now,
        observed=now,
        owner=owner,
        hops=hops,
        actor=actor or UNSET,
        causationid=causation or UNSET,
        correlationid=correlation or UNSET,
        traceparent=traceparent or UNSET,
        data=Raw(_encode(data)),
    )


class State(Struct, frozen=True, gc=False):
    """The last known value of a subject of an owner: a JSON object, or None when the subject is gone.

    ``expiry``: so many seconds after it was set it is gone by itself; 0 for never.
    """

    owner: str
    subject: str
    data: Raw | None
    expiry: int = 0


class Command(Struct, frozen=True, kw_only=True):
    """A request of an owner to an adapter; ``data`` is a JSON object, ``deadline`` is in Unix seconds.

    ``causation`` is the id of the event that led to it, ``hops`` and ``traceparent`` (W3C Trace Context) what the
    events that it causes must carry.
    """

    id: str
    owner: str
    adapter: str
    name: str
    data: Raw = EMPTY
    client: str = "_"
    transaction: str = "_"
    response_topic: str = ""
    correlation: bytes = b""
    deadline: float = 0.0
    hops: int = 0
    causation: str = ""
    traceparent: str = ""


class ReplyAddress(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where an answer goes: the response topic with its correlation, else the reply topic of client and transaction."""

    client: str = "_"
    transaction: str = "_"
    response_topic: str = ""
    correlation: bytes = b""


class ReplyError(Struct, frozen=True):
    """Why a command failed: a stable ``code`` for programs and a ``message`` for people."""

    code: str
    message: str


class Reply(Struct, frozen=True, kw_only=True):
    """The answer to a command."""

    status: Literal["ok", "error"]
    data: Raw = EMPTY
    error: ReplyError | UnsetType = UNSET
    transaction: str | UnsetType = UNSET

    @classmethod
    def ok(cls, data: object = None) -> "Reply":
        """Return the answer that it is done, with a JSON-encodable object as its data."""
        return cls(status="ok", data=EMPTY if data is None else Raw(_encode(data)))

    @classmethod
    def failed(cls, code: str, message: str) -> "Reply":
        """Return the answer that it could not be done."""
        return cls(status="error", error=ReplyError(code, message))
