"""The sandbox in which templates run: fields of JSON values and nothing else, every operation bounded.

A template that was vetted has neither loops nor calls back, so every node of its syntax tree runs at most once; each
runs one operation of this environment or one filter, whose arguments and results ``bounds`` keeps small. Time and
memory of a rendering are therefore bounded by the number of nodes, which vetting limits.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, partial
from typing import Any, Final, cast

from jinja2 import nodes, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from jitney.daemon.routes import clock
from jitney.daemon.routes.bounds import Absent, checked, fits, number, present, written
from jitney.daemon.routes.document import Document
from jitney.daemon.routes.filters import FILTERS, TESTS, compare, concat, part
from jitney.daemon.routes.paths import MISSING

# No template can name them: a name has no space.
_CLOCK: Final = "clock of the house"
_COMPARE: Final = "compare values"
_CONCAT: Final = "concat texts"
_PART: Final = "part of"

_ATTRIBUTES: Final = (
    "actor",
    "causationid",
    "correlationid",
    "hops",
    "id",
    "observed",
    "seq",
    "source",
    "subject",
    "time",
    "type",
)

_CALCULATE: Final[Mapping[str, Callable[[Any, Any], int | float]]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "//": lambda left, right: left // right,
    "%": lambda left, right: left % right,
}


class Function:
    """What a template can call; nothing else is called."""

    __slots__ = ("_run",)

    def __init__(self, run: Callable[..., object]) -> None:
        self._run = run

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Run it."""
        return self._run(*args, **kwargs)


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja without attributes of Python's objects: ``a.b`` and ``a['b']`` are fields of tables, and only that."""

    intercepted_binops = frozenset(_CALCULATE)
    intercepted_unops = frozenset("+-")

    def __init__(self) -> None:
        super().__init__(undefined=Absent, finalize=written)
        self.globals.clear()
        of_time = {name: _of_time(name) for name in clock.FILTERS}
        self.filters = {**FILTERS, **of_time, _COMPARE: compare, _CONCAT: concat, _PART: part}
        self.tests = dict(TESTS)

    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401 - Jinja's
        """Return a field of a table, or of ``now()``."""
        if isinstance(obj, datetime):
            if attribute in clock.FIELDS:
                return getattr(obj, attribute)
            if attribute in clock.METHODS:
                return Function(partial(clock.METHODS[attribute], obj))
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:  # noqa: ANN401 - Jinja's
        """Return a field of a table, an element of a list or a character of a text; Absent when it has none."""
        if isinstance(obj, Absent):
            return obj
        present(argument)
        if type(obj) is dict:
            if type(argument) is str and argument in obj:
                return obj[argument]
        elif type(obj) in (list, tuple, str) and type(argument) is int and -len(obj) <= argument < len(obj):
            return obj[argument]
        return Absent(name=str(argument)[:60])

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401, ARG002 - Jinja's
        """Calculate with two numbers."""
        return checked(_CALCULATE[operator](number(left), number(right)))

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:  # noqa: ANN401, ARG002 - Jinja's
        """Return a number or its negative."""
        return -number(arg) if operator == "-" else number(arg)

    def is_safe_callable(self, obj: Any) -> bool:  # noqa: ANN401 - Jinja's
        """Tell whether it is one of our functions."""
        return type(obj) is Function


class _Bounding(NodeTransformer):
    """Turns comparisons, ``~`` and slices into filters, for Jinja lets no environment watch over them."""

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802 - Jinja's
        self.generic_visit(node)
        args: list[nodes.Expr] = []
        for operand in node.ops:
            args += [nodes.Const(operand.op, lineno=node.lineno), operand.expr]
        return nodes.Filter(node.expr, _COMPARE, args, [], None, None, lineno=node.lineno)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja's
        self.generic_visit(node)
        return nodes.Filter(node.nodes[0], _CONCAT, node.nodes[1:], [], None, None, lineno=node.lineno)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802 - Jinja's
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        args = [one or nodes.Const(None, lineno=node.lineno) for one in (node.arg.start, node.arg.stop)]
        return nodes.Filter(node.node, _PART, args, [], None, None, lineno=node.lineno)


@cache
def sandbox() -> Sandbox:
    """Return the one sandbox, which keeps nothing of what is rendered."""
    return Sandbox()


def text_renderer(tree: nodes.Template) -> Callable[[Document], object]:
    """Return what makes the text of a vetted template; it raises what templates raise."""
    template = sandbox().from_string(_bounded(tree))

    def render(document: Document) -> str:
        context = template.new_context(names(document), shared=True)
        parts, length = list[str](), 0
        for piece in template.root_render_func(context):
            length += len(piece)
            fits(length)
            parts.append(piece)
        return "".join(parts)

    return render


def value_renderer(expression: nodes.Expr) -> Callable[[Document], object]:
    """Return what computes a vetted expression, which keeps its type; it raises what templates raise."""
    result = nodes.Assign(nodes.Name("result", "store", lineno=1), expression, lineno=1)
    template = sandbox().from_string(_bounded(nodes.Template([result], lineno=1)))

    def render(document: Document) -> object:
        context = template.new_context(names(document), shared=True)
        for _ in template.root_render_func(context):
            pass
        return present(context.vars["result"])

    return render


def names(document: Document) -> dict[str, Any]:
    """Return what the names in templates stand for; what the event does not have is left out."""
    if document.names is None:
        event = document.event
        found = {name: value for name in _ATTRIBUTES if isinstance(value := getattr(event, name), str | int)}
        house = clock.Clock(document.zone)
        document.names = {
            **found,
            "adapter": event.adapter,
            "as_timestamp": Function(house.as_timestamp),
            "data": document.data,
            "get": Function(partial(_variable, document)),
            "kind": event.kind,
            "now": Function(lambda: document.now),
            "owner": document.owner,
            "variables": dict(document.variables),
            _CLOCK: house,
        }
    return document.names


NAMES: Final = frozenset({*_ATTRIBUTES, "adapter", "as_timestamp", "data", "get", "kind", "now", "owner", "variables"})
"""Every name that a template can use."""


def _of_time(name: str) -> Callable[..., object]:
    """Return the filter of a name, which goes by the time zone of what it is used on."""

    @pass_context
    def run(context: Context, *args: object, **kwargs: object) -> object:
        return getattr(context.parent[_CLOCK], name)(*args, **kwargs)

    return run


def _variable(document: Document, name: object, default: object = MISSING) -> object:
    found = document.variables.get(name, default) if isinstance(name, str) else default
    if found is MISSING:
        return Absent(hint=f"the variable {str(name)[:60]} was never set: give a default, get('{str(name)[:60]}', 0)")
    return found


def _bounded(tree: nodes.Template) -> nodes.Template:
    return cast("nodes.Template", _Bounding().visit(tree))
