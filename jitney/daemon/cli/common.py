"""What the commands that talk to a broker have in common: where it is, and who asks."""

import argparse
import os
import sys
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from msgspec.structs import replace

from jitney.adapters.secret import Secret
from jitney.daemon.config.load import load
from jitney.daemon.config.paths import default_path
from jitney.daemon.config.schema import Config, MqttSettings
from jitney.topics import JitneyError

VARIABLE: Final = "JITNEY_MQTT"
"""The environment variable that names a broker like --mqtt, without showing its password to `ps`."""


class UsageError(JitneyError):
    """The arguments do not fit together."""


def add_broker_arguments(parser: argparse.ArgumentParser) -> None:
    """Register how a broker is named: by a configuration, or by its URL alone."""
    group = parser.add_argument_group("the broker")
    group.add_argument("-c", "--config", type=Path, metavar="FILE", help="take it from this configuration")
    group.add_argument(
        "--mqtt",
        metavar="URL",
        default=os.environ.get(VARIABLE, ""),
        help=f"name it without a configuration: mqtt://user:password@host:1883 (also mqtts, unix, ws, wss; "
        f"default: ${VARIABLE})",
    )
    group.add_argument("--root", metavar="TOPIC", help="the topic root, where it is not the configured one or 'jitney'")


def broker_settings(args: argparse.Namespace) -> MqttSettings:
    """Return the broker that the arguments name; raises ConfigError or UsageError."""
    return configuration(args).mqtt


def configuration(args: argparse.Namespace) -> Config:
    """Return the configuration that the arguments name; one of nothing but the broker where that is named alone.

    Raises ConfigError or UsageError.
    """
    config = Config(mqtt=_by_url(args.mqtt)) if names_only_a_broker(args) else _configured(args.config)
    if config.mqtt.url.startswith("embedded:"):
        message = (
            'the configured broker is inside the daemon (url = "embedded:") and its port is another one at each start: '
            "name it with --mqtt mqtt://127.0.0.1:PORT"
        )
        raise UsageError(message)
    return replace(config, mqtt=replace(config.mqtt, topic_root=args.root)) if args.root else config


def names_only_a_broker(args: argparse.Namespace) -> bool:
    """Tell whether the arguments name a broker without a configuration."""
    return bool(args.mqtt and not args.config)


def from_vault(folder: Path, name: str) -> Secret | None:
    """Return a secret of the configuration from the vault in a state folder; raises JitneyError."""
    from jitney.daemon.owners.house_secrets import HouseSecrets  # noqa: PLC0415 - most configurations have none there

    return HouseSecrets(folder, environ=os.environ).get(name)


def note(text: str) -> None:
    """Tell a person something that is no part of the output."""
    print(text, file=sys.stderr, flush=True)


def program() -> str:
    """Return how this program is called from where it was called."""
    called = Path(sys.argv[0])
    if called.name != "__main__.py":
        return "jitney" if called.name == "jitney" else str(called)
    beside = Path(sys.executable).with_name("jitney")
    if beside.exists():
        return os.path.relpath(beside)
    return f"{sys.executable} -m jitney.daemon.cli"


def _configured(path: Path | None) -> Config:
    return load(path or default_path(os.environ), environ=os.environ, vault=from_vault)


def _by_url(url: str) -> MqttSettings:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        message = f"--mqtt: {error}"
        raise UsageError(message) from error
    return MqttSettings(
        url=parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(),
        username=unquote(parts.username or ""),
        password=Secret(unquote(parts.password or "")),
    )
