"""Changing what a configuration says of the people: only what is meant, wherever and however it is written."""

from pathlib import Path

import pytest

from jitney.daemon.config.load import would_load
from jitney.daemon.config.migrations import Step
from jitney.daemon.config.parts import together
from jitney.daemon.config.people import Value, changed, introduced, says
from jitney.daemon.config.positions import Key
from jitney.daemon.config.problems import ConfigError
from jitney.daemon.config.rewriting import ANY, Rename

SECTIONS = """\
# the house
[owners.alice]   # she
name = "Alice" # as they call her

[owners.alice.discovery]
enabled = true
# he
[owners.bob]
homeassistant = { person = "person.bob" } # since 2020
"""
INLINE = '[owners]\nalice = { name = "Alice" }\nbob = {}\n'
DOTTED = 'owners.alice.name = "Alice"\nowners.bob.name = "Bob"\n[bus]\ninstance = "main"\n'
APART = '[owners.alice.meshtastic]\nnodes = [\n  "!00000001", # one\n]\n[owners.bob]\n'
CHANGES: list[tuple[Key, Value]] = [
    (("owners", "alice", "name"), "Alice B"),
    (("owners", "alice", "enabled"), False),
    (("owners", "alice", "meshtastic", "nodes"), ["!a1b2c3d4"]),
    (("owners", "bob", "homeassistant", "users"), ["f" * 32]),
    (("owners", "bob", "strava", "athlete"), 42),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


@pytest.mark.parametrize("text", [SECTIONS, INLINE, DOTTED, APART])
def test_every_change_is_made_and_every_comment_stays(path: Path, text: str) -> None:
    path.write_text(text)
    whole = together(path)
    for key, value in CHANGES:
        edited = changed(whole, key, value, why="a test")
        assert edited.path == path
        whole = edited.whole
    config = would_load(whole, environ={}).config
    alice, bob = config.owners["alice"], config.owners["bob"]
    assert (alice.name, alice.enabled) == ("Alice B", False)
    assert alice.identities["meshtastic"].nodes[-1] == "!a1b2c3d4"
    assert bob.identities["homeassistant"].users == ("f" * 32,)
    assert bob.identities["strava"].athlete == 42
    for line in text.splitlines():
        if "#" in line:
            assert line[line.index("#") :] in whole.parts[0].raw.decode()


def test_nothing_else_is_touched(path: Path) -> None:
    path.write_text(SECTIONS)
    edited = changed(together(path), ("owners", "alice", "enabled"), False, why="a test")  # noqa: FBT003
    assert edited.new == SECTIONS.replace("call her\n", "call her\nenabled = false\n")
    assert edited.content == edited.new.encode()


def test_the_line_ends_of_the_file_stay(path: Path) -> None:
    path.write_bytes(SECTIONS.replace("\n", "\r\n").encode())
    edited = changed(together(path), ("owners", "alice", "name"), "A", why="a test")
    assert edited.content == SECTIONS.replace('"Alice"', '"A"').replace("\n", "\r\n").encode()


def test_it_is_changed_where_it_is_declared(path: Path) -> None:
    path.write_text('[owners.alice]\nname = "Alice"\n')
    beside = path.with_suffix(".d")
    beside.mkdir()
    beside.joinpath("bob.toml").write_text("[owners.bob]\n")
    whole = together(path)
    assert changed(whole, ("owners", "bob", "name"), "Bob", why="a test").path == beside / "bob.toml"
    assert changed(whole, ("owners", "alice", "name"), "A", why="a test").path == path
    assert says(whole, ("owners", "bob", "name")) == f"{beside / 'bob.toml'}:1"


def test_somebody_new_gets_a_file_of_their_own(path: Path) -> None:
    path.write_text("[owners.alice]\n")
    new = introduced(
        together(path),
        "carol",
        name='Carol "C"',
        identities={"homeassistant": {"person": "person.carol"}, "meshtastic": {"nodes": ["!00000001"]}},
    )
    assert new.path == path.with_suffix(".d") / "carol.toml"
    assert new.new == (
        'version = 1\n\n[owners.carol]\nname = "Carol \\"C\\""\n'
        'homeassistant = { person = "person.carol" }\nmeshtastic = { nodes = ["!00000001"] }\n'
    )
    assert list(would_load(new.whole, environ={}).config.owners) == ["alice", "carol"]


def test_a_file_of_that_name_is_not_taken_for_theirs(path: Path) -> None:
    path.write_text("[owners.alice]\n")
    path.with_suffix(".d").mkdir()
    path.with_suffix(".d").joinpath("carol.toml").write_text("[discovery]\n")
    with pytest.raises(ConfigError, match=r"carol\.toml: is there already, and says nothing of carol"):
        introduced(together(path), "carol", name="", identities={})


def test_a_file_of_an_older_version_is_not_changed_before_it_is_migrated(path: Path) -> None:
    path.write_text("[owners.alice]\ncalled = 'Alice'\n")
    steps = [Step(renames=(Rename(("owners", ANY, "called"), "name", "plainer"),))]
    whole = together(path, steps=steps)
    place = rf"{path}:2: owners\.alice\.name: has to be changed by hand to \"A\": .*`jitney migrate`"
    with pytest.raises(ConfigError, match=place):
        changed(whole, ("owners", "alice", "name"), "A", why="a test")
