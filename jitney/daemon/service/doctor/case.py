"""What is examined, and what the checks learn for each other."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from jitney.daemon.config.problems import Problem
from jitney.daemon.config.schema import Config
from jitney.daemon.store.tables import DATABASE
from jitney.topics import TopicTree

ROOT: Final = Path("/")


class Heard(Struct, frozen=True):
    """What the broker retains of the bus, by topic; nothing where it was not ``reached``."""

    reached: bool = False
    retained: Mapping[str, bytes] = {}


class Case:
    """One bus: its configuration, the folder of its state, and how it may be looked at.

    ``problems`` are those of the configuration, which is then an empty one; ``warnings`` do no harm. Under ``root`` lie
    /proc and /sys. With ``offline`` nothing is sent over a network.
    """

    def __init__(
        self,
        config: Config,
        *,
        file: Path,
        state: Path,
        environ: Mapping[str, str],
        problems: tuple[Problem, ...] = (),
        warnings: tuple[Problem, ...] = (),
        offline: bool = False,
        root: Path = ROOT,
    ) -> None:
        self.config = config
        self.file = file
        self.state = state
        self.environ = environ
        self.problems = problems
        self.warnings = warnings
        self.offline = offline
        self.root = root
        self.tree = TopicTree(config.mqtt.topic_root)
        self._heard = Heard()
        self._asked = asyncio.Event()

    @property
    def database(self) -> Path:
        """The state file."""
        return self.state / DATABASE

    def tell(self, heard: Heard) -> None:
        """Let the other checks know what the broker retains; only the first time counts."""
        if not self._asked.is_set():
            self._heard = heard
            self._asked.set()

    async def heard(self) -> Heard:
        """Return what the broker retains, as soon as that is known."""
        await self._asked.wait()
        return self._heard

    def runs_here(self) -> bool:
        """Tell whether a daemon holds the folder of the state, as the kernel's list of locks says."""
        try:
            lock = self.database.with_suffix(".lock").stat()
            lines = (self.root / "proc/locks").read_text(encoding="ascii").splitlines()
        except OSError:
            return False
        device = f"{os.major(lock.st_dev):02x}:{os.minor(lock.st_dev):02x}"
        held = {line.split()[5] for line in lines if " FLOCK " in line}
        if device.startswith("00:"):  # btrfs and overlays show one device here and another one there
            return any(place.endswith(f":{lock.st_ino}") for place in held)
        return f"{device}:{lock.st_ino}" in held
