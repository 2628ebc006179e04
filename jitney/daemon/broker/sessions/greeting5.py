"""The greeting of MQTT 5: what CONNECT says, and what CONNACK allows."""

from typing import Final

from mqtt5 import ConnAckPacket, ConnectPacket, QoS, Will

from jitney.daemon.broker.session import ConnectOptions, Limits
from jitney.daemon.broker.sessions.packets5 import LARGEST_PACKET
from jitney.daemon.broker.sessions.reasons import NO_QOS, NO_RETAIN, refusal

WILL_DELAY: Final = 5
"""Seconds before the broker publishes the will, so that a quick restart does not show.

So long a killed bus still says that it is online: about 6 s with mosquitto, which looks once a second; where the line
is cut without a word, one and a half keepalives more. A session that is resumed within the delay lets the broker forget
the will. Source: MQTT 5, sections 3.1.3.2.2 and 3.1.2.5; 3.1.1 knows no delay.
"""


def connect_packet(options: ConnectOptions) -> bytes:
    """Return the CONNECT that asks for a session which outlives the connection."""
    will = options.will
    return ConnectPacket(
        options.client_id,
        username=options.username or None,
        password=options.password.reveal().encode() if options.password else None,
        clean_start=False,
        keep_alive=options.keepalive,
        session_expiry_interval=options.session_expiry,
        receive_max=options.receive_max,
        max_packet_size=LARGEST_PACKET,
        will=Will(
            will.topic,
            payload=will.payload,
            qos=QoS.AT_LEAST_ONCE,
            retain=will.retain,
            content_type=will.content_type,
            will_delay_interval=min(WILL_DELAY, options.session_expiry),
            user_properties=will.properties,
        ),
    ).write()


def consent(connack: ConnAckPacket, options: ConnectOptions, *, place: str) -> Limits:
    """Return what the broker allows. Raises an error for a person or for the next attempt when it refuses."""
    code = int(connack.reason_code)
    name = connack.reason_code.name
    if not code and connack.max_qos == QoS.AT_MOST_ONCE:
        code = NO_QOS
    if not code and not connack.retain_available:
        code = NO_RETAIN
    if code:
        raise refusal(code, options, place=place, name=name, said=connack.reason_str or "")
    return Limits(
        receive_max=connack.receive_max,
        packet_bytes=connack.max_packet_size or Limits().packet_bytes,
        session_present=connack.session_present,
        keepalive=connack.server_keep_alive or options.keepalive,
    )
