"""`jitney run` and `jitney check` as processes of their own, with radios and without what radios need."""

import asyncio
import json
import os
import re
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from meshtastic.protobuf import admin_pb2, mesh_pb2

from tests.at_meshtastic import House
from tests.daemon.running import observing, payload
from tests.fakes.meshtastic import SECRETS, Handshake, Radio
from tests.fakes.meshtastic.payloads import ALL_PORTS, NAMES, PORTS, UNDECODABLE, UNNAMED_PORTS, sample
from tests.fakes.mosquitto import Broker
from tests.waiting import DEADLINE

BOB: Final = 0xB0B00001
NEW: Final = ("canary-new-user", "canary-new-password")
MADE_WITH: Final = ("meshtastic", "pubsub", "google.protobuf", "serial", "bleak")

PLAIN: Final = "import sys\nfrom jitney.daemon.cli import main\nsys.exit(main(sys.argv[1:]))\n"
NOT_INSTALLED: Final = f"import sys\nsys.modules.update(dict.fromkeys({MADE_WITH}))\n{PLAIN}"
FORBIDDEN: Final = f"""
import os, sys
class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name in {MADE_WITH}:
            os.write(2, f"imported {{name}}".encode())
            os._exit(9)
sys.meta_path.insert(0, Forbidden())
{PLAIN}"""

PROMPT: Final = 5.0
"""Seconds for a stop; a thread that the process waited for would take thirty."""


class Process:
    """A `jitney` that was started; ``written`` is what it has said on stdout and stderr."""

    def __init__(self, child: asyncio.subprocess.Process, folder: Path) -> None:
        self._child = child
        self._folder = folder

    async def stop(self) -> int:
        """End it in an orderly way and return its exit status."""
        if self._child.returncode is None:
            self._child.terminate()
        async with asyncio.timeout(PROMPT):
            return await self._child.wait()

    async def ended(self) -> int:
        """Return the exit status of one that ends by itself."""
        async with asyncio.timeout(DEADLINE):
            return await self._child.wait()

    def kill(self) -> None:
        if self._child.returncode is None:
            self._child.kill()

    def written(self) -> tuple[str, str]:
        out, err = (self._folder / name for name in ("stdout", "stderr"))
        return out.read_text(errors="replace"), err.read_text(errors="replace")


@asynccontextmanager
async def jitney(command: str, config: str, folder: Path, *, program: str = PLAIN) -> AsyncIterator[Process]:
    """Start a command with a configuration."""
    path = folder / "config.toml"
    path.write_text(config, encoding="utf-8")
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, command, "-c", str(path)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment,
            cwd=Path(__file__).parent.parent,
        )
    process = Process(child, folder)
    try:
        yield process
    finally:
        process.kill()
        await process.ended()


def configured(broker: Broker, folder: Path, *sections: str) -> str:
    """Return a configuration with these sections besides the usual ones."""
    state = json.dumps(str(folder / "state"))
    return "\n".join(
        [
            "version = 1",
            "[bus]",
            f"state_dir = {state}",
            'log_level = "debug"',
            "[mqtt]",
            f'url = "{broker.url}"',
            "[http]",
            'listen = ""',
            "[owners.alice]",
            *sections,
        ]
    )


def with_radio(radio: Radio, *keys: str) -> str:
    """Return the section of a radio of alice."""
    return "\n".join(
        ["[adapters.base]", 'type = "meshtastic"', 'owner = "alice"', f'connection = "{radio.connection}"', *keys]
    )


DEMO: Final = '[adapters.toy]\ntype = "demo"\nrate = 50.0'


async def test_no_secret_of_a_radio_gets_out_of_it_and_nothing_is_printed(broker: Broker, tmp_path: Path) -> None:
    config = ['allow = { alice = "*" }', "[adapters.base.retry]", "first = 0.05", "longest = 0.1"]
    async with Radio() as radio, observing(broker.port) as observer:
        house = House(observer)
        text = configured(broker, tmp_path, with_radio(radio, *config))
        async with jitney("run", text, tmp_path) as daemon:
            await house.until(lambda: house.status("alice", "base") == "online")
            send_everything(radio)
            shown = await house.ask("alice", "base", "get_device_config")
            assert shown["config"]["lora"]["region"] == "EU_868"
            await house.ask("alice", "base", "set_mqtt", username=NEW[0], password=NEW[1])
            await radio.until(lambda: radio.settings.module.mqtt.password == NEW[1])
            await house.refused("alice", "base", "set_mqtt", password="canary-too-long-" * 9)
            await house.ask("alice", "base", "set_owner", long_name="Roof", short_name="R")
            await house.ask("alice", "base", "traceroute", to="!b0b00001", wait="delivered")
            radio.reset()
            await radio.ready(2)
            radio.nodes[BOB].text("the end")
            await house.until(lambda: "the end" in house.texts("alice"))
            assert (await house.ask("alice", "base", "get_device_config"))["radio"]["long_name"] == "Roof"
            assert await daemon.stop() == 0
        out, err = daemon.written()
        assert out == ""
        assert "device control" in err
        assert "Traceback" not in err
        told = {
            str(message.topic): payload(message)
            for message in observer.messages
            if "/command/" not in str(message.topic)
        }
        places = {"log": err.encode(), **{path.name: path.read_bytes() for path in (tmp_path / "state").iterdir()}}
        assert "jitney.db" in places
        assert leaks({**told, **places}) == []


