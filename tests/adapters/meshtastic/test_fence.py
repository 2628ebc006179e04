"""Nothing of the library gets through the fence: no print, no log, no exit, no timer, no secret."""

import builtins
import logging
import sys
import threading

import msgspec
import pytest
from meshtastic import ResponseHandler
from meshtastic.util import our_exit

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic.heard import Received
from jitney.adapters.meshtastic.link import Link
from tests.adapters.meshtastic.linked import BOB, config, end, hear, linked, texts
from tests.fakes.meshtastic import SECRETS, Answer, Radio
from tests.fakes.meshtastic.payloads import ALL_PORTS, NAMES, PORTS, UNDECODABLE, sample
from tests.waiting import until


async def everything() -> None:
    """Let happen what makes the library talk."""
    async with Radio() as radio:
        for number, name in enumerate(NAMES):
            radio.node(BOB + number, long_name=name)
        bob = radio.nodes[BOB]
        async with Link(config(radio)) as link:
            for port in ALL_PORTS:
                bob.send(port, sample(port))
            for name in NAMES:
                bob.text(name)
            radio.hear(radio.node(0).packet(PORTS.TEXT_MESSAGE_APP, b"from nobody"))
            bob.send(PORTS.POSITION_APP, UNDECODABLE)
            bob.send(PORTS.TEXT_MESSAGE_APP, b"\xff\xfe")
            bob.user_id = ""
            bob.announce()
            radio.send_frame(UNDECODABLE)
            radio.send_raw(b"a line of a log\n")
            radio.notify("Duty cycle limit exceeded")
            await link.admin("set_owner", long_name="Base", short_name="\U0001f4a9")
            await link.admin("set_mqtt", enabled=True, root="msh/home")
            radio.script(Answer("NO_RESPONSE"))
            await link.send(b"", port=PORTS.POSITION_APP, to=BOB, want_ack=True, want_response=True)
            bob.text("last")
            await until(lambda: link.unreadable >= 4)
            radio.reset()
            await end(link)


async def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    before = (sys.stdout, sys.stderr, builtins.print)
    await everything()
    assert capfd.readouterr() == ("", "")
    assert (sys.stdout, sys.stderr, builtins.print) == before


async def test_nothing_is_logged_even_where_everything_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await everything()
    assert not [record for record in caplog.records if record.name.startswith("meshtastic")]


async def test_every_module_of_the_library_is_silent_and_no_other() -> None:
    async with linked():
        modules = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "meshtastic"}
        assert {"meshtastic.util", "meshtastic.node", "meshtastic.mesh_interface"} <= set(modules)
        assert all("print" in vars(module) for module in modules.values())
        assert not [
            name
            for name, module in sys.modules.items()
            if name not in modules and vars(module).get("print", print) is vars(modules["meshtastic.util"])["print"]
        ]


async def test_an_exit_in_a_call_refuses_that_call_alone(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async with linked() as (_, bob, link):
        assert link._interface is not None
        monkeypatch.setattr(link._interface.localNode, "reboot", lambda _: our_exit("Warning: no"))
        with pytest.raises(RefusedError, match="reboot: 1"):
            await link.admin("reboot")
        bob.text("still here")
        assert await texts(link) == ["still here"]
    assert capfd.readouterr() == ("", "")


async def test_an_exit_in_the_reader_costs_one_packet() -> None:
    async with linked() as (radio, bob, link):
        assert link._interface is not None
        link._interface.responseHandlers[4711] = ResponseHandler(lambda _: our_exit("No response from node"))
        bob.send(PORTS.ROUTING_APP, b"\x18\x08", to=radio.own.number, request_id=4711)
        bob.text("still here")
        assert await texts(link) == ["still here"]
        assert link.unreadable == 1


async def test_the_library_starts_no_timer() -> None:
    async with linked(heartbeat=0.05) as (radio, _, _):
        await radio.until(lambda: radio.client and radio.client.heartbeats > 3)
        assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


async def test_nothing_secret_is_in_what_the_radio_says_of_itself() -> None:
    async with Radio() as radio:
        secret = str(SECRETS["mqtt_password"])
        radio.settings.module.mqtt.address = f"mqtt://bob:{secret}@mqtt.example.org:1883/{secret}"
        radio.node(BOB)
        async with Link(config(radio)) as link:
            assert link.info.mqtt.address == "mqtt.example.org"
            said = repr((link.info, link.known, vars(link))).encode() + msgspec.json.encode((link.info, link.known))
            assert b"canary" not in said
            for value in SECRETS.values():
                assert str(value).encode() not in said
                assert not isinstance(value, bytes) or value.hex().encode() not in said
                assert not isinstance(value, bytes) or msgspec.json.encode(value).strip(b'"') not in said


async def test_a_packet_is_handed_over_as_the_library_publishes_it() -> None:
    async with linked() as (_, bob, link):
        number = bob.text("hello", reply_id=5)
        (item,) = await hear(link, Received)
        raw = item.packet["raw"]
        assert (raw.id, item.packet["from"], item.packet["fromId"]) == (number, BOB, "!b0b00001")
        assert item.packet["decoded"] == {
            "portnum": "TEXT_MESSAGE_APP",
            "payload": b"hello",
            "text": "hello",
            "replyId": 5,
        }
