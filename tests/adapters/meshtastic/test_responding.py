"""The command `respond`: an automatic answer on its way to the air, or refused."""

import asyncio
from typing import Any

import msgspec
import pytest

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic.addresses import BROADCAST, node_id
from jitney.adapters.meshtastic.autoreply import MARK
from jitney.adapters.meshtastic.kinds import Message
from jitney.topics import HOUSE
from tests.adapters.meshtastic.sending import BOBS, CAROLS, OWN, command, measured, running, states
from tests.adapters.meshtastic.test_commands import Radio, data, on_air
from tests.fakes.context import RecordingContext

PING = {"text": "pong", "to": node_id(CAROLS), "reply_to": 77}


def hears(radio: Radio, packet_id: int = 77, text: str = "ping", *, sender: int = CAROLS, **fields: Any) -> None:  # noqa: ANN401
    owner = fields.pop("owner", "alice")
    message = Message(node=node_id(sender), to="broadcast", packet_id=packet_id, channel=0, text=text, **fields)
    radio.guard.heard(owner, sender, message)


async def test_the_sender_is_answered_alone_with_a_mark_and_the_packet_named() -> None:
    async with on_air() as radio:
        hears(radio)
        assert data(await radio.does("respond", PING))["state"] == "queued"
        await radio.timing.settle()
        (sent,) = radio.link.sent
        assert (sent.text, sent.to) == ("🤖 pong", CAROLS)
        assert (sent.arguments["reply_id"], sent.arguments["want_ack"], sent.arguments["channel"]) == (77, True, 0)
        (event, *_) = radio.ctx.events
        assert msgspec.json.decode(event.data)["what"] == "answer"


async def test_without_a_receiver_everybody_on_the_channel_hears_it_once() -> None:
    async with on_air() as radio:
        hears(radio)
        await radio.does("respond", {"text": "12 °C", "channel": "Family", "reply_to": 77})
        await radio.timing.settle()
        (sent,) = radio.link.sent
        assert (sent.text, sent.to) == ("🤖 12 °C", BROADCAST)
        assert (sent.arguments["channel"], sent.arguments["want_ack"]) == (2, False)


