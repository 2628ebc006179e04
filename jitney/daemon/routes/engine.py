"""From the text of a template to what runs it: parsed, vetted, and run with every error in words."""

from collections.abc import Callable

import msgspec
from jinja2 import TemplateError as JinjaError
from jinja2 import TemplateSyntaxError, nodes

from jitney.daemon.routes.bounds import written
from jitney.daemon.routes.document import Document
from jitney.daemon.routes.faults import TemplateError, TemplateFault
from jitney.daemon.routes.sandbox import sandbox, text_renderer, value_renderer
from jitney.daemon.routes.vetting import vet

_ERRORS = (
    JinjaError,
    msgspec.MsgspecError,
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What operations on values that do not suit them raise."""


def vetted(text: str) -> nodes.Template | nodes.Expr:
    """Return the syntax tree of a template, or of the sole expression that it is; raises TemplateFault."""
    tree = _parsed(text)
    vet(tree)
    return _sole(tree) or tree


def vetted_expression(text: str) -> nodes.Expr:
    """Return the syntax tree of an expression; raises TemplateFault."""
    if any(mark in text for mark in ("{{", "}}", "{%", "%}")):
        raise TemplateFault(1, "expected one expression, without braces: data.distance > 20000")
    tree = _parsed("{{ " + text + " }}")
    expression = _sole(tree)
    if expression is None:
        raise TemplateFault(1, "expected an expression such as data.distance > 20000")
    vet(tree)
    return expression


def renderer(tree: nodes.Template | nodes.Expr) -> Callable[[Document], object]:
    """Return what fills in a vetted tree; it raises TemplateError."""
    run = text_renderer(tree) if isinstance(tree, nodes.Template) else value_renderer(tree)

    def render(document: Document) -> object:
        try:
            return run(document)
        except _ERRORS as error:
            raise TemplateError(str(error) or type(error).__name__) from None

    return render


def as_text(value: object) -> str:
    """Return a value as it stands in a text; raises TemplateError."""
    try:
        return written(value)
    except _ERRORS as error:
        raise TemplateError(str(error)) from None


def _parsed(text: str) -> nodes.Template:
    try:
        text.encode()
        return sandbox().parse(text)
    except TemplateSyntaxError as error:
        raise TemplateFault(error.lineno, error.message or "not a template") from None
    except RecursionError:
        raise TemplateFault(1, "nested too deeply: make it simpler") from None
    except ValueError as error:
        raise TemplateFault(1, f"not a template: {error}") from None


def _sole(tree: nodes.Template) -> nodes.Expr | None:
    """Return the expression that is all of a template, None when there is more."""
    match tree.body:
        case [nodes.Output(nodes=[nodes.Expr() as expression])] if not isinstance(expression, nodes.TemplateData):
            return expression
    return None
