"""A configuration in several files is one configuration, and each mistake is told with its own file and line."""

from pathlib import Path

import pytest

from jitney.daemon.config.load import Loaded, examine
from jitney.daemon.config.problems import ConfigError

MAIN = """version = 1
[owners.alice]
[adapters.demo]
type = "demo"
"""

ROUTE = """[[routes]]
name = "{name}"
owner = "alice"
on = "demo.*"
do = [{{ set = "n", value = 1 }}]
"""


def written(folder: Path, **parts: str) -> Path:
    path = folder / "config.toml"
    path.write_text(parts.pop("main", MAIN))
    path.chmod(0o600)
    (folder / "config.d").mkdir()
    for name, text in parts.items():
        part = folder / "config.d" / f"{name}.toml"
        part.write_text(text)
        part.chmod(0o600)
    return path


def loaded(path: Path) -> Loaded:
    return examine(path, environ={})


def complaints(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(path)
    return [str(problem).removeprefix(f"{path.parent}/") for problem in caught.value.problems]


def test_all_files_together_are_the_configuration(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        main=MAIN + ROUTE.format(name="first"),
        alice='version = 1\n[owners.alice]\nname = "Alice"\n' + ROUTE.format(name="hers"),
        bob='[owners.bob]\n[adapters.his]\ntype = "demo"\nowner = "bob"\n',
    )
    config = loaded(path).config
    assert [(owner.id, owner.name) for owner in config.owners.values()] == [("alice", "Alice"), ("bob", "")]
    assert list(config.adapters) == ["demo", "his"]
    assert [route.name for route in config.routes] == ["first", "hers"]
    assert [Path(file).name for file in config.files] == ["config.toml", "alice.toml", "bob.toml"]


def test_a_folder_of_another_name_or_files_of_another_kind_do_not_count(tmp_path: Path) -> None:
    path = written(tmp_path)
    (tmp_path / "config.d" / "notes.txt").write_text("not TOML")
    (tmp_path / "config.d" / "old.toml~").write_text("not TOML")
    other = tmp_path / "other.toml"
    other.write_text(MAIN)
    assert loaded(path).config.files == (str(path),)
    (tmp_path / "config.d" / "bad.toml").write_text("not TOML")
    assert loaded(other).config.files == (str(other),)


def test_a_mistake_is_told_with_its_own_file_and_line(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        main=MAIN + ROUTE.format(name="first"),
        alice="\n[owners.alice]\nnonsense = 1\n",
        bob=ROUTE.format(name="his").replace('"alice"', '"bobb"') + "[adapters.his]\n",
    )
    first, second, third = complaints(path)
    assert first.startswith("config.d/alice.toml:3: owners.alice.nonsense: unknown key")
    assert second.startswith("config.d/bob.toml:3: routes[1].owner: ")
    assert third.startswith("config.d/bob.toml:6: adapters.his.type: missing")


def test_what_stands_twice_is_told_with_both_places(tmp_path: Path) -> None:
    path = written(tmp_path, main=MAIN + 'owner = "alice"\n', twice='[adapters.demo]\ntype = "demo"\n')
    (complaint,) = complaints(path)
    assert complaint.startswith("config.toml:4: adapters.demo.type: stands in another file too")


def test_every_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, a="nonsense", b="[owners.x\n", c="[owners.carol]\n")
    found = complaints(path)
    assert [complaint.partition(":")[0] for complaint in found] == ["config.d/a.toml", "config.d/b.toml"]


def test_the_version_of_each_file_counts_for_itself(tmp_path: Path) -> None:
    path = written(tmp_path, new="version = 2\n[whatever]\n")
    (complaint,) = complaints(path)
    assert complaint.startswith("config.d/new.toml:1: version: made by a newer Jitney")


def test_a_secret_that_others_can_read_is_told_with_its_file(tmp_path: Path) -> None:
    path = written(tmp_path, secret='[mqtt]\npassword = "a long password"\n')
    assert not loaded(path).warnings
    (tmp_path / "config.d" / "secret.toml").chmod(0o644)
    (warning,) = loaded(path).warnings
    assert f"chmod 600 {tmp_path}/config.d/secret.toml" in str(warning)
    assert "a long password" not in str(warning)


def test_two_who_claim_the_same_are_told_where_the_other_is(tmp_path: Path) -> None:
    claim = "strava = { athlete = 7 }\n"
    path = written(tmp_path, main=f"[owners.alice]\n{claim}", bob=f"[owners.bob]\n{claim}")
    (complaint,) = complaints(path)
    assert complaint.startswith("config.d/bob.toml:2: owners.bob.strava")
    assert "belongs to owner alice already (line 2)" in complaint
