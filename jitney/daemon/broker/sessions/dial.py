"""Choosing the version of MQTT."""

import ssl
from typing import Literal

from jitney.daemon.broker.session import (
    BrokerUnreachableError,
    ConnectOptions,
    Listener,
    ProtocolUnsupportedError,
    Session,
)
from jitney.daemon.broker.sessions.session5 import connect5
from jitney.daemon.broker.sessions.transport import alerted


async def dial(options: ConnectOptions, listener: Listener, *, protocol: Literal["auto", "5", "3.1.1"]) -> Session:
    """Connect; ``auto`` speaks MQTT 5, and 3.1.1 with a broker that knows nothing newer. Remembers nothing.

    Nothing is told to the listener before this has returned, nor if it raises. Raises ProtocolUnsupportedError,
    BrokerRefusedError, BrokerUnreachableError or, for a URL that is none, MisconfiguredError.
    """
    try:
        return await _dialled(options, listener, protocol=protocol)
    except (BrokerUnreachableError, ProtocolUnsupportedError) as error:
        is_told = isinstance(error.__cause__, ssl.SSLError | ConnectionRefusedError)
        told = None if is_told else await alerted(options)
        if told is None:
            raise
        raise told from error


async def _dialled(options: ConnectOptions, listener: Listener, *, protocol: Literal["auto", "5", "3.1.1"]) -> Session:
    if protocol != "3.1.1":
        try:
            return await connect5(options, listener)
        except ProtocolUnsupportedError:
            if protocol == "5":
                raise
    from jitney.daemon.broker.sessions.session311 import connect311  # noqa: PLC0415 - paho costs 80 ms and is rarely needed

    return await connect311(options, listener)
