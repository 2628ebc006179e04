"""What is wrong with a configuration: all of it at once, each with its file, line and key."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from jitney.daemon.config.positions import Key
from jitney.topics import JitneyError

Mark = tuple[int, ...]
"""Size, time of change, time of any change and number of a file: a copy can keep the second, nothing the third."""

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


class Problem(Struct, frozen=True):
    """One thing that is wrong; ``line`` 0 and ``key`` empty where it is about the whole file."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.key, self.message) if part)


class ConfigError(JitneyError):
    """The configuration cannot be used; its text is one line for each of its ``problems``.

    ``passing``: nothing is wrong with it but that a secret could not be read just now, so it is worth trying again.
    ``secrets`` are the files from which its secrets come, as far as they were looked for, as they were just before.
    """

    def __init__(
        self, problems: Iterable[Problem], *, passing: bool = False, secrets: Mapping[Path, Mark | None] | None = None
    ) -> None:
        self.problems = tuple(problems)
        self.passing = passing
        self.secrets = secrets or {}
        super().__init__("\n".join(map(str, self.problems)))


class Place(Struct, frozen=True):
    """Where a key stands, and as what where it has another name there: the file is of an older version."""

    file: str
    line: int
    was: str = ""


class Problems:
    """Collects what is wrong with a configuration; ``file`` is its first file, ``places`` says where its keys stand."""

    def __init__(self, file: str, places: Mapping[Key, Place] | None = None) -> None:
        self._file = file
        self._places = places or {}
        self._errors: list[Problem] = []
        self._warnings: list[Problem] = []
        self._beside: list[Problems] = []

    def beside(self, file: str, lines: Mapping[Key, int]) -> "Problems":
        """Return what collects for another file that belongs to this one; its errors are raised with these."""
        other = Problems(file, {key: Place(file, line) for key, line in lines.items()})
        self._beside.append(other)
        return other

    def add(self, key: Key, message: str) -> None:
        """Note an error at ``key``, or at the nearest table around it when the file does not have that key."""
        self._errors.append(self._problem(key, message))

    def add_at(self, line: int, key: Key, message: str, *, file: str = "") -> None:
        """Note an error in a line, 0 for the whole file; without ``file`` it is the first."""
        self._errors.append(Problem(file or self._file, line, dotted(key), one_line(message)))

    def warn(self, key: Key, message: str) -> None:
        """Note what a person should know, but what does not keep the configuration from being used."""
        self._warnings.append(self._problem(key, message))

    def warn_at(self, line: int, message: str, *, file: str) -> None:
        """Note what a person should know of a file."""
        self._warnings.append(Problem(file, line, "", one_line(message)))

    def place(self, key: Key) -> Place:
        """Return where ``key`` or the nearest table around it stands; line 0 when none of them does."""
        found = (self._places[key[:end]] for end in range(len(key), 0, -1) if key[:end] in self._places)
        return next(found, Place(self._file, 0))

    def says(self, key: Key) -> str:
        """Return in words where a key stands: "line 14", and in another file than the first also in which."""
        place = self.place(key)
        if not place.line:
            return f"[{dotted(key[:2])}]"
        return f"line {place.line}" if place.file == self._file else f"{place.file}:{place.line}"

    def raise_any(self) -> None:
        """Raise ConfigError with all errors when there is one."""
        if errors := self.errors:
            raise ConfigError(errors)

    @property
    def errors(self) -> list[Problem]:
        """The errors, in the order of the file, then those of the files beside it."""
        return [*sorted(self._errors, key=self._order), *(error for other in self._beside for error in other.errors)]

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The warnings, in the order of the file, then those of the files beside it."""
        beside = (warning for other in self._beside for warning in other.warnings)
        return (*sorted(self._warnings, key=self._order), *beside)

    def _order(self, problem: Problem) -> tuple[bool, str, int, str]:
        return problem.file != self._file, problem.file, problem.line, problem.key

    def _problem(self, key: Key, message: str) -> Problem:
        place = self.place(key)
        here = f" (here it is still {place.was})" if place.was else ""
        return Problem(place.file, place.line, dotted(key), one_line(message + here))


def dotted(key: Key) -> str:
    """Return ``key`` as a person writes it: ``adapters.home.include.domains[2]``."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (
                part if _BARE.fullmatch(part) else one_line(json.dumps(part, ensure_ascii=False))
            )
    return text


def one_line(text: str) -> str:
    """Return ``text`` with what a terminal or a log would not print on one line escaped."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
