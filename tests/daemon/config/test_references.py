import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitney.adapters.errors import MisconfiguredError
from jitney.adapters.secret import Secret
from jitney.daemon.config import secret_files
from jitney.daemon.config.load import Vault
from jitney.daemon.config.problems import ConfigError
from jitney.daemon.config.watched import mark
from jitney.daemon.store.store import StoreError

CANARY = "canary-7d1f3ab09e"
PASSWORD = "[mqtt]\npassword = "


def password(read: Callable, text: str, environ: dict[str, str] | None = None) -> str:
    revealed: str = read(PASSWORD + text, environ).config.mqtt.password.reveal()
    return revealed


def test_a_secret_can_stand_in_the_file(read: Callable) -> None:
    assert password(read, '" p w "') == " p w "


def test_a_secret_comes_from_an_environment_variable(read: Callable) -> None:
    assert password(read, '{ env = "PW" }', {"PW": "secret\n"}) == "secret"


def test_a_secret_comes_from_a_file_beside_the_configuration(read: Callable, folder: Path) -> None:
    (folder / "pw").write_text("  secret\n")
    assert password(read, '{ file = "pw" }') == "secret"


def test_a_secret_comes_from_a_file_anywhere(read: Callable, tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("secret\r\n")
    assert password(read, f'{{ file = "{tmp_path}/pw" }}') == "secret"


@pytest.mark.parametrize("name", ["home", "secret_home"])
def test_a_secret_comes_from_a_credential_of_systemd(read: Callable, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("secret\n")
    assert password(read, '{ credential = "home" }', {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == "secret"


@pytest.mark.parametrize(
    ("reference", "remedy"),
    [
        ('{ env = "UNSET" }', "is not set: set it where Jitney is started"),
        ('{ env = "BLANK" }', "is empty"),
        ('{ file = "nowhere" }', "there is no such file: write the secret into it"),
        ('{ file = "." }', "is not a file"),
        ('{ file = "/dev/zero" }', "is not a file"),
        ('{ file = "blank" }', "the file is empty"),
        ('{ file = "binary" }', "is not UTF-8"),
        ('{ file = "large" }', "larger than 64 KiB"),
        ('{ file = "blank/x" }', "cannot be read (Not a directory)"),
        ('{ file = "~/pw" }', "'~' is not expanded"),
        ('{ file = "a\\u0000b" }', "not a path"),
        ('{ credential = "unknown" }', "systemd gave no credential of that name"),
        ('{ credential = "../blank" }', "systemd gave no credential of that name"),
        ('{ vault = "strava/main" }', "there is no vault here to look into: use { env"),
        ('{ vault = "" }', "expected a secret"),
        ("{ vault = 1 }", "expected a secret"),
        ('{ vault = "strava/main", env = "X" }', "expected a secret"),
        ("{}", "expected a secret"),
        ('{ env = "" }', "expected a secret"),
        ("{ env = 1 }", "expected a secret"),
        ('{ enf = "X" }', "expected a secret"),
        (
            "12345",
            "expected a secret: a text, or one of { env = … }, { file = … }, { credential = … }, { vault = … }, got a",
        ),
        ('["x"]', "got a list"),
    ],
)
def test_a_reference_to_nothing_names_the_remedy(
    complaints: Callable, folder: Path, reference: str, remedy: str
) -> None:
    (folder / "blank").write_text(" \n")
    (folder / "binary").write_bytes(b"\xff\xfe")
    (folder / "large").write_text("x" * 70_000)
    (folder / "credentials").mkdir(exist_ok=True)
    environ = {"BLANK": " ", "CREDENTIALS_DIRECTORY": str(folder / "credentials")}
    (complaint,) = complaints(PASSWORD + reference, environ)
    assert complaint.startswith("2: mqtt.password: ")
    assert remedy in complaint


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of secrets of the machine, which nobody but root can enter."""
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(secret_files, "SECRETS", folder)
    return folder


def test_a_command_by_hand_reads_the_credential_from_where_systemd_would_take_it(read: Callable, secrets: Path) -> None:
    (secrets / "mqtt").write_text("secret\n")
    (secrets / "mqtt").chmod(0o644)
    assert password(read, '{ credential = "mqtt" }') == "secret"
    assert read(f'{PASSWORD}{{ credential = "mqtt" }}').marks.keys() == {secrets / "mqtt"}


def test_what_systemd_has_given_is_all_that_the_service_gets(
    complaints: Callable, secrets: Path, tmp_path: Path
) -> None:
    (secrets / "mqtt").write_text("secret")
    (complaint,) = complaints(PASSWORD + '{ credential = "mqtt" }', {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert "systemd gave no credential of that name" in complaint


@pytest.mark.parametrize("name", ["unknown", "../secrets/other", "..", "a\\u0000b", "x" * 300])
def test_a_credential_without_systemd_says_how_to_run_a_command_by_hand(
    complaints: Callable, secrets: Path, name: str
) -> None:
    (secrets / "other").write_text("secret")
    (complaint,) = complaints(PASSWORD + f'{{ credential = "{name}" }}')
    assert "CREDENTIALS_DIRECTORY" in complaint or "cannot be read" in complaint
    assert name not in complaint


def test_a_credential_that_this_user_cannot_read_says_to_use_sudo(
    complaints: Callable, secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (secrets / "mqtt").write_text("secret")
    monkeypatch.setattr(secret_files.os, "access", lambda *_: False)
    (complaint,) = complaints(PASSWORD + '{ credential = "mqtt" }')
    assert "that this user can read: use sudo, or set CREDENTIALS_DIRECTORY to" in complaint


def test_a_credential_that_others_can_read_is_not_used(complaints: Callable, secrets: Path) -> None:
    (secrets / "mqtt").write_text(CANARY)
    (secrets / "mqtt").chmod(0o640)
    secrets.chmod(0o755)
    (complaint,) = complaints(PASSWORD + '{ credential = "mqtt" }')
    assert "others on this machine can read it" in complaint
    assert "chmod 600" in complaint
    assert CANARY not in complaint


def test_every_file_that_a_secret_comes_from_is_told_also_when_there_is_none(
    read: Callable, folder: Path, tmp_path: Path
) -> None:
    (folder / "pw").write_text("secret")
    loaded = read(PASSWORD + '{ file = "pw" }')
    assert loaded.marks == {folder / "pw": mark(folder / "pw")}
    with pytest.raises(ConfigError) as caught:
        read(PASSWORD + f'{{ file = "{tmp_path}/none" }}')
    assert caught.value.secrets == {tmp_path / "none": None}
    assert not caught.value.passing


def test_only_a_vault_that_cannot_be_read_for_a_moment_makes_it_worth_trying_again(read: Callable) -> None:
    def vault(_: Path, name: str) -> Secret:
        raise StoreError(f"{name}: the disk is full", passing=name == "full")

    def refused(text: str) -> ConfigError:
        with pytest.raises(ConfigError) as caught:
            read(text, vault=vault)
        return caught.value

    assert refused(PASSWORD + '{ vault = "full" }').passing
    assert not refused(PASSWORD + '{ vault = "broken" }').passing
    assert not refused(PASSWORD + '{ vault = "full" }\nport = 1').passing


def test_a_pipe_is_not_waited_for(complaints: Callable, folder: Path) -> None:
    (folder / "pipe").unlink(missing_ok=True)
    os.mkfifo(folder / "pipe")
    assert "is not a file" in complaints(PASSWORD + '{ file = "pipe" }')[0]


@pytest.mark.parametrize("text", ["$TOKEN", "${TOKEN}"])
def test_what_looks_like_a_shell_variable_is_used_as_it_stands_with_a_warning(read: Callable, text: str) -> None:
    loaded = read(f'{PASSWORD}"{text}"')
    assert loaded.config.mqtt.password.reveal() == text
    (warning,) = loaded.warnings
    assert warning.line == 2
    assert "TOKEN" not in str(warning)


def test_a_secret_comes_from_the_vault_of_the_state_folder(read: Callable) -> None:
    asked: list[tuple[Path, str]] = []

    def vault(folder: Path, name: str) -> Secret:
        asked.append((folder, name))
        return Secret("secret")

    state = '[bus]\nstate_dir = "/var/lib/jitney"\n'
    reference = PASSWORD + '{ vault = "strava/main" }\n'
    assert read(reference + state, vault=vault).config.mqtt.password.reveal() == "secret"
    assert read(reference, {"STATE_DIRECTORY": "/srv/one:/srv/two"}, vault=vault).config.mqtt.password
    assert read(reference, {"XDG_STATE_HOME": "/srv/alice"}, vault=vault).config.mqtt.password
    folders = [Path("/var/lib/jitney"), Path("/srv/one"), Path("/srv/alice/jitney")]
    assert asked == [(folder, "strava/main") for folder in folders]


def test_a_configuration_without_secrets_in_the_vault_does_not_look_into_it(read: Callable) -> None:
    def vault(folder: Path, name: str) -> Secret:
        raise AssertionError((folder, name))

    assert password(lambda *arguments: read(*arguments, vault=vault), '"plain"') == "plain"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("strava/main", 'the vault has no "strava/main": put it there with `jitney vault set strava/main`'),
        (CANARY, "the vault has nothing of that name: put it there with `jitney vault set NAME`"),
        (f"Bearer {CANARY}/x", "the vault has nothing of that name: put it there with `jitney vault set NAME`"),
    ],
)
def test_what_is_not_in_the_vault_is_told_with_its_line(read: Callable, name: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(f'{PASSWORD}{{ vault = "{name}" }}', vault=lambda *_: None)
    (problem,) = caught.value.problems
    assert (problem.line, problem.key, problem.message) == (2, "mqtt.password", complaint)


def test_a_vault_that_cannot_be_opened_is_told_at_every_secret_that_lies_in_it(read: Callable) -> None:
    def locked(folder: Path, name: str) -> Secret:
        raise MisconfiguredError(f"no key for {folder} and {name}")

    text = f"""{PASSWORD}{{ vault = "a/b" }}
[bus]
state_dir = "/state"
[adapters.x]
type = "sample"
url = "u"
token = {{ vault = "c/d" }}
"""
    with pytest.raises(ConfigError) as caught:
        read(text, vault=locked)
    assert [(problem.line, problem.message) for problem in caught.value.problems] == [
        (2, "no key for /state and a/b"),
        (8, "no key for /state and c/d"),
    ]


@pytest.mark.parametrize("state", ["1", '"here"', '"/a\\u0000b"'])
def test_a_vault_in_a_folder_that_is_none_is_not_looked_for(read: Callable, state: str) -> None:
    def vault(folder: Path, name: str) -> Secret:
        raise AssertionError((folder, name))

    with pytest.raises(ConfigError) as caught:
        read(f'[bus]\nstate_dir = {state}\n{PASSWORD}{{ vault = "a/b" }}', vault=vault)
    assert [problem.key for problem in caught.value.problems] == ["bus.state_dir", "mqtt.password"]
    assert "bus.state_dir: expected an absolute path" in caught.value.problems[1].message


SCALARS = st.sampled_from([CANARY, f"${CANARY}", f"Bearer {CANARY}", f"/{CANARY}", f"~{CANARY}", "", 1.5, True])
SOURCES = st.sampled_from(["env", "file", "credential", "vault", CANARY, "secret"])
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(SOURCES, inner, max_size=2), max_leaves=4
)


PLACES = st.fixed_dictionaries(
    {"token": ANYTHING, "spare": ANYTHING, "more": st.lists(ANYTHING, max_size=2) | ANYTHING}
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(places=PLACES, password=ANYTHING, app=ANYTHING, size=st.sampled_from([13, 16, 99]))
def test_no_secret_is_told_wherever_it_was_put(read: Callable, toml: Callable, **given: object) -> None:
    app = {"client_id": "1", "client_secret": given["app"]}
    sample = {"type": "sample", "url": "u", "size": given["size"], "apps": {"main": app}, **given["places"]}
    text = toml({"mqtt": {"password": given["password"]}, "adapters": {"x": sample}})
    for vault in (None, lambda *_: None, lambda *_: Secret(CANARY)):
        assert CANARY not in told(read, text, vault)


def told(read: Callable, text: str, vault: Vault | None) -> str:
    try:
        return repr(read(text, {"CREDENTIALS_DIRECTORY": "/nonexistent", CANARY: CANARY}, mode=0o644, vault=vault))
    except ConfigError as error:
        return str(error)


@settings(deadline=None)
@given(number=st.integers(10**11, 10**18))
def test_a_secret_that_is_a_number_is_not_told(complaints: Callable, number: int) -> None:
    text = f'{PASSWORD}{number}\n[adapters.x]\ntype = "sample"\nurl = "u"\ntoken = {number}\nmore = {number}\n'
    lines = complaints(text)
    assert len(lines) == 3
    assert str(number) not in " ".join(lines)


def test_a_text_in_the_place_of_a_table_with_secrets_is_not_told(complaints: Callable) -> None:
    text = f'[adapters.x]\ntype = "sample"\nurl = "u"\napps.main = "{CANARY}"\nmore = "{CANARY}"\nsend = "{CANARY}"\n'
    lines = complaints(text)
    assert len(lines) == 3
    assert CANARY not in " ".join(lines)
