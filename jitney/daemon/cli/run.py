"""`jitney run`: the daemon itself."""

import argparse
import asyncio
import os
import signal
from pathlib import Path
from typing import Any

from jitney.daemon import log
from jitney.daemon.app import App
from jitney.daemon.cli.certificates import look_up_lazily
from jitney.daemon.cli.common import from_vault
from jitney.daemon.config.load import examine
from jitney.daemon.config.paths import default_path, state_dir
from jitney.daemon.config.schema import Config


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "run",
        help="run the bus in the foreground",
        description="Run the bus in the foreground until SIGTERM or Ctrl-C. This is what the systemd service starts.",
        epilog="example: jitney run -c /etc/jitney/config.toml",
    )
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="the configuration (default: see check -h)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run until a signal; returns 0. Raises ConfigError when the configuration is wrong."""
    look_up_lazily(os.environ)
    loaded = examine(args.config or default_path(os.environ), environ=os.environ, vault=from_vault)
    config = loaded.config
    log.register(config)
    log.configure(config.bus.log_format, config.bus.log_level)
    for warning in loaded.warnings:
        log.get("config").warning(str(warning))
    asyncio.run(_run(config, state_dir(config.bus, os.environ)))
    return 0


async def _run(config: Config, folder: Path) -> None:
    daemon = asyncio.create_task(_daemon(config, folder), name="daemon")
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.cancel)
    try:
        await daemon
    except asyncio.CancelledError:
        log.get("run").info("stopped")


async def _daemon(config: Config, folder: Path) -> None:
    async with App(config, state_dir=folder) as app:
        await app.run()
