"""What people ask of a radio: carried out or refused, and nobody is told what is another one's."""

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from hypothesis import strategies as st
from msgspec import Raw

from fuzz.fields import apart, joined, text
from fuzz.looping import LOOP
from fuzz.oracle import check
from fuzz.publishing import json
from fuzz.targets.radio import CONFIG, Linked
from fuzz.wire import turns
from jitney.adapters.errors import DisconnectedError, RefusedError
from jitney.adapters.meshtastic import control
from jitney.adapters.meshtastic.addresses import node_id
from jitney.adapters.meshtastic.commands import COMMANDS
from jitney.adapters.meshtastic.duplicates import Duplicates
from jitney.adapters.meshtastic.heard import Received
from jitney.adapters.meshtastic.memory import Memory
from jitney.adapters.meshtastic.ports import Port
from jitney.adapters.meshtastic.session import Session
from jitney.topics import Command, InvalidPayloadError, requests
from tests.adapters.meshtastic.hearing import ALICE, ARRIVED, BOB, household, mesh_packet, published
from tests.fakes.context import RecordingContext

if TYPE_CHECKING:
    from jitney.adapters.base import Context

WORDS = (
    b'"to":"!0b0b0001"',
    b'"to":4294967295',
    b'"to":"Bob"',
    b'"channel":"LongFast"',
    b'"text":"',
    b'"wait":"delivered"',
    b'"hop_limit":7',
    b'"ttl":0.001',
    b'"reply_to":77',
    b'"latitude":-90.0',
    b'"icon":"\xf0\x9f\x8f\x95"',
    b'"node":"!a11ce001"',
    b'"port":"encrypted"',
    b'"hours":1e-300',
    b'"limit":1000',
    *(f"{name}\x1e".encode() for name in sorted(COMMANDS)),
)
_PARTS: Final = 3
_OF: Final = {"alice": (node_id(ALICE), "what alice said"), "bob": (node_id(BOB), "what bob said")}
_KINDS: Final = (RefusedError, DisconnectedError)
_HEARD: Final = [
    published(mesh_packet(Port.TEXT_MESSAGE_APP, said.encode(), sender=sender, id=number))
    for number, (sender, said) in enumerate(((ALICE, "what alice said"), (BOB, "what bob said")), start=77)
]


def one(data: bytes) -> None:
    """Feed an owner, the name of a command and its data."""
    owner, name, body = apart(data, _PARTS)
    try:
        asked = requests.decode(body)
    except InvalidPayloadError:
        return
    LOOP.get().run(_one("bob" if owner == b"bob" else "alice", text(name), asked.data))


async def _one(owner: str, name: str, data: Raw) -> None:
    ctx = RecordingContext(name="base", owners=household())
    session = Session(cast("Context", ctx), CONFIG, Memory(CONFIG), link=cast("Any", Linked()))
    session._translator._duplicates = Duplicates()  # that of the process would know the last input
    for packet in _HEARD:
        if packet is not None:
            session._translator.events(Received(packet, ARRIVED))
    command = Command(id="1", owner=owner, adapter="base", name=name, data=data, deadline=time.time() + 0.002)
    sending = asyncio.create_task(session._sender.run(), name="sender")
    await turns()
    try:
        reply = await session.command(command)
    except _KINDS as error:
        check(str(error), "an error without words")
        return
    finally:
        await turns()
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending
    check(owner == "alice" or name not in control.COMMANDS, f"bob, who may not, carried out {name}")
    told = msgspec.json.encode(reply)
    if name in ("get_nodes", "get_packets"):
        for other, marks in _OF.items():
            check(
                other == owner or not any(mark.encode() in told for mark in marks), f"{owner} is told what is {other}'s"
            )


def seeds() -> Iterable[bytes]:
    """Return each command of alice and bob, with data that is right and with some that is not."""
    right: dict[str, dict[str, object]] = {
        "send_text": {"text": "Grüße " * 60, "to": "!0b0b0001", "want_ack": True, "wait": "delivered"},
        "respond": {"text": "pong", "reply_to": 77, "to": "!a11ce001"},
        "send_alert": {"text": "Fire", "channel": 0},
        "send_position": {"latitude": 52.5, "longitude": 13.4, "altitude": 34, "precision_bits": 16},
        "send_waypoint": {"name": "Camp", "latitude": 52.5, "longitude": 13.4, "icon": "\U0001f3d5", "hours": 2},
        "traceroute": {"to": 0x0B0B0001, "hop_limit": 5, "ttl": 60},
        "request_telemetry": {"to": "!0b0b0001", "kind": "environment"},
        "sweep": {"hours": 24},
        "get_nodes": {"hours": 1, "limit": 10},
        "get_packets": {"node": "!0b0b0001", "port": "TEXT_MESSAGE_APP"},
        "set_owner": {"long_name": "Base", "short_name": "B"},
        "reboot": {"seconds": 5},
    }
    for name in sorted(COMMANDS):
        for owner in ("alice", "bob"):
            yield joined(owner, name, msgspec.json.encode(right.get(name, {})))
    yield joined("alice", "get_nodes", "{}")
    yield joined("bob", "get_packets", "{}")
    yield joined("alice", "nothing", '{"text":1}')


def inputs() -> st.SearchStrategy[bytes]:
    """Return commands with keys that are known and any values."""
    keys = st.sampled_from(
        [
            *("to", "channel", "text", "wait", "hop_limit", "ttl", "reply_to", "emoji", "latitude", "longitude"),
            *("id", "hours", "node", "port"),
        ]
    )
    values: st.SearchStrategy[Any] = (
        st.sampled_from(["!0b0b0001", "", 0, 7, -1, 77, 2**32, 1.5, True, None, "delivered", [], {}]) | st.text()
    )
    bodies = st.dictionaries(keys, values, max_size=4).map(msgspec.json.encode) | json()
    return st.builds(joined, st.sampled_from(["alice", "bob"]), st.sampled_from(sorted(COMMANDS)), bodies)
