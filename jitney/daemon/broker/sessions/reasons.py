"""What the reason codes of MQTT 5 mean for a person (section 2.4 of the standard)."""

from typing import Final

from jitney.daemon.broker.session import (
    BrokerRefusedError,
    BrokerUnreachableError,
    ClosedError,
    ConnectOptions,
    ProtocolUnsupportedError,
    TakenOverError,
)
from jitney.topics import JitneyError

UNENCODABLE: Final = 0x81
"""Told for a message that cannot be written as a packet."""
NOT_AUTHORISED: Final = 0x87
TAKEN_OVER: Final = 0x8E
TOO_LARGE: Final = 0x95
"""Told for a message that is longer than the broker takes."""
NO_RETAIN: Final = 0x9A
NO_QOS: Final = 0x9B

_UNSUPPORTED_PROTOCOL: Final = 0x84

_AT_CONNECT: Final = {
    0x85: "does not accept our client id: where logins are bound to client ids, this one must be free to choose",
    0x86: "does not accept the password of {user}: check [mqtt] username and password",
    NOT_AUTHORISED: "does not let {user} in: check [mqtt] username and password, and the broker's access rules",
    0x8A: "has banned {user} or our client id",
    0x8C: "wants another way of signing in than user name and password",
    0x90: "does not accept our will on {will!r}: check [mqtt] topic_root and the broker's access rules",
    0x97: "has no room for {user}: its quota is used up",
    NO_RETAIN: "keeps no retained messages, which the bus needs",
    NO_QOS: "offers no QoS 1, which the bus needs",
    0x9D: "has moved for good: change [mqtt] url",
}
_AT_DISCONNECT: Final = {
    TAKEN_OVER: (
        "gave our connection to somebody else with the same client id: "
        "does a second Jitney run with a copy of this state folder?"
    ),
    NOT_AUTHORISED: "does not let {user} stay: check the broker's access rules",
    0x98: "was told by its administrator to disconnect {user}",
    0x9D: "has moved for good: change [mqtt] url",
}


def refusal(code: int, options: ConnectOptions, *, place: str, name: str, said: str = "") -> JitneyError:
    """Return the error for a CONNACK; ``name`` is that of the code, ``said`` the broker's own words."""
    if code == _UNSUPPORTED_PROTOCOL:
        return ProtocolUnsupportedError(f"{place} does not speak this version of MQTT")
    if code in _AT_CONNECT:
        return BrokerRefusedError(_text(_AT_CONNECT[code], options, place, said))
    return BrokerUnreachableError(f"{place} refused the connection: {_plain(name)} (0x{code:02x}){_quote(said)}")


def dismissal(code: int, options: ConnectOptions, *, place: str, name: str, said: str = "") -> JitneyError:
    """Return the error for a DISCONNECT from the broker."""
    if code in _AT_DISCONNECT:
        kind = TakenOverError if code == TAKEN_OVER else BrokerRefusedError
        return kind(_text(_AT_DISCONNECT[code], options, place, said))
    return BrokerUnreachableError(f"{place} ended the connection: {_plain(name)} (0x{code:02x}){_quote(said)}")


def unanswered(*, place: str) -> BrokerUnreachableError:
    """Return the error for a broker that closed the connection instead of answering CONNECT."""
    return BrokerUnreachableError(
        f"{place} closed the connection without an answer: does this port want TLS or a [mqtt] cert_file, "
        "or does the broker refuse this address?"
    )


def closed_by_broker(*, place: str) -> JitneyError:
    """Return the error for a broker that closed an established connection and did not say why."""
    return ClosedError(
        f"{place} closed the connection without a reason: the broker was stopped, "
        "or another client came with our client id"
    )


def _text(template: str, options: ConnectOptions, place: str, said: str) -> str:
    user = f"user {options.username!r}" if options.username else "a client without user name"
    text = template.format(user=user, will=options.will.topic)
    return f"{place} {text}{_quote(said)}"


def _plain(name: str) -> str:
    return name.lower().replace("_", " ")


def _quote(said: str) -> str:
    return f" (it says {said!r})" if said else ""
