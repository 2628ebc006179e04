"""What the bus and the process of a Python file say to each other; what comes from there is believed by nobody."""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from jitney.adapters.errors import RefusedError
from jitney.daemon.scripts.link import HEAD, LARGEST

_Code = Annotated[str, Meta(pattern=r"\A[a-z_]{1,40}\Z")]
_Short = Annotated[str, Meta(max_length=200)]
_Kind = Annotated[str, Meta(pattern=r"\A[a-z0-9_]+(\.[a-z0-9_]+)*\Z", max_length=100)]
_Seconds = Annotated[float, Meta(ge=0, le=1e9)]
_Table = dict[str, Any]


class Begin(Struct, frozen=True, kw_only=True):
    """The first message: the file as it was when the configuration was read."""

    path: str
    source: str
    megabytes: int


class Job(Struct, frozen=True, kw_only=True):
    """An event to answer: as a CloudEvent, with the variables of its owner."""

    number: int
    handler: str
    event: Raw
    owner_name: str
    variables: Raw
    seconds: float


class Answer(Struct, frozen=True):
    """What came of something that was asked for; without a ``code`` it was done."""

    data: Raw = Raw(b"null")
    code: str = ""
    text: str = ""


class Message(Struct, frozen=True, kw_only=True, tag_field="do", forbid_unknown_fields=True):
    """What the process says about the ``event`` of a number, 0 for about none."""

    event: int = 0


class Ready(Message, frozen=True, kw_only=True, tag="ready"):
    """The file has run and waits for events."""


class Said(Message, frozen=True, kw_only=True, tag="said"):
    """A line for the log."""

    level: Literal["debug", "info", "warning"]
    text: Annotated[str, Meta(max_length=2000)]


class Failed(Message, frozen=True, kw_only=True, tag="failed"):
    """An error ended it, at a ``line`` of the file, 0 when it is not known."""

    code: _Code
    text: Annotated[str, Meta(max_length=2000)]
    line: Annotated[int, Meta(ge=0, le=10_000_000)]
    function: _Short
    trace: Annotated[str, Meta(max_length=10_000)]


class Change(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A variable, its new value as a text of JSON, None when it is gone."""

    name: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_]{1,64}\Z")]
    value: str | None
    expiry: _Seconds


class Done(Message, frozen=True, kw_only=True, tag="done"):
    """It has ended well."""

    changes: tuple[Change, ...]


class AskCommand(Message, frozen=True, kw_only=True, tag="command"):
    """Let an adapter carry out a command."""

    command: _Short
    data: _Table

    def __str__(self) -> str:
        return f"command {self.command}"


class AskPublish(Message, frozen=True, kw_only=True, tag="publish"):
    """Publish an event."""

    kind: _Kind
    data: _Table
    subject: _Short

    def __str__(self) -> str:
        return f"publish {self.kind}"


class AskState(Message, frozen=True, kw_only=True, tag="state"):
    """Set a state, None to clear it."""

    subject: Annotated[str, Meta(min_length=1, max_length=200)]
    data: _Table | None
    expiry: Annotated[int, Meta(ge=0, le=1_000_000_000)]

    def __str__(self) -> str:
        return f"state {self.subject}"


class AskReply(Message, frozen=True, kw_only=True, tag="reply"):
    """Answer where the event came from, by a text or a table."""

    text: str = ""
    data: _Table = {}

    def __str__(self) -> str:
        return "reply"


class AskNotify(Message, frozen=True, kw_only=True, tag="notify"):
    """Tell a person something."""

    target: _Short
    message: str
    title: str
    data: _Table

    def __str__(self) -> str:
        return f"notify {self.target}"


Ask = AskCommand | AskPublish | AskState | AskReply | AskNotify
"""What a file may ask for; whose it is, it cannot say."""

_TAGS: Final = {one.__struct_config__.tag: one for one in (AskCommand, AskPublish, AskState, AskReply, AskNotify)}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Ready | Said | Failed | Done | Ask).decode


class _Tag(Struct):
    do: str = ""


class GarbledError(Exception):
    """What came is none of these messages, or no end of them; the text says so of the process."""

    def __init__(
        self, text: str = "it told the bus what nobody can understand: does it write to foreign files?"
    ) -> None:
        super().__init__(text)


def frame(message: Begin | Job | Answer) -> bytes:
    """Return a message as it is sent; raises RefusedError when it is too long."""
    body = _encode(message)
    if len(body) > LARGEST:
        raise RefusedError("too_large", f"takes {len(body)} bytes: at most {LARGEST} are handed to a Python file")
    return len(body).to_bytes(HEAD) + body


def size(head: bytes) -> int:
    """Return how long a message is; raises GarbledError."""
    found = int.from_bytes(head)
    if not 0 < found <= LARGEST:
        raise GarbledError
    return found


def message(body: bytes) -> Ready | Said | Failed | Done | Ask | RefusedError:
    """Return a message, or why something that is asked for cannot be what is meant; raises GarbledError."""
    try:
        found: Ready | Said | Failed | Done | Ask = _decode(body)
    except (msgspec.ValidationError, RecursionError) as error:
        return _refused(body, error)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise GarbledError from error
    return found


def _refused(body: bytes, error: Exception) -> RefusedError:
    try:
        known = _TAGS.get(msgspec.json.decode(body, type=_Tag).do)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as other:
        raise GarbledError from other
    if known is None:
        raise GarbledError from error
    return RefusedError("invalid", f"{known.__struct_config__.tag}: {error}")
