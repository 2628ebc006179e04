"""The names that Home Assistant knows devices and entities by."""

import re

from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.discovery import names

WORD = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,8}", fullmatch=True)
OWNERS = WORD | st.sampled_from(["_house", "_unclaimed", "bus"])
KEYS = st.from_regex(r"[a-z0-9_]{0,8}", fullmatch=True)
ROOTS = st.lists(st.text("ab-_./2fü", min_size=1, max_size=5), min_size=1, max_size=3).map("/".join)
DEVICES = st.tuples(OWNERS, WORD | st.just(""), KEYS)


def test_names_are_what_the_documentation_says() -> None:
    assert names.node_id("jitney", "main") == "jitney-main"
    assert names.object_id("alice", "mesh", "a1b2") == "alice--mesh--a1b2"
    assert names.object_id("alice", "mesh") == "alice--mesh"
    assert names.object_id("_house", "") == "bus"
    assert names.object_id("mary-ann", "my-mesh") == "mary-_ann--my-_mesh"
    assert (
        names.identifier("jitney", "main", owner="alice", adapter="mesh", device="a1b2")
        == "jitney.main.alice.mesh.a1b2"
    )
    assert names.identifier("jitney", "main", owner="_house", adapter="") == "jitney.main"
    assert names.unique_id("jitney.main.alice.mesh", "battery") == "jitney.main.alice.mesh..battery"
    assert names.node_id("home/jitney", "main") == "home-2f_jitney-main"


def test_two_brokers_of_one_home_assistant_can_have_buses_of_the_same_name() -> None:
    one, other = (names.identifier(root, "main", owner="alice", adapter="mesh") for root in ("jitney", "attic/jitney"))
    assert one != other


@given(st.tuples(ROOTS, WORD), st.tuples(ROOTS, WORD))
def test_different_buses_have_different_nodes(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (names.node_id(*one) == names.node_id(*other)) == (one == other)
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", names.node_id(*one))


@given(st.tuples(ROOTS, WORD, DEVICES, KEYS), st.tuples(ROOTS, WORD, DEVICES, KEYS))
def test_different_entities_have_different_ids(
    one: tuple[str, str, tuple[str, str, str], str], other: tuple[str, str, tuple[str, str, str], str]
) -> None:
    assert (_id(*one) == _id(*other)) == (_who(*one) == _who(*other))


@given(DEVICES, DEVICES, KEYS.filter(bool), KEYS.filter(bool))
def test_different_devices_and_entities_have_different_topics(
    one: tuple[str, str, str], other: tuple[str, str, str], key: str, other_key: str
) -> None:
    same = _shown(one) == _shown(other)
    assert (names.object_id(*one) == names.object_id(*other)) == same
    topics = [
        names.entity_topic("homeassistant", "jitney-main", names.object_id(*device), platform="sensor", entity=entity)
        for device, entity in ((one, key), (other, other_key))
    ]
    assert (topics[0] == topics[1]) == (same and key == other_key)
    assert re.fullmatch(r"homeassistant/\w+/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config", topics[0])


def _id(root: str, instance: str, device: tuple[str, str, str], entity: str) -> str:
    owner, adapter, key = device
    return names.unique_id(names.identifier(root, instance, owner=owner, adapter=adapter, device=key), entity)


def _who(root: str, instance: str, device: tuple[str, str, str], entity: str) -> tuple[object, ...]:
    return root, instance, _shown(device), entity


def _shown(device: tuple[str, str, str]) -> tuple[str, str, str]:
    """Return what tells a device apart: the bus is nobody's."""
    owner, adapter, key = device
    return (owner if adapter else "", adapter, key)
