"""What one writes in an evening: packets of one radio to MQTT, without owners, queues or any care for failures.

python -m bench.naive_mesh RADIO_PORT MQTT_PORT
"""

import json
import sys
import threading
from typing import Any, Final

from meshtastic.tcp_interface import TCPInterface
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from pubsub import pub

TOPIC: Final = "naive/message"
_HOST: Final = "127.0.0.1"
_FIELDS: Final[tuple[str, ...]] = ("from", "to", "id", "channel", "rxTime", "rxSnr", "rxRssi", "hopLimit", "hopStart")


def main(radio: int, broker: int) -> None:
    """Publish what the radio hears until the process is ended."""
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect(_HOST, broker)
    client.loop_start()

    def received(packet: dict[str, Any], interface: object) -> None:
        del interface
        message: dict[str, Any] = {name: packet[name] for name in _FIELDS if name in packet}
        message["text"] = packet["decoded"].get("text", "")
        client.publish(TOPIC, json.dumps(message), qos=1)

    pub.subscribe(received, "meshtastic.receive.text")
    TCPInterface(_HOST, portNumber=radio)
    threading.Event().wait()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
