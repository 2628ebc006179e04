"""A session of MQTT 3.1.1: paho-mqtt, driven by the event loop through its public hooks.

What 3.1.1 does not know is missing: messages carry no properties and no expiry, a refused message looks like a
confirmed one, retained messages come with every subscription, and own messages come back where filters overlap.
"""

import asyncio
import ssl
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, Literal

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from jitney.daemon.broker.keepalive import SILENCE, KeepAlive
from jitney.daemon.broker.reasons import TOO_LARGE, UNENCODABLE, closed_by_broker, refusal
from jitney.daemon.broker.session import (
    BrokerUnreachableError,
    ConnectOptions,
    Incoming,
    Limits,
    Listener,
    Message,
    ProtocolUnsupportedError,
    Session,
    Subscription,
)
from jitney.daemon.broker.transport import Endpoint, endpoint, tls_context, unreachable

_PING: Final = b"\xc0\x00"
_READS_AT_ONCE: Final = 64
_UNSENT: Final = frozenset({MQTTErrorCode.MQTT_ERR_QUEUE_SIZE, MQTTErrorCode.MQTT_ERR_NO_CONN})


async def connect311(options: ConnectOptions, listener: Listener) -> Session:
    """Connect with MQTT 3.1.1. Nothing is told to the listener before this has returned, nor if it raises.

    Raises ProtocolUnsupportedError, BrokerRefusedError or BrokerUnreachableError.
    """
    target = endpoint(options.url)
    client = _client(options, target, context=await tls_context(options, target))
    session = Session311(options, listener, client=client)
    greeted = False
    try:
        await _open(options, target, client)
        await session.greet()
        greeted = True
    finally:
        if not greeted:
            session.abort()
    return session
