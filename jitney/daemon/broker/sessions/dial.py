"""Choosing the version of MQTT."""

from typing import Literal

from jitney.daemon.broker.session import ConnectOptions, Listener, ProtocolUnsupportedError, Session
from jitney.daemon.broker.sessions.session5 import connect5


async def dial(options: ConnectOptions, listener: Listener, *, protocol: Literal["auto", "5", "3.1.1"]) -> Session:
    """Connect; ``auto`` speaks MQTT 5, and 3.1.1 with a broker that knows nothing newer. Remembers nothing.

    Nothing is told to the listener before this has returned, nor if it raises. Raises ProtocolUnsupportedError,
    BrokerRefusedError, BrokerUnreachableError or, for a URL that is none, MisconfiguredError.
    """
    if protocol != "3.1.1":
        try:
            return await connect5(options, listener)
        except ProtocolUnsupportedError:
            if protocol == "5":
                raise
    from jitney.daemon.broker.sessions.session311 import connect311  # noqa: PLC0415 - paho costs 80 ms and is rarely needed

    return await connect311(options, listener)
