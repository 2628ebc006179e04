"""How the configuration wants the broker to be reached."""

from jitney.daemon.broker.session import ConnectOptions, Message
from jitney.daemon.config.schema import MqttSettings


def options(mqtt: MqttSettings, *, url: str, client: str, will: Message) -> ConnectOptions:
    """Return how to reach the broker at ``url``, where the configured one may stand for it."""
    return ConnectOptions(
        url=url,
        client_id=client,
        username=mqtt.username,
        password=mqtt.password,
        ca_file=mqtt.ca_file,
        cert_file=mqtt.cert_file,
        key_file=mqtt.key_file,
        keepalive=mqtt.keepalive,
        will=will,
    )
