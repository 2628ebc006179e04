"""The container and the add-on, as far as they can be tried without Docker."""

import asyncio
import importlib.util
import json
import os
import re
import stat
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import jitney
from jitney.daemon.config.load import load
from tests.waiting import DEADLINE, until

REPOSITORY = Path(__file__).parent.parent
ADDON = REPOSITORY / "addon"
REQUIRED = {"name", "version", "slug", "description", "arch"}
KNOWN = REQUIRED | {"startup", "boot", "services", "map", "ports", "ports_description", "watchdog", "uart", "backup"}
KNOWN |= {"timeout", "options", "schema"}
"""Keys of config.yaml that the Supervisor knows (supervisor/addons/validate.py), of which it drops others silently."""


@pytest.fixture
def about() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="PyYAML reads the add-on's description")
    described = yaml.safe_load((ADDON / "config.yaml").read_text("utf-8"))
    assert isinstance(described, dict)
    return described


@pytest.fixture
def start() -> ModuleType:
    spec = importlib.util.spec_from_file_location("addon_start", ADDON / "start.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_add_on_is_described_in_words_that_the_supervisor_knows(about: dict[str, Any]) -> None:
    assert REQUIRED <= set(about) <= KNOWN
    assert about["version"] == jitney.__version__
    assert re.fullmatch(r"(?:https?|tcp)://\[HOST\]:\[PORT:\d+\].*", about["watchdog"])
    assert 10 <= about["timeout"] <= 300
    assert about["backup"] in ("hot", "cold")
    assert all(re.fullmatch(r"(?:mqtt|mysql):(?:provide|want|need)", service) for service in about["services"])
    assert set(about["options"]) == set(about["schema"])


async def test_the_add_on_turns_options_into_credentials_and_runs_with_a_first_configuration(
    start: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    options = {"secrets": [{"name": "mqtt", "value": "hush-hush"}, {"name": "../../etc/x", "value": "y"}]}
    (tmp_path / "data" / "options.json").write_text(json.dumps(options))
    command, environ = start.prepare(tmp_path)
    config = tmp_path / "config" / "config.toml"
    assert f"Wrote {config}" in capsys.readouterr().out
    credentials = tmp_path / "run" / "jitney-credentials"
    assert {file.name: file.read_text() for file in credentials.iterdir()} == {"mqtt": "hush-hush", "x": "y"}
    assert stat.S_IMODE((credentials / "mqtt").stat().st_mode) == 0o600
    loaded = load(config, environ=environ)
    assert (loaded.http.listen, loaded.bus.state_dir) == ("0.0.0.0:8077", "")
    text = config.read_text().replace("0.0.0.0:8077", "127.0.0.1:0").replace("localhost:1883", "127.0.0.1:1")
    config.write_text(text)
    assert "Wrote" not in str(start.prepare(tmp_path)) + capsys.readouterr().out
    with (tmp_path / "log").open("wb") as log:
        daemon = await asyncio.create_subprocess_exec(
            *command, stderr=log, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), **environ}
        )
    try:
        await until((tmp_path / "data" / "state" / "jitney.db").exists)
        await until(lambda: "no connection to the broker" in (tmp_path / "log").read_text())
    finally:
        daemon.terminate()
        async with asyncio.timeout(DEADLINE):
            assert await daemon.wait() == 0
