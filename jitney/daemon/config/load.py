"""From a file to a valid configuration, or to everything that is wrong with it."""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from jitney.adapters.errors import MisconfiguredError
from jitney.adapters.secret import Secret
from jitney.daemon.config.checks import check_bus, check_discovery, check_http, check_mqtt, is_absolute
from jitney.daemon.config.convert import Converter
from jitney.daemon.config.paths import state_dir
from jitney.daemon.config.positions import Key, positions
from jitney.daemon.config.problems import ConfigError, Problem, Problems, one_line
from jitney.daemon.config.references import References
from jitney.daemon.config.schema import (
    BusSettings,
    Config,
    DiscoverySettings,
    HttpSettings,
    MqttSettings,
    OutboxSettings,
    RoutingSettings,
)
from jitney.daemon.config.sections import Sections
from jitney.daemon.config.words import got
from jitney.daemon.routes.settings import GrantSettings, RouteSettings

LARGEST: Final = 1024 * 1024
"""The largest file in bytes that is read."""

VERSION: Final = 1
"""The version of the file's format that is read and, when the file names none, assumed."""

_OTHERS_MAY_READ: Final = 0o044
_WHERE: Final = re.compile(
    r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL
)

_HINTS: Final = {
    "Invalid value": "expected a value: a text must stand in quotes",
    "Cannot overwrite a value": "this key or table stands twice",
    "Invalid statement": "expected a key, a [table] or a # comment",
    "Invalid initial character for a key part": "expected a key; one with more than letters, digits, - and _ is quoted",
    "Illegal character '\\n'": "a text does not end on its line: the closing quote is missing",
}
"""What tomllib says, in words that name the remedy."""


Vault = Callable[[Path, str], Secret | None]
"""Returns a secret by its name from the vault in a state folder, None when there is none; raises JitneyError."""


class Loaded(Struct, frozen=True):
    """A valid configuration, and what a person should know about its file nevertheless."""

    config: Config
    warnings: tuple[Problem, ...]


def load(path: Path, *, environ: Mapping[str, str], vault: Vault | None = None) -> Config:
    """Return the configuration in a file; raises ConfigError with all of its problems."""
    return examine(path, environ=environ, vault=vault).config


def examine(path: Path, *, environ: Mapping[str, str], vault: Vault | None = None, trials: bool = False) -> Loaded:
    """Return the configuration in a file and its warnings; raises ConfigError with all of its problems.

    With ``trials`` a test of a route that fails is a problem too.
    """
    text, mode = _read(path)
    return judge(text, path, environ=environ, vault=vault, mode=mode, trials=trials)


def judge(
    text: str,
    path: Path,
    *,
    environ: Mapping[str, str],
    vault: Vault | None = None,
    mode: int = 0,
    trials: bool = False,
) -> Loaded:
    """Return the configuration that a file at ``path`` with this text and mode would be; raises ConfigError."""
    document, lines = _parse(text, path)
    problems = Problems(str(path), lines)
    _check_version(document.get("version", VERSION), problems)
    in_vault = None if vault is None else lambda name: vault(_state_folder(document, environ), name)
    references = References(problems, folder=path.parent, environ=environ, vault=in_vault)
    converter = Converter(problems, references)
    config = _config(document, converter, problems=problems, folder=path.parent, trials=trials)
    problems.raise_any()
    if mode & _OTHERS_MAY_READ:
        message = f"holds this secret and others on this machine can read it: chmod {mode & 0o700:o} {path}"
        for key in references.plain:
            problems.warn(key, message)
    return Loaded(config, problems.warnings)


def state_folder(path: Path, *, environ: Mapping[str, str]) -> Path:
    """Return the folder of the state by a file, whatever else is wrong with it; raises ConfigError."""
    document, lines = _parse(_read(path)[0], path)
    try:
        return _state_folder(document, environ)
    except MisconfiguredError as error:
        raise _unreadable(path, str(error), line=Problems(str(path), lines).line(("bus", "state_dir"))) from None


def _state_folder(document: Mapping[str, Any], environ: Mapping[str, str]) -> Path:
    """Return the folder of the state; raises MisconfiguredError when what stands in its place is none."""
    bus = document.get("bus", {})
    given = bus.get("state_dir", "") if isinstance(bus, dict) else ""
    if not isinstance(given, str) or (given and not is_absolute(given)):
        message = f"bus.state_dir: expected an absolute path, got {got(given)}"
        raise MisconfiguredError(message)
    return state_dir(BusSettings(state_dir=given), environ)


