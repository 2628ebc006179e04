"""Any text goes through the tree and back unchanged, and never leaves its level."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from jitney.topics import InvalidTopicError, TopicTree
from jitney.topics.levels import MAX_TEXT_BYTES, carriable, escape, unescape
from jitney.topics.owners import owner as check_owner
from jitney.topics.tree import (
    LAYOUT,
    AlertTopic,
    BusTopic,
    EventTopic,
    RequestTopic,
    ResponseTopic,
    SharedTopic,
    StateTopic,
    StatusTopic,
    Topic,
)
from tests.topics.strategies import NASTY, addresses, any_text, kinds, owners, texts

TREE = TopicTree()


def is_forbidden(character: str) -> bool:
    """Tell whether MQTT forbids a character or lets a broker refuse it (MQTT 5 section 1.5.4)."""
    point = ord(character)
    return unicodedata.category(character) in {"Cc", "Cs"} or point & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF


@given(texts)
def test_a_text_comes_back_from_a_level_unchanged(text: str) -> None:
    assert unescape(escape(text)) == text


@given(texts)
def test_a_level_is_one_word_without_separator_wildcard_or_forbidden_character(text: str) -> None:
    level = escape(text)
    assert level
    assert not set("/+#") & set(level)
    assert not any(is_forbidden(character) for character in level)
    level.encode()


def test_every_character_comes_back_and_none_is_escaped_without_need() -> None:
    ends_of_planes = [plane << 16 | low for plane in range(1, 17) for low in (0, 1, 0xFFFD, 0xFFFE, 0xFFFF)]
    for point in (*range(0x10000), *ends_of_planes):
        character = chr(point)
        level = escape(character)
        assert unescape(level) == character
        assert (level != character) == (character in "/+#%" or is_forbidden(character)), hex(point)


@given(texts)
def test_what_mqtt_must_not_carry_or_paho_does_not_take_is_replaced_and_nothing_else(text: str) -> None:
    expected = "".join(
        "\ufffd" if is_forbidden(character) or character == "\ufeff" else character for character in text
    )
    assert carriable(text) == expected


@given(texts, texts)
def test_different_texts_are_different_levels(one: str, other: str) -> None:
    assert (escape(one) == escape(other)) == (one == other)


@given(texts)
def test_a_level_that_is_not_what_escape_makes_is_refused(level: str) -> None:
    try:
        text = unescape(level)
    except InvalidTopicError:
        return
    assert escape(text) == level


@pytest.mark.parametrize(
    "level", ["", "%2f", "%61", "%", "%2", "%zz", "a%", "%C3", "%25%", "é%C3%A9", "+", "#", "a\x00"]
)
def test_a_level_that_is_escaped_differently_is_refused(level: str) -> None:
    if level == "%":
        assert unescape(level) == ""
    else:
        with pytest.raises(InvalidTopicError, match="not percent-encoded as Jitney does it"):
            unescape(level)


@given(addresses)
def test_an_address_comes_back_from_its_name_unchanged(address: Topic) -> None:
    assert TREE.parse(TREE.name(address)) == address


@given(addresses)
def test_a_name_has_the_levels_of_its_layout_whatever_is_in_the_address(address: Topic) -> None:
    name = TREE.name(address)
    layout = LAYOUT[type(address)].split("/")
    root, *levels = name.split("/")
    assert root == "jitney"
    assert len(levels) == len(layout)
    for level, expected in zip(levels, layout, strict=True):
        assert expected.startswith("{") or level == expected
    assert not set("+#") & set(name)
    assert not any(is_forbidden(character) for character in name)


confusable = st.lists(st.sampled_from(["", "/", "%", "2F", "%2F", "a", "+"]), max_size=3).map("".join)


@given(st.tuples(confusable, confusable), st.tuples(confusable, confusable))
def test_different_addresses_have_different_names(one: tuple[str, str], other: tuple[str, str]) -> None:
    names = [TREE.name(StateTopic("alice", *fields)) for fields in (one, other)]
    assert (names[0] == names[1]) == (one == other)


@pytest.mark.parametrize(
    "instance", ["event", "status", "state", "alert", "reply", "request", "shared", "main", "alice"]
)
@pytest.mark.parametrize("kind", [BusTopic, RequestTopic, ResponseTopic])
def test_an_instance_of_the_bus_may_have_any_name(
    instance: str, kind: type[BusTopic | RequestTopic | ResponseTopic]
) -> None:
    address = kind(instance, "state")
    assert TREE.parse(TREE.name(address)) == address


@given(st.lists(st.one_of(texts.map(escape), st.sampled_from(NASTY), owners), min_size=1, max_size=8))
def test_what_is_parsed_is_exactly_what_is_named(levels: list[str]) -> None:
    name = "jitney/" + "/".join(levels)
    try:
        address = TREE.parse(name)
    except InvalidTopicError:
        return
    assert TREE.name(address) == name
    for field in ("owner", "giver"):
        assert check_owner(getattr(address, field, "alice"))


@given(addresses, st.data())
def test_a_name_with_one_level_changed_is_parsed_as_what_it_names_or_not_at_all(
    address: Topic, data: st.DataObject
) -> None:
    levels = TREE.name(address).split("/")
    changed = st.one_of(texts, texts.map(escape), st.sampled_from(NASTY), owners)
    levels[data.draw(st.integers(0, len(levels) - 1))] = data.draw(changed)
    try:
        found = TREE.parse("/".join(levels))
    except InvalidTopicError:
        return
    assert TREE.name(found) == "/".join(levels)


@given(addresses, st.data())
def test_a_name_with_a_level_more_or_less_is_another_topic_or_none(address: Topic, data: st.DataObject) -> None:
    levels = TREE.name(address).split("/")
    at = data.draw(st.integers(1, len(levels) - 1))
    for changed in ([*levels[:at], *levels[at + 1 :]], [*levels[:at], "x", *levels[at:]]):
        try:
            assert TREE.parse("/".join(changed)) != address
        except InvalidTopicError:
            continue


@pytest.mark.parametrize(
    "name",
    [
        "",
        "jitney",
        "jitney/",
        "jitney/alice",
        "jitney/alice/event",
        "jitney/alice/event/home",
        "jitney/alice/event/home/",
        "jitney/alice/event//state_changed",
        "jitney/alice/event/home/state_changed/more",
        "jitney/alice/event/home/%73tate_changed",
        "jitney/alice/event/home/a%2fb",
        "jitney/alice/event/home/+",
        "jitney/+/event/home/x",
        "jitney/#",
        "jitney/alice/events/home/x",
        "jitney/alice/EVENT/home/x",
        "/jitney/alice/event/home/x",
        "Jitney/alice/event/home/x",
        "jitneyx/alice/event/home/x",
        "other/alice/event/home/x",
        "jitney/alice/shared/bob/state/home/x",
        "jitney/_bus/event/home/x",
    ],
)
def test_a_name_that_is_none_of_the_tree_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(InvalidTopicError) as refused:
        TREE.parse(name)
    assert str(refused.value)


@pytest.mark.parametrize("owner", ["", "%", "Alice", "_alice", "-alice", "a" * 33, "älice", "a.b", "_bus", "al ice"])
def test_a_name_of_an_illegal_owner_is_refused(owner: str) -> None:
    for name in (f"jitney/{owner}/state/home/x", f"jitney/alice/shared/{owner}/event/home/x"):
        with pytest.raises(InvalidTopicError):
            TREE.parse(name)


@given(kinds, addresses)
def test_a_filter_matches_every_name_of_its_kind_and_no_other(kind: type[Topic], address: Topic) -> None:
    assert topic_matches_sub(TREE.filter(kind), TREE.name(address)) == overlaps(kind, address)


def overlaps(kind: type[Topic], address: Topic) -> bool:
    """Tell whether a kind's filter has to match: a wildcard for the owner also stands for the level ``_bus``."""
    levels, layout = TREE.name(address).split("/")[1:], LAYOUT[kind].split("/")
    return len(levels) == len(layout) and all(
        expected.startswith("{") or expected == level for level, expected in zip(levels, layout, strict=True)
    )


