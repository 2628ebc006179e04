"""The inbox: events that an owner's own tools hand to the bus become events like any other."""

from collections.abc import Collection
from typing import Final

from msgspec import UNSET

from jitney.daemon.broker.session import Incoming
from jitney.topics import Event, InvalidPayloadError, new_id, requests, utc_now
from jitney.topics.messages import ReplyAddress
from jitney.topics.tree import InboxTopic

TYPE: Final = "inbox"
"""The first word of the type of every event from the inbox."""


def received(
    incoming: Incoming, address: InboxTopic, *, adapters: Collection[str]
) -> tuple[Event, ReplyAddress | None]:
    """Return the event in a message to the inbox, and where an answer to it is wanted, if it is.

    Raises InvalidPayloadError when it must not become an event.

    The topic decides about owner, source and kind: what the payload claims has to agree.
    """
    if incoming.retain:
        message = "an event must not be retained: it would happen again at every reconnect"
        raise InvalidPayloadError(message)
    if address.source in adapters:
        message = f"{address.source!r} is the name of an adapter: use another word for what publishes to the inbox"
        raise InvalidPayloadError(message)
    if not address.source or not address.kind:
        message = "the source and the kind of an inbox topic are words"
        raise InvalidPayloadError(message)
    request = requests.decode(incoming.payload)
    if request.owner not in ("", address.owner):
        message = f"the payload says owner {request.owner!r}, the topic {address.owner!r}"
        raise InvalidPayloadError(message)
    now = utc_now()
    event = Event(
        id=request.id or new_id(),
        source="/" + address.source,
        type=f"{TYPE}.{address.kind}",
        subject=request.subject or UNSET,
        time=request.time or now,
        observed=now,
        owner=address.owner,
        hops=max(0, request.hops),
        causationid=request.causation or UNSET,
        data=request.data,
    )
    return event, _reply_address(incoming, request)


def _reply_address(incoming: Incoming, request: requests.Request) -> ReplyAddress | None:
    if not (incoming.response_topic or request.client or request.transaction):
        return None
    return ReplyAddress(
        client=request.client or "_",
        transaction=request.transaction or "_",
        response_topic=incoming.response_topic,
        correlation=incoming.correlation,
    )
