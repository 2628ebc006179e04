"""Answering by itself, and when not."""

from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jitney.adapters.meshtastic.asked import SendText
from jitney.adapters.meshtastic.autoreply import MARKS, VARIABLES, AutoReply, Decision, Rule, fill, is_marked, variables
from jitney.adapters.meshtastic.kinds import Message

AT = datetime(2026, 11, 21, 14, 5)  # noqa: DTZ001 - the time on the wall where the radio is
PING = Message(
    node="!b0000001", to="!a0000001", packet_id=77, direct=True, hops=2, snr=6.25, rssi=-92, channel=0, text="ping"
)
IN_CHANNEL = replace(PING, to="broadcast", direct=False, channel=2)
RULE = Rule(answer="pong", keywords=("ping", "test"), direct_only=False)


def decide(auto: AutoReply, message: Message = PING, now: float = 1000.0, **options: Any) -> Decision:  # noqa: ANN401
    return auto.decide(message, now=now, at=AT, **options)


def why(message: Message = PING, rule: Rule = RULE, **options: Any) -> str:  # noqa: ANN401
    decision = decide(AutoReply(rule), message, **options)
    assert (decision.answer is None) == bool(decision.why)
    return decision.why


def test_a_direct_text_is_answered_directly_and_the_answer_says_what_it_is() -> None:
    answer = decide(AutoReply(RULE)).answer
    assert answer == SendText(text="🤖 pong", to="!b0000001", channel=0, reply_to=77)
    assert is_marked(answer.text)


def test_a_text_in_a_channel_is_answered_there() -> None:
    assert decide(AutoReply(RULE), IN_CHANNEL).answer == SendText(text="🤖 pong", to="", channel=2, reply_to=77)


@pytest.mark.parametrize("text", ["ping", "Ping!", " PING ", "(test)", "test?"])
def test_a_keyword_is_the_whole_text_whatever_its_case_and_punctuation(text: str) -> None:
    assert why(replace(PING, text=text)) == ""


@pytest.mark.parametrize("text", ["", "pinging", "ping me later", "is this a test", "p i n g"])
def test_a_keyword_in_other_words_is_none(text: str) -> None:
    assert why(replace(PING, text=text)) == "no_match"


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("weather*", "Weather please", True),
        ("*[?]", "really?", True),
        ("cq ?", "CQ x", True),
        ("cq ?", "cq xy", False),
        ("*where*", "so where are you", True),
        ("a.c", "abc", False),
    ],
)
def test_a_pattern_matches_the_whole_text(pattern: str, text: str, matches: bool) -> None:  # noqa: FBT001
    rule = Rule(answer="x", pattern=pattern)
    assert why(replace(PING, text=text), rule) == ("" if matches else "no_match")


def test_a_text_longer_than_any_packet_is_not_looked_at() -> None:
    assert why(replace(PING, text="a" * 201), Rule(answer="x", pattern="a*")) == "no_match"


def test_a_pattern_with_many_stars_takes_no_time() -> None:
    assert why(replace(PING, text="a" * 200), Rule(answer="x", pattern="a*" * 50 + "b")) == "no_match"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (replace(PING, own=True), "own"),
        (replace(PING, reaction=True), "reaction"),
        (replace(PING, via_mqtt=True), "via_mqtt"),
        (replace(PING, text="🤖 ping"), "no_match"),
    ],
)
def test_what_is_never_answered(message: Message, expected: str) -> None:
    assert why(message) == expected


def test_what_a_rule_allows() -> None:
    assert why(replace(PING, via_mqtt=True), msgspec.structs.replace(RULE, via_mqtt=True)) == ""
    assert why(IN_CHANNEL, Rule(answer="pong", keywords=("ping",))) == "not_direct"
    chosen = Rule(answer="pong", keywords=("ping",), direct_only=False, channels=(1,))
    assert why(IN_CHANNEL, chosen) == "other_channel"
    assert why(PING, chosen) == ""


@pytest.mark.parametrize("mark", MARKS)
def test_the_answer_of_a_machine_is_not_answered(mark: str) -> None:
    assert why(replace(PING, text=f"{mark.upper()} ping"), Rule(answer="x", pattern="*ping")) == "machine"


def test_a_reply_to_one_of_our_answers_is_not_answered() -> None:
    assert why(answers_us=True) == "machine"


def test_while_the_channel_is_busy_nothing_is_answered() -> None:
    assert why(busy=25.0) == ""
    assert why(busy=25.1) == "busy"


def test_a_sender_is_answered_only_now_and_then_and_all_together_too() -> None:
    auto = AutoReply(Rule(answer="pong", keywords=("ping",), sender_every=60, every=15))
    carol = replace(PING, node="!c0000001")
    answered = [
        decide(auto, message, now).why
        for message, now in ((PING, 0), (carol, 14), (carol, 15), (PING, 59), (PING, 60), (carol, 74), (carol, 75))
    ]
    assert answered == ["", "cooling", "", "cooling", "", "cooling", ""]


def test_two_of_us_do_not_answer_each_other_for_ever() -> None:
    here, there = (AutoReply(Rule(answer="ping", keywords=("ping",), sender_every=5, every=5)) for _ in range(2))
    text, answers, now = "ping", 0, 0.0
    for _ in range(100):
        for auto in (here, there):
            now += 6.0
            decision = decide(auto, replace(PING, text=text), now)
            if decision.answer is not None:
                answers += 1
                text = decision.answer.text.removeprefix("🤖 ")
    assert answers < 10


def test_an_answer_holds_what_is_known_of_the_message() -> None:
    answer = "{name} {node} {snr} {rssi} {hops} {time} {date}"
    auto = AutoReply(Rule(answer=answer, keywords=("ping",)))
    decided = decide(auto, name="Bob").answer
    assert decided is not None
    assert decided.text == "🤖 Bob !b0000001 6.25 dB -92 dBm 2 14:05 2026-11-21"
    unknown = variables(replace(PING, snr=None, rssi=None, hops=None), name="", at=AT)
    assert (unknown["snr"], unknown["rssi"], unknown["hops"], unknown["name"]) == ("?", "?", "?", "!b0000001")
    assert set(unknown) == VARIABLES


def test_a_name_that_looks_like_a_variable_is_a_name() -> None:
    assert fill("hi {name}", {"name": "{time}", "time": "now"}) == "hi {time}"


def test_an_answer_fits_into_one_packet_whatever_names_there_are() -> None:
    auto = AutoReply(Rule(answer="{name}" * 20, keywords=("ping",)))
    decided = decide(auto, name="ö" * 64).answer
    assert decided is not None
    assert len(decided.text.encode()) <= 200


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"answer": "x"}, "keywords: give at least one"),
        ({"answer": "x", "pattern": "* *"}, "keywords: give at least one"),
        ({"answer": "{mood}", "keywords": ["a"]}, "answer: there is no {mood}: it may hold date, hops"),
        ({"answer": "", "keywords": ["a"]}, "length >= 1"),
        ({"answer": "x", "keywords": ["a"], "every": 1}, ">= 5"),
        ({"answer": "x", "pattern": "a" * 201}, "length <= 200"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(fields: dict[str, object], says: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(fields, Rule)
    assert says in str(caught.value)


@given(st.text(max_size=250), st.text(max_size=30))
def test_no_text_and_no_name_is_too_strange(text: str, name: str) -> None:
    decision = decide(AutoReply(Rule(answer="{name}: {hops}", pattern="*a*")), replace(PING, text=text), name=name)
    assert decision.answer is None or len(decision.answer.text.encode()) <= 200
