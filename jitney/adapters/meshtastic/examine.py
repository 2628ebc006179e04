"""Looking for a radio without taking it from whoever has it: it takes one client at a time, and puts the other out."""

import asyncio
import grp
import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from jitney.adapters.base import Examination, Found
from jitney.adapters.meshtastic.config import Ble, Config, Serial, Tcp

PATIENCE: Final = 5.0
"""Seconds in which a radio takes a connection."""

_ADAPTERS: Final = Path("/sys/class/bluetooth")


async def findings(config: Config, about: Examination) -> AsyncIterator[Found]:
    """Yield whether the library is there and the radio where it should be. No byte is sent to it."""
    if find_spec("meshtastic") is None:
        yield Found("problem", "the library for radios is not installed", "pip install 'jitney[meshtastic]'")
    match config.endpoint:
        case Serial(path):
            for found in await asyncio.to_thread(lambda: list(_device(Path(path)))):
                yield found
        case Tcp() as place:
            async for found in _network(place, about):
                yield found
        case Ble(address):
            for found in _bluetooth(address):
                yield found


def _device(path: Path) -> Iterator[Found]:
    try:
        about = path.stat()
    except FileNotFoundError:
        yield Found("problem", f"there is no {path}", "is the radio plugged in? ls -l /dev/serial/by-id shows what is")
        return
    except OSError as error:
        yield Found("problem", f"{path}: {error.strerror}", "correct connection")
        return
    if not stat.S_ISCHR(about.st_mode):
        yield Found("problem", f"{path} is no device", "correct connection")
    elif not os.access(path, os.R_OK | os.W_OK):
        group = _group(about.st_gid)
        remedy = f"sudo usermod -aG {group} USER, for the user that Jitney runs as, and restart it"
        yield Found("problem", f"{path} belongs to the group {group}, of which this user is not", remedy)
    else:
        yield Found("ok", f"{path} is there and can be opened")
    if not path.is_symlink() and path.name.startswith("tty"):
        remedy = "take the name below /dev/serial/by-id, which stays"
        yield Found("note", f"{path} can be called otherwise when it is plugged in again", remedy)


async def _network(place: Tcp, about: Examination) -> AsyncIterator[Found]:
    if about.running:
        yield Found("ok", f"{place} was not tried: the running daemon has it, and would be put out")
        return
    if about.offline:
        return
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(place.host, place.port)
    except TimeoutError:
        remedy = "is it switched on, in this network, and is its address still this one?"
        yield Found("problem", f"{place} does not take a connection within {PATIENCE:g} s", remedy)
    except OSError as error:
        remedy = "is it switched on, and is its network API on (Network, in the app)?"
        unknown = isinstance(error, socket.gaierror) or not error.errno
        reason = "its name is not known" if unknown else os.strerror(error.errno or 0)
        yield Found("problem", f"{place} does not take a connection: {reason}", remedy)
    else:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        yield Found("ok", f"{place} takes connections")


def _bluetooth(address: str) -> Iterator[Found]:
    if find_spec("bleak") is None:
        yield Found("problem", "what Bluetooth needs is not installed", "pip install 'jitney[meshtastic]'")
    elif not _ADAPTERS.is_dir() or not any(_ADAPTERS.iterdir()):
        yield Found("problem", "this machine has no Bluetooth that works", "bluetoothctl show")
    else:
        yield Found("note", f"whether {address} is near was not tried: it takes only one client, and a minute to find")


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
