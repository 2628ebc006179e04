"""Commands to radios over MQTT: what comes of them on the air, in the replies and as events."""

import asyncio
from pathlib import Path

import pytest

from tests.at_meshtastic import House, at_home, household, on_air, one_radio
from tests.fakes.meshtastic import RELAYED, UNHEARD, Radio
from tests.fakes.meshtastic.payloads import PORTS
from tests.fakes.mosquitto import Broker

BOB = 0xB0B00001


def outcomes(house: House, owner: str, adapter: str = "base") -> list[tuple[str, str]]:
    """Return the text and the state of everything that was told about what is sent."""
    return [(data.get("text", ""), data["state"]) for data in house.told(owner, adapter, "sending")]


async def test_a_text_is_sent_and_every_step_of_it_is_an_event_of_who_sent_it(broker: Broker, tmp_path: Path) -> None:
    async with one_radio(broker, tmp_path, owner="_house") as (radio, house):
        radio.node(BOB, long_name="Bob", hops=2).announce()
        await house.until(lambda: house.told("_house", "base", "node"))
        sent = await house.ask("alice", "base", "send_text", text="Grüße", to="Bob", wait="delivered")
        packet = await radio.received(PORTS.TEXT_MESSAGE_APP)
        assert (packet.to, packet.decoded.payload.decode(), packet.want_ack) == (BOB, "Grüße", True)
        assert (sent["state"], sent["packet_ids"]) == ("delivered", [packet.id])
        await house.until(lambda: len(outcomes(house, "alice")) == 4)
        assert [state for _, state in outcomes(house, "alice")] == ["queued", "sent", "relayed", "delivered"]
        assert {event.subject for event in house.events("alice", "base", "sending")} == set(sent["ids"])
        assert outcomes(house, "bob") == outcomes(house, "_house") == []


async def test_a_text_that_nobody_hears_has_failed_for_a_reason(broker: Broker, tmp_path: Path) -> None:
    async with one_radio(broker, tmp_path) as (radio, house):
        radio.node(BOB)
        radio.script(UNHEARD)
        error = await house.refused("alice", "base", "send_text", text="hello", to="!b0b00001", wait="delivered")
        assert error["code"] == "max_retransmit"
        assert "no node is in reach" in error["message"]
        await house.until(lambda: outcomes(house, "alice")[-1:] == [("hello", "failed")])


@pytest.mark.slow
async def test_ten_texts_at_once_break_no_limit_of_the_firmware(broker: Broker, tmp_path: Path) -> None:
    async with one_radio(broker, tmp_path) as (radio, house):
        texts = [f"text {number}" for number in range(10)]
        replies = await asyncio.gather(*(house.ask("alice", "base", "send_text", text=text) for text in texts))
        assert [reply["state"] for reply in replies] == ["queued"] * 10
        await radio.received(PORTS.TEXT_MESSAGE_APP, len(texts), deadline=40)
        assert [packet.decoded.payload.decode() for packet in radio.sent] == texts
        assert (radio.violations, radio.dropped) == ([], [])


async def test_what_was_accepted_is_sent_after_a_restart_of_the_daemon_and_nothing_twice(
    broker: Broker, tmp_path: Path
) -> None:
    async with on_air("base") as radios:
        radio, config = radios["base"], household(broker, radios, {"base": "alice"})
        async with at_home(config, radios, broker, tmp_path) as house:
            await house.ask("alice", "base", "send_text", text="first")
            await house.ask("alice", "base", "send_text", text="second")
            await house.until(lambda: ("first", "sent") in outcomes(house, "alice"))
        async with at_home(config, radios, broker, tmp_path) as house:
            await house.until(lambda: ("second", "sent") in outcomes(house, "alice"))
        assert [packet.decoded.payload for packet in radio.sent] == [b"first", b"second"]
        assert radio.violations == []


async def test_a_traceroute_is_answered_with_the_way_there_and_back(broker: Broker, tmp_path: Path) -> None:
    async with one_radio(broker, tmp_path) as (radio, house):
        bob = radio.node(BOB, hops=1)
        bob.route = [0xC0000001]
        reply = await house.ask("alice", "base", "traceroute", to="!b0b00001", wait="delivered")
        await house.until(lambda: house.told("alice", "base", "traceroute"))
        (way,) = house.told("alice", "base", "traceroute")
        assert [hop["node"] for hop in way["towards"]] == ["!c0000001", "!b0b00001"]
        assert [hop["node"] for hop in way["back"]] == ["!c0000001", "!a0000001"]
        assert way["request_id"] == reply["packet_ids"][0]


async def test_the_radio_itself_is_not_controlled_unless_that_is_allowed_and_every_attempt_is_told(
    broker: Broker, tmp_path: Path
) -> None:
    allow = {"alice": ("reboot", "factory_reset")}
    async with one_radio(broker, tmp_path, owner="_house", allow=allow) as (radio, house):
        refusal = await house.refused("bob", "base", "reboot")
        assert refusal["code"] == "not_allowed"
        assert 'add allow.bob = ["reboot"] to [adapters.base]' in refusal["message"]
        assert (await house.refused("alice", "base", "shutdown"))["code"] == "not_allowed"
        unsure = await house.refused("alice", "base", "factory_reset", confirm="!a0000002")
        assert unsure["code"] == "not_confirmed"
        assert await house.ask("alice", "base", "reboot", seconds=5) == {"node": "!a0000001"}
        await radio.until(lambda: radio.administration.done("reboot_seconds"))
        assert {message.WhichOneof("payload_variant") for message in radio.administration.messages} == {
            "get_config_request",
            "reboot_seconds",
        }
        await house.until(lambda: len(house.told("_house", "base", "control")) == 5)
        audited = [
            (event.actor, data["command"], data["outcome"])
            for event, data in zip(
                house.events("_house", "base", "control"), house.told("_house", "base", "control"), strict=True
            )
        ]
        assert audited == [
            ("bob", "reboot", "refused"),
            ("alice", "shutdown", "refused"),
            ("alice", "factory_reset", "refused"),
            ("alice", "reboot", "allowed"),
            ("alice", "reboot", "done"),
        ]


async def test_who_does_not_own_a_radio_is_refused_in_their_own_tree(broker: Broker, tmp_path: Path) -> None:
    async with on_air("attic", "boat") as radios:
        config = household(broker, radios, {"attic": "alice", "boat": "bob"})
        async with at_home(config, radios, broker, tmp_path) as house:
            for command, data in (("send_text", {"text": "x"}), ("get_nodes", {}), ("get_packets", {}), ("reboot", {})):
                error = await house.refused("bob", "attic", command, **data)
                assert error["code"] == "unknown_adapter"
            for radio in radios.values():
                radio.script(RELAYED)
            await house.ask("alice", "attic", "send_text", text="from alice", wait="sent")
            await house.ask("bob", "boat", "send_text", text="from bob", wait="sent")
            assert texts_of(radios["attic"]) == [b"from alice"]
            assert texts_of(radios["boat"]) == [b"from bob"]
            replies = {topic for topic in house.topics() if "/reply/" in topic}
            assert replies == {*(f"bob/reply/desk/{number}" for number in (1, 2, 3, 4, 6)), "alice/reply/desk/5"}
            assert {text for text, _ in outcomes(house, "alice", "attic")} == {"from alice"}
            assert {text for text, _ in outcomes(house, "bob", "boat")} == {"from bob"}


def texts_of(radio: Radio) -> list[bytes]:
    return [packet.decoded.payload for packet in radio.sent if packet.decoded.portnum == PORTS.TEXT_MESSAGE_APP]
