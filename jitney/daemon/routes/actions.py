"""What routes do, with every template filled in: plain JSON, which can wait on disk until it is done."""

from typing import Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from jitney.topics import EMPTY

SecretSource = Literal["vault", "credential", "env", "file"]
"""Where a secret lies, in the words of the configuration."""


class SecretName(Struct, frozen=True):
    """Where a secret lies that is fetched when it is sent, never before."""

    source: SecretSource
    name: str


class SendCommand(Struct, frozen=True, kw_only=True, tag_field="do", tag="command"):
    """Ask an adapter of the owner to carry out a command; ``delay`` in seconds, as everywhere here."""

    adapter: str
    command: str
    data: Raw = EMPTY
    delay: float = 0.0


class PublishEvent(Struct, frozen=True, kw_only=True, tag_field="do", tag="publish"):
    """Publish an event of the owner; ``source`` is the route's name."""

    kind: str
    data: Raw = EMPTY
    subject: str = ""
    source: str
    delay: float = 0.0


class PublishState(Struct, frozen=True, kw_only=True, tag_field="do", tag="state"):
    """Set the last known value of a subject, UNSET for gone; ``expiry`` in seconds, 0 for never."""

    subject: str
    data: Raw | UnsetType = UNSET
    expiry: int = 0
    delay: float = 0.0


class Reply(Struct, frozen=True, kw_only=True, tag_field="do", tag="reply"):
    """Answer where the event came from: ``text`` for a person, or the JSON object ``data`` for a program."""

    text: str = ""
    data: Raw = EMPTY
    delay: float = 0.0


class Notify(Struct, frozen=True, kw_only=True, tag_field="do", tag="notify"):
    """Tell a person something through ``target``: an adapter, or a service of one ("home.mobile_app_phone")."""

    target: str
    message: str
    title: str = ""
    data: Raw = EMPTY
    delay: float = 0.0

    @property
    def adapter(self) -> str:
        """The name of the adapter."""
        return self.target.partition(".")[0]

    @property
    def service(self) -> str:
        """What of the adapter, empty when the adapter decides."""
        return self.target.partition(".")[2]


class Webhook(Struct, frozen=True, kw_only=True, tag_field="do", tag="webhook"):
    """Send a request; ``body`` is JSON, UNSET for none. ``secrets`` are the headers that must not lie on disk."""

    method: str
    url: str
    headers: dict[str, str] = {}
    secrets: dict[str, SecretName] = {}
    body: Raw | UnsetType = UNSET
    delay: float = 0.0


class Forward(Struct, frozen=True, kw_only=True, tag_field="do", tag="forward"):
    """Show the event to another owner, who has been granted it."""

    to: str
    delay: float = 0.0


class Drop(Struct, frozen=True, kw_only=True, tag_field="do", tag="drop"):
    """Do not publish the event itself."""

    delay: float = 0.0


class SetVariable(Struct, frozen=True, kw_only=True, tag_field="do", tag="set"):
    """Remember a JSON value under a name, UNSET to forget it; ``expiry`` in seconds, 0 for never."""

    name: str
    value: Raw | UnsetType = UNSET
    expiry: float = 0.0
    delay: float = 0.0


class RunHandler(Struct, frozen=True, kw_only=True, tag_field="do", tag="python"):
    """Let the function ``handler`` of a Python ``file`` answer the event, as the configuration names the file."""

    file: str
    handler: str
    delay: float = 0.0


Action = (
    SendCommand | PublishEvent | PublishState | Reply | Notify | Webhook | Forward | Drop | SetVariable | RunHandler
)

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Action).decode
"""Return an action that ``encode`` has written; raises msgspec.MsgspecError."""
