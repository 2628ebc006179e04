"""The last texts as states: which are among them, of whom, and for how long."""

import json
from typing import Any

import pytest

from jitney.adapters.meshtastic.duplicates import Duplicates
from jitney.adapters.meshtastic.heard import Received
from jitney.adapters.meshtastic.last_messages import CHANNEL, DIRECT, DIRECT_EXPIRY, EVERY
from jitney.topics import HOUSE
from tests.adapters.meshtastic.hearing import ALICE, ARRIVED, BOB, CAROL, RADIO, mesh_packet, published
from tests.adapters.meshtastic.test_translate import Radio
from tests.fakes.context import RecordingContext


class Listening:
    """A radio, and the last messages that the bus has got of it."""

    def __init__(self, owner: str = "alice") -> None:
        self.radio = Radio(owner=owner, duplicates=Duplicates())
        self.now = 1000.0
        self._id = 0

    @property
    def ctx(self) -> RecordingContext:
        return self.radio.ctx

    def hears(self, text: str, **fields: Any) -> None:  # noqa: ANN401 - the fields of a packet
        self._id += 1
        packet = published(mesh_packet(1, text.encode(), **{"id": self._id, **fields}))
        assert packet is not None
        self.radio.translator.events(Received(packet, ARRIVED))

    def last(self, subject: str = CHANNEL, owner: str = "alice") -> dict[str, Any]:
        self.now += EVERY
        self.radio.messages.publish(self.now)
        state = self.ctx.states.get((owner, subject))
        return {} if state is None else json.loads(bytes(state.data or b""))


def test_the_last_text_on_a_channel_says_who_wrote_it() -> None:
    heard = Listening()
    heard.hears("Soup is ready", sender=BOB, channel=2)
    assert heard.last() == {
        "text": "Soup is ready",
        "node": "!0b0b0001",
        "to": "broadcast",
        "channel": 2,
        "packet_id": 1,
        "time": "2026-11-21T06:00:00.000Z",
    }
    assert heard.last(DIRECT) == {}


def test_what_is_said_to_the_radio_alone_is_apart_and_does_not_stay_for_ever() -> None:
    heard = Listening()
    heard.hears("psst", sender=BOB, to=RADIO, pki_encrypted=True)
    assert heard.last() == {}
    assert (heard.last(DIRECT)["text"], heard.last(DIRECT)["pki"]) == ("psst", True)
    assert heard.ctx.states["alice", DIRECT].expiry == DIRECT_EXPIRY
    heard.hears("to all", sender=BOB)
    heard.last()
    assert heard.ctx.states["alice", CHANNEL].expiry == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"sender": RADIO},
        {"sender": BOB, "emoji": 1, "reply_id": 7},
        {"sender": BOB, "to": CAROL},
    ],
    ids=["what the radio itself has sent", "a reaction", "what is for somebody else"],
)
def test_no_last_message_is(fields: dict[str, Any]) -> None:
    heard = Listening()
    heard.hears("x", **fields)
    assert heard.last() == heard.last(DIRECT) == {}


def test_a_copy_of_an_older_message_changes_nothing() -> None:
    heard = Listening()
    heard.hears("first", sender=BOB, id=50)
    heard.hears("second", sender=BOB, id=51)
    heard.hears("first", sender=BOB, id=50)
    assert heard.last()["text"] == "second"


def test_on_a_shared_radio_what_people_say_is_nothing_of_the_house() -> None:
    heard = Listening(HOUSE)
    heard.hears("from nobody's node", sender=CAROL)
    heard.hears("alice's", sender=ALICE)
    assert heard.last(owner=HOUSE)["text"] == "from nobody's node"
    assert heard.last(owner="alice") == {}


def test_of_many_messages_the_newest_is_published_at_most_every_second() -> None:
    heard = Listening()
    for number in range(100):
        heard.hears(str(number), sender=BOB)
    assert heard.last()["text"] == "99"
    heard.hears("soon", sender=BOB)
    heard.radio.messages.publish(heard.now + EVERY / 2)
    assert json.loads(bytes(heard.ctx.states["alice", CHANNEL].data or b""))["text"] == "99"
    assert heard.last()["text"] == "soon"


def test_the_last_messages_can_be_forgotten() -> None:
    heard = Listening()
    heard.hears("to all", sender=BOB)
    heard.hears("psst", sender=BOB, to=RADIO)
    assert heard.last()
    assert heard.last(DIRECT)
    heard.hears("not yet published", sender=BOB)
    heard.radio.messages.forget()
    assert heard.last() == heard.last(DIRECT) == {}
