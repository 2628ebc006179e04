"""`jitney check`: whether a configuration is right, or everything that is wrong with it."""

import argparse
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from jitney.daemon.cli.common import from_vault
from jitney.daemon.config.load import Loaded, examine
from jitney.daemon.config.paths import default_path, state_dir
from jitney.daemon.config.problems import ConfigError
from jitney.daemon.config.resting import resting
from jitney.daemon.config.schema import AdapterSettings, OwnerSettings
from jitney.topics import HOUSE


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "check",
        help="look for everything that is wrong with a configuration",
        description="Read a configuration as `jitney run` would, without connecting to anything, and tell what it"
        " says, or everything that is wrong with it: one line for each mistake, with file, line and key. The tests of"
        " routes are run.",
        epilog="Exit status: 0 it is right, 78 it is not.  Example: jitney check -c /etc/jitney/config.toml",
    )
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        help="the configuration (default: $JITNEY_CONFIG, else ./config.toml, else /etc/jitney/config.toml,"
        " else jitney/config.toml in $XDG_CONFIG_HOME or ~/.config)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output instead")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check; returns 0, or 78 for a wrong configuration."""
    path = args.config or default_path(os.environ)
    try:
        loaded = examine(path, environ=os.environ, vault=from_vault, trials=True)
    except ConfigError as error:
        if args.json:
            print(json.dumps({"ok": False, "file": str(path), "problems": to_builtins(error.problems)}))
        else:
            print(error, file=sys.stderr)
        return os.EX_CONFIG
    if args.json:
        print(json.dumps(_summary(loaded, path)))
    else:
        _tell(loaded, path)
    return 0


def _tell(loaded: Loaded, path: Path) -> None:
    config = loaded.config
    print(f"{path} is right.")
    print("  owners    " + _listed(map(_owner, config.owners.values())))
    print("  adapters  " + _listed(map(_adapter, config.adapters.values())))
    print(f"  broker    {config.mqtt.url}, topics below {config.mqtt.topic_root}/")
    print(f"  state     {state_dir(config.bus, os.environ)}")
    if away := sorted(resting(config)):
        print(f"  disabled  {', '.join(away)}: their adapters, routes and grants rest")
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=sys.stderr)


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(texts) or "none"


def _owner(owner: OwnerSettings) -> str:
    words = [word for word in (owner.name, "" if owner.enabled else "disabled") if word]
    return f"{owner.id} ({', '.join(words)})" if words else owner.id


def _adapter(adapter: AdapterSettings) -> str:
    words = [adapter.type.name]
    if adapter.owner != HOUSE:
        words.append(f"of {adapter.owner}")
    if not adapter.enabled:
        words.append("not enabled")
    return f"{adapter.name} ({', '.join(words)})"


def _summary(loaded: Loaded, path: Path) -> dict[str, object]:
    config = loaded.config
    return {
        "ok": True,
        "file": str(path),
        "warnings": to_builtins(loaded.warnings),
        "owners": [{"id": owner.id, "name": owner.name, "enabled": owner.enabled} for owner in config.owners.values()],
        "adapters": [
            {
                "name": adapter.name,
                "type": adapter.type.name,
                "owner": adapter.owner,
                "enabled": adapter.enabled,
                "durable": adapter.durable,
            }
            for adapter in config.adapters.values()
        ],
        "broker": {"url": config.mqtt.url, "topic_root": config.mqtt.topic_root},
        "state_dir": str(state_dir(config.bus, os.environ)),
    }
