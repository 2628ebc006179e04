"""Instants that people and radios claim: written as the bus writes them, or refused."""

import re
from collections.abc import Iterable
from datetime import datetime
from struct import unpack

from hypothesis import strategies as st

from fuzz.oracle import check
from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic.heading import instant
from jitney.adapters.meshtastic.packets import moment
from jitney.daemon.broker.session import Incoming
from jitney.daemon.delivery.inbox import received
from jitney.topics import rfc3339
from jitney.topics.tree import InboxTopic

WORDS = (
    b"2026-11-21T05:41:00Z",
    b"+01:00",
    b"-23:59",
    b"24:00:00",
    b".999999999",
    b"0001-01-01T00:00:00+23:59",
    b":60",
)
_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_ADDRESS = InboxTopic("alice", "desk", "bell")
_SECONDS = 4


def one(data: bytes) -> None:
    """Feed the time of an event for the inbox, and the clock of a radio."""
    pair = ("time", data.decode("utf-8", "replace"))
    needed = (("specversion", "1.0"), ("id", "1"), ("source", "/x"), ("type", "bell"))
    incoming = Incoming("jitney/alice/inbox/desk/bell", b"{}", retain=False, packet_id=1, properties=(*needed, pair))
    try:
        event, _ = received(incoming, _ADDRESS, adapters=())
    except RefusedError as error:
        check(error.code == "invalid", f"refused as {error.code!r}")
    else:
        check(_FORM.fullmatch(event.time), f"the time {event.time!r}")
        check(rfc3339(datetime.fromisoformat(event.time)) == event.time, "a time does not come back")
    if len(data) >= _SECONDS:
        (seconds,) = unpack(">I", data[:_SECONDS])
        told = moment(seconds)
        if told is not None:
            check(_FORM.fullmatch(instant(told)), f"the instant of {told}")


def seeds() -> Iterable[bytes]:
    """Return times that are, and that nearly are."""
    for text in (
        "2026-11-21T05:41:00Z",
        "2026-11-21t05:41:00.123456789z",
        "2026-11-21 05:41:00+01:00",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+23:59",
        "2026-02-30T00:00:00Z",
        "2016-12-31T23:59:60Z",
        "2026-11-21",
        "",
        "\u0662026-11-21T05:41:00Z",
    ):
        yield text.encode()


def inputs() -> st.SearchStrategy[bytes]:
    """Return what looks like an instant."""
    pattern = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|z|[+-][0-9]{2}:[0-9]{2})"
    return (st.from_regex(pattern, fullmatch=True) | st.text(max_size=30)).map(str.encode) | st.binary(max_size=8)
