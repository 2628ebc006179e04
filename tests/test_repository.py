"""What holds for the repository as a whole."""

import os
import re
import stat
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import jitney
from jitney.adapters.registry import BUILT_IN

REPOSITORY = Path(__file__).parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
LONGEST_FILE = 400
MADE_HERE = {
    ".git",
    ".venv",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".import_linter_cache",
    ".hypothesis",
    "dist",
}
MACHINE_PATH = re.compile(r"(?:^|[\s\"'=(`])/(?:work|root|farm|home/\w+)/")


def texts() -> Iterator[tuple[str, str]]:
    for folder, folders, names in os.walk(REPOSITORY):
        folders[:] = [name for name in folders if name not in MADE_HERE and name != "__pycache__"]
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                try:
                    yield path.relative_to(REPOSITORY).as_posix(), path.read_text(encoding="utf-8")
                except UnicodeDecodeError:
                    continue


def python(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - this Python on this repository
        [sys.executable, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=50
    )
    return done.stdout


@pytest.mark.parametrize("door", ["topics", "adapters", "daemon"])
def test_a_door_at_the_root_leads_to_its_part(door: str) -> None:
    link = REPOSITORY / door
    assert link.is_symlink()
    assert link.readlink() == Path("jitney", door)
    assert (link / "__init__.py").is_file()


def test_no_source_file_is_longer_than_one_idea() -> None:
    sources = {name: text.count("\n") for name, text in texts() if re.match(r"(jitney|bench)/.*\.py", name)}
    assert len(sources) > 50
    assert [name for name, lines in sources.items() if lines > LONGEST_FILE] == []


def test_nothing_speaks_of_the_machine_it_was_written_on() -> None:
    assert [name for name, text in texts() if MACHINE_PATH.search(text)] == []


def test_every_built_in_adapter_is_held_to_the_independence_of_adapters() -> None:
    (contract,) = (one for one in PROJECT["tool"]["importlinter"]["contracts"] if one["type"] == "independence")
    assert sorted(contract["modules"]) == sorted(target.partition(":")[0] for target in BUILT_IN.values())


def test_the_command_line_is_imported_without_what_it_does_not_need() -> None:
    heavy = {"aiohttp.web", "aiomqtt", "amqtt", "paho", "meshtastic", "sqlite3"}
    code = "import sys, jitney.daemon.cli; print(*sys.modules)"
    assert heavy.intersection(python("-c", code).split()) == set()


def test_the_command_line_tells_the_version() -> None:
    assert python("-m", "jitney.daemon.cli", "--version").split() == ["jitney", jitney.__version__]


def test_the_changelog_tells_about_this_version() -> None:
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## {re.escape(jitney.__version__)} ", changelog, re.MULTILINE)


def test_the_script_of_ci_is_one_that_bash_can_read_and_run() -> None:
    script = REPOSITORY / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    subprocess.run(["/bin/bash", "-n", str(script)], check=True, timeout=10)  # noqa: S603 - our own script


@pytest.mark.parametrize("target", ["demo", "test", "test-all", "check", "bench", "fuzz", "fuzz-short"])
def test_make_knows_its_targets(target: str) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE)


def test_the_wheel_holds_the_package_and_the_example_configuration(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="hatchling builds the wheel")
    python("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), ".")
    (wheel,) = tmp_path.glob("jitney-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {"jitney/topics/tree.py", "jitney/daemon/cli/__main__.py", "jitney/data/config.example.toml"} <= set(names)
    units = {path.relative_to(REPOSITORY) for path in (REPOSITORY / "systemd").rglob("*") if path.is_file()}
    assert {f"jitney/data/{unit}" for unit in units} <= set(names)
    assert {name.split("/")[0] for name in names} == {"jitney", f"jitney-{jitney.__version__}.dist-info"}
