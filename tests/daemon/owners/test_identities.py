"""One index of whose an external id is, over all adapter types."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.config.load import load
from jitney.daemon.config.problems import ConfigError
from jitney.daemon.owners.identities import Claim, Identities, meanings, value

HOUSE = """
[owners.alice]
homeassistant = { person = "person.alice", users = ["0123456789abcdef0123456789abcdef"] }
strava = { athlete = 42 }
meshtastic = { nodes = ["!A1B2C3D4", "!00000001"] }
[owners.bob]
homeassistant = { person = "person.bob" }
[adapters.hers]
type = "meshtastic"
owner = "alice"
connection = "tcp://Radio.local"
[adapters.shared]
type = "meshtastic"
connection = "tcp://192.168.1.100"
"""


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], Identities]:
    def read(text: str) -> Identities:
        path = tmp_path / "config.toml"
        path.write_text(text)
        return Identities(load(path, environ={}))

    return read


def test_everything_that_is_somebodys_is_known_with_its_place(read: Callable[[str], Identities]) -> None:
    index = read(HOUSE)
    assert [(one.type, one.id, one.key) for one in index.of("alice")] == [
        ("homeassistant", "person.alice", ("owners", "alice", "homeassistant", "person")),
        ("homeassistant", "0123456789abcdef0123456789abcdef", ("owners", "alice", "homeassistant", "users")),
        ("strava", "42", ("owners", "alice", "strava", "athlete")),
        ("meshtastic", "!a1b2c3d4", ("owners", "alice", "meshtastic", "nodes")),
        ("meshtastic", "!00000001", ("owners", "alice", "meshtastic", "nodes")),
        ("meshtastic", "radio.local", ("adapters", "hers")),
    ]
    assert index.of("carol") == []


@pytest.mark.parametrize("spelling", ["!a1b2c3d4", "!A1B2C3D4"])
def test_whose_a_node_is_does_not_depend_on_how_it_is_written(read: Callable[[str], Identities], spelling: str) -> None:
    key = ("owners", "alice", "meshtastic", "nodes")
    assert read(HOUSE).whose(spelling) == [Claim(type="meshtastic", id="!a1b2c3d4", owner="alice", key=key)]


def test_what_is_nobodys_is_nobodys(read: Callable[[str], Identities]) -> None:
    index = read(HOUSE)
    assert index.whose("!00000002") == []
    assert index.whose("192.168.1.100") == []
    assert ("meshtastic", "!a1b2c3d4") in index.claims()


@pytest.mark.parametrize(
    "his",
    [
        'homeassistant = { person = "person.alice" }',
        'homeassistant = { users = ["0123456789abcdef0123456789abcdef"] }',
        "strava = { athlete = 42 }",
        'meshtastic = { nodes = ["!a1b2c3d4"] }',
    ],
)
def test_an_external_id_is_one_owners_only(read: Callable[[str], Identities], his: str) -> None:
    with pytest.raises(ConfigError, match="belongs to owner alice already"):
        read(HOUSE.replace('homeassistant = { person = "person.bob" }', his))


@pytest.mark.parametrize(
    ("external_id", "meaning", "written"),
    [
        ("person.alice", ("homeassistant", "person", "person.alice"), "person.alice"),
        ("f" * 32, ("homeassistant", "users", "f" * 32), ["f" * 32]),
        ("12345678", ("strava", "athlete", "12345678"), 12_345_678),
        ("!A1B2C3D4", ("meshtastic", "nodes", "!a1b2c3d4"), ["!A1B2C3D4"]),
    ],
)
def test_what_an_external_id_is_can_be_seen(external_id: str, meaning: tuple[str, str, str], written: object) -> None:
    (found,) = meanings(external_id)
    assert found == meaning
    assert value(*meaning[:2], external_id) == written


@given(st.text() | st.from_regex(r"[!0-9a-f.]{1,40}", fullmatch=True))
def test_any_text_is_an_external_id_or_none(text: str) -> None:
    for kind, key, spelling in meanings(text):
        assert kind
        assert key
        assert spelling
        value(kind, key, text)
