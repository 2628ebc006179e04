import os
from collections.abc import Callable
from pathlib import Path

import pytest

from jitney.daemon.config.load import examine, load
from jitney.daemon.config.problems import ConfigError, Problem
from jitney.daemon.config.reading import LARGEST
from jitney.daemon.config.schema import Config


def test_an_empty_file_is_the_defaults(read: Callable) -> None:
    config = read("").config
    assert config == Config(folder=config.folder, files=config.files)


def test_every_problem_is_told_at_once_in_the_order_of_the_file(complaints: Callable) -> None:
    text = """
version = 1
[mqtt]
url = 42
windoww = 5
[bus]
instance = "the one"
log_level = "loud"
[adapters.home]
retry.x = 1
type = "anonymous"
[nonsense]
"""
    assert complaints(text) == [
        "4: mqtt.url: expected a URL, got 42",
        '5: mqtt.windoww: unknown key: did you mean "window"?',
        "7: bus.instance: expected 1 to 32 of a-z, 0-9, '-' and '_', starting with a letter or digit, got \"the one\"",
        '8: bus.log_level: expected one of "debug", "error", "info", "warning", got "loud"',
        "10: adapters.home.retry.x: unknown key: known here are attempts, first, longest, unauthorised",
        (
            "12: nonsense: unknown key: known here are"
            " access, adapters, audit, bus, discovery, grants, http, limits, mqtt, outbox, owners, routes, routing,"
            " tracing, version"
        ),
    ]


def test_a_problem_names_the_file_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.toml").write_text("\n[bus]\nport = 1\n")
    with pytest.raises(ConfigError, match=r"^config\.toml:3: bus\.port: unknown key"):
        load(Path("config.toml"), environ={})


def test_a_file_that_is_not_there_names_the_command_that_writes_one(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    with pytest.raises(ConfigError) as caught:
        load(path, environ={})
    assert str(caught.value) == f"{path}: there is no such file: `jitney init -c {path}` writes one"


def test_a_folder_is_not_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read by this user: Is a directory"):
        load(tmp_path, environ={})


def test_a_path_that_is_none_is_a_problem() -> None:
    with pytest.raises(ConfigError, match="not a path"):
        load(Path("a\0b"), environ={})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_of_somebody_else_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.touch(mode=0o000)
    with pytest.raises(ConfigError, match="cannot be read by this user: Permission denied"):
        load(path, environ={})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("\n[mqtt]\nurl = mqtt://x\n", "3: not TOML: expected a value: a text must stand in quotes (column 7)"),
        ("[bus]\n[bus]\n", "2: not TOML: Cannot declare ('bus',) twice (column 5)"),
        ("a = 1\na = 2\n", "2: not TOML: this key or table stands twice (column 6)"),
        ('a = "x\n', "1: not TOML: a text does not end on its line: the closing quote is missing (column 7)"),
        ("a = [1\n", "2: not TOML: Unclosed array (at the end of the file)"),
        ("=\n", "1: not TOML: expected a key, a [table] or a # comment (column 1)"),
        (b"a = 1\nb = '\xff'\n", "2: not UTF-8: save it in that encoding"),
    ],
)
def test_what_is_not_toml_is_told_with_its_line(complaints: Callable, text: str | bytes, complaint: str) -> None:
    assert complaints(text) == [complaint]


@pytest.mark.parametrize("text", ["a = " + "[" * 5000 + "]" * 5000, "a = " + "{a = " * 5000 + "1" + "}" * 5000])
def test_what_is_nested_without_end_is_a_problem(complaints: Callable, text: str) -> None:
    (complaint,) = complaints(text)
    assert "nested" in complaint


def test_a_number_of_thousands_of_digits_is_a_problem(complaints: Callable) -> None:
    (complaint,) = complaints("a = " + "9" * 5000)
    assert "not TOML" in complaint


def test_a_file_that_is_far_too_large_is_not_read(complaints: Callable) -> None:
    assert "larger than 1024 KiB" in complaints(b"#" * (LARGEST + 1))[0]


def test_a_file_saved_on_windows_is_read(read: Callable, complaints: Callable) -> None:
    assert read(b'\xef\xbb\xbf[bus]\r\ninstance = "two"\r\n').config.bus.instance == "two"
    assert complaints(b"\xef\xbb\xbf[bus]\r\n\r\nx = 1\r\n")[0].startswith("3: bus.x: unknown key")


def test_of_a_file_made_by_a_newer_jitney_nothing_else_is_judged(complaints: Callable) -> None:
    text = "novelty = 1\nversion = 2"
    message = "made by a newer Jitney, with version 2; this one reads version 1: upgrade it"
    assert complaints(text) == [f"2: version: {message}"]


@pytest.mark.parametrize(("version", "got"), [("0", "0"), ("true", "true"), ('"1"', '"1"'), ("1.0", "1.0")])
def test_a_version_that_is_none_is_a_problem(complaints: Callable, version: str, got: str) -> None:
    assert complaints(f"version = {version}") == [f"1: version: expected 1, got {got}"]


def test_a_section_that_is_not_a_table_is_a_problem(complaints: Callable) -> None:
    assert complaints('bus = 1\nowners = []\nadapters = "x"') == [
        "1: bus: expected a table, got a whole number",
        "2: owners: expected a table, got a list",
        "3: adapters: expected a table, got a text",
    ]


def test_a_problem_is_one_line_whatever_the_file_says(problems: Callable) -> None:
    (problem,) = problems('[bus]\n"a\\n\\u001b[31m\\u2028" = 1\n')
    assert str(problem).isprintable()
    assert problem.key == r'bus."a\n\u001b[31m\u2028"'


def test_a_missing_key_is_told_at_its_table(complaints: Callable) -> None:
    assert complaints('\n[adapters.x]\ntype = "sample"')[0] == "2: adapters.x.url: missing: expected a URL"


def test_a_plain_secret_that_others_can_read_is_a_warning(read: Callable, folder: Path) -> None:
    text = '[mqtt]\npassword = "hunter2hunter2hunter2"'
    assert read(text).warnings == ()
    assert read(text, mode=0o640).warnings == (
        Problem(
            str(folder / "config.toml"),
            2,
            "mqtt.password",
            f"holds this secret and others on this machine can read it: chmod 600 {folder}/config.toml",
        ),
    )


def test_a_reference_to_a_secret_may_be_read_by_others(read: Callable) -> None:
    text = '[mqtt]\npassword = { env = "PASSWORD" }'
    assert read(text, {"PASSWORD": "x"}, mode=0o644).warnings == ()


def test_load_is_what_examine_found(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[mqtt]\npassword = "x"')
    assert load(path, environ={}) == examine(path, environ={}).config
