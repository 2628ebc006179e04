"""When a radio answers by itself, and when it rather does not."""

from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic.addresses import node_id
from jitney.adapters.meshtastic.airtime import Airtime
from jitney.adapters.meshtastic.autoreply import MARK, MARKS, MOST_TEXTS, Guard, Text, is_marked, marked
from jitney.adapters.meshtastic.kinds import Message
from jitney.adapters.meshtastic.limits import Limits
from jitney.adapters.meshtastic.machines import MOST_QUESTIONS
from jitney.adapters.meshtastic.outgoing import ANSWER, Outgoing
from tests.adapters.meshtastic.sending import BOBS, CAROLS, START, item, measured

LIMITS = Limits()
_ids = count(1)


class Answering:
    """A guard, the air around it, and the answers that it has let through."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.airtime = Airtime(limits)
        self.guard = Guard(limits, self.airtime)
        self.answers: list[Outgoing] = []
        self.now = 1000.0

    def hears(self, text: str = "ping", *, sender: int = BOBS, owner: str = "alice", **fields: Any) -> int:  # noqa: ANN401
        """Hear a text and return its packet id."""
        message = Message(
            node=node_id(sender), to="broadcast", packet_id=fields.pop("packet_id", next(_ids)), channel=0, text=text
        )
        self.guard.heard(owner, sender, replace(message, **fields))
        return message.packet_id

    def asks(self, packet_id: int, *, owner: str = "alice") -> Text | None:
        return self.guard.question(owner, packet_id, answers=self.answers, now=self.now)

    def answers_to(self, packet_id: int, *, owner: str = "alice", to: int = 0) -> str:
        """Answer a text; return the code of the refusal, empty when it is answered."""
        try:
            text = self.asks(packet_id, owner=owner)
            asker = to or (text.sender if text else 0)
            wanted = item("🤖 pong", owner=owner, accepted=START + self.now, asker=asker, packet_id=next(_ids))
            answer = replace(wanted, what=ANSWER)
            self.guard.pace(answer, answers=self.answers, now=self.now)
        except RefusedError as error:
            return error.code
        self.answers.append(answer)
        if text is not None:
            self.guard.answered(text, answer.text, self.now)
        return ""

    def hears_and_answers(self, text: str = "ping", **fields: Any) -> str:  # noqa: ANN401
        return self.answers_to(self.hears(text, **fields), owner=fields.get("owner", "alice"))


@pytest.mark.parametrize(
    ("text", "fields", "code"),
    [
        ("ping", {}, ""),
        ("ping", {"reply_id": 4_000_000_000}, ""),
        ("ping", {"own": True}, "own"),
        ("👍", {"reaction": True, "reply_id": 4_000_000_000}, "reaction"),
        ("🤖 ping", {}, "machine"),
    ],
)
def test_what_is_answered_and_what_never_is(text: str, fields: dict[str, Any], code: str) -> None:
    assert Answering().hears_and_answers(text, **fields) == code


@pytest.mark.parametrize("mark", MARKS)
def test_the_answer_of_a_machine_is_not_answered(mark: str) -> None:
    assert Answering().hears_and_answers(f" {mark.upper()} ping") == "machine"


def test_a_reply_to_one_of_our_answers_is_not_answered() -> None:
    one = Answering()
    assert one.hears_and_answers() == ""
    one.now += 600
    (answer,) = one.answers
    assert one.hears_and_answers("ping", sender=CAROLS, reply_id=answer.packet_id) == "machine"
    assert one.hears_and_answers("ping", sender=CAROLS, reply_id=answer.packet_id + 1) == ""


def test_an_answer_that_is_not_yet_sent_has_no_id_that_could_be_meant() -> None:
    one = Answering()
    assert one.hears_and_answers() == ""
    one.answers = [replace(one.answers[0], packet_id=0, accepted=0.0)]
    assert one.hears_and_answers(sender=CAROLS, reply_id=0) == ""


def test_while_the_channel_is_busy_nobody_is_answered() -> None:
    one = Answering()
    one.airtime.heard(measured(channelUtilization=25.0).packet, one.now)
    assert one.hears_and_answers() == ""
    one.now += 60
    one.airtime.heard(measured(channelUtilization=25.1).packet, one.now)
    assert one.hears_and_answers() == "channel_busy"
    careful = Answering(Limits(answer_busy_above=10))
    careful.airtime.heard(measured(channelUtilization=11).packet, careful.now)
    assert careful.hears_and_answers() == "channel_busy"


def test_without_airtime_of_its_own_left_a_radio_answers_nobody() -> None:
    one = Answering()
    one.airtime.refused(one.now)
    assert one.hears_and_answers() == "channel_busy"


def test_a_sender_is_answered_only_now_and_then_and_all_together_too() -> None:
    one = Answering(Limits(answer_sender_every=60, answer_every=15))
    codes = []
    for sender, now in ((BOBS, 0), (CAROLS, 14), (CAROLS, 15), (BOBS, 59), (BOBS, 60), (CAROLS, 74), (CAROLS, 75)):
        one.now = 1000.0 + now
        codes.append(one.hears_and_answers(sender=sender))
    assert codes == ["", "cooling", "", "cooling", "", "cooling", ""]


def test_the_answers_of_one_owner_do_not_keep_another_one_waiting() -> None:
    one = Answering()
    assert one.hears_and_answers(owner="alice") == ""
    assert one.hears_and_answers(owner="bob") == ""
    assert one.hears_and_answers(owner="alice", sender=CAROLS) == "cooling"


def test_a_clock_that_was_set_back_holds_up_nobody() -> None:
    one = Answering()
    assert one.hears_and_answers() == ""
    one.now -= 500
    assert one.hears_and_answers() == ""


def test_what_is_not_known_any_more_is_answered_now_and_then_too() -> None:
    one = Answering()
    assert one.answers_to(77, to=BOBS) == ""
    one.now += 16
    assert one.answers_to(78, to=BOBS) == "cooling"
    assert one.answers_to(79) == ""


def test_what_another_owner_has_heard_is_not_known() -> None:
    one = Answering()
    packet_id = one.hears("🤖 ping", owner="bob")
    assert one.asks(packet_id, owner="alice") is None


def test_an_owner_who_is_forgotten_has_heard_nothing() -> None:
    one = Answering()
    packet_id = one.hears("🤖 ping")
    one.guard.forget("alice")
    assert one.asks(packet_id) is None


def test_only_so_many_texts_are_remembered_and_those_without_an_id_not_at_all() -> None:
    one = Answering()
    first, *_, last = [one.hears("🤖") for _ in range(MOST_TEXTS + 1)]
    assert one.asks(first) is None
    with pytest.raises(RefusedError, match="as its mark says"):
        one.asks(last)
    assert one.asks(one.hears("🤖", packet_id=0)) is None


def test_a_copy_of_a_text_changes_nothing() -> None:
    one = Answering()
    packet_id = one.hears("ping")
    one.hears("🤖 ping", packet_id=packet_id)
    assert one.answers_to(packet_id) == ""


def test_whoever_asks_over_and_over_is_not_answered_any_more_and_told_why() -> None:
    one = Answering()
    codes = []
    for _ in range(MOST_QUESTIONS + 1):
        codes.append(one.hears_and_answers())
        one.now += 61
    assert codes == [""] * MOST_QUESTIONS + ["muted"]
    with pytest.raises(RefusedError, match="!b0000001 asks like a machine"):
        one.asks(one.hears())


def test_a_question_that_is_answered_in_several_tries_counts_once() -> None:
    one = Answering()
    packet_id = one.hears()
    for _ in range(MOST_QUESTIONS * 2):
        assert one.asks(packet_id) is not None


def test_a_machine_without_a_mark_that_repeats_what_we_say_is_answered_once() -> None:
    one = Answering()
    codes = []
    for _ in range(5):
        codes.append(one.hears_and_answers("pong"))
        one.now += 61
    assert codes == ["", "muted", "muted", "muted", "muted"]


def test_two_machines_without_marks_do_not_answer_each_other_for_ever() -> None:
    here, there = Answering(), Answering()
    answered = 0
    for _ in range(200):
        for one, other in ((here, CAROLS), (there, BOBS)):
            one.now += 61
            answered += one.hears_and_answers("ping", sender=other) == ""
    assert answered <= 2 * MOST_QUESTIONS


@given(st.text(max_size=250))
def test_every_answer_is_marked_and_none_twice(text: str) -> None:
    assert is_marked(marked(text))
    assert marked(marked(text)) == marked(text)
    assert marked(text) in {text, MARK + text}
