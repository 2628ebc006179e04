"""A packet on its way, and the event that tells of it."""

import msgspec
import pytest
from msgspec import UNSET
from msgspec.structs import replace

from jitney.adapters.meshtastic.kinds_sending import KINDS_SENDING, Sending
from jitney.adapters.meshtastic.outgoing import Outgoing, sending
from jitney.topics import Kinds
from tests.adapters.meshtastic.sending import BOBS, item


@pytest.mark.parametrize(
    ("state", "to", "want_ack", "final"),
    [
        ("queued", BOBS, True, False),
        ("sent", BOBS, True, False),
        ("sent", BOBS, False, True),
        ("relayed", BOBS, True, False),
        ("relayed", 0xFFFFFFFF, True, True),
        ("delivered", BOBS, True, True),
        ("failed", BOBS, True, True),
        ("unknown", BOBS, True, True),
        ("expired", BOBS, True, True),
    ],
)
def test_it_has_ended_when_nothing_more_is_waited_for(state: str, to: int, want_ack: bool, final: bool) -> None:  # noqa: FBT001
    assert replace(item(to=to, want_ack=want_ack), state=state).is_final is final


def test_the_event_says_everything_that_its_owner_may_want_to_know() -> None:
    failed = replace(
        item("2/3 or not", to=BOBS, command="asked", part=2, parts=3, channel=2),
        state="failed",
        packet_id=9,
        code="no_channel",
        reason="why",
    )
    event = sending(failed, adapter="base")
    assert (event.owner, event.type, event.subject, event.causationid) == (
        "alice",
        "meshtastic.sending",
        failed.id,
        "asked",
    )
    assert Kinds(KINDS_SENDING).data(event) == Sending(
        id=failed.id,
        state="failed",
        what="text",
        to="!b0000001",
        channel=2,
        packet_id=9,
        part=2,
        parts=3,
        text="2/3 or not",
        code="no_channel",
        reason="why",
    )


def test_the_same_state_is_the_same_event_and_another_one_is_not() -> None:
    queued = item()
    sent = replace(queued, state="sent", packet_id=9)
    assert sending(queued, adapter="base").id == sending(queued, adapter="base").id
    assert sending(queued, adapter="base").id != sending(sent, adapter="base").id
    assert sending(queued, adapter="base").id != sending(queued, adapter="other").id
    assert sending(queued, adapter="base").causationid is UNSET


def test_the_event_says_what_led_to_it_and_how_many_events_did() -> None:
    by_a_person = sending(item(command="asked"), adapter="base")
    assert (by_a_person.causationid, by_a_person.hops) == ("asked", 0)
    by_a_route = sending(item(command="asked", causation="heard", hops=3), adapter="base")
    assert (by_a_route.causationid, by_a_route.hops) == ("heard", 3)


def test_what_an_earlier_version_has_kept_is_read_as_caused_by_nothing_but_its_command() -> None:
    kept = {
        "id": "1",
        "owner": "alice",
        "what": "text",
        "packet": {"port": 1, "payload": "aGk="},
        "priority": 2,
        "accepted": 1.0,
        "until": 2.0,
        "patience": 3.0,
        "command": "asked",
        "text": "hi",
    }
    found = msgspec.json.decode(msgspec.json.encode(kept), type=Outgoing)
    assert (found.hops, found.cause, found.asker, found.packet.payload) == (0, "asked", 0, b"hi")


def test_it_is_kept_and_read_back_whole() -> None:
    kept = replace(
        item("häuser", to=BOBS, command="asked", causation="heard", hops=2, asker=BOBS),
        state="sent",
        packet_id=9,
        handed=3.5,
    )
    assert msgspec.json.decode(msgspec.json.encode(kept), type=Outgoing) == kept


def test_what_owners_send_is_granted_to_nobody_by_a_wildcard() -> None:
    assert {kind.__name__: kind.private for kind in KINDS_SENDING} == {"Sending": True, "Sweep": False, "Control": True}
