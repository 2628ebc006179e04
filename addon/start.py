"""Starts the bus as an add-on of Home Assistant: options become credentials, and a first configuration is written."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from jitney.daemon.service.install import first_configuration

OPTIONS: Final = Path("data/options.json")
STATE: Final = Path("data/state")
CONFIG: Final = Path("config/config.toml")
CREDENTIALS: Final = Path("run/jitney-credentials")

_HTTP: Final = '\n[http]\n# The container has a loopback of its own.\nlisten = "0.0.0.0:8077"\n'


def prepare(root: Path) -> tuple[Sequence[str], dict[str, str]]:
    """Write what the bus needs below ``root``; returns its command and the environment to add."""
    credentials, config = root / CREDENTIALS, root / CONFIG
    credentials.mkdir(mode=0o700, parents=True, exist_ok=True)
    for secret in json.loads((root / OPTIONS).read_text(encoding="utf-8")).get("secrets", []):
        file = credentials / Path(secret["name"]).name
        file.touch(mode=0o600)
        file.write_text(secret["value"], encoding="utf-8")
    if not config.exists():
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(first_configuration(state_dir="") + _HTTP, encoding="utf-8")
        print(f"Wrote {config}: fill it in. It is read again as soon as it is saved.", flush=True)
    command = (sys.executable, "-m", "jitney.daemon.cli", "run", "--config", str(config))
    return command, {
        "CREDENTIALS_DIRECTORY": str(credentials),
        "STATE_DIRECTORY": str(root / STATE),
        "PYTHONFAULTHANDLER": "1",
    }


if __name__ == "__main__":
    program, more = prepare(Path("/"))
    os.execve(program[0], program, {**os.environ, **more})  # noqa: S606 - it becomes the bus
