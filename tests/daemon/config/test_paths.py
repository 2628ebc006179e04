from pathlib import Path

import pytest

from jitney.daemon.config.paths import SYSTEM, default_path, state_dir
from jitney.daemon.config.schema import BusSettings


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_environment_names_the_configuration_first(here: Path) -> None:
    (here / "config.toml").touch()
    assert default_path({"JITNEY_CONFIG": "other.toml"}) == Path("other.toml")


def test_a_configuration_here_comes_before_the_service_s(here: Path) -> None:
    (here / "config.toml").touch()
    assert default_path({}, system=here / "config.toml") == Path("config.toml")


def test_the_service_s_configuration_comes_before_one_s_own(here: Path) -> None:
    (here / "system.toml").touch()
    assert default_path({"HOME": "/h"}, system=here / "system.toml") == here / "system.toml"


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"HOME": "/h"}, "/h/.config/jitney/config.toml"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/c"}, "/c/jitney/config.toml"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "relative"}, "/h/.config/jitney/config.toml"),
    ],
)
def test_one_s_own_configuration_is_the_last_choice(here: Path, environ: dict[str, str], path: str) -> None:
    assert default_path(environ, system=here / "none.toml") == Path(path)


def test_a_configuration_that_cannot_be_looked_at_is_not_passed_over(here: Path) -> None:
    unreachable = here / ("x" * 300) / "config.toml"
    assert default_path({"HOME": "/h"}, system=unreachable) == unreachable


def test_the_service_s_configuration_lies_where_the_unit_looks() -> None:
    assert Path("/etc/jitney/config.toml") == SYSTEM


@pytest.mark.parametrize(
    ("configured", "environ", "path"),
    [
        ("/data", {"STATE_DIRECTORY": "/var/lib/jitney"}, "/data"),
        ("", {"STATE_DIRECTORY": "/var/lib/jitney", "XDG_STATE_HOME": "/s"}, "/var/lib/jitney"),
        ("", {"STATE_DIRECTORY": "/var/lib/jitney:/var/lib/more"}, "/var/lib/jitney"),
        ("", {"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/jitney"),
        ("", {"XDG_STATE_HOME": "s", "HOME": "/h"}, "/h/.local/state/jitney"),
        ("", {"HOME": "/h"}, "/h/.local/state/jitney"),
    ],
)
def test_the_state_has_its_folder(configured: str, environ: dict[str, str], path: str) -> None:
    assert state_dir(BusSettings(state_dir=configured), environ) == Path(path)
