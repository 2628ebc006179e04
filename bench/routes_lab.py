"""What both measurements of routes need: the feed as an adapter type, a prompt broker, and exact CPU times."""

import time
from collections.abc import Mapping
from pathlib import Path

from bench.lab import LabError, Mosquitto


class PromptMosquitto(Mosquitto):
    """A mosquitto that sends a message at once: else one waits up to 40 ms until the one before is acknowledged."""

    def _spawn(self, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        with self._settings.open("a", encoding="ascii") as settings:
            settings.write("set_tcp_nodelay true\n")
        super()._spawn(command, environment)


def install_feed(folder: Path) -> None:
    """Make the feed an adapter type that the daemon finds as it finds every third party's: by entry point."""
    about = folder / "jitney_bench_routes-0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: jitney-bench-routes\nVersion: 0\n", encoding="ascii")
    (about / "entry_points.txt").write_text("[jitney.adapters]\nfeed = bench.routes_feed:Feed\n", encoding="ascii")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process, those that have ended too, to the microsecond."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # the clock that clock_getcpuclockid(3) names
    except OSError as error:
        raise LabError(f"process {pid} has no CPU time: it has ended") from error