async def test_it_is_cut_to_one_packet_behind_a_whole_character() -> None:
    async with on_air() as radio:
        await radio.does("respond", {**PING, "text": "ö" * 300})
        await radio.timing.settle()
        (sent,) = radio.link.sent
        assert sent.text == MARK + "ö" * 97
        assert len(sent.payload) <= 200


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({**PING, "text": "  "}, "there is nothing in it to send"),
        ({"text": "pong", "to": "!c0000001"}, "missing required field `reply_to`"),
        ({**PING, "reply_to": 0}, ">= 1"),
        ({**PING, "to": OWN}, "that is the radio itself"),
        ({**PING, "emoji": True}, "unknown field `emoji`"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_does_not_keep_the_next_one_waiting(
    asked: dict[str, object], says: str
) -> None:
    async with on_air() as radio:
        error = await radio.refuses("respond", asked)
        assert error.code == "invalid"
        assert says in str(error)
        await radio.does("respond", PING)


@pytest.mark.parametrize(
    ("text", "fields", "code"),
    [
        ("ping", {"own": True}, "own"),
        ("👍", {"reaction": True, "reply_id": 5}, "reaction"),
        ("[bot] ping", {}, "machine"),
    ],
)
async def test_where_a_machine_had_better_be_silent_it_is(text: str, fields: dict[str, Any], code: str) -> None:
    async with on_air() as radio:
        hears(radio, text=text, **fields)
        assert (await radio.refuses("respond", PING)).code == code
        assert await radio.does("respond", PING, owner="bob")
        await radio.timing.settle()
        assert [event.owner for event in radio.ctx.events] == ["bob", "bob"]


async def test_a_reply_to_an_answer_is_not_answered_also_after_a_restart() -> None:
    radio = Radio()
    async with running(radio.sender, radio.timing):
        await radio.does("respond", PING)
        await radio.timing.turn(100)
    radio.start()
    async with running(radio.sender, radio.timing):
        hears(radio, 78, "ping", reply_id=100)
        error = await radio.refuses("respond", {**PING, "reply_to": 78})
        assert error.code == "machine"
        assert "replies to an automatic answer of this radio" in str(error)


async def test_whoever_repeats_the_answer_is_taken_for_a_machine() -> None:
    async with on_air() as radio:
        hears(radio)
        await radio.does("respond", PING)
        await radio.timing.turn(100)
        hears(radio, 78, "pong")
        assert (await radio.refuses("respond", {**PING, "reply_to": 78})).code == "muted"


async def test_while_the_channel_is_busy_nobody_is_answered() -> None:
    async with on_air() as radio:
        radio.sender.heard(measured(channelUtilization=26))
        error = await radio.refuses("respond", PING)
        assert error.code == "channel_busy"
        assert "26 %" in str(error)


async def test_a_channel_that_has_become_busy_meanwhile_holds_an_answer_until_nobody_waits_for_it() -> None:
    async with on_air() as radio:
        await radio.does("send_text", {"text": "first"})
        await radio.does("respond", PING)
        await radio.timing.settle()
        radio.sender.heard(measured(channelUtilization=26))
        await radio.timing.turn(121)
        assert radio.link.texts() == ["first"]
        assert ("🤖 pong", "expired") in states(radio.ctx.events)


async def test_what_people_write_to_each_other_goes_first() -> None:
    async with on_air() as radio:
        await radio.does("send_text", {"text": "first"})
        await radio.timing.settle()
        await radio.does("respond", PING)
        await radio.does("send_text", {"text": "to bob", "to": "Bob"})
        await radio.timing.turn(10)
        assert radio.link.texts() == ["first", "to bob", "🤖 pong"]


async def test_each_answer_keeps_the_next_one_of_its_owner_waiting_also_after_a_restart() -> None:
    radio = Radio()
    async with running(radio.sender, radio.timing):
        await radio.does("respond", PING)
        assert (await radio.refuses("respond", {**PING, "to": "Bob"})).code == "cooling"
        assert await radio.does("respond", PING, owner=HOUSE)
        await radio.timing.turn(15)
        await radio.does("respond", {**PING, "to": "Bob"})
        await radio.timing.turn(40)
    radio.start()
    async with running(radio.sender, radio.timing):
        error = await radio.refuses("respond", PING)
        assert error.code == "cooling"
        assert str(error) == "the last automatic answer for !c0000001 was 55 s ago: there is one in 60 s"
        await radio.timing.turn(5)
        await radio.does("respond", PING)


async def test_an_answer_on_a_channel_is_remembered_as_one_to_who_has_asked() -> None:
    async with on_air() as radio:
        hears(radio, 77)
        hears(radio, 78)
        hears(radio, 79, sender=BOBS)
        await radio.does("respond", {"text": "12 °C", "reply_to": 77})
        await radio.timing.turn(20)
        assert (await radio.refuses("respond", {"text": "12 °C", "reply_to": 78})).code == "cooling"
        await radio.does("respond", {"text": "12 °C", "reply_to": 79})


async def test_the_same_command_again_is_not_refused_because_of_itself() -> None:
    radio = Radio()
    asked = command("respond", PING)
    async with running(radio.sender, radio.timing):
        hears(radio)
        first = data(await radio.commands.carry_out(asked))
        again = data(await radio.commands.carry_out(asked))
        await radio.timing.settle()
    radio.start()
    async with running(radio.sender, radio.timing):
        later = data(await radio.commands.carry_out(asked))
        await radio.timing.turn(10)
    assert first["ids"] == again["ids"] == later["ids"]
    assert radio.link.texts() == ["🤖 pong"]


async def test_what_could_not_be_kept_does_not_keep_the_next_try_waiting() -> None:
    async with on_air() as radio:
        hears(radio)
        radio.ctx.full = True
        assert (await radio.refuses("respond", PING)).code not in ("cooling", "muted")
        radio.ctx.full = False
        assert await radio.does("respond", PING)


async def test_of_two_answers_at_once_to_the_same_text_one_goes_out() -> None:
    async with on_air() as radio:
        hears(radio)
        done = await asyncio.gather(
            radio.does("respond", PING), radio.does("respond", {**PING, "text": "hi"}), return_exceptions=True
        )
        assert [one.code for one in done if isinstance(one, RefusedError)] == ["cooling"]
        await radio.timing.turn(10)
        assert radio.link.texts() == ["🤖 pong"]


async def test_what_an_answer_tells_names_what_led_to_it() -> None:
    async with on_air() as radio:
        await radio.commands.carry_out(command("respond", PING, hops=1, causation="heard", traceparent="00-1"))
        await radio.timing.settle()
        told = {(event.causationid, event.hops, event.traceparent) for event in radio.ctx.events}
        assert told == {("heard", 1, "00-1")}


async def test_without_a_connection_nobody_is_answered() -> None:
    radio = Radio(RecordingContext(name="base"))
    assert (await radio.refuses("respond", PING)).code == "offline"
