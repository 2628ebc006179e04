"""Where the key of the vault is found, and what is refused."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from jitney.adapters.errors import MisconfiguredError
from jitney.daemon.config import secret_files
from jitney.daemon.owners import key_sources
from jitney.daemon.owners.key_sources import FILE, NEXT, Found, KeySources
from jitney.daemon.owners.sealing import Key
from jitney.daemon.store.store import StoreError

NONE: frozenset[str] = frozenset()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    folder = tmp_path / "credentials"
    folder.mkdir()
    return folder


def written(path: Path, *, mode: int = 0o600) -> Key:
    key = Key.new()
    path.write_text(key.text() + "\n")
    path.chmod(mode)
    return key


def find(state: Path, needed: frozenset[str] = NONE, **environ: str) -> Found | None:
    return KeySources(state, environ=environ).find(needed)


def refusal(state: Path, needed: frozenset[str] = NONE, **environ: str) -> str:
    with pytest.raises(MisconfiguredError) as caught:
        find(state, needed, **environ)
    return str(caught.value)


@pytest.mark.parametrize("name", ["vault-key", "secret_vault-key"])
def test_the_credential_comes_first_then_the_environment_then_the_file(
    state: Path, credentials: Path, name: str
) -> None:
    in_credential, in_file, in_variable = written(credentials / name), written(state / FILE), Key.new()
    everywhere = {"CREDENTIALS_DIRECTORY": str(credentials), "JITNEY_VAULT_KEY": in_variable.text()}
    found = [find(state, **everywhere)]
    del everywhere["CREDENTIALS_DIRECTORY"]
    found.append(find(state, **everywhere))
    found.append(find(state))
    (state / FILE).unlink()
    found.append(find(state))
    assert [one and (one.key.id, one.source) for one in found] == [
        (in_credential.id, "credential"),
        (in_variable.id, "environment"),
        (in_file.id, "file"),
        None,
    ]


def test_a_credential_that_is_not_given_and_an_empty_variable_are_none(state: Path, credentials: Path) -> None:
    assert find(state, CREDENTIALS_DIRECTORY=str(credentials), JITNEY_VAULT_KEY=" ") is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622, 0o644])
def test_a_key_file_that_others_can_read_or_write_is_refused_with_the_remedy(state: Path, mode: int) -> None:
    written(state / FILE, mode=mode)
    assert f"chmod 600 {state / FILE}" in refusal(state)


def test_what_is_no_key_is_refused_with_its_place(state: Path, credentials: Path) -> None:
    (credentials / "vault-key").write_text("canary-credential")
    (state / FILE).write_text("canary-file")
    (state / FILE).chmod(0o600)
    told = [
        refusal(state, CREDENTIALS_DIRECTORY=str(credentials)),
        refusal(state, JITNEY_VAULT_KEY="canary-variable"),
        refusal(state),
    ]
    for text, place in zip(told, ["credential vault-key", "$JITNEY_VAULT_KEY", str(state / FILE)], strict=True):
        assert f"{place}: expected 32 bytes" in text
        assert "openssl rand" in text
        assert "canary" not in text


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"x" * 70_000])
def test_a_file_that_holds_no_text_is_refused(state: Path, credentials: Path, content: bytes) -> None:
    (state / FILE).write_bytes(content)
    (state / FILE).chmod(0o600)
    (credentials / "vault-key").write_bytes(content)
    assert str(state / FILE) in refusal(state)
    assert "credential vault-key" in refusal(state, CREDENTIALS_DIRECTORY=str(credentials))


def test_a_folder_in_the_place_of_the_file_is_refused(state: Path) -> None:
    (state / FILE).mkdir(mode=0o700)
    assert "is not a file" in refusal(state)


def test_the_wrong_key_is_an_error_that_names_every_place_and_the_key_that_is_needed(
    state: Path, credentials: Path
) -> None:
    right, wrong = written(state / FILE), Key.new()
    (credentials / "vault-key").write_text("no key")
    text = refusal(state, frozenset({right.id}), JITNEY_VAULT_KEY=wrong.text())
    assert f"the key with the id {right.id}" in text
    assert "the systemd credential vault-key (none), " in text
    assert f"$JITNEY_VAULT_KEY (id {wrong.id}), {state / FILE} (id {right.id})" in text
    assert wrong.text() not in text
    assert "jitney vault remove --all" in text


def test_a_missing_key_is_an_error_once_one_is_needed(state: Path) -> None:
    text = refusal(state, frozenset({"0123456789abcdef"}))
    assert "the id 0123456789abcdef" in text
    assert f"{state / FILE} (none)" in text
    assert list(state.iterdir()) == []


def test_a_key_in_an_unusable_place_further_down_does_not_hide_the_right_one(state: Path) -> None:
    right = Key.new()
    (state / FILE).write_text("no key")
    (state / FILE).chmod(0o644)
    found = find(state, frozenset({right.id}), JITNEY_VAULT_KEY=right.text())
    assert found is not None
    assert found.key.id == right.id
    assert "cannot be used" in refusal(state, frozenset({"another"}), JITNEY_VAULT_KEY=right.text())


def test_a_key_is_made_for_its_owner_alone_and_nothing_else_is_left(state: Path) -> None:
    old = os.umask(0)
    try:
        made = KeySources(state, environ={}).make()
    finally:
        os.umask(old)
    assert [path.name for path in state.iterdir()] == [FILE]
    assert stat.S_IMODE((state / FILE).stat().st_mode) == 0o600
    found = find(state, frozenset({made.key.id}))
    assert found is not None
    assert (found.key.id, found.source, found.place) == (made.key.id, "file", str(state / FILE))


def test_a_key_that_is_there_is_never_overwritten(state: Path) -> None:
    mine = written(state / FILE)
    assert KeySources(state, environ={}).make().key.id == mine.id
    assert (state / FILE).read_text() == mine.text() + "\n"
    assert [path.name for path in state.iterdir()] == [FILE]


def test_a_key_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        StoreError, match=r"vault\.key cannot be written: No such file or directory; check the state folder"
    ):
        KeySources(tmp_path / "nowhere", environ={}).make()


def test_the_coming_key_is_taken_as_soon_as_the_rows_have_it(state: Path) -> None:
    old, new = written(state / FILE), written(state / NEXT)
    before, after = find(state, frozenset({old.id})), find(state, frozenset({new.id}))
    assert before is not None
    assert after is not None
    assert (before.key.id, before.place) == (old.id, str(state / FILE))
    assert (after.key.id, after.place) == (new.id, str(state / NEXT))
    empty = find(state)
    assert empty is not None
    assert empty.key.id == old.id


def test_the_coming_key_becomes_the_file(state: Path) -> None:
    sources = KeySources(state, environ={})
    written(state / FILE)
    new = written(state / NEXT)
    found = sources.find(frozenset({new.id}))
    assert found is not None
    assert sources.settle(found).place == str(state / FILE)
    assert [path.name for path in state.iterdir()] == [FILE]
    again = sources.find(frozenset({new.id}))
    assert again is not None
    assert sources.settle(again) == again


@pytest.mark.parametrize("spoil", [lambda path: path.write_text("no key"), lambda path: path.chmod(0o644)])
def test_a_coming_key_that_is_none_is_not_looked_at(state: Path, spoil: Callable[[Path], object]) -> None:
    old, new = written(state / FILE), written(state / NEXT)
    spoil(state / NEXT)
    found = find(state, frozenset({old.id}))
    assert found is not None
    assert found.key.id == old.id
    assert f"the id {new.id}" in refusal(state, frozenset({new.id}))


def test_a_coming_key_counts_only_where_the_key_is_in_the_file(state: Path) -> None:
    new, variable = written(state / NEXT), Key.new()
    assert f"$JITNEY_VAULT_KEY (id {variable.id})" in refusal(
        state, frozenset({new.id}), JITNEY_VAULT_KEY=variable.text()
    )


def test_what_cannot_be_renamed_is_told(state: Path) -> None:
    new = written(state / NEXT)
    sources = KeySources(state, environ={})
    found = sources.find(frozenset({new.id}))
    assert found is not None
    (state / NEXT).unlink()
    with pytest.raises(StoreError, match=r"cannot be renamed to vault\.key"):
        sources.settle(found)


def test_a_command_by_hand_finds_the_credential_where_systemd_takes_it(
    state: Path, credentials: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret_files, "SECRETS", credentials)
    credentials.chmod(0o700)
    in_folder, beside = written(credentials / "vault-key", mode=0o644), written(state / FILE)
    found = find(state)
    assert found is not None
    assert (found.key.id, found.source) == (in_folder.id, "credential")
    credentials.chmod(0o711)
    assert "others on this machine can read it" in refusal(state)
    monkeypatch.setattr(secret_files.os, "access", lambda *_: False)
    (credentials / "vault-key").chmod(0o600)
    other = find(state)
    assert other is not None
    assert other.key.id == beside.id


def test_a_key_that_the_disk_does_not_give_just_now_is_not_a_wrong_one(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(state / FILE)

    def failing(_: Path) -> str:
        raise secret_files.UnavailableError("the file cannot be read (Input/output error)", passing=True)

    monkeypatch.setattr(key_sources, "read", failing)
    with pytest.raises(StoreError, match="Input/output error") as caught:
        find(state)
    assert caught.value.passing
