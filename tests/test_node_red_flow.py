"""The flow for Node-RED as a file: nothing to install, tidy, hers alone, and no secret in it."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import pytest

from jitney.topics import TopicTree
from jitney.topics.tree import CommandTopic, InboxTopic

FLOW: Final[list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent.parent / "examples" / "node-red" / "flow.json").read_text(encoding="utf-8")
)
BY_ID: Final = {node["id"]: node for node in FLOW}
GROUPS: Final = [node for node in FLOW if node["type"] == "group"]
DRAWN: Final = [node for node in FLOW if "wires" in node]
SUBSCRIBED: Final = [node["topic"] for node in FLOW if node["type"] == "mqtt in"]
PUBLISHED: Final = [node["topic"] for node in FLOW if node["type"] == "mqtt out" and node["topic"]]
STRUCTURE: Final = {"tab", "group", "mqtt-broker"}
MQTT: Final = {"mqtt in", "mqtt out"}
LINKS: Final = {"link in", "link out", "link call"}
OTHERS: Final = {"comment", "catch", "debug", "inject", "function", "change", "switch", "rbe", "json"}


def test_every_id_is_there_once_and_every_node_is_one_that_node_red_has() -> None:
    assert len(BY_ID) == len(FLOW)
    assert {node["type"] for node in FLOW} <= STRUCTURE | MQTT | LINKS | OTHERS
    assert all(not node["libs"] for node in FLOW if node["type"] == "function")


def test_every_wire_and_link_leads_to_a_node_and_no_node_stands_alone() -> None:
    led = {target for node in DRAWN for port in node["wires"] for target in port}
    linked = {target for node in DRAWN for target in node.get("links", [])}
    assert led | linked <= BY_ID.keys()
    for node in DRAWN:
        begins = node["type"] in {"mqtt in", "inject", "catch", "link in"}
        assert begins or node["type"] == "comment" or node["id"] in led, node["id"]
        assert len(node["wires"]) == node.get("outputs", len(node["wires"]))
    assert {node["id"] for node in DRAWN if node["type"] == "link in"} <= linked


def test_every_node_stands_in_the_frame_of_its_group_and_none_on_another() -> None:
    for group in GROUPS:
        inside = [BY_ID[name] for name in group["nodes"]]
        assert inside == [node for node in DRAWN if node["g"] == group["id"]]
        assert inside[0]["type"] == "comment"
        assert inside[0]["info"]
        for node in inside:
            assert group["x"] < node["x"] < group["x"] + group["w"], node["id"]
            assert group["y"] < node["y"] < group["y"] + group["h"], node["id"]
    for one, other in combinations(DRAWN, 2):
        assert abs(one["x"] - other["x"]) >= 100 or abs(one["y"] - other["y"]) >= 50, (one["id"], other["id"])
    for above, below in combinations(GROUPS, 2):
        assert above["y"] + above["h"] < below["y"]


def test_what_it_publishes_are_commands_and_inbox_events_of_alice_none_retained() -> None:
    tree = TopicTree()
    addresses = [tree.parse(topic) for topic in PUBLISHED]
    assert len(addresses) == 4
    for address in addresses:
        assert isinstance(address, InboxTopic | CommandTopic)
        assert address.owner == "alice"
    assert all(node["retain"] == "false" for node in FLOW if node["type"] == "mqtt out")


def overlap(one: str, other: str) -> bool:
    levels = list(zip(one.split("/"), other.split("/"), strict=False))
    return one.count("/") == other.count("/") and all(a == b or "+" in (a, b) for a, b in levels)


def test_what_it_subscribes_is_alices_and_no_message_comes_twice() -> None:
    assert all(topic.startswith("jitney/alice/") and "#" not in topic for topic in SUBSCRIBED)
    assert not [pair for pair in combinations(SUBSCRIBED, 2) if overlap(*pair)]


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [("a/+", "a/b", True), ("a/+/c", "+/b/+", True), ("a/b", "a/c", False), ("a/+", "a/b/c", False)],
)
def test_topics_that_overlap_are_found(one: str, other: str, *, both: bool) -> None:
    assert overlap(one, other) is both


def test_it_has_one_broker_whose_place_is_plainly_to_be_changed_and_no_password() -> None:
    (broker,) = [node for node in FLOW if node["type"] == "mqtt-broker"]
    assert (broker["broker"], broker["port"], broker["protocolVersion"]) == ("localhost", "1883", "5")
    assert broker["credentials"] == {"user": "alice", "password": ""}
    assert {node["broker"] for node in FLOW if node["type"] in MQTT} == {broker["id"]}
