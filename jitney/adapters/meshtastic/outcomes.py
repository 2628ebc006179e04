"""What became of a packet, from the answers that come back: acks, refusals, responses, or silence.

An ack from the own node means that another node was heard passing the packet on; only one from the destination means
that it has arrived. Answers are matched by the id they answer and by their sender: anybody on the channel can claim a
request id, so what neither of the two says is left out.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from jitney.adapters.meshtastic.kinds_sending import Progress
from jitney.adapters.meshtastic.outgoing import Outgoing
from jitney.adapters.meshtastic.plain import plain_text

REMEMBERED: Final = 600.0
"""Seconds after it was sent in which a late confirmation of a packet still counts."""

MOST: Final = 1000
"""Packets whose answers are waited for; the oldest are given up."""

REASONS: Final = {
    "no_route": "no way to the node is known",
    "got_nak": "a node on the way refused it",
    "timeout": "the radio waited too long for an answer",
    "no_interface": "the radio cannot transmit: is its region set, and transmitting switched on?",
    "max_retransmit": "nobody was heard passing it on, after all tries: no node is in reach",
    "no_channel": "the node does not have this channel, or not with the same key",
    "too_large": "it is too long for one packet",
    "no_response": "it arrived, but the node has no answer to such a request",
    "duty_cycle_limit": "the radio has used up the airtime that its region allows: try again later",
    "bad_request": "the node could not read it",
    "not_authorized": "the node does not accept this from us",
    "pki_failed": "it could not be encrypted for the node: exchange node information with it again",
    "pki_unknown_pubkey": "the node does not know our public key: let it hear our node information",
    "pki_send_fail_public_key": "the node's public key is not the one that the radio knows: exchange them again",
    "admin_bad_session_key": "the session for administering the node has expired",
    "admin_public_key_unauthorized": "our key may not administer the node",
    "rate_limit_exceeded": "the radio dropped it: another packet of its kind was sent just before",
    "queue_refused": "the radio could not take it",
    "refused": "the radio refused it",
}
"""What the routing errors of the firmware mean, by their names in small letters (mesh.proto, Routing.Error)."""

_SHOULD_RELEASE: Final = 35
"""Not an error in ``QueueStatus.res``: the packet was for the radio itself (firmware: ERRNO_SHOULD_RELEASE)."""

_RESULTS: Final = {4: "NO_INTERFACE", 6: "NO_CHANNEL", 7: "TOO_LARGE", 9: "DUTY_CYCLE_LIMIT"}
"""The routing errors among its values; from 32 on they mean something else."""

_ROUTING: Final = "ROUTING_APP"
_NO_ERROR: Final = "NONE"


class Answer(Struct, frozen=True):
    """Something that answers a packet of ours: ``error`` is a routing error, ``NONE`` an ack, empty a response.

    ``message`` is what the radio itself says about it in words.
    """

    request: int
    sender: int
    error: str = ""
    message: str = ""


def read_answer(packet: Mapping[str, Any]) -> Answer | None:
    """Return what a packet, as the library gives it, says about one of ours; None when it says nothing."""
    decoded = packet.get("decoded")
    sender = packet.get("from")
    request = decoded.get("requestId") if isinstance(decoded, Mapping) else None
    if not isinstance(decoded, Mapping) or not isinstance(sender, int) or not isinstance(request, int) or not request:
        return None
    if decoded.get("portnum") != _ROUTING:
        return Answer(request, sender)
    routing = decoded.get("routing")
    error = routing.get("errorReason") if isinstance(routing, Mapping) else None
    return None if error is None else Answer(request, sender, str(error))


def refusal(packet_id: int, result: int, own: int) -> Answer | None:
    """Return the answer in a queue status that is about a packet, None when the radio took it."""
    if not packet_id or result in (0, _SHOULD_RELEASE):
        return None
    return Answer(packet_id, own, _RESULTS.get(result, "QUEUE_REFUSED"))


def complaint(packet_id: int, message: str, own: int) -> Answer | None:
    """Return the answer in a notification of the radio, None when it is not about a packet."""
    return Answer(packet_id, own, "REFUSED", f"the radio says: {plain_text(message)}") if packet_id else None


class Outcomes:
    """The packets that were sent and whose fate is open. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._items: dict[int, tuple[Outgoing, float]] = {}

    def expect(self, item: Outgoing, now: float) -> None:
        """Wait for the answers to a packet that was sent at ``now``."""
        if len(self._items) >= MOST:
            del self._items[next(iter(self._items))]
        self._items[item.packet_id] = item, now

    def asked(self, packet_id: int) -> Outgoing | None:
        """Return the packet of an id as long as an answer to it counts."""
        item, _ = self._items.get(packet_id, (None, 0.0))
        return item

    def heard(self, answer: Answer, *, own: int) -> Outgoing | None:
        """Return the packet in its new state, None when the answer changes nothing."""
        item, sent = self._items.get(answer.request, (None, 0.0))
        if item is None or answer.sender not in (own, item.packet.to):
            return None
        new = _judged(item, answer)
        if new is None:
            return None
        self._items[answer.request] = new, sent
        return new

    def silent(self, now: float) -> list[Outgoing]:
        """Return in their new state the packets about which nobody said anything in time; forget the oldest."""
        found = []
        for packet_id, (item, sent) in list(self._items.items()):
            if now - sent >= REMEMBERED + item.patience:
                del self._items[packet_id]
            elif not item.is_final and now - sent >= item.patience:
                found.append(given_up(item))
                self._items[packet_id] = found[-1], sent
        return found

    def pause(self, now: float) -> float:
        """Return after how many seconds ``silent`` may have something to say, at most until the oldest is forgotten."""
        ends = [sent + item.patience + (REMEMBERED if item.is_final else 0.0) for item, sent in self._items.values()]
        return max(0.0, min(ends, default=now + REMEMBERED) - now)

    def forget(self, owner: str) -> None:
        """Wait for no answers to packets of an owner."""
        for packet_id in [packet_id for packet_id, (item, _) in self._items.items() if item.owner == owner]:
            del self._items[packet_id]


def given_up(item: Outgoing) -> Outgoing:
    """Return a packet of which nothing more was heard."""
    if item.state == "relayed":
        reason = f"it was passed on, but the node has not confirmed it within {item.patience:g} s"
    elif item.packet.want_response:
        reason = f"no answer came within {item.patience:g} s"
    else:
        reason = f"nobody confirmed it within {item.patience:g} s"
    return replace(item, state="unknown", code="no_answer", reason=reason)


def failed(item: Outgoing, code: str, reason: str = "") -> Outgoing:
    """Return a packet that did not get there."""
    return replace(item, state="failed", code=code, reason=reason or REASONS.get(code, f"the firmware says {code}"))


def _judged(item: Outgoing, answer: Answer) -> Outgoing | None:
    """Return a packet after one of those who may judge has answered, None when that says nothing new."""
    if item.state == "delivered":
        return None
    from_destination = answer.sender == item.packet.to
    if not answer.error:
        return _reached(item, "delivered") if from_destination else None
    if answer.error == _NO_ERROR:
        if from_destination and not item.packet.want_response:
            return _reached(item, "delivered")
        return _reached(item, "relayed") if item.state == "sent" else None
    return failed(item, answer.error.lower(), answer.message) if _can_fail(item) else None


def _can_fail(item: Outgoing) -> bool:
    """Tell whether a bad answer is news: what was relayed to everybody has done what it can."""
    return item.state == "sent" or (item.state == "relayed" and not item.packet.is_broadcast)


def _reached(item: Outgoing, state: Progress) -> Outgoing:
    return replace(item, state=state, code="", reason="")
