"""The kinds of events that tell what became of something an owner asked of a radio."""

from typing import ClassVar, Literal

from jitney.topics import EventData

Progress = Literal["queued", "sent", "relayed", "delivered", "failed", "unknown", "expired"]
"""How far a packet has come.

``queued`` waits for its turn; ``sent`` handed to the radio; ``relayed`` another node was heard passing it on;
``delivered`` the destination has confirmed or answered it; ``failed`` it did not get there, for a reason;
``unknown`` nobody said anything in time; ``expired`` it waited longer than its time to live and was never sent.
A broadcast is confirmed by nobody: the best that can be known of it is ``relayed``.
"""

Step = Literal["started", "reached", "missed", "paused", "resumed", "finished", "stopped", "given_up"]
"""What a sweep has just done."""

Outcome = Literal["allowed", "refused", "done", "failed"]
"""What became of an attempt to control a device."""


class Sending(EventData, frozen=True, kw_only=True, omit_defaults=True):
    """Something that this owner sends has come a step further; the subject and ``id`` name the packet.

    ``what`` is ``text``, ``answer`` (an automatic one), ``reaction``, ``alert``, ``traceroute``, ``position``,
    ``position_request``, ``telemetry_request``, ``waypoint`` or ``waypoint_removal``; ``to`` a node id, or
    ``broadcast`` on ``channel``.
    ``packet_id`` is known once it is sent. A long text goes out in ``parts``, of which this is number ``part`` and
    ``text`` its own words. ``code`` and ``reason`` say why it failed, expired or is unknown. After ``failed`` or
    ``unknown`` a late confirmation still makes it ``delivered``.
    """

    type: ClassVar[str] = "meshtastic.sending"
    private: ClassVar[bool] = True

    id: str
    state: Progress
    what: str
    to: str
    channel: int = 0
    packet_id: int = 0
    part: int = 1
    parts: int = 1
    text: str = ""
    waypoint_id: int = 0
    code: str = ""
    reason: str = ""


class Sweep(EventData, frozen=True, kw_only=True, omit_defaults=True):
    """A sweep, one traceroute after the other to every node that was heard lately, has done a ``step``.

    ``done`` of ``total`` nodes were tried and ``reached`` of them answered; ``node`` is the one that this step is
    about; ``reason`` says why it was missed, or why the sweep pauses or ends.
    """

    type: ClassVar[str] = "meshtastic.sweep"

    id: str
    step: Step
    total: int
    done: int = 0
    reached: int = 0
    node: str = ""
    reason: str = ""


class Control(EventData, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody, the event's actor, tried to control the radio itself; told to the owner of the radio.

    An attempt is ``refused``, or ``allowed`` and then ``done`` or ``failed``. ``fields`` names what was to be
    changed, never the values.
    """

    type: ClassVar[str] = "meshtastic.control"
    private: ClassVar[bool] = True

    id: str
    command: str
    outcome: Outcome
    fields: tuple[str, ...] = ()
    code: str = ""
    reason: str = ""


KINDS_SENDING: tuple[type[EventData], ...] = (Sending, Sweep, Control)
