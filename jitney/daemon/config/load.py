"""From a file to a valid configuration, or to everything that is wrong with it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from jitney.adapters.errors import MisconfiguredError
from jitney.adapters.secret import Secret
from jitney.daemon.config.checks import check_access, check_bus, check_discovery, check_http, check_mqtt, is_absolute
from jitney.daemon.config.convert import Converter
from jitney.daemon.config.limits import LimitSettings
from jitney.daemon.config.migrations import FIRST, STEPS, VERSION, Steps, newest
from jitney.daemon.config.parts import Whole, together
from jitney.daemon.config.paths import state_dir
from jitney.daemon.config.problems import ConfigError, Problem, Problems
from jitney.daemon.config.reading import parsed
from jitney.daemon.config.references import References
from jitney.daemon.config.schema import (
    AccessSettings,
    AuditSettings,
    BusSettings,
    Config,
    DiscoverySettings,
    HttpSettings,
    MqttSettings,
    OutboxSettings,
    RoutingSettings,
    TracingSettings,
)
from jitney.daemon.config.sections import Sections
from jitney.daemon.config.tracing import check_tracing
from jitney.daemon.config.watched import Marks
from jitney.daemon.config.words import got
from jitney.daemon.routes.settings import GrantSettings, RouteSettings

_OTHERS_MAY_READ: Final = 0o044


Vault = Callable[[Path, str], Secret | None]
"""Returns a secret by its name from the vault in a state folder, None when there is none; raises JitneyError."""


class Loaded(Struct, frozen=True):
    """A valid configuration, and what a person should know about its file nevertheless."""

    config: Config
    warnings: tuple[Problem, ...]
    plain: tuple[Secret, ...] = ()
    """The secrets that stand in the files themselves."""
    marks: Marks = {}
    """The files from which the other secrets come, as they were just before."""


def load(path: Path, *, environ: Mapping[str, str], vault: Vault | None = None) -> Config:
    """Return the configuration in a file; raises ConfigError with all of its problems."""
    return examine(path, environ=environ, vault=vault).config


def examine(
    path: Path,
    *,
    environ: Mapping[str, str],
    vault: Vault | None = None,
    trials: bool = False,
    steps: Steps = STEPS,
) -> Loaded:
    """Return the configuration in a file and its warnings; raises ConfigError with all of its problems.

    With ``trials`` a test of a route that fails is a problem too. A file of an older version is read through ``steps``.
    """
    return _judged(together(path, steps=steps), environ=environ, vault=vault, trials=trials, steps=steps)


def would_load(whole: Whole, *, environ: Mapping[str, str], steps: Steps = STEPS) -> Loaded:
    """Return what the files of a configuration are where every secret that they refer to is there.

    Raises ConfigError.
    """
    return _judged(whole, environ=environ, steps=steps, fetch=False)


def judge(
    text: str, path: Path, *, environ: Mapping[str, str], vault: Vault | None = None, trials: bool = False
) -> Loaded:
    """Return the configuration that a file at ``path`` with this text would be by itself; raises ConfigError."""
    return _judged(Whole((parsed(text, path),)), environ=environ, vault=vault, trials=trials)


def _judged(
    whole: Whole,
    *,
    environ: Mapping[str, str],
    vault: Vault | None = None,
    trials: bool = False,
    steps: Steps = STEPS,
    fetch: bool = True,
) -> Loaded:
    document, folder = whole.document, whole.parts[0].path.parent
    problems = Problems(str(whole.parts[0].path), whole.places)
    for key, message in whole.clashes:
        problems.add(key, message)
    _check_versions(whole, problems, newest(steps))
    in_vault = None if vault is None else lambda name: vault(_state_folder(document, environ), name)
    references = References(problems, folder=folder, environ=environ, vault=in_vault, fetch=fetch)
    converter = Converter(problems, references)
    try:
        config = _config(document, converter, problems=problems, folder=folder, trials=trials)
        problems.raise_any()
    except ConfigError as error:
        passing = len(error.problems) == references.passing
        raise ConfigError(error.problems, passing=passing, secrets=references.marks) from None
    for key in references.plain:
        part = whole.part(key)
        if part.mode & _OTHERS_MAY_READ:
            remedy = f"chmod {part.mode & 0o700:o} {part.path}"
            problems.warn(key, f"holds this secret and others on this machine can read it: {remedy}")
    files = (*(str(part.path.absolute()) for part in whole.parts), *(script.path for script in config.scripts))
    plain = tuple(references.plain.values())
    return Loaded(replace(config, files=files), problems.warnings, plain, marks=references.marks)


def state_folder(path: Path, *, environ: Mapping[str, str]) -> Path:
    """Return the folder of the state by a file, whatever else is wrong with it; raises ConfigError."""
    whole = together(path)
    try:
        return _state_folder(whole.document, environ)
    except MisconfiguredError as error:
        problems = Problems(str(path), whole.places)
        problems.add(("bus", "state_dir"), str(error).removeprefix("bus.state_dir: "))
        raise ConfigError(problems.errors) from None


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
    converter.unknown(document, ["version", *(set(Config.__struct_fields__) - {"folder", "scripts", "files"})], ())
    sections = Sections(converter, problems)
    owners = document.get("owners", {})
    routes = converter.each(RouteSettings, document.get("routes", []), ("routes",))
    grants = converter.each(GrantSettings, document.get("grants", []), ("grants",))
    config = Config(
        bus=converter.section(BusSettings, document.get("bus", {}), ("bus",)),
        mqtt=converter.section(MqttSettings, document.get("mqtt", {}), ("mqtt",)),
        outbox=converter.section(OutboxSettings, document.get("outbox", {}), ("outbox",)),
        http=converter.section(HttpSettings, document.get("http", {}), ("http",)),
        access=converter.section(AccessSettings, document.get("access", {}), ("access",)),
        audit=converter.section(AuditSettings, document.get("audit", {}), ("audit",)),
        tracing=converter.section(TracingSettings, document.get("tracing", {}), ("tracing",)),
        limits=converter.section(LimitSettings, document.get("limits", {}), ("limits",)),
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
    check_access(config, problems)
    check_tracing(config.tracing, problems)
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


def _check_versions(whole: Whole, problems: Problems, newest: int) -> None:
    """Note a version that is none or older; raises ConfigError for a newer one, of which nothing else can be judged."""
    for part in whole.parts:
        file, version = str(part.path), part.document.get(VERSION, newest)
        line = part.lines.get((VERSION,), 0)
        if part.older:
            remedy = f"`jitney migrate -c {whole.parts[0].path}` shows what would change"
            problems.warn_at(line, f"is of version {part.older}: {remedy}", file=file)
        elif type(version) is not int or version < FIRST:
            problems.add_at(line, (VERSION,), f"expected {newest}, got {got(version)}", file=file)
        elif version > newest:
            made = f"made by a newer Jitney, with version {got(version)}"
            message = f"{made}; this one reads version {newest}: upgrade it"
            problems.add_at(line, (VERSION,), message, file=file)
            problems.raise_any()
