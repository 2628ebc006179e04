"""What became of a packet, told by acks, refusals, responses and silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meshtastic.protobuf import mesh_pb2
from msgspec.structs import replace

from jitney.adapters.meshtastic.outcomes import (
    MOST,
    REASONS,
    REMEMBERED,
    Answer,
    Outcomes,
    complaint,
    read_answer,
    refusal,
)
from jitney.adapters.meshtastic.outgoing import Outgoing
from jitney.adapters.meshtastic.ports import Port
from tests.adapters.meshtastic.hearing import mesh_packet, published
from tests.adapters.meshtastic.sending import BOBS, CAROLS, OWN, item, routing

PACKET = 7
ACK_OWN = Answer(PACKET, OWN, "NONE")
ACK_BOB = Answer(PACKET, BOBS, "NONE")


def sent(to: int = BOBS, packet_id: int = PACKET, **fields: object) -> Outgoing:
    return replace(item(to=to, **fields), state="sent", packet_id=packet_id)


def after(first: Outgoing, *answers: Answer) -> tuple[str, str]:
    """Return state and code of a packet after some answers."""
    outcomes = Outcomes()
    outcomes.expect(first, 0.0)
    found = first
    for answer in answers:
        found = outcomes.heard(answer, own=OWN) or found
    return found.state, found.code


def test_an_ack_of_the_own_node_only_means_that_somebody_passed_it_on() -> None:
    assert after(sent(), ACK_OWN) == ("relayed", "")


def test_an_ack_of_the_destination_means_delivered_whichever_comes_first() -> None:
    assert after(sent(), ACK_OWN, ACK_BOB) == ("delivered", "")
    assert after(sent(), ACK_BOB, ACK_OWN) == ("delivered", "")


def test_what_others_claim_changes_nothing() -> None:
    assert after(sent(), Answer(PACKET, CAROLS, "NONE")) == ("sent", "")
    assert after(sent(), Answer(PACKET, CAROLS, "NO_CHANNEL")) == ("sent", "")
    assert after(sent(), Answer(PACKET, CAROLS)) == ("sent", "")
    assert after(sent(), Answer(PACKET + 1, BOBS, "NONE")) == ("sent", "")


@pytest.mark.parametrize("sender", [OWN, BOBS])
def test_a_refusal_of_the_own_node_or_the_destination_is_a_failure(sender: int) -> None:
    assert after(sent(), ACK_OWN, Answer(PACKET, sender, "PKI_UNKNOWN_PUBKEY")) == ("failed", "pki_unknown_pubkey")


def test_a_failure_is_taken_back_when_the_destination_confirms_after_all() -> None:
    assert after(sent(), Answer(PACKET, OWN, "MAX_RETRANSMIT"), ACK_BOB) == ("delivered", "")


def test_nothing_takes_a_delivery_back() -> None:
    assert after(sent(), ACK_BOB, Answer(PACKET, OWN, "MAX_RETRANSMIT")) == ("delivered", "")


def test_of_several_failures_the_first_counts() -> None:
    first, second = Answer(PACKET, BOBS, "NO_CHANNEL"), Answer(PACKET, OWN, "MAX_RETRANSMIT")
    assert after(sent(), first, second) == ("failed", "no_channel")


def test_a_broadcast_can_only_be_relayed() -> None:
    broadcast = sent(0xFFFFFFFF)
    assert after(broadcast, ACK_OWN, ACK_BOB, Answer(PACKET, OWN, "MAX_RETRANSMIT")) == ("relayed", "")
    assert after(broadcast, Answer(PACKET, OWN, "MAX_RETRANSMIT")) == ("failed", "max_retransmit")


def test_a_question_is_delivered_when_it_is_answered_and_not_when_it_arrives() -> None:
    question = sent(port=Port.TRACEROUTE_APP, want_response=True)
    assert after(question, ACK_OWN, ACK_BOB) == ("relayed", "")
    assert after(question, ACK_BOB, Answer(PACKET, BOBS, "NO_RESPONSE")) == ("failed", "no_response")
    assert after(question, Answer(PACKET, BOBS)) == ("delivered", "")


def test_a_packet_of_the_own_node_with_its_id_is_no_answer_of_the_destination() -> None:
    assert after(sent(want_response=True), Answer(PACKET, OWN)) == ("sent", "")


def test_every_routing_error_of_the_library_is_explained() -> None:
    names = {name.lower() for name in mesh_pb2.Routing.Error.keys()} - {"none"}  # noqa: SIM118 - it is no dictionary
    assert names <= set(REASONS)


def test_a_newer_routing_error_is_a_failure_too() -> None:
    outcomes = Outcomes()
    outcomes.expect(sent(), 0.0)
    failed = outcomes.heard(Answer(PACKET, OWN, "77"), own=OWN)
    assert failed is not None
    assert failed.reason == "the firmware says 77"


def test_what_the_radio_says_in_words_is_the_reason() -> None:
    outcomes = Outcomes()
    outcomes.expect(sent(), 0.0)
    answer = complaint(PACKET, "TraceRoute can only be sent once every 30 seconds\x07", OWN)
    assert answer is not None
    failed = outcomes.heard(answer, own=OWN)
    assert failed is not None
    assert failed.code == "refused"
    assert failed.reason == "the radio says: TraceRoute can only be sent once every 30 seconds\ufffd"
    assert complaint(0, "Low battery", OWN) is None


@pytest.mark.parametrize(
    ("result", "code"), [(9, "duty_cycle_limit"), (7, "too_large"), (32, "queue_refused"), (33, "queue_refused")]
)
def test_a_queue_status_with_a_result_is_a_refusal(result: int, code: str) -> None:
    answer = refusal(PACKET, result, OWN)
    assert answer is not None
    assert after(sent(), answer) == ("failed", code)


@pytest.mark.parametrize(("packet_id", "result"), [(0, 32), (PACKET, 0), (PACKET, 35)])
def test_a_queue_status_without_one_is_none(packet_id: int, result: int) -> None:
    assert refusal(packet_id, result, OWN) is None


def test_silence_is_told_once_and_says_how_far_it_came() -> None:
    outcomes = Outcomes()
    outcomes.expect(sent(), 0.0)
    outcomes.expect(sent(packet_id=8), 0.0)
    outcomes.expect(sent(packet_id=9, want_response=True), 0.0)
    outcomes.heard(Answer(8, OWN, "NONE"), own=OWN)
    assert outcomes.pause(20.0) == 100.0
    assert outcomes.silent(119.9) == []
    silent = outcomes.silent(120.0)
    assert [found.state for found in silent] == ["unknown"] * 3
    assert [found.reason.split(",")[0] for found in silent] == [
        "nobody confirmed it within 120 s",
        "it was passed on",
        "no answer came within 120 s",
    ]
    assert outcomes.silent(121.0) == []


def test_a_late_confirmation_counts_for_some_minutes() -> None:
    for later, counts in ((REMEMBERED + 119, True), (REMEMBERED + 120, False)):
        outcomes = Outcomes()
        outcomes.expect(sent(), 0.0)
        outcomes.silent(120.0)
        outcomes.silent(later)
        assert (outcomes.heard(ACK_BOB, own=OWN) is not None) is counts


def test_what_asks_for_no_ack_is_never_unknown_but_can_be_refused() -> None:
    outcomes = Outcomes()
    outcomes.expect(sent(want_ack=False), 0.0)
    assert outcomes.silent(300.0) == []
    refused = outcomes.heard(Answer(PACKET, OWN, "RATE_LIMIT_EXCEEDED"), own=OWN)
    assert refused is not None
    assert refused.state == "failed"


def test_only_so_many_are_waited_for() -> None:
    outcomes = Outcomes()
    for number in range(MOST + 1):
        outcomes.expect(sent(packet_id=1 + number), 0.0)
    assert outcomes.heard(Answer(1, BOBS, "NONE"), own=OWN) is None
    assert outcomes.heard(Answer(2, BOBS, "NONE"), own=OWN) is not None


def test_an_owner_is_forgotten() -> None:
    outcomes = Outcomes()
    outcomes.expect(sent(owner="alice"), 0.0)
    outcomes.expect(sent(owner="bob", packet_id=8), 0.0)
    outcomes.forget("alice")
    assert outcomes.heard(ACK_BOB, own=OWN) is None
    assert outcomes.heard(Answer(8, BOBS, "NONE"), own=OWN) is not None


@pytest.mark.parametrize("error", ["NONE", "MAX_RETRANSMIT"])
def test_answers_are_read_from_what_the_library_publishes(error: str) -> None:
    said = mesh_pb2.Routing(error_reason=mesh_pb2.Routing.Error.Value(error))
    packet = published(mesh_packet(Port.ROUTING_APP, said, sender=BOBS, request_id=PACKET))
    assert packet is not None
    assert read_answer(packet) == Answer(PACKET, BOBS, error)
    assert read_answer(routing(PACKET, sender=BOBS, error=error).packet) == Answer(PACKET, BOBS, error)


def test_a_response_and_what_is_none() -> None:
    response = published(mesh_packet(Port.POSITION_APP, mesh_pb2.Position(), sender=BOBS, request_id=PACKET))
    unasked = published(mesh_packet(Port.POSITION_APP, mesh_pb2.Position(), sender=BOBS))
    empty = published(mesh_packet(Port.ROUTING_APP, mesh_pb2.Routing(), sender=BOBS, request_id=PACKET))
    assert response is not None
    assert unasked is not None
    assert empty is not None
    assert read_answer(response) == Answer(PACKET, BOBS)
    assert read_answer(unasked) is None
    assert read_answer(empty) is None


_junk = st.recursive(
    st.none() | st.integers() | st.text(max_size=12) | st.sampled_from(["ROUTING_APP", "NONE"]),
    lambda inner: st.dictionaries(
        st.sampled_from(["from", "decoded", "requestId", "portnum", "routing", "errorReason"]), inner
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["from", "decoded"]), _junk))
def test_no_packet_is_too_strange(packet: dict[str, object]) -> None:
    answer = read_answer(packet)
    assert answer is None or answer.request
