"""Check what a real Home Assistant shows of the bus, through every failure, restart and removal.

    python -m bench.real_discovery --peer FOLDER
    python -m bench.real_discovery --peer FOLDER --restart-command COMMAND --stop-command COMMAND

FOLDER holds the ha.log of a running Home Assistant and a peer.json: its url, an admin_token, the mqtt_port of the
broker on this machine for which its MQTT integration is set up, and the mqtt_entry_id of that. No broker may run
there now: this program starts one, to be killed and wiped, and the daemon with a fake Strava and two simulated radios.
Both owners, alice and bob, have the same name and the same things. The commands are for the shell, and what they are
needed for is only checked with them: `systemctl restart home-assistant` also starts one that has been stopped.

Each line is one check. Every entity that the retained announcements tell of must be in the registry with its unit,
class, names and device, and no other of ours; what the owners have must be shown as theirs; events must arrive, and
what is pressed or typed in Home Assistant must reach the radio. A dead radio, daemon and broker make unavailable what
needs them and nothing else. After restarts, after a broker that was wiped, after a device was deleted in Home
Assistant, and after a node and an owner were taken out of the configuration, there must be the right entities within
15 s, none of them twice. No complaint in the log may name anything of ours. Exit status 1 when any of this does not
hold.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path

from bench import discovery_faults as faults
from bench import discovery_uses as uses
from bench.discovery_bench import Bench
from bench.home_log import HomeLog
from bench.lab import LabError


async def check(bench: Bench, *, restart_command: str, stop_command: str) -> None:
    """Make all checks, one after the other."""
    await bench.introduce()
    await uses.people_with_equal_names(bench)
    await uses.pictures(bench)
    await uses.events(bench)
    await uses.commands(bench)
    await faults.dead_radio(bench)
    await faults.dead_daemon(bench)
    await faults.dead_broker(bench)
    await faults.wiped_broker(bench)
    await faults.restarted_daemon(bench)
    if restart_command:
        await faults.restarted_home(bench, restart_command)
    await faults.deleted_device(bench)
    await faults.node_without_configuration(bench)
    if restart_command and stop_command:
        await faults.node_taken_out_unseen(bench, stop_command, restart_command)
    await faults.owner_without_configuration(bench)
    await bench.tidy()


async def main() -> int:
    """Measure; returns the exit status."""
    asked = arguments()
    peer = json.loads((asked.peer / "peer.json").read_text(encoding="utf-8"))
    folder = Path(tempfile.mkdtemp(prefix="jitney-discovery-"))
    print(f"Home Assistant {peer.get('version', '')} at {peer['url']}", flush=True)
    log = HomeLog(asked.peer / "ha.log")
    async with Bench(peer, folder, log, per_component=asked.per_component) as bench:
        await check(bench, restart_command=asked.restart_command, stop_command=asked.stop_command)
    if bench.verdict.broken:
        print(f"{bench.verdict.broken} checks do not hold; everything is kept in {folder}")
    else:
        shutil.rmtree(folder)
        print("Everything holds.")
    return int(bool(bench.verdict.broken))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, metavar="FOLDER", help="the folder with peer.json")
    parser.add_argument(
        "--restart-command", default="", metavar="COMMAND", help="what starts Home Assistant, again or anew"
    )
    parser.add_argument("--stop-command", default="", metavar="COMMAND", help="what stops Home Assistant")
    parser.add_argument("--per-component", action="store_true", help="announce entities one by one")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except LabError as error:
        sys.exit(f"bench.real_discovery: {error}")
