"""The routes to copy are right as they stand: at the end of a household's configuration, each and all together."""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from jitney.daemon.cli import main
from tests.at_strava import REPOSITORY
from tests.fakes.homeassistant.users import Users

ROUTES = sorted((REPOSITORY / "examples" / "routes").glob("*.toml"))

HOUSEHOLD = """\
version = 1
[mqtt]
url = "mqtt://localhost:1883"
[owners.alice]
name = "Alice"
[owners.bob]
name = "Bob"
[adapters.home]
type = "homeassistant"
url = "http://homeassistant.local:8123"
token = { env = "HOME_TOKEN" }
[adapters.base]
type = "meshtastic"
owner = "alice"
connection = "tcp://192.168.1.100"
[adapters.strava]
type = "strava"
apps.main = { client_id = "12345", client_secret = { env = "STRAVA_SECRET" } }
"""


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME_TOKEN", Users().add("Jitney").token)
    monkeypatch.setenv("STRAVA_SECRET", "canary-of-strava-5c1f")


def checked(folder: Path, examples: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Check a configuration that ends with these, and return the exit status and the complaints."""
    path = folder / "config.toml"
    path.write_text("\n".join([HOUSEHOLD, *examples]), encoding="utf-8")
    status = main(["check", "-c", str(path)])
    return status, capsys.readouterr().err


@pytest.mark.parametrize("path", ROUTES, ids=lambda path: path.stem)
def test_every_example_is_right_at_the_end_of_a_configuration(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checked(tmp_path, [path.read_text(encoding="utf-8")], capsys) == (0, "")


def test_all_examples_are_right_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(tmp_path, [path.read_text(encoding="utf-8") for path in ROUTES], capsys) == (0, "")


@pytest.mark.parametrize("path", ROUTES, ids=lambda path: path.stem)
def test_the_tests_in_an_example_are_run_by_the_check(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = path.read_text(encoding="utf-8")
    broken, count = re.subn(r'(?m)^expect = "nothing"$', 'expect = [{ state = "impossible" }]', text, count=1)
    assert count == 1
    status, complaints = checked(tmp_path, [broken], capsys)
    assert status == 78
    assert "fails: expected 1 action, got nothing" in complaints


@pytest.mark.parametrize("path", ROUTES, ids=lambda path: path.stem)
def test_every_example_says_what_it_does_and_every_route_tests_when_it_acts_and_when_not(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert "jitney check" in text.partition("[[routes]]")[0]
    for route in tomllib.loads(text)["routes"]:
        expected = [test["expect"] for test in route["tests"]]
        assert "nothing" in expected
        assert any(isinstance(one, list) and one for one in expected)
        assert all(test["name"] for test in route["tests"])
