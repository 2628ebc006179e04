"""What can be configured: a connection to one Home Assistant, and who an owner is in it."""

import re
from collections.abc import Iterator
from typing import Annotated, Final

from msgspec import Meta, Struct, field
from msgspec.structs import force_setattr

from jitney.adapters.homeassistant.address import profile_url, websocket_url
from jitney.adapters.homeassistant.token import Token, read_token
from jitney.adapters.secret import Secret

NOISE: Final = (
    "area_registry_updated",
    "category_registry_updated",
    "component_loaded",
    "core_config_updated",
    "device_registry_updated",
    "entity_registry_updated",
    "floor_registry_updated",
    "label_registry_updated",
    "lovelace_updated",
    "panels_updated",
    "recorder_5min_statistics_generated",
    "recorder_hourly_statistics_generated",
    "repairs_issue_registry_updated",
    "service_registered",
    "service_removed",
    "state_reported",
    "themes_updated",
)
"""The event types that tell of Home Assistant's inner life and not of the house."""

_WILD: Final = re.compile(r"[*?\[]")
_PERSON: Final = re.compile(r"person\.[a-z0-9_]+")
_USER: Final = re.compile(r"[0-9a-f]{32}")


def has_wildcard(pattern: str) -> bool:
    """Tell whether a pattern can match more than itself."""
    return _WILD.search(pattern) is not None


class Include(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entities: whatever is in one of the ``domains``, ``areas`` (id or name) or matches one of ``entities``."""

    domains: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_globs(self.entities)

    def __bool__(self) -> bool:
        """Tell whether it names anything."""
        return bool(self.domains or self.entities or self.areas)


class Exclude(Include, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entities not, even where ``include`` names them, and which ``event_types`` not."""

    event_types: tuple[str, ...] = NOISE


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One Home Assistant.

    ``url`` is its address, ``token`` a long-lived access token of a user made for Jitney; a token of an administrator
    sees more than state changes. ``ca_file`` verifies a certificate that no public authority has signed.
    ``event_types`` are the events besides ``state_changed``, with wildcards; ``include`` and ``exclude`` choose
    entities. ``states`` publishes the retained state of every entity, ``events`` every change of one.
    ``timeout`` is in seconds for each step of connecting, ``heartbeat`` in seconds between two signs of life,
    ``max_msg_size_mb`` the largest message that Home Assistant may send.
    """

    url: Annotated[str, Meta(extra={"expects": "a URL"})]
    token: Secret
    ca_file: str = ""
    event_types: tuple[str, ...] = ("*",)
    include: Include = field(default_factory=Include)
    exclude: Exclude = field(default_factory=Exclude)
    states: bool = True
    events: bool = True
    timeout: Annotated[float, Meta(gt=0, le=600)] = 20.0
    heartbeat: Annotated[float, Meta(gt=0, le=600)] = 20.0
    max_msg_size_mb: Annotated[int, Meta(ge=1, le=1024)] = 64

    def __post_init__(self) -> None:
        try:
            websocket_url(self.url)
        except ValueError as error:
            message = f"url: {error}"
            raise ValueError(message) from None
        try:
            force_setattr(self, "token", read_token(self.token.reveal()).secret)
        except ValueError as error:
            message = f"token: {error}"
            raise ValueError(message) from None

    @property
    def websocket(self) -> str:
        """The address of the websocket."""
        return websocket_url(self.url)

    @property
    def profile(self) -> str:
        """The page on which a person makes access tokens, empty when no browser reaches it."""
        return profile_url(self.url)

    def checked_token(self) -> Token:
        """Return the token with its expiry."""
        return read_token(self.token.reveal())


class Identity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who an owner is in Home Assistant.

    ``person`` is their person entity: it, its device trackers and its user are theirs. ``entities`` (with wildcards)
    and ``areas`` (id or name) are theirs too. ``users`` are further user ids, 32 hexadecimal digits each.
    """

    person: str = ""
    entities: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    users: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.person and _PERSON.fullmatch(self.person) is None:
            message = f'person: expected a person entity like "person.alice", got "{self.person}"'
            raise ValueError(message)
        for user in self.users:
            if _USER.fullmatch(user) is None:
                message = f'users: a user id has 32 hexadecimal digits (Settings, People, the user\'s ID), got "{user}"'
                raise ValueError(message)
        _check_globs(self.entities)

    def claims(self) -> Iterator[str]:
        """Yield what only one owner can be."""
        if self.person:
            yield self.person
        yield from self.users

    @staticmethod
    def claimed_as(external_id: str) -> str:
        """Return the key of an external id: a person entity or a user id; empty for anything else."""
        if _PERSON.fullmatch(external_id):
            return "person"
        return "users" if _USER.fullmatch(external_id) else ""


def _check_globs(patterns: tuple[str, ...]) -> None:
    """Raise ValueError for a pattern that no entity id matches."""
    for pattern in patterns:
        if "." not in pattern and pattern != "*":
            message = f'entities: "{pattern}" matches no entity, whose id is domain.name: use "*.{pattern}"'
            raise ValueError(message)
