"""The topic tree, both ways: a typed address to its topic name and a topic name to its address."""

from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import astuple

from jitney.topics.errors import InvalidOwnerError, InvalidTopicError
from jitney.topics.levels import MAX_TEXT_BYTES, escape, unescape
from jitney.topics.owners import owner as check_owner


class EventTopic(Struct, frozen=True):
    """One event of an owner."""

    owner: str
    adapter: str
    kind: str


class StateTopic(Struct, frozen=True):
    """The last known value of a subject."""

    owner: str
    adapter: str
    subject: str


class StatusTopic(Struct, frozen=True):
    """How an adapter is doing for an owner."""

    owner: str
    adapter: str


class CommandTopic(Struct, frozen=True):
    """A request of an owner to an adapter."""

    owner: str
    adapter: str
    command: str


class ReplyTopic(Struct, frozen=True):
    """The answer to a command."""

    owner: str
    client: str
    transaction: str


class InboxTopic(Struct, frozen=True):
    """An event that an owner's own tools hand to the bus."""

    owner: str
    source: str
    kind: str


class SharedTopic(Struct, frozen=True):
    """An event that ``giver`` granted to ``owner``."""

    owner: str
    giver: str
    adapter: str
    kind: str


class AlertTopic(Struct, frozen=True):
    """Something a person must do."""

    owner: str
    alert: str


class BusTopic(Struct, frozen=True):
    """What the bus says of itself: state, info, health or log."""

    instance: str
    name: str


class RequestTopic(Struct, frozen=True):
    """An administrative request to one instance of the bus."""

    instance: str
    name: str


class ResponseTopic(Struct, frozen=True):
    """The answer to an administrative request."""

    instance: str
    name: str


Topic = (
    EventTopic
    | StateTopic
    | StatusTopic
    | CommandTopic
    | ReplyTopic
    | InboxTopic
    | SharedTopic
    | AlertTopic
    | BusTopic
    | RequestTopic
    | ResponseTopic
)

LAYOUT: Final[dict[type[Topic], str]] = {
    BusTopic: "_bus/{instance}/{name}",
    RequestTopic: "_bus/{instance}/request/{name}",
    ResponseTopic: "_bus/{instance}/response/{name}",
    EventTopic: "{owner}/event/{adapter}/{kind}",
    StateTopic: "{owner}/state/{adapter}/{subject}",
    StatusTopic: "{owner}/status/{adapter}",
    CommandTopic: "{owner}/command/{adapter}/{command}",
    ReplyTopic: "{owner}/reply/{client}/{transaction}",
    InboxTopic: "{owner}/inbox/{source}/{kind}",
    SharedTopic: "{owner}/shared/{giver}/event/{adapter}/{kind}",
    AlertTopic: "{owner}/alert/{alert}",
}
"""Every topic below the root: literal levels, and fields of the address in braces, in the struct's order.

Those of the bus stand first because an instance may have any name, ``event`` too, and no owner is called ``_bus``.
"""

_OWNERS = frozenset({"owner", "giver"})
_LEVELS = {address: tuple(layout.split("/")) for address, layout in LAYOUT.items()}
_T = TypeVar("_T", bound=Topic)


class TopicTree:
    """The tree below one root; ``root`` may have several levels, each of which needs no escaping."""

    def __init__(self, root: str = "jitney") -> None:
        # What begins with '$' is the broker's own: $SYS, $share.
        if root.startswith("$") or any(escape(level) != level for level in root.split("/")):
            message = (
                f"topic root {root!r} must be non-empty levels without '+', '#', '%' and control characters, "
                "and must not begin with '$'"
            )
            raise InvalidTopicError(message)
        self.root = root
        self._prefix = root + "/"

    def name(self, address: Topic) -> str:
        """Return the topic name of ``address``; raises InvalidTopicError when MQTT could not carry it."""
        name = self._render(type(address), [escape(text) for text in astuple(address)])
        if len(name) * 4 > MAX_TEXT_BYTES and len(name.encode()) > MAX_TEXT_BYTES:
            message = f"topic {name[:80]!r}… is longer than the {MAX_TEXT_BYTES} bytes of MQTT"
            raise InvalidTopicError(message)
        return name

    def filter(self, address: type[Topic], **levels: str) -> str:
        """Return the subscription filter of an address type: ``+`` for every field not given."""
        fields = address.__struct_fields__
        if unknown := levels.keys() - set(fields):
            message = f"{address.__name__} has no level {', '.join(sorted(unknown))}, only {', '.join(fields)}"
            raise TypeError(message)
        return self._render(address, [escape(levels[field]) if field in levels else "+" for field in fields])

    def parse(self, name: str) -> Topic:
        """Return the address of a topic name; raises InvalidTopicError when it is not one of this tree."""
        if name.startswith(self._prefix):
            levels = name[len(self._prefix) :].split("/")
            for address, layout in _LEVELS.items():
                if len(levels) == len(layout) and (found := _match(address, layout, levels)) is not None:
                    return found
        message = f"{name[:200]!r} is not a topic of the tree below {self.root!r}"
        raise InvalidTopicError(message)

    def _render(self, address: type[Topic], values: list[str]) -> str:
        fields = iter(values)
        return self._prefix + "/".join(next(fields) if level[0] == "{" else level for level in _LEVELS[address])


def _match(address: type[_T], layout: tuple[str, ...], levels: list[str]) -> _T | None:
    values: list[str] = []
    for expected, level in zip(layout, levels, strict=True):
        if expected[0] == "{":
            values.append(unescape(level))
        elif expected != level:
            return None
    for field, value in zip(address.__struct_fields__, values, strict=True):
        if field in _OWNERS:
            try:
                check_owner(value)
            except InvalidOwnerError as error:
                raise InvalidTopicError(str(error)) from error
    return address(*values)
