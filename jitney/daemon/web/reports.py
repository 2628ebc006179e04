"""What is told of how the bus is doing, in three degrees of detail."""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from jitney.daemon.delivery.doorkeeper import Standing

Word = Literal["ok", "degraded"]


class Plain(Struct, frozen=True, kw_only=True):
    """What anybody may know: no names of people or things. ``text`` says the same in words.

    ``limited`` is how often an owner has come to a limit now.
    """

    status: Word
    since: str
    text: str
    broker: str
    store: Word
    adapters_online: int
    adapters: int
    waiting: int
    actions: int
    limited: int


class Info(Struct, frozen=True):
    """What is running: the version, since when, and which adapters of which type.

    ``configured`` is since when the configuration is in force, ``refused`` why a newer one is not, line by line.
    ``audit`` is how the audit log ended lately: whoever wrote it down can prove that it was not shortened.
    """

    version: str
    boot: str
    adapters: Mapping[str, str]
    configured: str
    refused: Sequence[str] = ()
    audit: str = ""


class BrokerDetail(Struct, frozen=True):
    """The broker connection. Times are Unix seconds; ``failures`` are counted by a word."""

    state: str
    reason: str
    protocol: str
    since: float
    last_attempt: float
    attempts: int
    reconnects: int
    in_flight: int
    published: int
    failures: Mapping[str, int]


class Flow(Struct, frozen=True, kw_only=True):
    """What came from one source since the start, and what of it waits for the broker.

    ``last_event`` is when the newest one happened, ``lag`` how many seconds later the bus heard of it: negative where
    the clocks do not agree, None where it does not tell. ``dropped`` counts by reason.
    """

    events: int = 0
    last_event: str = ""
    lag: float | None = None
    in_memory: int = 0
    on_disk: int = 0
    dropped: Mapping[str, int] = {}


class OwnerDetail(Flow, frozen=True, kw_only=True):
    """One adapter as one of its owners has it."""

    state: str
    since: str
    reason: str


class AdapterDetail(Flow, frozen=True, kw_only=True):
    """One adapter. ``last_attempt`` is in Unix seconds, ``retries`` are counted by a word."""

    type: str
    state: str
    since: str
    reason: str
    attempts: int
    reconnects: int
    last_attempt: float
    retries: Mapping[str, int]
    owners: Mapping[str, OwnerDetail]


class QueueDetail(Struct, frozen=True):
    """What waits for the broker."""

    in_memory: int
    on_disk: int
    disk_bytes: int
    retained: int
    retained_waiting: int
    store_failure: str


class StoreDetail(Struct, frozen=True):
    """The state file. ``given_up`` are rows for which the disk had no room for too long."""

    failure: str
    bytes: int
    commits: int
    failures: int
    given_up: int


class ActionDetail(Struct, frozen=True):
    """What routes have planned and what could not be done, both by owner; ``dead`` counts dead events too."""

    waiting: Mapping[str, int]
    dead: Mapping[str, int]


class CountDetail(Struct, frozen=True, omit_defaults=True):
    """One counter."""

    name: str
    value: int
    owner: str = ""
    adapter: str = ""
    reason: str = ""


class Detailed(Struct, frozen=True, kw_only=True):
    """Everything but secrets. ``sources`` are the others besides adapters, by name and owner: inbox, routes, copies.

    ``limits`` are those of each owner, ``stuck`` the loops that do not turn, ``refused`` is why a newer configuration
    is not in force.
    """

    status: Word
    since: str
    text: str
    uptime: float
    broker: BrokerDetail
    store: StoreDetail
    adapters: Mapping[str, AdapterDetail]
    sources: Mapping[str, Mapping[str, Flow]]
    queues: QueueDetail
    actions: ActionDetail
    limits: Mapping[str, Mapping[str, Standing]]
    stuck: Sequence[str]
    refused: Sequence[str]
    counters: Sequence[CountDetail]
