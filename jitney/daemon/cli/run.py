"""`jitney run`: the daemon itself."""

import argparse
import asyncio
import gc
import os
import resource
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from jitney.adapters.errors import MisconfiguredError
from jitney.daemon import log
from jitney.daemon.app import App
from jitney.daemon.cli.certificates import look_up_lazily
from jitney.daemon.cli.common import from_vault
from jitney.daemon.cli.leaving import leave_within
from jitney.daemon.config.load import examine
from jitney.daemon.config.paths import default_path, state_dir
from jitney.daemon.config.problems import ConfigError, Problem
from jitney.daemon.config.schema import Config
from jitney.daemon.config.watched import Marks, look
from jitney.daemon.reloading import Reloading
from jitney.daemon.service.herald import Herald
from jitney.daemon.service.notify import Notifier
from jitney.daemon.service.sockets import handed_over

GRACE: Final = 0.2
"""Seconds after everything is kept in which threads and tasks may end by themselves."""


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
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump of the memory would have every secret in it
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # whoever asks this early gets what is read now
    notifier = Notifier(os.environ, pid=os.getpid())
    handed = handed_over(os.environ)
    path = args.config or default_path(os.environ)
    seen = look(path)
    loaded = examine(path, environ=os.environ, vault=from_vault)
    config = loaded.config
    seen = {**look(path, config.files), **loaded.marks, **seen}
    log.register(config)
    try:
        log.configure(config.bus.log_format, config.bus.log_level)
        for warning in loaded.warnings:
            log.get("config").warning(str(warning))
        gc.collect()  # what reading arguments and configuration has left: the daemon can live in its place
        asyncio.run(_run(config, path, notifier=notifier, handed=handed, seen=seen))
    except (MisconfiguredError, log.LogFormatError) as error:
        raise ConfigError([Problem(str(path), 0, "", str(error))]) from error
    return 0


async def _run(config: Config, path: Path, *, notifier: Notifier, handed: Sequence[socket.socket], seen: Marks) -> None:
    app = App(config, state_dir=state_dir(config.bus, os.environ), handed=handed)
    reloads = asyncio.Event()
    work = _daemon(app, path, notifier=notifier, reloads=reloads, seen=seen)
    daemon = asyncio.create_task(work, name="daemon")
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if not stopping:  # who asks again must not interrupt what keeps the state
            stopping = True
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
        leave_within(GRACE)


async def _daemon(app: App, path: Path, *, notifier: Notifier, reloads: asyncio.Event, seen: Marks) -> None:
    herald = Herald(notifier)
    async with herald.starting(), app, herald.telling(app.signs):
        reloading = Reloading(
            app, path, environ=os.environ, vault=from_vault, notifier=notifier, wanted=reloads, seen=seen
        )
        async with asyncio.TaskGroup() as group:
            task = group.create_task(reloading.run(), name="reloading")
            try:
                await app.run()
            finally:
                task.cancel()
