"""Templates: texts of the file with ``{{ … }}`` in them, vetted when they are compiled and filled in for an event."""

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from jitney.daemon.routes.document import Document
from jitney.daemon.routes.faults import TemplateError, TemplateFault

if TYPE_CHECKING:
    from jinja2 import nodes

LONGEST: Final = 4096
"""Characters of a template."""

MOST_BYTES: Final = 16_384
"""Of what a template becomes, as JSON."""

_STARTS: Final = ("{{", "{%", "{#")
_TRUE: Final = frozenset({"1", "enable", "on", "true", "yes"})

_encode = msgspec.json.Encoder().encode


class Template:
    """A text to be filled in. A sole expression (``{{ data.distance }}``) keeps its type, everything else is a text.

    It was vetted; what runs it is made when it is first filled in, which most templates of a house never are.
    """

    def __init__(self, source: str, tree: "nodes.Template | nodes.Expr | None" = None) -> None:
        self.source = source
        self._tree = tree

    @property
    def is_constant(self) -> bool:
        """Whether it is a plain text."""
        return self._tree is None

    def render(self, document: Document) -> Any:  # noqa: ANN401 - any JSON
        """Return what it becomes for an event; raises TemplateError."""
        if self._tree is None:
            return self.source
        value = self._run(document)
        try:
            size = len(_encode(value))
        except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise TemplateError(f"it became what JSON does not have: {error}") from None
        if size > MOST_BYTES:
            raise TemplateError(f"it became {size} bytes long, at most {MOST_BYTES} are allowed")
        return value

    def text(self, document: Document) -> str:
        """Return what it becomes as a text; raises TemplateError."""
        value = self.render(document)
        return value if isinstance(value, str) else _engine().as_text(value)

    def holds(self, document: Document) -> bool:
        """Tell whether what it becomes counts as true; a text does as in Home Assistant. Raises TemplateError."""
        value = self._run(document)
        return value.strip().lower() in _TRUE if isinstance(value, str) else bool(value)

    @cached_property
    def _run(self) -> Callable[[Document], object]:
        return _engine().renderer(self._tree) if self._tree is not None else lambda _: self.source


@lru_cache(1000)
def compile_template(text: str) -> Template:
    """Return the template of a text; raises TemplateFault. Jinja is imported once there is something to fill in."""
    if not any(start in text for start in _STARTS):
        return Template(text)
    _check_length(text)
    return Template(text, _engine().vetted(text))


@lru_cache(1000)
def compile_expression(text: str) -> Template:
    """Return the template of an expression, with or without ``{{ … }}`` around it; raises TemplateFault."""
    _check_length(text)
    inner = text.strip()
    if inner.startswith("{{") and inner.endswith("}}"):
        inner = inner[2:-2].strip("-+ ")
    return Template(text, _engine().vetted_expression(inner))


def _check_length(text: str) -> None:
    if len(text) > LONGEST:
        raise TemplateFault(1, f"a template has at most {LONGEST} characters, this one {len(text)}")


def _engine() -> Any:  # noqa: ANN401 - a module
    """Return what needs Jinja, which takes 75 ms and 5 MB to import: only who uses templates pays for it."""
    from jitney.daemon.routes import engine  # noqa: PLC0415 - see above

    return engine
