from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jitney.adapters.errors import MisconfiguredError
from jitney.daemon.access.devices import Device, DeviceError, DynsecDevices, FileDevices
from jitney.daemon.access.dynsec import administering
from jitney.daemon.access.model import model
from jitney.daemon.access.visitor import Login, visiting
from jitney.daemon.broker.session import BrokerRefusedError
from tests.conftest import StartBroker
from tests.fakes.walled import ADMIN, DAEMON, Walled, at, bare_dynsec, household, with_dynsec

MODEL = model(household(["alice", "bob"]))


@pytest.fixture
async def walled(mosquitto: StartBroker, tmp_path: Path) -> AsyncIterator[Walled]:
    found = await with_dynsec(mosquitto, tmp_path, household(["alice", "bob"]))
    yield found
    found.broker.kill()


async def test_a_device_is_let_in_with_its_own_client_id_alone(walled: Walled) -> None:
    async with administering(walled.settings, ADMIN) as security:
        login = await DynsecDevices(security, walled.model).add("alice", "tablet")
    assert (login.username, login.client_id) == ("jitney-alice.tablet", "jitney-alice.tablet")
    async with visiting(walled.settings, login) as tablet:
        assert await tablet.subscribe("jitney/alice/#") < 0x80
    with pytest.raises(BrokerRefusedError):
        async with visiting(walled.settings, Login(login.username, login.password)):
            pass


async def test_a_device_cannot_throw_out_the_daemon_by_its_client_id(walled: Walled) -> None:
    async with administering(walled.settings, ADMIN) as security:
        login = await DynsecDevices(security, walled.model).add("alice", "tablet")
    async with visiting(walled.settings, Login(DAEMON.username, DAEMON.password, "the-daemon")) as daemon:
        with pytest.raises(BrokerRefusedError):
            async with visiting(walled.settings, Login(login.username, login.password, "the-daemon")):
                pass
        assert await daemon.subscribe("jitney/#") < 0x80


async def test_a_device_that_is_revoked_is_cut_off_at_once_and_the_others_are_not(walled: Walled) -> None:
    async with (
        administering(walled.settings, ADMIN) as security,
        visiting(walled.settings, walled.logins["bob"]) as bob,
    ):
        devices = DynsecDevices(security, walled.model)
        login = await devices.add("alice", "tablet")
        async with (
            visiting(walled.settings, login) as tablet,
            visiting(walled.settings, walled.logins["alice"]) as phone,
        ):
            await devices.revoke("alice", "tablet")
            assert await tablet.until(lambda: tablet.gone)
            assert await phone.subscribe("jitney/alice/#") == await bob.subscribe("jitney/bob/#") == 1
        assert [device.name for device in await devices.all() if device.owner == "alice"] == ["phone"]
    with pytest.raises(BrokerRefusedError):
        async with visiting(walled.settings, login):
            pass


async def test_what_cannot_be_a_device_is_told(walled: Walled) -> None:
    async with administering(walled.settings, ADMIN) as security:
        devices = DynsecDevices(security, walled.model)
        with pytest.raises(DeviceError, match="alice has a device phone already"):
            await devices.add("alice", "phone")
        with pytest.raises(DeviceError, match="alice has no device watch"):
            await devices.revoke("alice", "watch")
        with pytest.raises(DeviceError, match="is no name for a device"):
            await devices.add("alice", "+/#")
        for nobody in ("zoe", "_daemon"):
            with pytest.raises(MisconfiguredError, match="nobody is called"):
                await devices.add(nobody, "phone")


async def test_before_anything_was_applied_a_device_cannot_be_made(mosquitto: StartBroker, tmp_path: Path) -> None:
    settings = at(household(), bare_dynsec(mosquitto, tmp_path)).mqtt
    async with administering(settings, ADMIN) as security:
        with pytest.raises(DeviceError, match="run `jitney acl apply` first"):
            await DynsecDevices(security, MODEL).add("alice", "phone")


def test_the_names_of_devices_are_kept_in_the_state_folder(tmp_path: Path) -> None:
    devices = FileDevices(tmp_path / "state")
    assert devices.names() == {}
    first, second = devices.add("alice", "phone", MODEL), devices.add("alice", "desk", MODEL)
    assert first.password != second.password
    devices.add("_house", "panel", MODEL)
    again = FileDevices(tmp_path / "state")
    assert again.all(MODEL) == [
        Device("_house", "panel", "jitney-_house.panel"),
        Device("alice", "desk", "jitney-alice.desk"),
        Device("alice", "phone", "jitney-alice.phone"),
    ]
    again.revoke("_house", "panel")
    again.revoke("alice", "desk")
    assert devices.names() == {"alice": ["phone"]}
    assert first.password.reveal() not in (tmp_path / "state" / "devices.json").read_text()


def test_a_name_is_given_once_and_only_to_somebody(tmp_path: Path) -> None:
    devices = FileDevices(tmp_path)
    devices.add("alice", "phone", MODEL)
    with pytest.raises(DeviceError, match="has a device phone already"):
        devices.add("alice", "phone", MODEL)
    with pytest.raises(DeviceError, match="bob has no device phone"):
        devices.revoke("bob", "phone")
    with pytest.raises(MisconfiguredError, match="devices can belong to _house, alice, bob, _home, _bus"):
        devices.add("zoe", "phone", MODEL)
    assert devices.names() == {"alice": ["phone"]}


def test_commands_at_the_same_time_lose_no_name(tmp_path: Path) -> None:
    names = [f"device{number}" for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: FileDevices(tmp_path).add("alice", name, MODEL), names))
    assert FileDevices(tmp_path).names() == {"alice": sorted(names)}


@pytest.mark.parametrize("content", [b"", b"[]", b'{"alice": "phone"}', b"\xff"])
def test_a_file_that_is_damaged_is_not_overwritten(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "devices.json").write_bytes(content)
    with pytest.raises(DeviceError, match="is damaged"):
        FileDevices(tmp_path).add("alice", "phone", MODEL)
    assert (tmp_path / "devices.json").read_bytes() == content


def test_nobody_else_on_the_machine_can_read_the_names(tmp_path: Path) -> None:
    FileDevices(tmp_path).add("alice", "phone", MODEL)
    assert {file.stat().st_mode & 0o077 for file in tmp_path.iterdir()} == {0}
