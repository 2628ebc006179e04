"""Which state folder and which configuration a command means that works on this machine's files."""

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

from jitney.daemon.config.load import state_folder as folder_of
from jitney.daemon.config.paths import default_path, state_dir
from jitney.daemon.config.schema import BusSettings


def add_state_arguments(parser: ArgumentParser) -> None:
    """Register how the state folder is named: by a configuration, or itself."""
    where = parser.add_argument_group("where the state is")
    where.add_argument("-c", "--config", type=Path, metavar="FILE", help="the configuration, which names the folder")
    where.add_argument("--state-dir", type=Path, metavar="FOLDER", help="the state folder itself")


def configuration_file(args: Namespace) -> Path | None:
    """Return the configuration that the arguments mean, None where there is none."""
    path = args.config or default_path(os.environ)
    return path if args.config is not None or path.exists() else None


def state_folder(args: Namespace) -> Path:
    """Return the state folder that the arguments mean; raises ConfigError."""
    if args.state_dir is not None:
        return Path(args.state_dir)
    path = configuration_file(args)
    return state_dir(BusSettings(), os.environ) if path is None else folder_of(path, environ=os.environ)
