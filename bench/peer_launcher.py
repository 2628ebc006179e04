"""Start the daemon as one peer of a side-by-side benchmark of bridges from Home Assistant to MQTT.

    python bench/peer_launcher.py [memory|durable] [WS_URL TOKEN MQTT_PORT FOLDER]

What is not given as an argument comes from BENCH_WS_URL, BENCH_TOKEN, BENCH_MQTT_PORT and BENCH_DIR. The feed has 240
entities of 50 owners, u00 to u49 in turn; who owns what is said by explicit rules here, as a household would.
Every event is published once, as the peers do: the retained states, which they do not have, are off.
"""

import json
import os
import sys
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parent.parent
ENTITIES: Final = 240
OWNERS: Final = 50
USAGE: Final = 2


def config(*, ws_url: str, token: str, mqtt_port: str, folder: str, durable: bool) -> str:
    """Return the daemon's configuration for one peer run."""
    owners = []
    for number in range(OWNERS):
        rooms = range(number, ENTITIES, OWNERS)
        entities = [pattern for room in rooms for pattern in (f"*.room_{room}", f"*.room_{room}_*")]
        owners.append(f"[owners.u{number:02}]\nhomeassistant = {{ entities = {json.dumps(entities)} }}")
    return "\n".join(
        [
            "version = 1",
            "[bus]",
            f"state_dir = {json.dumps(str(Path(folder) / 'state'))}",
            'log_level = "warning"',
            "[mqtt]",
            f'url = "mqtt://127.0.0.1:{mqtt_port}"',
            'topic_root = "bus"',
            "[http]",
            'listen = ""',
            *owners,
            "[adapters.home]",
            'type = "homeassistant"',
            f"url = {json.dumps(ws_url.removesuffix('/api/websocket').replace('ws', 'http', 1))}",
            f"token = {json.dumps(token)}",
            f"durable = {json.dumps(durable)}",
            "states = false",
            "",
        ]
    )


def main(arguments: list[str]) -> None:
    """Write the configuration and become the daemon."""
    mode = arguments.pop(0) if arguments and arguments[0] in {"memory", "durable"} else "memory"
    names = ("BENCH_WS_URL", "BENCH_TOKEN", "BENCH_MQTT_PORT", "BENCH_DIR")
    values = arguments if len(arguments) == len(names) else [os.environ.get(name, "") for name in names]
    if not all(values):
        print(__doc__, file=sys.stderr)
        sys.exit(USAGE)
    ws_url, token, mqtt_port, folder = values
    file = Path(folder) / "config.toml"
    text = config(ws_url=ws_url, token=token, mqtt_port=mqtt_port, folder=folder, durable=mode == "durable")
    file.write_text(text, encoding="utf-8")
    os.environ["PYTHONPATH"] = str(REPOSITORY)
    command = [sys.executable, "-m", "jitney.daemon.cli", "run", "-c", str(file)]
    os.execv(sys.executable, command)  # noqa: S606 - the daemon takes the place of this process


if __name__ == "__main__":
    main(sys.argv[1:])
