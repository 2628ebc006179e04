"""`jitney run`: the daemon itself."""

import argparse
import asyncio
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jitney.adapters.errors import MisconfiguredError
from jitney.daemon import log
from jitney.daemon.app import App
from jitney.daemon.cli.certificates import look_up_lazily
from jitney.daemon.cli.common import from_vault
from jitney.daemon.config.load import examine
from jitney.daemon.config.paths import default_path, state_dir
from jitney.daemon.config.problems import ConfigError, Problem
from jitney.daemon.config.schema import Config
from jitney.daemon.reloading import Reloading
from jitney.daemon.service.herald import Herald
from jitney.daemon.service.notify import Notifier
from jitney.daemon.service.sockets import handed_over


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
    notifier = Notifier(os.environ, pid=os.getpid())
    handed = handed_over(os.environ)
    path = args.config or default_path(os.environ)
    loaded = examine(path, environ=os.environ, vault=from_vault)
    config = loaded.config
    log.register(config)
    try:
        log.configure(config.bus.log_format, config.bus.log_level)
        for warning in loaded.warnings:
            log.get("config").warning(str(warning))
        asyncio.run(_run(config, path, notifier=notifier, handed=handed))
    except (MisconfiguredError, log.LogFormatError) as error:
        raise ConfigError([Problem(str(path), 0, "", str(error))]) from error
    return 0


async def _run(config: Config, path: Path, *, notifier: Notifier, handed: Sequence[socket.socket]) -> None:
    app = App(config, state_dir=state_dir(config.bus, os.environ), handed=handed)
    reloads = asyncio.Event()
    daemon = asyncio.create_task(_daemon(app, path, notifier=notifier, reloads=reloads), name="daemon")

    def stop() -> None:
        notifier.stopping()
        daemon.cancel()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, reloads.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await daemon
    except asyncio.CancelledError:
        log.get("run").info("stopped")


async def _daemon(app: App, path: Path, *, notifier: Notifier, reloads: asyncio.Event) -> None:
    herald = Herald(notifier)
    async with herald.starting(), app, herald.telling(app.signs):
        reloading = Reloading(app, path, environ=os.environ, vault=from_vault, notifier=notifier, wanted=reloads)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(reloading.run(), name="reloading")
            try:
                await app.run()
            finally:
                task.cancel()
