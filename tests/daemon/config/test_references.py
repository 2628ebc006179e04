import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitney.daemon.config.problems import ConfigError

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
        ('{ vault = "strava/main" }', "has no vault yet: use { env"),
        ('{ vault = "strava/main", env = "X" }', "expected a secret"),
        ("{}", "expected a secret"),
        ('{ env = "" }', "expected a secret"),
        ("{ env = 1 }", "expected a secret"),
        ('{ enf = "X" }', "expected a secret"),
        ("12345", "expected a secret: a text, or one of { env = … }, { file = … }, { credential = … }, got a whole"),
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


def test_a_credential_without_systemd_says_how_to_check_by_hand(complaints: Callable) -> None:
    (complaint,) = complaints(PASSWORD + '{ credential = "mqtt" }')
    assert "to check by hand, set CREDENTIALS_DIRECTORY to the folder that holds the secrets" in complaint


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
    assert CANARY not in told(read, text)


def told(read: Callable, text: str) -> str:
    try:
        return repr(read(text, {"CREDENTIALS_DIRECTORY": "/nonexistent", CANARY: CANARY}, mode=0o644))
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
