"""From a file to a valid configuration, or to everything that is wrong with it."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from jitney.daemon.config.checks import check_bus, check_http, check_mqtt
from jitney.daemon.config.convert import INVALID, Converter
from jitney.daemon.config.positions import positions
from jitney.daemon.config.problems import ConfigError, Problem, Problems
from jitney.daemon.config.references import References
from jitney.daemon.config.schema import BusSettings, Config, HttpSettings, MqttSettings, OutboxSettings
from jitney.daemon.config.sections import Sections
from jitney.daemon.config.words import got

VERSION: Final = 1
"""The version of the file's format that is read and, when the file names none, assumed."""

_LARGEST: Final = 1024 * 1024
_OTHERS_MAY_READ: Final = 0o044
_WHERE: Final = re.compile(r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL)


class Loaded(Struct, frozen=True):
    """A valid configuration, and what a person should know about its file nevertheless."""

    config: Config
    warnings: tuple[Problem, ...]


def load(path: Path, *, environ: Mapping[str, str]) -> Config:
    """Return the configuration in a file; raises ConfigError with all of its problems."""
    return examine(path, environ=environ).config


def examine(path: Path, *, environ: Mapping[str, str]) -> Loaded:
    """Return the configuration in a file and its warnings; raises ConfigError with all of its problems."""
    text, mode = _read(path)
    document = _parse(text, file=str(path))
    problems = Problems(str(path), positions(text))
    _check_version(document, problems)
    references = References(problems, folder=path.parent, environ=environ)
    config = _config(document, Converter(problems, references), problems, folder=path.parent)
    problems.raise_any()
    if references.plain and mode & _OTHERS_MAY_READ:
        keys = ", ".join(dict.fromkeys(map(dotted, references.plain)))
        ...
    return Loaded(config, problems.warnings)
