"""How much may be sent over a radio: the firmware's limits with a margin, and what a good neighbour keeps to."""

from typing import Annotated, Final

from msgspec import Meta, Struct

LONGEST_COOLING: Final = 600
"""Seconds for which what was sent is remembered at the least; a route can wait longer with ``once_per``."""


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of what is sent over one radio. All times are in seconds, all shares of airtime in percent.

    ``text_every``, ``traceroute_every`` and ``other_every`` (position, waypoint, alert, telemetry) are the least time
    between two packets of a kind; the firmware drops what comes faster. At most ``queue`` packets wait, of one owner
    ``queue_per_owner``. A text of more than ``part_bytes`` goes out in at most ``parts`` parts. What waits longer
    than ``time_to_live`` (``request_time_to_live`` for everything but texts) is not sent; what nobody has confirmed
    ``answer_timeout`` after it was sent has an unknown fate.

    Above ``busy_above`` of channel utilisation only alerts and direct texts are sent, above ``alerts_only_above``
    only alerts. ``duty_cycle`` is the share of an hour in which the radio itself may send; 0: as its region says.
    A sweep takes ``sweep_every`` between two nodes, and ends after ``sweep_failures`` unanswered ones in a row.

    Of an owner's automatic answers there is one in ``answer_every``, to the same node one in ``answer_sender_every``,
    and none above ``answer_busy_above`` of channel utilisation.
    """

    text_every: Annotated[float, Meta(ge=2.05, le=3600)] = 2.2
    traceroute_every: Annotated[float, Meta(ge=30.1, le=3600)] = 31.0
    other_every: Annotated[float, Meta(ge=10.1, le=3600)] = 10.5
    queue: Annotated[int, Meta(ge=1, le=10_000)] = 200
    queue_per_owner: Annotated[int, Meta(ge=1, le=10_000)] = 50
    part_bytes: Annotated[int, Meta(ge=40, le=214)] = 200
    parts: Annotated[int, Meta(ge=1, le=20)] = 8
    time_to_live: Annotated[float, Meta(ge=1, le=86_400)] = 600.0
    request_time_to_live: Annotated[float, Meta(ge=1, le=86_400)] = 300.0
    answer_timeout: Annotated[float, Meta(ge=10, le=3600)] = 120.0
    busy_above: Annotated[float, Meta(ge=1, le=100)] = 25.0
    alerts_only_above: Annotated[float, Meta(ge=1, le=100)] = 40.0
    duty_cycle: Annotated[float, Meta(ge=0, le=100)] = 0.0
    sweep_every: Annotated[float, Meta(ge=31, le=86_400)] = 31.0
    sweep_failures: Annotated[int, Meta(ge=1, le=1000)] = 10
    answer_every: Annotated[float, Meta(ge=5, le=LONGEST_COOLING)] = 15.0
    answer_sender_every: Annotated[float, Meta(ge=5, le=LONGEST_COOLING)] = 60.0
    answer_busy_above: Annotated[float, Meta(ge=1, le=100)] = 25.0

    def __post_init__(self) -> None:
        if self.alerts_only_above < self.busy_above:
            message = f"alerts_only_above: must not be less than busy_above, which is {self.busy_above:g}"
            raise ValueError(message)
        if self.queue_per_owner < self.parts:
            message = f"queue_per_owner: must have room for the {self.parts} parts of one text"
            raise ValueError(message)