@given(addresses, st.data())
def test_a_filter_with_levels_given_matches_these_only(address: Topic, data: st.DataObject) -> None:
    fields = address.__struct_fields__
    given_fields = data.draw(st.sets(st.sampled_from(fields)))
    levels = {field: getattr(address, field) for field in given_fields}
    assert topic_matches_sub(TREE.filter(type(address), **levels), TREE.name(address))
    for field in given_fields:
        other = data.draw((owners if field in {"owner", "giver"} else texts).filter(levels[field].__ne__))
        assert not topic_matches_sub(TREE.filter(type(address), **{**levels, field: other}), TREE.name(address))


@given(kinds, any_text)
def test_a_text_in_a_filter_is_no_wildcard(kind: type[Topic], text: str) -> None:
    field = kind.__struct_fields__[-1]
    level = TREE.filter(kind, **{field: text}).split("/")[-1]
    assert level == escape(text)
    assert level not in {"+", "#"}


def test_a_filter_for_a_level_that_does_not_exist_is_refused_and_does_not_match_everybody() -> None:
    with pytest.raises(TypeError, match="EventTopic has no level ownr, only owner, adapter, kind"):
        TREE.filter(EventTopic, ownr="alice")


def test_a_name_longer_than_mqtt_can_carry_is_refused() -> None:
    room = MAX_TEXT_BYTES - len(TREE.name(StateTopic("alice", "home", "x"))) + 1
    assert len(TREE.name(StateTopic("alice", "home", "x" * room))) == MAX_TEXT_BYTES
    assert len(TREE.name(StateTopic("alice", "home", "é" * (room // 2))).encode()) <= MAX_TEXT_BYTES
    for subject in ("x" * (room + 1), "é" * (room // 2 + 1), "/" * (room // 3 + 1), "😀" * 30_000):
        with pytest.raises(InvalidTopicError, match="longer than the 65535 bytes of MQTT"):
            TREE.name(StateTopic("alice", "home", subject))


@pytest.mark.parametrize(
    "name",
    [f"jitney/alice/event/a/{'%' * 60_000}", f"jitney/{'x' * 60_000}/event/a/b", f"{'x' * 60_000}"],
    ids=["level", "owner", "root"],
)
def test_the_error_of_a_long_name_is_short_for_it_goes_into_logs_and_answers(name: str) -> None:
    with pytest.raises(InvalidTopicError) as error:
        TopicTree().parse(name)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("root", ["jitney", "house/jitney", "a/b/c", "ünïcode", "a b"])
def test_a_root_may_have_several_levels(root: str) -> None:
    tree = TopicTree(root)
    name = tree.name(StatusTopic("alice", "home"))
    assert name == f"{root}/alice/status/home"
    assert tree.parse(name) == StatusTopic("alice", "home")
    assert tree.filter(AlertTopic) == f"{root}/+/alert/+"


@pytest.mark.parametrize(
    "root",
    ["", "/", "a/", "/a", "a//b", "+", "a/#", "a+", "$SYS", "$share/g", "50%", "a\x00", "a\nb", "\ud800", "\ufffe"],
)
def test_a_root_that_a_broker_would_not_carry_is_refused(root: str) -> None:
    with pytest.raises(InvalidTopicError, match="topic root"):
        TopicTree(root)


def test_the_tree_is_the_one_that_was_designed() -> None:
    assert TREE.name(EventTopic("alice", "home", "state_changed")) == "jitney/alice/event/home/state_changed"
    assert TREE.name(StateTopic("alice", "home", "light.kitchen")) == "jitney/alice/state/home/light.kitchen"
    assert TREE.name(SharedTopic("bob", "alice", "strava", "x")) == "jitney/bob/shared/alice/event/strava/x"
    assert TREE.name(BusTopic("main", "state")) == "jitney/_bus/main/state"
    assert TREE.name(RequestTopic("main", "a/b")) == "jitney/_bus/main/request/a%2Fb"
    assert TREE.name(StateTopic("alice", "base", "")) == "jitney/alice/state/base/%"
    assert TREE.filter(EventTopic, owner="alice") == "jitney/alice/event/+/+"
