"""Where the configuration is looked for, and where the state is kept."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jitney.daemon.config.schema import BusSettings

SYSTEM: Final = Path("/etc/jitney/config.toml")
"""The configuration of the service."""

NAME: Final = "config.toml"


def default_path(environ: Mapping[str, str], *, system: Path = SYSTEM) -> Path:
    """Return the configuration meant by whoever names none: $JITNEY_CONFIG, here, the service's, one's own."""
    if named := environ.get("JITNEY_CONFIG"):
        return Path(named)
    for path in (Path(NAME), system):
        if _is_there(path):
            return path
    return _xdg(environ, "XDG_CONFIG_HOME", ".config") / NAME


def state_dir(settings: BusSettings, environ: Mapping[str, str]) -> Path:
    """Return the folder of this instance's state: the configured one, systemd's $STATE_DIRECTORY, or one's own."""
    if settings.state_dir:
        return Path(settings.state_dir)
    if given := environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    return _xdg(environ, "XDG_STATE_HOME", ".local/state")


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder that may not be looked into: reading the file says so, skipping it would not
        return True


def _xdg(environ: Mapping[str, str], variable: str, default: str) -> Path:
    """Return one's own folder for Jitney; a relative ``variable`` counts as unset (XDG Base Directory, "Basics")."""
    base = Path(environ.get(variable, ""))
    if not base.is_absolute():
        home = environ.get("HOME")
        base = (Path(home) if home else Path.home()) / default
    return base / "jitney"
