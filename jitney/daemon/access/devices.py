"""Devices of people: a login each, so that a lost phone is revoked without disturbing anything else.

With dynamic security the broker itself keeps them, and is asked. With an ACL file nobody does: their names are kept in
the state folder, because commands make them and the configuration is never rewritten.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from jitney.adapters.errors import MisconfiguredError
from jitney.daemon.access.dynsec import DynamicSecurity, Standing
from jitney.daemon.access.model import DEVICE, Model
from jitney.daemon.access.passwords import new_password
from jitney.daemon.access.visitor import Login
from jitney.daemon.owners.key_sources import give_to_owner_of_folder

FILE: Final = "devices.json"
_LOCK: Final = "devices.lock"


class Device(Struct, frozen=True, order=True):
    """A device of somebody; ``client_id`` is the only one that it may use, empty for any."""

    owner: str
    name: str
    username: str
    client_id: str = ""
    enabled: bool = True


class DeviceError(MisconfiguredError):
    """There is, or is not, such a device; the text says what to do."""


def checked_name(name: str) -> str:
    """Return what a device can be called; raises DeviceError."""
    if DEVICE.fullmatch(name) is None:
        message = f"{name!r} is no name for a device: use 1 to 32 of a-z, 0-9, '-' and '_', like phone"
        raise DeviceError(message)
    return name


class DynsecDevices:
    """The devices that dynamic security knows. Every method raises what asking it does."""

    def __init__(self, security: DynamicSecurity, model: Model) -> None:
        self._security = security
        self._model = model

    async def all(self) -> list[Device]:
        """Return every device."""
        return devices(await self._security.standing(), self._model)

    async def add(self, owner: str, name: str, *, bound: bool = True) -> Login:
        """Make a device and return its login; ``bound`` to one client id. Raises DeviceError when there is one."""
        role = self._model.role(self._model.who(owner).id)
        username = self._model.username(owner, checked_name(name))
        standing = await self._security.standing()
        if role not in standing.roles:
            message = f"dynamic security does not know the role {role} yet: run `jitney acl apply` first"
            raise DeviceError(message)
        if username in standing.clients:
            raise _is_there(owner, name)
        login = Login(username, new_password(), username if bound else "")
        command = {
            "command": "createClient",
            "username": username,
            "password": login.password,
            "textname": f"{name} of {owner}",
            "roles": [{"rolename": role}],
        }
        await self._security.ask({**command, "clientid": login.client_id} if bound else command)
        return login

    async def revoke(self, owner: str, name: str) -> None:
        """End a device: it is disconnected at once. Raises DeviceError when there is none."""
        username = self._model.username(owner, name)
        if username not in (await self._security.standing()).clients:
            raise _is_not_there(owner, name)
        await self._security.ask({"command": "deleteClient", "username": username})


class FileDevices:
    """The names of devices in a state folder, for `render` with an ACL file; raises DeviceError for a broken file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / FILE

    def names(self) -> dict[str, list[str]]:
        """Return the names of everybody's devices."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, list[str]])
        except FileNotFoundError:
            return {}
        except OSError as error:
            message = f"{self._path} cannot be read ({error.strerror}): run this as the user that Jitney runs as"
            raise DeviceError(message) from error
        except (msgspec.MsgspecError, UnicodeError) as error:
            message = f"{self._path} is damaged ({error}): restore it from a backup, or remove it and add devices anew"
            raise DeviceError(message) from error

    def all(self, model: Model) -> list[Device]:
        """Return every device."""
        found = self.names()
        return [Device(owner, name, model.username(owner, name)) for owner in sorted(found) for name in found[owner]]

    def add(self, owner: str, name: str, model: Model) -> Login:
        """Remember a device and return a login for it. Raises DeviceError when there is one."""
        username = model.username(model.who(owner).id, checked_name(name))
        with self._changing() as found:
            if name in found.get(owner, ()):
                raise _is_there(owner, name)
            found[owner] = sorted([*found.get(owner, ()), name])
        return Login(username, new_password())

    def revoke(self, owner: str, name: str) -> None:
        """Forget a device. Raises DeviceError when there is none."""
        with self._changing() as found:
            if name not in found.get(owner, ()):
                raise _is_not_there(owner, name)
            found[owner].remove(name)
            if not found[owner]:
                del found[owner]

    def forget(self, owner: str) -> list[str]:
        """Forget every device of somebody; returns what they were called."""
        if owner not in self.names():
            return []
        with self._changing() as found:
            return found.pop(owner, [])

    @contextmanager
    def _changing(self) -> Iterator[dict[str, list[str]]]:
        """Give the names to change, and write them if nothing is raised; no other command changes them meanwhile."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            message = f"{self._folder} cannot be written ({error.strerror}): run this as the user that Jitney runs as"
            raise DeviceError(message) from error
        try:
            give_to_owner_of_folder(self._folder / _LOCK)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            found = self.names()
            yield found
            self._write(msgspec.json.format(msgspec.json.encode(found, order="sorted"), indent=1))
        finally:
            os.close(descriptor)

    def _write(self, content: bytes) -> None:
        written = self._path.with_suffix(".new")
        try:
            written.touch(mode=0o600)
            written.write_bytes(content)
            give_to_owner_of_folder(written)
            written.replace(self._path)
        except OSError as error:
            message = f"{self._path} cannot be written: {error.strerror}"
            raise DeviceError(message) from error


def devices(standing: Standing, model: Model) -> list[Device]:
    """Return the devices among the logins that dynamic security knows."""
    found = []
    for client in standing.clients.values():
        device = model.device(client.username)
        if device is not None:
            found.append(Device(*device, client.username, client.clientid, not client.disabled))
    return sorted(found)


def _is_there(owner: str, name: str) -> DeviceError:
    return DeviceError(f"{owner} has a device {name} already: revoke it first, or choose another name")


def _is_not_there(owner: str, name: str) -> DeviceError:
    return DeviceError(f"{owner} has no device {name}: see `jitney devices list`")