def send_everything(radio: Radio) -> None:
    """Let a radio hear and say whatever there is, secrets of others and what cannot be decoded included."""
    bob = radio.node(BOB, long_name="Bob")
    admin = admin_pb2.AdminMessage(session_passkey=b"canary-s")
    admin.get_channel_response.settings.psk = SECRETS["psk"]
    admin.get_config_response.security.private_key = SECRETS["private_key"]
    bob.send(PORTS.ADMIN_APP, admin)
    radio.own.send(PORTS.ADMIN_APP, admin)
    for port in (*ALL_PORTS, *UNNAMED_PORTS):
        bob.send(port, sample(port))
        bob.send(port, UNDECODABLE)
    for name in NAMES:
        bob.text(name)
    for frame in (UNDECODABLE, b"", b"\xff" * 512, mesh_pb2.FromRadio(log_record=mesh_pb2.LogRecord(message="x"))):
        radio.send_frame(frame)
    radio.send_raw(b"INFO  | canary-of-the-console\r\n\x94\xc3\xff\xff")
    for section in radio.settings.sections():
        radio.send(section)


def leaks(places: dict[str, bytes]) -> list[tuple[str, str]]:
    """Return where a secret is, in any form in which it could have got there."""
    secrets = {
        **SECRETS,
        "user": NEW[0],
        "password": NEW[1],
        "console": "canary-of-the-console",
        "session": b"canary-s",
    }
    found = []
    for name, secret in secrets.items():
        raw = secret if isinstance(secret, bytes) else str(secret).encode()
        forms = [re.escape(raw), re.escape(b64encode(raw).rstrip(b"=")), re.escape(raw.hex().encode())]
        pattern = re.compile(rb"(?<!\d)(?:" + b"|".join(forms) + rb")(?!\d)", re.IGNORECASE)
        found += [(name, place) for place, content in places.items() if pattern.search(content)]
    return found


def test_the_search_for_secrets_finds_one_in_every_form() -> None:
    key = b"canary-private-key-32-bytes-long"
    places = {
        "plain": b'{"key":"' + key + b'"}',
        "base64": b'{"key":"' + b64encode(key) + b'"}',
        "hex": b"key " + key.hex().upper().encode(),
        "pin": b'{"pin":734921}',
        "none": b"17349215",
    }
    assert leaks(places) == [
        ("private_key", "plain"),
        ("private_key", "base64"),
        ("private_key", "hex"),
        ("fixed_pin", "pin"),
    ]


async def test_a_stop_in_the_middle_of_a_handshake_is_prompt(broker: Broker, tmp_path: Path) -> None:
    async with Radio() as radio:
        radio.handshake = Handshake.UNFINISHED
        text = configured(broker, tmp_path, with_radio(radio))
        async with jitney("run", text, tmp_path) as daemon:
            await radio.until(lambda: radio.client and radio.client.asked)
            assert await daemon.stop() == 0
        await radio.disconnected()


async def test_without_radios_nothing_that_they_need_is_imported(broker: Broker, tmp_path: Path) -> None:
    text = configured(broker, tmp_path, 'meshtastic = { nodes = ["!a11ce001"] }', DEMO)
    async with observing(broker.port) as observer, jitney("run", text, tmp_path, program=FORBIDDEN) as daemon:
        house = House(observer)
        await house.until(lambda: house.status("alice", "toy") == "online")
        assert await daemon.stop() == 0, daemon.written()


async def test_the_program_that_forbids_the_library_would_notice_it(broker: Broker, tmp_path: Path) -> None:
    async with Radio() as radio:
        text = configured(broker, tmp_path, with_radio(radio))
        async with jitney("run", text, tmp_path, program=FORBIDDEN) as daemon:
            assert await daemon.ended() == 9
        assert "imported " in daemon.written()[1]


async def test_a_radio_can_be_checked_where_the_library_is_not_installed(broker: Broker, tmp_path: Path) -> None:
    async with Radio() as radio:
        text = configured(broker, tmp_path, with_radio(radio))
        async with jitney("check", text, tmp_path, program=NOT_INSTALLED) as check:
            assert await check.ended() == 0, check.written()
        out, err = check.written()
        assert "base (meshtastic, of alice)" in out
        assert err == ""
        wrong = text.replace("tcp://", "http://")
        async with jitney("check", wrong, tmp_path, program=NOT_INSTALLED) as check:
            assert await check.ended() == 78
        assert "adapters.base.connection: expected tcp://HOST" in check.written()[1]


async def test_where_the_library_is_not_installed_a_radio_says_so_and_all_else_goes_on(
    broker: Broker, tmp_path: Path
) -> None:
    async with Radio() as radio, observing(broker.port) as observer:
        text = configured(broker, tmp_path, with_radio(radio), DEMO)
        house = House(observer)
        async with jitney("run", text, tmp_path, program=NOT_INSTALLED) as daemon:
            await house.until(lambda: house.status("alice", "base") == "failed")
            reason = house.value("jitney/alice/status/base")["reason"]
            assert re.fullmatch(
                r"a radio needs \S+, which is not installed: pip install 'jitney\[meshtastic\]'", reason
            )
            await house.until(lambda: reason in house.value("jitney/alice/alert/base.failed").get("message", ""))
            await house.until(lambda: house.status("alice", "toy") == "online")
            await house.until(lambda: [topic for topic in house.topics() if "/event/toy/" in topic])
            assert await daemon.stop() == 0
        assert radio.connections == 0
