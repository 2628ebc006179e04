"""What is wrong with routes: told all at once, each with its place."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from msgspec import Struct

from jitney.topics import JitneyError

Path = tuple[str | int, ...]
"""The way to a value inside a route: names of keys and indices of lists, counted from 0."""


class Fault(Struct, frozen=True):
    """One mistake: ``path`` inside the route, and a text that names the remedy. ``route`` counts from 0."""

    path: Path
    text: str
    route: int = 0


class TemplateFault(JitneyError):  # noqa: N818 - faults are what is wrong with the file, as Fault is
    """A template is not let in: the ``line`` in it, from 1, and the ``reason`` with the remedy."""

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        self.reason = reason
        super().__init__(f"line {line} of the template: {reason}")


class TemplateError(JitneyError):
    """A template could not be filled in with this event; ``place`` is its path inside the route."""

    def __init__(self, text: str, place: Path = ()) -> None:
        self.text = text
        self.place = place
        super().__init__(f"{written(place)}: {text}" if place else text)


class Faults:
    """Collects the faults of one route; ``at`` says where what follows stands."""

    def __init__(self, route: int = 0) -> None:
        self.found: list[Fault] = []
        self._route = route
        self._path: Path = ()

    @property
    def path(self) -> Path:
        """Where it is now."""
        return self._path

    def add(self, text: str, *more: str | int) -> None:
        """Note a fault here, or at a place further on."""
        self.found.append(Fault((*self._path, *more), text, self._route))

    @contextmanager
    def at(self, *more: str | int) -> Iterator[None]:
        """Be at a place further on."""
        before = self._path
        self._path = (*before, *more)
        try:
            yield
        finally:
            self._path = before


def written(path: Iterable[str | int]) -> str:
    """Return a path as a person writes it: ``do[0].data.text``, ``when."data.distance".gt``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            dot = "." if text else ""
            text += dot + (part if part.replace("_", "").replace("-", "").isalnum() else f'"{part}"')
    return text


NESTED_TOO_DEEPLY: Final = "nested too deeply: make it flatter, or two routes of it"
