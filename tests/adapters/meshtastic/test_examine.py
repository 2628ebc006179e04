"""What is told of a radio without taking it from anybody."""

import os
import pty
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jitney.adapters.base import Examination, Found
from jitney.adapters.meshtastic import Meshtastic, examine
from jitney.adapters.meshtastic.config import Config
from tests.fakes.meshtastic import Radio


async def told(connection: str, **about: Any) -> list[Found]:  # noqa: ANN401
    return [
        found async for found in Meshtastic.examine(Config(connection=connection), Examination(name="base", **about))
    ]


@contextmanager
def device() -> Iterator[str]:
    """Yield a device like that of a cable."""
    ours, theirs = pty.openpty()
    try:
        yield os.ttyname(theirs)
    finally:
        os.close(ours)
        os.close(theirs)


def group_of(path: str) -> str:
    return examine._group(Path(path).stat().st_gid)


async def test_a_radio_that_takes_connections_is_well_and_gets_no_byte() -> None:
    async with Radio() as radio:
        (found,) = await told(radio.connection)
        await radio.connected()
        await radio.disconnected()
        assert (radio.connections, radio.handshakes, radio.unreadable) == (1, 0, 0)
    assert (found.level, found.text.endswith("takes connections")) == ("ok", True)


async def test_a_radio_that_a_daemon_has_is_left_alone() -> None:
    async with Radio() as radio:
        (found,) = await told(radio.connection, running=True)
        assert radio.connections == 0
    assert (found.level, "the running daemon has it" in found.text) == ("ok", True)


async def test_offline_no_connection_is_tried() -> None:
    async with Radio() as radio:
        assert await told(radio.connection, offline=True) == []
        assert radio.connections == 0


async def test_a_radio_that_refuses_is_a_problem() -> None:
    async with Radio() as radio:
        await radio.refuse()
        (found,) = await told(radio.connection)
    assert (found.level, found.text.endswith("does not take a connection: Connection refused")) == ("problem", True)


async def test_a_radio_that_nobody_knows_is_a_problem() -> None:
    (found,) = await told("tcp://radio.invalid")
    assert (found.level, found.text.endswith("its name is not known")) == ("problem", True)


async def test_a_radio_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examine, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        place = full.getsockname()
        with socket.create_connection(place), socket.socket() as second:
            second.settimeout(0)
            second.connect_ex(place)
            (found,) = await told(f"tcp://127.0.0.1:{place[1]}")
    assert (found.level, "within 0.2 s" in found.text) == ("problem", True)


async def test_a_device_that_can_be_opened_is_well() -> None:
    with device() as path:
        found = await told(f"serial://{path}")
    assert [(one.level, one.text) for one in found] == [("ok", f"{path} is there and can be opened")]


async def test_a_device_that_is_not_there_is_a_problem() -> None:
    (found,) = await told("serial:///dev/ttyNOSUCH0")
    assert (found.level, found.text) == ("problem", "there is no /dev/ttyNOSUCH0")


async def test_a_device_of_a_group_that_one_is_not_in_names_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may open everything
    with device() as path:
        group = group_of(path)
        (found,) = await told(f"serial://{path}")
    assert (found.level, f"belongs to the group {group}" in found.text) == ("problem", True)
    assert f"usermod -aG {group}" in found.remedy


async def test_a_device_whose_name_can_change_is_told() -> None:
    found = list(examine._device(Path("/dev/tty")))
    assert (found[-1].level, "/dev/serial/by-id" in found[-1].remedy) == ("note", True)


async def test_a_library_that_is_not_installed_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examine, "find_spec", lambda _: None)
    found = await told("ble://AA:BB:CC:DD:EE:FF")
    assert [one.level for one in found] == ["problem", "problem"]
    assert found[0].remedy == "pip install 'jitney[meshtastic]'"
