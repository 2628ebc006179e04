"""`[limits]`: how much each owner may take, so that nobody notices what another does."""

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import asdict, replace

from jitney.topics import HOUSE

Rate = Annotated[int, Meta(ge=0, le=1_000_000)]
"""A second; 0 for no limit."""

Burst = Annotated[int, Meta(ge=1, le=10_000_000)]
States = Annotated[int, Meta(ge=100, le=1_000_000)]
Megabytes = Annotated[int, Meta(ge=0, le=1_000_000)]


class OwnLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`limits` of an owner or the house: what of `[limits]` is otherwise for them."""

    events_per_second: Rate | None = None
    event_kb_per_second: Rate | None = None
    event_burst: Burst | None = None
    inbox_per_second: Rate | None = None
    inbox_burst: Burst | None = None
    inbox_kb_per_second: Rate | None = None
    commands_per_second: Rate | None = None
    command_burst: Burst | None = None
    states: States | None = None
    outbox_mb: Megabytes | None = None
    files_mb: Megabytes | None = None


class LimitSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[limits]`: what each owner may take; a rate or size of 0 is no limit.

    Events are those of adapters. A burst is what may come at once by somebody who was quiet before, in events, which
    may have 1 KB each where they are many, or messages. ``outbox_mb`` and ``files_mb`` are on disk. The events of the
    house have no limit unless ``house`` says so.
    """

    events_per_second: Rate = 500
    event_kb_per_second: Rate = 1000
    event_burst: Burst = 20_000
    inbox_per_second: Rate = 100
    inbox_burst: Burst = 300
    inbox_kb_per_second: Rate = 1000
    commands_per_second: Rate = 20
    command_burst: Burst = 100
    states: States = 20_000
    outbox_mb: Megabytes = 0
    files_mb: Megabytes = 500
    house: OwnLimits = OwnLimits()

    def of(self, owner: str, own: OwnLimits) -> "LimitSettings":
        """Return what counts for an owner whose `limits` are ``own``."""
        if owner == HOUSE:
            return _merged(replace(self, events_per_second=0, event_kb_per_second=0), self.house)
        return _merged(self, own)


def _merged(settings: LimitSettings, own: OwnLimits) -> LimitSettings:
    return replace(settings, **{key: value for key, value in asdict(own).items() if value is not None})