def _config(
    document: dict[str, Any], converter: Converter, *, problems: Problems, folder: Path, trials: bool
) -> Config:
    """Return the configuration without what has a problem."""
    converter.unknown(document, ["version", *(set(Config.__struct_fields__) - {"folder", "scripts"})], ())
    sections = Sections(converter, problems)
    owners = document.get("owners", {})
    routes = converter.each(RouteSettings, document.get("routes", []), ("routes",))
    grants = converter.each(GrantSettings, document.get("grants", []), ("grants",))
    config = Config(
        bus=converter.section(BusSettings, document.get("bus", {}), ("bus",)),
        mqtt=converter.section(MqttSettings, document.get("mqtt", {}), ("mqtt",)),
        outbox=converter.section(OutboxSettings, document.get("outbox", {}), ("outbox",)),
        http=converter.section(HttpSettings, document.get("http", {}), ("http",)),
        adapters=sections.adapters(document.get("adapters", {}), owners if isinstance(owners, dict) else ()),
        owners=sections.owners(owners),
        discovery=_discovery(document, converter),
        routing=converter.section(RoutingSettings, document.get("routing", {}), ("routing",)),
        routes=tuple(routes.values()),
        grants=tuple(grants.values()),
        folder=str(folder.absolute()),
    )
    check_bus(config.bus, problems)
    check_http(config.http, problems)
    check_discovery(config, problems)
    if routes or grants or config.routing.webhooks or config.routing.python:
        from jitney.daemon.config.routes import (  # noqa: PLC0415 - memory for those who have routes
            check_grants,
            check_routes,
            check_webhooks,
            with_scripts,
        )

        check_webhooks(config, problems)
        config, places = with_scripts(config, list(routes), problems, folder=folder)
        check_routes(config, places, trials=trials)
        check_grants(config, list(grants), problems)
    return replace(config, mqtt=check_mqtt(config.mqtt, problems, folder=folder))


def _discovery(document: dict[str, Any], converter: Converter) -> DiscoverySettings:
    if "discovery" not in document:
        return DiscoverySettings(enabled=False)
    return converter.section(DiscoverySettings, document["discovery"], ("discovery",))


def _check_version(version: object, problems: Problems) -> None:
    """Note a version that is none; raises ConfigError for a newer one, of which nothing else can be judged."""
    if type(version) is not int or version < VERSION:
        problems.add(("version",), f"expected {VERSION}, got {got(version)}")
    elif version > VERSION:
        message = f"made by a newer Jitney, with version {got(version)}; this one reads version {VERSION}: upgrade it"
        problems.add(("version",), message)
        problems.raise_any()


def _read(path: Path) -> tuple[str, int]:
    """Return the text and the mode of a file."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
            mode = os.fstat(file.fileno()).st_mode
    except FileNotFoundError:
        raise _unreadable(path, f"there is no such file: `jitney init -c {path}` writes one") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise _unreadable(path, f"cannot be read by this user: {reason}") from None
    if len(raw) > LARGEST:
        raise _unreadable(path, f"larger than {LARGEST // 1024} KiB: this is not a configuration of Jitney")
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n"), mode
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _unreadable(path, "not UTF-8: save it in that encoding", line=line) from None


def _parse(text: str, file: Path) -> tuple[dict[str, Any], Mapping[Key, int]]:
    """Return the document and where its keys stand."""
    try:
        return tomllib.loads(text), positions(text)
    except RecursionError:
        raise _unreadable(file, "arrays or tables are nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        message, line = str(error), 0
        if where := _WHERE.fullmatch(message):
            line = int(where["line"] or text.count("\n") + 1)
            place = f"column {where['column']}" if where["column"] else "at the end of the file"
            message = f"{_HINTS.get(where['what'], where['what'])} ({place})"
    except ValueError as error:  # a number of thousands of digits
        message, line = f"a value cannot be read ({error})", 0
    raise _unreadable(file, f"not TOML: {message}", line=line)


def _unreadable(path: Path, message: str, *, line: int = 0) -> ConfigError:
    return ConfigError([Problem(str(path), line, "", one_line(message))])
