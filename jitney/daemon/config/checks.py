"""What no type can say about the settings of a file: URLs, topic levels, files that must be there."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from jitney.daemon.config.positions import Key
from jitney.daemon.config.problems import Problems
from jitney.daemon.config.schema import BusSettings, Config, HttpSettings, MqttSettings
from jitney.daemon.config.urls import TLS, address_fault, broker_fault, network_fault, scheme, web_fault
from jitney.daemon.config.words import got, mean
from jitney.daemon.routes.zones import zone
from jitney.topics import HOUSE, InvalidTopicError, TopicTree

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
"""What an instance and an adapter can be called: a level of topics that needs no escaping."""

NAME_RULE: Final = "1 to 32 of a-z, 0-9, '-' and '_', starting with a letter or digit"

_OTHERS: Final = 0o004
_TLS_FILES: Final = ("ca_file", "cert_file", "key_file")


def check_bus(settings: BusSettings, problems: Problems) -> None:
    """Note what is wrong with `[bus]`."""
    if NAME.fullmatch(settings.instance) is None:
        problems.add(("bus", "instance"), f"expected {NAME_RULE}, got {got(settings.instance)}")
    if settings.state_dir and not is_absolute(settings.state_dir):
        problems.add(("bus", "state_dir"), f"expected an absolute path, got {got(settings.state_dir)}")
    try:
        zone(settings.time_zone)
    except ValueError as error:
        problems.add(("bus", "time_zone"), str(error))


def is_absolute(path: str) -> bool:
    """Tell whether a text is a path that does not depend on where Jitney was started."""
    return "\0" not in path and Path(path).is_absolute()


def check_http(settings: HttpSettings, problems: Problems) -> None:
    """Note what is wrong with `[http]`."""
    if settings.listen and (fault := address_fault(settings.listen)):
        problems.add(("http", "listen"), fault)
    if settings.public_url and (fault := web_fault(settings.public_url)):
        problems.add(("http", "public_url"), fault)
    for key in ("details", "trusted_proxies"):
        for text in getattr(settings, key):
            if fault := network_fault(text):
                problems.add(("http", key), fault)
            elif key == "details" and _is_public(text):
                problems.warn(("http", key), f"{text} is not your own network: whoever is in it sees names of people")


def _is_public(network: str) -> bool:
    found = ip_network(network, strict=False)
    return found.is_global or not found.prefixlen


def check_discovery(config: Config, problems: Problems) -> None:
    """Note what is wrong with `[discovery]` and with what owners say about it."""
    _check_prefix(config.discovery.prefix, ("discovery", "prefix"), config, problems)
    for owner in config.owners.values():
        key = ("owners", owner.id, "discovery")
        if owner.discovery.prefix:
            _check_prefix(owner.discovery.prefix, (*key, "prefix"), config, problems)
        for name in owner.discovery.private:
            if name not in config.adapters:
                remedy = mean(name, config.adapters) or ": give the name of an adapter"
                problems.add((*key, "private"), f"there is no section [adapters.{name}]{remedy}")


def check_access(config: Config, problems: Problems) -> None:
    """Note what is wrong with `[access]`."""
    for owner in config.access.logins:
        if owner not in {*config.owners, HOUSE}:
            remedy = mean(owner, config.owners) or ": give the id of an owner"
            problems.add(("access", "logins", owner), f"there is no section [owners.{owner}]{remedy}")
    if config.access.verify != "off" and not config.access.logins:
        problems.add(("access", "verify"), "needs a login to try with: add a section [access.logins.OWNER]")
    if config.access.verify != "off" and config.mqtt.url.startswith("embedded:"):
        problems.add(("access", "verify"), "the embedded broker keeps nobody apart: there is nothing to prove")


def _check_prefix(prefix: str, key: Key, config: Config, problems: Problems) -> None:
    """Note why Home Assistant's topics cannot begin with a prefix."""
    if not prefix or _root_fault(prefix):
        problems.add(key, f"expected levels of a topic such as homeassistant, got {got(prefix)}")
    elif f"{prefix}/".startswith(f"{config.mqtt.topic_root}/"):
        problems.add(key, f"lies inside mqtt.topic_root, which is {config.mqtt.topic_root!r}: choose another one")


def check_mqtt(settings: MqttSettings, problems: Problems, *, folder: Path) -> MqttSettings:
    """Note what is wrong with `[mqtt]` and return it with its files where they are, seen from ``folder``."""
    if fault := broker_fault(settings.url):
        problems.add(("mqtt", "url"), fault)
    if fault := _root_fault(settings.topic_root):
        problems.add(("mqtt", "topic_root"), fault)
    if bool(settings.cert_file) != bool(settings.key_file):
        given, missing = ("cert_file", "key_file") if settings.cert_file else ("key_file", "cert_file")
        problems.add(("mqtt", given), f"needs {missing} beside it")
    files: dict[str, Any] = {name: str(folder / path) for name in _TLS_FILES if (path := getattr(settings, name))}
    for name, path in files.items():
        if scheme(settings.url) not in TLS:
            problems.add(("mqtt", name), "is for mqtts:// and wss:// alone, and url is neither")
        if fault := _file_fault(Path(path)):
            problems.add(("mqtt", name), fault)
        elif name == "key_file" and Path(path).stat().st_mode & _OTHERS:
            problems.warn(("mqtt", name), f"everybody on this machine can read {path}: chmod 600 {path}")
    return replace(settings, **files)


def _root_fault(root: str) -> str:
    try:
        TopicTree(root)
    except InvalidTopicError as error:
        return str(error)
    return ""


def _file_fault(path: Path) -> str:
    try:
        if path.is_fifo():  # it would be waited for
            return f"{path} is a pipe: expected a file"
        with path.open("rb"):
            return ""
    except (OSError, ValueError) as error:
        return f"{path} cannot be read: {getattr(error, 'strerror', None) or 'not a path'}"
