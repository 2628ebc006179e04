"""What Home Assistant sends: from bytes to typed structs, whatever the bytes are.

A frame is one JSON object or, after ``coalesce_messages``, a list of them, results and events mixed, with keys in any
order. Texts are kept as they are and attributes are passed through unread: both are only copied on, once it is sure
that all is UTF-8.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

STATE_CHANGED: Final = "state_changed"

ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not what they should be."""


class Origin(Struct, frozen=True, gc=False):
    """Home Assistant's context of an event: ``user_id`` caused it, ``parent_id`` is the context that led to it."""

    id: str = ""
    parent_id: str | None = None
    user_id: str | None = None


NOWHERE: Final = Origin()


class NewState(Struct, gc=False):
    """An entity's state in an event. ``attributes`` is a view of the frame: copy it to keep it."""

    state: str
    attributes: Raw
    last_changed: str
    last_updated: str


class OldState(Struct, frozen=True, gc=False):
    """What is of interest in the state before."""

    state: str


class Change(Struct, gc=False):
    """The data of ``state_changed``: no new state means that the entity was removed, no old one that it is new."""

    entity_id: str = ""
    new_state: NewState | UnsetType | None = UNSET
    old_state: OldState | None = None


class StateChange(Struct, frozen=True, gc=False):
    """A ``state_changed`` event."""

    event_type: str
    data: Change
    time_fired: str = ""
    context: Origin | None = None


class Happened(Struct, frozen=True, gc=False):
    """Any other event; ``data`` is a view of the frame."""

    event_type: str
    data: Raw
    time_fired: str = ""
    context: Origin | None = None


class Failure(Struct, frozen=True, gc=False):
    """Why a request failed."""

    code: str = "unknown_error"
    message: str = ""


class Answer(Struct, frozen=True, gc=False):
    """The result of a request; ``id`` is None where Home Assistant could not read the request's."""

    type: str
    id: int | None = None
    success: bool = False
    result: Raw = Raw(b"null")
    error: Failure | None = None


class FullState(Struct, frozen=True, gc=False):
    """An entity in the answer to ``get_states``; ``attributes`` is a view of the frame."""

    entity_id: str
    state: str
    attributes: Raw
    last_changed: str = ""
    last_updated: str = ""
    context: Origin | None = None


S = TypeVar("S", bound=Struct)

Item: TypeAlias = StateChange | Happened | Answer
Odd: TypeAlias = Callable[[str, object], None]
"""Is told a kind (a short word) and a detail of whatever does not fit."""


class _Message(Struct, frozen=True, gc=False):
    type: str
    event: StateChange | None = None


class _Loose(Struct, frozen=True, gc=False):
    type: str
    event: Raw | UnsetType = UNSET


_fast = msgspec.json.Decoder(list[_Message] | _Message).decode
_split = msgspec.json.Decoder(list[Raw]).decode
_loose = msgspec.json.Decoder(_Loose).decode
_change = msgspec.json.Decoder(StateChange).decode
_happened = msgspec.json.Decoder(Happened).decode
_answer = msgspec.json.Decoder(Answer).decode
_answers = msgspec.json.Decoder(list[Answer] | Answer).decode
_full_states = msgspec.json.Decoder(list[FullState]).decode


def items(frame: bytes, odd: Odd) -> list[Item]:
    """Return what is in a frame, in order; what cannot be read is told to ``odd`` and left out."""
    try:
        _check_text(frame)
        messages = _fast(frame)
    except ERRORS:
        return [item for part in _parts(frame, odd) for item in _item(part, odd)]
    if isinstance(messages, _Message):
        messages = [messages]
    found: list[Item] = []
    parts: Sequence[bytes | Raw] = ()
    for index, message in enumerate(messages):
        event = message.event
        if event is not None and event.event_type == STATE_CHANGED and is_complete(event.data):
            found.append(event)
        else:
            parts = parts or _parts(frame, odd)
            found.extend(_item(parts[index], odd))
    return found


def answers(frame: bytes) -> tuple[list[Answer], bool]:
    """Return the results in a frame, and whether there is something else in it."""
    try:
        _check_text(frame)
        found = _answers(frame)
    except ERRORS:
        return [
            item for part in _parts(frame, ignore) for item in _item(part, ignore) if isinstance(item, Answer)
        ], True
    every = found if isinstance(found, list) else [found]
    results = [one for one in every if one.type == "result"]
    return results, len(results) < len(every)


def states(result: Raw, odd: Odd) -> list[FullState]:
    """Return the entities in the answer to ``get_states``; one that cannot be read is told to ``odd``."""
    try:
        return _full_states(result)
    except ERRORS:
        return entries(result, FullState, odd)


def entries(raw: Raw, kind: type[S], odd: Odd) -> list[S]:
    """Return the entries of a list that are a ``kind``; others are told to ``odd``, null is no list."""
    if bytes(raw) == b"null":
        return []
    decode = msgspec.json.Decoder(kind).decode
    found = []
    for part in _parts(raw, odd):
        try:
            found.append(decode(part))
        except ERRORS as error:
            odd(_kind(error), error)
    return found


def one(raw: Raw, kind: type[S], odd: Odd) -> S | None:
    """Return what is a ``kind``, else None after telling ``odd``; null is None."""
    try:
        return msgspec.json.decode(raw, type=kind | None)
    except ERRORS as error:
        odd(_kind(error), error)
        return None


def is_complete(change: Change) -> bool:
    """Tell whether a change says of which entity it is and what came of it."""
    return change.new_state is not UNSET and change.entity_id != ""


def keep(change: StateChange) -> StateChange:
    """Make a change independent of the frame it came in."""
    new = change.data.new_state
    if isinstance(new, NewState):
        new.attributes = new.attributes.copy()
    return change


def ignore(_kind: str, _detail: object) -> None:
    """Be the ``Odd`` for whoever takes what does not fit for nothing."""


def _parts(frame: bytes | Raw, odd: Odd) -> Sequence[bytes | Raw]:
    """Return the messages of a frame unread; none when it is not JSON."""
    try:
        return _split(frame)
    except msgspec.ValidationError:
        return (frame,)
    except ERRORS as error:
        odd("not_json", error)
        return ()


def _check_text(part: bytes | Raw) -> None:
    """Raise UnicodeDecodeError for what is not UTF-8: not even what is passed through unread may be anything else."""
    raw = bytes(part)
    if not raw.isascii():
        raw.decode()


def _item(part: bytes | Raw, odd: Odd) -> Iterable[Item]:
    """Return the one item of a message, or nothing."""
    try:
        _check_text(part)
        message = _loose(part)
        if message.type == "result":
            return (_answer(part),)
        if message.type == "pong":
            return ()
        if message.type != "event":
            odd("unknown_message", message.type)
            return ()
        if message.event is UNSET:
            odd("event_without_data", "an event frame has no event")
            return ()
        return _event(message.event, odd)
    except ERRORS as error:
        odd(_kind(error), error)
        return ()


def _event(raw: Raw, odd: Odd) -> Iterable[Item]:
    happened = _happened(raw)
    if happened.event_type != STATE_CHANGED:
        return (happened,)
    change = _change(raw)
    if is_complete(change.data):
        return (change,)
    odd("event_without_data", "a state_changed event has no entity or no new state")
    return ()


def _kind(error: Exception) -> str:
    return "wrong_type" if isinstance(error, msgspec.ValidationError) else "not_json"
