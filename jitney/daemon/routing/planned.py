"""What a route wants done: its actions on an event, each with all it needs when its time comes."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from jitney.daemon.routes.actions import (
    Action,
    Drop,
    Forward,
    Notify,
    PublishEvent,
    PublishState,
    Reply,
    RunHandler,
    SendCommand,
    SetVariable,
    Webhook,
)
from jitney.daemon.routes.household import RADIO
from jitney.topics import Event, new_id
from jitney.topics.messages import ReplyAddress

MESH: Final = RADIO
"""The type of adapters whose events come from somebody who can be answered."""


class Origin(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who can be answered: whoever gave an ``address``, or the ``node`` that sent a packet on a channel of the mesh."""

    address: ReplyAddress | None = None
    node: str = ""
    packet_id: int = 0
    channel: int = 0


NOBODY: Final = Origin()


class Planned(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One action of a route of an owner, and the event that it answers.

    Not before ``due`` and not after ``until``, both Unix seconds. ``hops`` are those of the event and ``adapter``
    where it came from; ``event`` is the event itself, where the action needs it. ``tries`` have failed so far, the last
    one for ``reason``; of these ``unsure`` ones may have had their effect nevertheless. ``traceparent`` is the event's.
    """

    id: str
    owner: str
    route: str
    action: Action
    due: float
    until: float
    event_id: str
    event_type: str
    adapter: str
    subject: str = ""
    hops: int = 0
    origin: Origin = NOBODY
    event: Event | None = None
    tries: int = 0
    unsure: int = 0
    reason: str = ""
    traceparent: str = ""


_ANSWERING: Final = (Reply, RunHandler)
_CARRYING: Final = (Forward, RunHandler)
"""The actions that have to know who can be answered, and those that need the event itself."""

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Planned).decode
"""Return what ``encode`` has written; raises msgspec.MsgspecError."""


def plan(
    event: Event, actions: Sequence[Action], *, route: str, now: float, ttl: float, address: ReplyAddress | None = None
) -> list[Planned]:
    """Return what a route wants done about an event that the bus has accepted at ``now``, in order.

    Each has ``ttl`` seconds from when it is due. ``address`` is that of whoever handed in the event and wants an
    answer. Dropping the event is nothing that is done later, so it is left out.
    """
    wanted = [action for action in actions if not isinstance(action, Drop)]
    origin = _origin(event, address) if any(isinstance(action, _ANSWERING) for action in wanted) else NOBODY
    subject, traceparent, kind, adapter = event.subject or "", event.traceparent or "", event.type, event.adapter
    return [
        Planned(
            id=new_id(),
            owner=event.owner,
            route=route,
            action=action,
            due=now + action.delay,
            until=now + action.delay + ttl,
            event_id=event.id,
            event_type=kind,
            adapter=adapter,
            subject=subject,
            hops=event.hops,
            origin=origin if isinstance(action, _ANSWERING) else NOBODY,
            traceparent=traceparent,
            event=event if isinstance(action, _CARRYING) else None,
        )
        for action in wanted
    ]


def destination(planned: Planned) -> str:
    """Return where an action goes: while that cannot be reached, a route's other actions for it wait, to keep order."""
    match planned.action:
        case SendCommand(adapter=adapter) | Notify(adapter=adapter):
            return place_of(adapter)
        case Reply() if planned.origin.node:
            return place_of(planned.adapter)
        case Webhook(url=url):
            return f"webhook {place(url)}"
        case Forward(to=to):
            return f"owner {to}"
        case RunHandler(file=file):
            return f"python {file}"
    return "bus"


def place_of(adapter: str) -> str:
    """Return where the actions go that an adapter does."""
    return f"adapter {adapter}"


def queue(planned: Planned) -> str:
    """Return in which queue of its owner an action waits: that of its route, or that of its Python file."""
    return destination(planned) if isinstance(planned.action, RunHandler) else planned.route


def describe(action: Action) -> str:
    """Return what an action does, in a few words and without a secret; the first one is that of the file."""
    match action:
        case SendCommand():
            words = f"command {action.adapter}.{action.command}"
        case PublishEvent():
            words = f"publish {action.kind}"
        case PublishState():
            words = f"state {action.subject}"
        case Notify():
            words = f"notify {action.target}"
        case Webhook():
            words = f"webhook {action.method} {place(action.url)}"
        case Forward():
            words = f"forward {action.to}"
        case SetVariable():
            words = f"set {action.name}"
        case Reply() | Drop():
            words = type(action).__name__.lower()
        case RunHandler():
            words = f"python {action.file}:{action.handler}"
    return words


def place(url: str) -> str:
    """Return the scheme and host of a URL: its path and query can hold a secret."""
    scheme, _, rest = url.partition("://")
    authority = rest.replace("?", "/").replace("#", "/").partition("/")[0]
    return f"{scheme}://{authority.rpartition('@')[2]}"


class _Heard(Struct):
    """What a packet of the mesh says of its sender."""

    node: str = ""
    packet_id: int = 0
    channel: int = 0


def _origin(event: Event, address: ReplyAddress | None) -> Origin:
    if address is not None or not event.type.startswith(f"{MESH}."):
        return Origin(address=address)
    try:
        heard = msgspec.json.decode(event.data, type=_Heard)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return NOBODY
    if not heard.packet_id:
        return NOBODY
    return Origin(node=heard.node, packet_id=heard.packet_id, channel=heard.channel)
