"""Brokers that keep owners apart: mosquitto with an ACL file, and with dynamic security."""

import asyncio
import base64
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from jitney.adapters.secret import Secret
from jitney.daemon.access.devices import DynsecDevices
from jitney.daemon.access.dynsec import administering
from jitney.daemon.access.model import Model, model
from jitney.daemon.access.passwords import password_line
from jitney.daemon.access.reconcile import plan
from jitney.daemon.access.render import render
from jitney.daemon.access.visitor import Login
from jitney.daemon.config.schema import Config, DiscoverySettings, HttpSettings, MqttSettings, OwnerSettings
from tests.conftest import StartBroker
from tests.fakes.mosquitto import Broker

ADMIN = Login("admin", Secret("the administrator's"))
DAEMON = Login("jitney", Secret("the daemon's"))
OWNERS = ("alice", "bob", "carol")

_ITERATIONS = 101
_RIGHTS = ("publishClientSend", "publishClientReceive", "subscribePattern")


class Walled(Struct, frozen=True):
    """A broker with its walls up, and a login of everybody at it."""

    broker: Broker
    config: Config
    model: Model
    logins: Mapping[str, Login]

    @property
    def settings(self) -> MqttSettings:
        return self.config.mqtt


def household(owners: Iterable[str] = OWNERS, **changes: object) -> Config:
    """Return a configuration whose broker is not known yet."""
    people = {owner: OwnerSettings(id=owner, name=owner.title()) for owner in owners}
    return msgspec.structs.replace(
        Config(
            mqtt=MqttSettings(username=DAEMON.username, password=DAEMON.password, keepalive=5),
            http=HttpSettings(listen=""),
            owners=people,
            discovery=DiscoverySettings(enabled=True),
        ),
        **changes,
    )


def at(config: Config, broker: Broker) -> Config:
    """Return a configuration with a broker."""
    return msgspec.structs.replace(config, mqtt=msgspec.structs.replace(config.mqtt, url=broker.url))


def with_a_file(start: StartBroker, folder: Path, config: Config, *, more: str = "") -> Walled:
    """Start a broker with a password file and the ACL file that the model becomes, with ``more`` lines at its end."""
    who = model(config)
    logins = {owner: Login(owner, Secret(f"{owner}'s")) for owner in who.owners}
    passwords, rules = folder / "passwords", folder / "rules"
    lines = [password_line(login.username, login.password) for login in (DAEMON, *logins.values())]
    passwords.write_text("".join(f"{line}\n" for line in lines))
    rules.write_text(render(who, "mosquitto-acl", {}).text + more)
    broker = start(anonymous=False, extra=[f"password_file {passwords}", f"acl_file {rules}"])
    return Walled(broker, at(config, broker), who, logins)


def bare_dynsec(start: StartBroker, folder: Path) -> Broker:
    """Start a broker whose dynamic security knows nobody but its administrator."""
    state = folder / "dynamic-security.json"
    salt = b"twelve bytes"
    digest = hashlib.pbkdf2_hmac("sha512", ADMIN.password.reveal().encode(), salt, _ITERATIONS)
    password = {"password": base64.b64encode(digest).decode(), "salt": base64.b64encode(salt).decode()}
    role = {
        "rolename": "admin",
        "acls": [{"acltype": kind, "topic": "$CONTROL/dynamic-security/#", "allow": True} for kind in _RIGHTS],
    }
    admin = {"username": "admin", **password, "iterations": _ITERATIONS, "roles": [{"rolename": "admin"}]}
    defaults = {"publishClientSend": False, "publishClientReceive": True, "subscribe": False, "unsubscribe": True}
    state.write_bytes(msgspec.json.encode({"defaultACLAccess": defaults, "clients": [admin], "roles": [role]}))
    lines = [f"plugin {plugin()}", f"plugin_opt_config_file {state}"]
    return start(anonymous=False, extra=lines)


async def with_dynsec(start: StartBroker, folder: Path, config: Config) -> Walled:
    """Start a broker with dynamic security, and bring the model and a device of everybody to it."""
    broker = await asyncio.to_thread(bare_dynsec, start, folder)
    config = at(config, broker)
    who = model(config)
    async with administering(config.mqtt, ADMIN) as security:
        found = plan(who, await security.standing(), password=config.mqtt.password)
        await security.ask(*(change.command for change in found.changes))
        devices = DynsecDevices(security, who)
        logins = {owner: await devices.add(owner, "phone", bound=False) for owner in who.owners}
    return Walled(broker, config, who, logins)


def plugin() -> Path:
    """Return where mosquitto's dynamic security is; skips the test where there is none."""
    found = [
        path
        for place in ("/usr/lib", "/usr/local/lib")
        for path in Path(place).glob("**/mosquitto_dynamic_security.so")
    ]
    if not found:
        pytest.skip("no mosquitto_dynamic_security.so here: on Debian it comes with  sudo apt install mosquitto")
    return found[0]
