"""Radios on a cable and on Bluetooth stand behind the same fence."""

import asyncio
import sys
from pathlib import Path

import pytest

from jitney.adapters.errors import DisconnectedError, MisconfiguredError, UnauthorisedError
from jitney.adapters.meshtastic import bluetooth
from jitney.adapters.meshtastic.config import Config
from jitney.adapters.meshtastic.heard import QueueStatus
from jitney.adapters.meshtastic.link import Link
from jitney.adapters.meshtastic.opening import failure
from tests.adapters.meshtastic.linked import BOB, end, hear, texts, threads
from tests.fakes.meshtastic import Handshake, Radio
from tests.fakes.meshtastic.air import ADDRESS, Air
from tests.fakes.meshtastic.cable import Cable
from tests.fakes.meshtastic.payloads import PORTS
from tests.waiting import until

PROMPT = 2.0


def serial(path: str, **settings: object) -> Link:
    return Link(Config(connection=f"serial://{path}", **settings))


def wireless(**settings: object) -> Link:
    return Link(Config(connection=f"ble://{ADDRESS}", **settings))


async def tried(link: Link) -> None:
    async with link:
        pass


async def test_a_radio_on_a_cable_is_heard_and_spoken_to(capfd: pytest.CaptureFixture[str]) -> None:
    async with Radio() as radio, Cable(radio) as cable:
        bob = radio.node(BOB)
        async with serial(cable.path) as link:
            assert link.info.number == radio.own.number
            bob.text("over the cable")
            assert await texts(link) == ["over the cable"]
            number = await link.send(b"hello", port=PORTS.PRIVATE_APP, to=BOB)
            assert (await radio.received(PORTS.PRIVATE_APP)).id == number
    await until(lambda: not threads())
    assert capfd.readouterr() == ("", "")


async def test_a_pulled_cable_is_noticed() -> None:
    async with Radio() as radio, Cable(radio) as cable, serial(cable.path) as link:
        await hear(link, QueueStatus)
        cable.pull()
        gone = await end(link)
        assert "the cable was pulled or the radio is off" in str(gone)


async def test_a_silent_cable_is_noticed() -> None:
    async with Radio() as radio, Cable(radio) as cable, serial(cable.path, heartbeat=0.3) as link:
        await hear(link, QueueStatus)
        radio.stall()
        assert "no sign of life" in str(await end(link))


async def test_a_radio_that_starts_anew_on_its_cable_is_connected_again() -> None:
    async with Radio() as radio, Cable(radio) as cable:
        async with serial(cable.path) as link:
            await hear(link, QueueStatus)
            radio.announce_reboot()
            assert "the radio has started anew" in str(await end(link))
        async with serial(cable.path) as link:
            radio.node(BOB).text("again")
            assert await texts(link) == ["again"]


async def test_a_stop_in_the_middle_of_a_handshake_over_a_cable_takes_less_than_two_seconds() -> None:
    async with Radio() as radio, Cable(radio) as cable:
        radio.handshake = Handshake.UNFINISHED
        connecting = asyncio.create_task(tried(serial(cable.path)), name="connecting")
        await radio.until(lambda: radio.client and radio.client.asked)
        connecting.cancel()
        done, _ = await asyncio.wait([connecting], timeout=PROMPT)
        assert done
        await until(lambda: not threads())


async def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(DisconnectedError, match=r"there is no /dev/ttyNONE: is the radio plugged in\?") as gone:
        await tried(serial("/dev/ttyNONE"))
    assert gone.value.within == 60


async def test_a_device_that_another_program_has_is_named() -> None:
    async with Radio() as radio, Cable(radio) as cable, serial(cable.path) as link:
        await hear(link, QueueStatus)
        with pytest.raises(DisconnectedError, match=f"no radio at {cable.path}: "):
            await tried(serial(cable.path))


def test_a_device_without_permission_needs_a_person() -> None:
    error = failure(Config(connection="serial:///dev/ttyUSB0").endpoint, PermissionError(13, "denied"), within=60)
    assert isinstance(error, UnauthorisedError)
    assert "no permission to open /dev/ttyUSB0" in str(error)
    assert "dialout" in error.remedy


async def test_a_radio_on_bluetooth_is_heard_and_spoken_to(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async with Radio() as radio:
        Air(radio).replace(monkeypatch.setattr)
        bob = radio.node(BOB)
        async with wireless() as link:
            assert link.info.number == radio.own.number
            bob.text("through the air")
            assert await texts(link) == ["through the air"]
            number = await link.send(b"hello", port=PORTS.PRIVATE_APP, to=BOB)
            assert (await radio.received(PORTS.PRIVATE_APP)).id == number
        await radio.disconnected()
    await until(lambda: not threads())
    assert capfd.readouterr() == ("", "")


async def test_a_radio_that_walks_away_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Radio() as radio:
        Air(radio).replace(monkeypatch.setattr)
        async with wireless() as link:
            await hear(link, QueueStatus)
            radio.drop()
            assert "out of reach" in str(await end(link))
    await until(lambda: not threads())


async def test_a_silent_radio_on_bluetooth_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Radio() as radio:
        Air(radio).replace(monkeypatch.setattr)
        async with wireless(heartbeat=0.3) as link:
            await hear(link, QueueStatus)
            radio.stall()
            assert "no sign of life" in str(await end(link))
    await until(lambda: not threads())


async def test_a_radio_that_is_not_around_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Air(None).replace(monkeypatch.setattr)
    with pytest.raises(DisconnectedError, match=rf"no radio at {ADDRESS}: .*is the radio near"):
        await tried(wireless())
    await until(lambda: not threads())


async def test_a_bluetooth_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Radio() as radio:
        Air(radio, hangs=True).replace(monkeypatch.setattr)
        with pytest.raises(DisconnectedError, match=f"no radio at {ADDRESS}"):
            await tried(wireless(timeout=0.2))
    await until(lambda: not threads())


async def test_a_stop_while_it_looks_around_takes_less_than_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Radio() as radio:
        air = Air(radio, scanning=1.0)
        air.replace(monkeypatch.setattr)
        connecting = asyncio.create_task(tried(wireless()), name="connecting")
        await until(lambda: air.scans == 1)
        connecting.cancel()
        done, _ = await asyncio.wait([connecting], timeout=PROMPT)
        assert done
        await until(lambda: not threads())
        assert radio.connections == 0


@pytest.mark.skipif(Path("/sys/class/bluetooth").exists(), reason="this machine has Bluetooth")
async def test_a_machine_without_bluetooth_says_so() -> None:
    with pytest.raises(DisconnectedError, match=rf"no radio at {ADDRESS}: .*is Bluetooth on"):
        await tried(wireless(timeout=5))
    await until(lambda: not threads())


@pytest.mark.parametrize(
    ("missing", "hidden"),
    [
        ("bleak", ["meshtastic.ble_interface", bluetooth.__name__]),
        ("meshtastic", ["jitney.adapters.meshtastic.library"]),
    ],
)
async def test_what_is_not_installed_is_named_with_its_remedy(
    missing: str, hidden: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in hidden:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MisconfiguredError, match=rf"a radio needs {missing}, which is not installed: pip install"):
        await tried(wireless())
