"""What can be asked about the journal, and what is answered, as it travels over MQTT."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from jitney.daemon.routes.settings import Words
from jitney.daemon.routing.journal import MOST_EVENTS, Explained, Verdict
from jitney.daemon.routing.replay import Why
from jitney.topics import Event

Instant = Annotated[datetime, Meta(tz=True)]


class ExplainEvent(Struct, frozen=True, forbid_unknown_fields=True):
    """What came of the event ``id``, of one ``owner`` if named; for one ``route`` even if it does not want the type.

    ``whole``: the event's data too, and the variables of its owner.
    """

    id: str
    owner: str = ""
    route: str = ""
    whole: bool = False


class RecentEvents(Struct, frozen=True, forbid_unknown_fields=True):
    """The newest events of one ``owner``, several, or "*", whose ``type`` is one of these or matches a glob.

    ``whole``: their data too, and the variables of their owners.
    """

    owner: Words = "*"
    type: Words = "*"
    limit: Annotated[int, Meta(ge=1, le=MOST_EVENTS)] = 20
    whole: bool = False


class ReplayEvents(Struct, frozen=True, forbid_unknown_fields=True):
    """Publish what came to an ``owner`` between two instants again, as new events; ``until`` None: until now.

    Without ``routes`` for others only. ``dry_run``: only tell which events these would be.
    """

    owner: str
    since: Instant
    until: Instant | None = None
    type: Words = "*"
    routes: bool = True
    dry_run: bool = False


class Recorded(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event as it is remembered: ``at`` is when the bus took it, ``size`` the bytes of its data.

    ``cut``: these were too many to be remembered. ``cause`` is the id of the event that led to it.
    """

    id: str
    owner: str
    type: str
    adapter: str
    at: str
    size: int
    subject: str = ""
    cause: str = ""
    hops: int = 0
    cut: bool = False
    verdicts: tuple[Verdict, ...] = ()
    event: Event | None = None


class Explanation(Struct, frozen=True):
    """The answer to `route_explain`: what each route that wants the type did, and how many ``others`` do not."""

    event: Recorded
    routes: list[Explained]
    others: int
    variables: Mapping[str, Any]


class Recent(Struct, frozen=True):
    """The answer to `route_recent`, the newest event first; ``started`` is when the journal began."""

    events: list[Recorded]
    started: str
    variables: Mapping[str, Mapping[str, Any]]


class Copied(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event that was published again as ``id``, which a dry run leaves empty; ``of`` is that of the old one."""

    of: str
    type: str
    at: str
    subject: str = ""
    id: str = ""


class Left(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event that was not published again, and why."""

    of: str
    type: str
    at: str
    why: Why
    subject: str = ""


class Replayed(Struct, frozen=True, kw_only=True):
    """The answer to `route_replay`: in the order they came. ``ended`` says why it ended early, if it did.

    ``oldest`` is when the oldest event came that is remembered of the owner, empty when there is none.
    """

    owner: str
    since: str
    until: str
    oldest: str
    events: list[Copied]
    left_out: list[Left]
    ended: str
