"""What the file says about routes and grants: `[[routes]]` and `[[grants]]`."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct, field

Seconds = Annotated[float, Meta(ge=0, le=31_536_000)]
Words = str | tuple[str, ...]
"""One word or several."""


class CountSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`count`: only the ``n``-th event of those that came ``within`` so many seconds."""

    n: Annotated[int, Meta(ge=2, le=1000)]
    within: Annotated[float, Meta(gt=0, le=2_592_000)]


class ScheduleSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`schedule`: ``at`` times of the day ("07:30"), or ``every`` so many seconds; ``days`` ("mon"…) empty: all.

    ``catch_up``: what was missed while the bus was not running is made up for, once.
    """

    at: Words = ()
    every: Seconds = 0
    days: Words = ()
    catch_up: bool = False


class TestSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of `tests`: the actions that an ``event`` must lead to, in the words of the file, or "nothing".

    ``event`` has a type, and may have owner, adapter, subject, actor, time and data. ``now`` is the local time in it.
    """

    __test__: ClassVar[bool] = False

    event: dict[str, Any]
    expect: tuple[dict[str, Any], ...] | str
    name: str = ""
    variables: Mapping[str, Any] = {}
    now: datetime | None = None


class RouteSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of `[[routes]]`. Durations are seconds, 0 for none; ``ttl``: so long actions are tried again.

    ``owner``: an id, several, or "*" for each owner's own events. ``on``: event types or globs. ``key``: a template of
    what is remembered apart, without it each subject is.
    """

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    owner: Words = "*"
    on: Words = ()
    when: Mapping[str, Any] = {}
    if_: str = field(default="", name="if")
    do: tuple[dict[str, Any], ...]
    enabled: bool = True
    debounce: Seconds = 0
    throttle: Seconds = 0
    for_: Seconds = field(default=0, name="for")
    count: CountSettings | None = None
    once_per: str = ""
    key: str = ""
    quiet_hours: str = ""
    schedule: ScheduleSettings | None = None
    ttl: Annotated[float, Meta(gt=0, le=2_592_000)] = 3600
    tests: tuple[TestSettings, ...] = ()


class HandlerSettings(RouteSettings, frozen=True, kw_only=True):
    """A route that a Python file declares: what it does is the function ``handler`` of the ``file``."""

    do: tuple[dict[str, Any], ...] = ()
    file: str
    handler: str


class GrantSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of `[[grants]]`: ``from`` lets ``to`` see events whose types match ``kinds``.

    ``until`` is a date, a datetime, or None: for good. ``only_forwarded``: only those that a route forwards.

    A glob never covers a private kind: that one is named exactly, and ``private`` is true.
    """

    from_: str = field(name="from")
    to: Words
    kinds: Words
    adapters: Words = "*"
    until: Any = None
    private: bool = False
    only_forwarded: bool = False

    def __post_init__(self) -> None:
        if self.until is not None and not isinstance(self.until, date):
            message = "until: expected a date such as 2026-12-31, with or without a time, not in quotes"
            raise ValueError(message)
