import argparse
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jitney.adapters.secret import Secret
from jitney.daemon.cli import main
from jitney.daemon.cli.common import broker_settings
from jitney.daemon.owners.house_secrets import HouseSecrets
from jitney.daemon.owners.sealing import Key
from jitney.daemon.store.store import Store

COMMAND = [sys.executable, "-m", "jitney.daemon.cli", "vault"]
SECRET = "canary-7d1f3ab09e"

Vault = Callable[..., int]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture(autouse=True)
def no_keys_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CREDENTIALS_DIRECTORY", "JITNEY_VAULT_KEY", "JITNEY_CONFIG", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def vault(state: Path, monkeypatch: pytest.MonkeyPatch) -> Vault:
    """Run `jitney vault` on the state folder, with something on standard input."""

    def run(action: str, *arguments: str, given: str | bytes = "") -> int:
        raw = given.encode() if isinstance(given, str) else given
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
        return main(["vault", action, *arguments, "--state-dir", str(state)])

    return run


def kept(state: Path, name: str = "strava/main") -> str | None:
    secret = HouseSecrets(state, environ=os.environ).get(name)
    return None if secret is None else secret.reveal()


def test_a_secret_is_kept_listed_replaced_and_removed(
    vault: Vault, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert vault("set", "strava/main", given=SECRET + "\n") == 0
    assert kept(state) == SECRET
    assert capsys.readouterr().out.splitlines() == [
        f"Kept strava/main in the vault in {state}.",
        f"Made the key, {state}/vault.key: keep a copy away from this machine, nothing opens without it.",
        'In the configuration: { vault = "strava/main" }. A running Jitney reads it at `jitney reload`.',
    ]
    assert vault("set", "strava/main", given="newer") == 0
    assert kept(state) == "newer"
    out = capsys.readouterr().out
    assert "Replaced strava/main" in out
    assert "Made the key" not in out
    assert vault("list") == 0
    assert capsys.readouterr().out == "strava/main  of the configuration\n"
    assert vault("remove", "strava/main") == 0
    assert kept(state) is None
    assert vault("remove", "strava/main") == 1
    assert "see `jitney vault list`" in capsys.readouterr().err
    assert vault("list") == 0
    assert capsys.readouterr() == ("", f"the vault in {state} is empty\n")


def test_a_program_reads_the_list_as_json(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    vault("set", "strava/main", given=SECRET)
    capsys.readouterr()
    assert vault("list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [{"adapter": "", "owner": "_house", "name": "strava/main"}]


@pytest.mark.parametrize("name", ["Strava/Main", "strava/", "/x", "a b", "../x", "", SECRET + "!", "x" * 33])
def test_a_name_that_is_none_is_wrong_usage_and_not_repeated(
    vault: Vault, state: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert vault("set", name, given="x") == 2
    err = capsys.readouterr().err
    assert "words of a-z, 0-9, - and _ with a / between them, like strava/main" in err
    assert SECRET not in err
    assert not state.exists()


@pytest.mark.parametrize("given", ["", " \n", b"\xff\xfe", "x" * 70_000])
def test_a_secret_that_is_none_is_wrong_usage(vault: Vault, state: Path, given: str | bytes) -> None:
    assert vault("set", "strava/main", given=given) == 2
    assert not state.exists()


@pytest.mark.parametrize("arguments", [[], ["x", "--all"]])
def test_removing_needs_one_name_or_all(vault: Vault, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert vault("remove", *arguments) == 2
    assert "name one secret, or give --all" in capsys.readouterr().err


def test_everything_is_erased_also_without_the_key(
    vault: Vault, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vault("set", "strava/main", given=SECRET)
    (state / "vault.key").unlink()
    assert vault("set", "strava/main", given="x") == 1
    assert "`jitney vault remove --all` forgets what was kept with it" in capsys.readouterr().err
    assert vault("remove", "--all") == 0
    assert vault("set", "strava/main", given="x") == 0
    assert kept(state) == "x"


def test_the_key_is_rotated(vault: Vault, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vault("set", "strava/main", given=SECRET)
    before = (state / "vault.key").read_text()
    capsys.readouterr()
    assert vault("rotate") == 0
    out = capsys.readouterr().out
    after = (state / "vault.key").read_text()
    assert after != before
    assert f"Encrypted 1 secret in {state} with a new key (id {Key.parse(after).id})." in out
    assert f"It is in {state}/vault.key: keep a copy" in out
    assert kept(state) == SECRET


def test_a_key_in_a_credential_is_rotated_by_giving_the_new_one(
    vault: Vault, state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    credentials, new = state.parent / "credentials", state.parent / "new-key"
    credentials.mkdir()
    (credentials / "secret_vault-key").write_text(Key.new().text())
    new.write_text(Key.new().text())
    new.chmod(0o600)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    vault("set", "strava/main", given=SECRET)
    assert vault("rotate") == 1
    assert "make one with `openssl rand -base64 32`" in capsys.readouterr().err
    assert vault("rotate", "--new-key-file", str(new)) == 0
    out = capsys.readouterr().out
    assert f"put it where the old one is, the systemd credential vault-key; then remove {new}" in out
    (credentials / "secret_vault-key").write_text(new.read_text())
    assert kept(state) == SECRET


def test_a_new_key_that_is_none_is_told(vault: Vault, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vault("set", "strava/main", given=SECRET)
    assert vault("rotate", "--new-key-file", str(tmp_path / "nowhere")) == 2
    assert f"there is no file {tmp_path / 'nowhere'}" in capsys.readouterr().err
    (tmp_path / "open").write_text(Key.new().text())
    (tmp_path / "open").chmod(0o644)
    assert vault("rotate", "--new-key-file", str(tmp_path / "open")) == 1
    assert f"chmod 600 {tmp_path / 'open'}" in capsys.readouterr().err


async def test_a_running_daemon_allows_everything_but_a_rotation(
    vault: Vault, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Store(state / "jitney.db"):
        assert vault("set", "strava/main", given=SECRET) == 0
        assert kept(state) == SECRET
        assert vault("remove", "strava/main") == 0
        assert vault("rotate") == 1
        assert "stop it (sudo systemctl stop jitney)" in capsys.readouterr().err


def config(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_the_configuration_names_the_folder_and_finds_its_secrets_there(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f'[bus]\nstate_dir = "{state}"\n[mqtt]\nusername = "jitney"\npassword = {{ vault = "mqtt/main" }}\n'
    path = str(config(tmp_path, text))
    assert main(["check", "-c", path]) == 78
    assert capsys.readouterr().err == (
        f'{path}:5: mqtt.password: the vault has no "mqtt/main": put it there with `jitney vault set mqtt/main`\n'
    )
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(SECRET.encode())))
    assert main(["vault", "set", "mqtt/main", "-c", path]) == 0
    assert main(["check", "-c", path]) == 0
    (state / "vault.key").unlink()
    assert main(["check", "-c", path]) == 78
    assert "mqtt.password: the vault needs the key with the id" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["run"], ["check"], ["tail"], ["send", "alice", "home", "ping"]])
def test_every_command_that_reads_the_configuration_looks_into_the_vault(
    command: list[str], state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config(tmp_path, f'[bus]\nstate_dir = "{state}"\n[mqtt]\npassword = {{ vault = "mqtt/main" }}\n')
    assert main([*command, "-c", str(path)]) == 78
    assert 'the vault has no "mqtt/main"' in capsys.readouterr().err
    HouseSecrets(state, environ={}).put("mqtt/main", Secret(SECRET))
    named = argparse.Namespace(config=path, mqtt="", root=None)
    assert broker_settings(named).password.reveal() == SECRET


def test_a_state_folder_that_is_none_is_told_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(config(tmp_path, '[bus]\nstate_dir = "here"\n'))
    assert main(["vault", "list", "-c", path]) == 78
    assert capsys.readouterr().err == f'{path}:2: bus.state_dir: expected an absolute path, got "here"\n'
    path = str(config(tmp_path, '[bus]\nstate_dir = "here"\n[mqtt]\npassword = { vault = "x" }\n'))
    assert main(["check", "-c", path]) == 78
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize("variable", ["STATE_DIRECTORY", "XDG_STATE_HOME"])
def test_without_a_configuration_the_folder_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv(variable, str(tmp_path / "jitney"))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(SECRET.encode())))
    assert main(["vault", "set", "strava/main"]) == 0
    folder = tmp_path / "jitney"
    assert kept(folder if variable == "STATE_DIRECTORY" else folder / "jitney") == SECRET


def test_on_a_terminal_the_secret_is_asked_for_and_not_shown(state: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(  # noqa: S603 - this Python
            [*COMMAND, "set", "strava/main", "--state-dir", str(state)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        ) as asking:
            os.close(theirs)
            shown = b""
            while b"is not shown): " not in shown:
                shown += os.read(ours, 1000)
            os.write(ours, SECRET.encode() + b"\n")
            while b"A running Jitney reads it" not in shown:
                shown += os.read(ours, 1000)
            assert asking.wait(timeout=20) == 0
    finally:
        os.close(ours)
    assert SECRET.encode() not in shown
    assert kept(state) == SECRET


def test_nothing_of_the_secret_or_the_key_is_told_by_the_process(state: Path) -> None:
    told, keys = "", set()
    for arguments, given in (
        (["set", "strava/main"], SECRET),
        (["list"], ""),
        (["list", "--json"], ""),
        (["rotate"], ""),
        (["remove", "strava/main"], ""),
    ):
        command = [*COMMAND, *arguments, "--state-dir", str(state)]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603 - this Python
        assert done.returncode == 0, done.stderr
        assert done.stdout
        told += done.stdout + done.stderr
        keys.add((state / "vault.key").read_text().strip())
    assert len(keys) == 2
    assert not any(hidden in told for hidden in (SECRET, *keys))


def test_the_cryptography_is_imported_only_where_the_vault_is_used(tmp_path: Path) -> None:
    path = config(tmp_path, f'[bus]\nstate_dir = "{tmp_path}"\n')
    code = f"""
import sys
from jitney.adapters.secret import Secret
from jitney.daemon.cli import main
from jitney.daemon.cli.common import broker_settings
main(["check", "-c", {str(path)!r}])
main(["vault", "list", "--state-dir", {str(tmp_path)!r}])
print(*sys.modules)
"""
    done = subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert "jitney.daemon.owners.house_secrets" in done.stdout.split()
    assert "cryptography" not in done.stdout.split()
