"""The vetting of templates: only what is listed here is let into the sandbox, everything else is told at load."""

from collections.abc import Callable, Iterator, Mapping
from inspect import Signature, signature
from math import isfinite
from typing import Any, Final, cast

from jinja2 import nodes

from jitney.daemon.routes import clock
from jitney.daemon.routes.bounds import MOST_BITS
from jitney.daemon.routes.faults import TemplateFault
from jitney.daemon.routes.filters import FILTERS, PATTERNED, TESTS
from jitney.daemon.routes.patterns import compile_pattern
from jitney.daemon.routes.sandbox import NAMES
from jitney.daemon.routes.words import mean

MOST_NODES: Final = 300
"""Nodes of the syntax tree, each of which runs at most once."""

DEEPEST: Final = 30

MOST_PATTERNS: Final = 5
"""Regular expressions of one template: each may take some ten milliseconds, nothing else takes one."""

_CALLS: Final[Mapping[str, Signature]] = {
    "as_timestamp": signature(clock.HERE.as_timestamp),
    "get": signature(lambda name, default=None: (name, default)),
    "now": signature(lambda: None),
}
"""What can be called, besides the methods of ``now()``."""

_PLAIN: Final = (
    nodes.And,
    nodes.Compare,
    nodes.Concat,
    nodes.If,
    nodes.Keyword,
    nodes.List,
    nodes.Not,
    nodes.Operand,
    nodes.Or,
    nodes.Output,
    nodes.Template,
    nodes.TemplateData,
    nodes.Tuple,
)
"""Nodes that need no look at what is in them."""

_CALCULATING: Final = (
    nodes.Add,
    nodes.Div,
    nodes.FloorDiv,
    nodes.Mod,
    nodes.Mul,
    nodes.Neg,
    nodes.Pos,
    nodes.Sub,
)

_REFUSED: Final[Mapping[type[nodes.Node], str]] = {
    nodes.Assign: "variables inside a template are not allowed: write the value where it is used",
    nodes.AssignBlock: "variables inside a template are not allowed: write the value where it is used",
    nodes.Dict: "tables are not made in a template: write a table in the file, with a template for each value",
    nodes.For: "loops are not allowed, for they could take long: use join, sum, min, max, first or last",
    nodes.Pow: "powers are not allowed, for they could become too large: multiply",
}

_WITH_FIELDS: Final[Mapping[str, str]] = {"owner": "owner.id or owner.name", "variables": "variables.name"}
"""Names that have fields and are nothing themselves."""

_ELSEWHERE: Final = frozenset({"expand", "has_value", "is_state", "is_state_attr", "state_attr", "states"})
_ELSEWHERE_HINT: Final = (
    "the states of Home Assistant are not here: what the event says is in data, and what routes have set in get('name')"
)

_HINTS: Final[Mapping[str, str]] = {
    "endswith": "use when with suffix",
    "format": "put texts together with ~, and use round",
    "get": "use | default(…)",
    "join": "use the filter: list | join(', ')",
    "lower": "use the filter: text | lower",
    "replace": "use the filter: text | replace('a', 'b')",
    "startswith": "use when with prefix, or the filter regex_match",
    "strip": "use the filter: text | trim",
    "title": "use the filter: text | title",
    "upper": "use the filter: text | upper",
}


def vet(tree: nodes.Template) -> None:
    """Refuse a tree with anything in it that is not allowed; raises TemplateFault at the first of that."""
    patterns = 0
    for number, (node, depth) in enumerate(_walk(tree)):
        if number >= MOST_NODES:
            raise TemplateFault(node.lineno, f"has more than {MOST_NODES} parts: make it simpler")
        if depth > DEEPEST:
            raise TemplateFault(node.lineno, "nested too deeply: make it simpler")
        patterns += isinstance(node, nodes.Filter | nodes.Test) and node.name in PATTERNED
        if patterns > MOST_PATTERNS:
            raise TemplateFault(node.lineno, f"has more than {MOST_PATTERNS} regular expressions: make one of several")
        check = _CHECKS.get(type(node))
        reason = check(node) if check else _REFUSED.get(type(node), f"{_word(node)} is not allowed in a template")
        if reason:
            raise TemplateFault(node.lineno or 1, reason)


def _word(node: nodes.Node) -> str:
    return type(node).__name__.lower()


def _walk(node: nodes.Node, depth: int = 0) -> Iterator[tuple[nodes.Node, int]]:
    """Give every node before those inside it, but for names that stand only before a "(" or a "."."""
    yield node, depth
    for one in node.iter_child_nodes():
        if not _is_prefix(one, node):
            yield from _walk(one, depth + 1)


def _is_prefix(node: nodes.Node, outer: nodes.Node) -> bool:
    """Tell whether a node is the name of what is called or looked into, which is checked with the outer node."""
    if isinstance(outer, nodes.Call) and node is outer.node:
        return True
    if isinstance(outer, nodes.Getattr | nodes.Getitem) and node is outer.node:
        return isinstance(node, nodes.Name) and node.name in _WITH_FIELDS
    return False


def _const(node: nodes.Const) -> str:
    value = node.value
    if isinstance(value, float) and not isfinite(value):
        return "the number is too large"
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        return "the number is too large"
    return ""


def _name(node: nodes.Name) -> str:
    if node.name in _CALLS:
        return f"{node.name} is called: {node.name}()"
    if node.name in _WITH_FIELDS:
        return f"say which field: {_WITH_FIELDS[node.name]}"
    if node.name in NAMES:
        return ""
    if node.name in _ELSEWHERE:
        return _ELSEWHERE_HINT
    return f"there is no {node.name} here{mean(node.name, NAMES)}"


def _getattr(node: nodes.Getattr) -> str:
    if node.attr.startswith("_"):
        return f"{node.attr}: what begins with _ is not reached from a template"
    if _is_now(node.node) and node.attr not in clock.FIELDS:
        known = [*clock.FIELDS, *(f"{name}()" for name in clock.METHODS)]
        return f"now() has no {node.attr}{mean(node.attr, known)}"
    if _is_named(node.node, "owner") and node.attr not in ("id", "name"):
        return f"an owner has no {node.attr}: there are owner.id and owner.name"
    return ""


def _getitem(node: nodes.Getitem) -> str:
    key = node.arg
    if isinstance(key, nodes.Const) and isinstance(key.value, str) and key.value.startswith("__"):
        return f"{key.value}: what begins with __ is not reached from a template"
    if isinstance(key, nodes.Slice):
        bounds = (key.start, key.stop)
        plain = key.step is None and all(one is None or _is_index(one) for one in bounds)
        return "" if plain else "a part of a text is taken with plain numbers: data.text[:20]"
    if isinstance(key, nodes.Const) or _is_index(key) or _is_field(key):
        return ""
    return "a key is a text, a whole number or a field: data['a b'], data.tags[0], data.names[subject]"


def _call(node: nodes.Call) -> str:
    called = node.node
    if isinstance(called, nodes.Name) and called.name in _CALLS:
        return _arguments(node, called.name, _CALLS[called.name])
    if isinstance(called, nodes.Getattr) and _is_now(called.node) and called.attr in clock.METHODS:
        of_now = _arguments(node, called.attr, signature(clock.METHODS[called.attr]), given=1)
        return of_now or _call(cast("nodes.Call", called.node))
    if isinstance(called, nodes.Name) and called.name in _ELSEWHERE:
        return _ELSEWHERE_HINT
    name = getattr(called, "name", getattr(called, "attr", ""))
    remedy = _HINTS.get(name, "only now(), get('name') and as_timestamp(…) are")
    return f"{name or 'this'} cannot be called: {remedy}"


def _filter(node: nodes.Filter) -> str:
    if node.name not in FILTERS:
        return f"there is no filter {node.name}{mean(node.name, FILTERS)}"
    return _arguments(node, node.name, signature(FILTERS[node.name]), given=1) or _pattern(node)


def _test(node: nodes.Test) -> str:
    if node.name not in TESTS:
        return f"there is no test {node.name}{mean(node.name, TESTS)}"
    return _arguments(node, node.name, signature(TESTS[node.name]), given=1) or _pattern(node)


def _arguments(node: nodes.Call | nodes.Filter | nodes.Test, name: str, sign: Signature, *, given: int = 0) -> str:
    """Return what is wrong with the arguments; ``given`` are there without being written."""
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        return "* and ** are not allowed in a template"
    try:
        sign.bind(*[None] * given, *node.args, **{str(one.key): one.value for one in node.kwargs})
    except TypeError as error:
        return f"{name}: {error}"
    return ""


def _pattern(node: nodes.Filter | nodes.Test) -> str:
    if node.name not in PATTERNED:
        return ""
    find = next(iter([*node.args, *(one.value for one in node.kwargs if one.key == "find")]))
    if not isinstance(find, nodes.Const) or not isinstance(find.value, str):
        return f"{node.name}: the regular expression stands in the template itself, in quotes"
    try:
        compile_pattern(find.value)
    except ValueError as error:
        return f"{node.name}: {error}"
    return ""


def _condexpr(node: nodes.CondExpr) -> str:
    return "" if node.expr2 is not None else "say what otherwise: … if … else ''"


def _calculation(node: nodes.BinExpr | nodes.UnaryExpr) -> str:
    """Refuse what can be seen not to be a number; what the event says is looked at when it is there."""
    for one in node.iter_child_nodes():
        is_text = isinstance(one, nodes.Const) and not isinstance(one.value, int | float)
        if is_text or isinstance(one, nodes.Concat | nodes.List | nodes.Tuple):
            return "only numbers are calculated with: texts are put together by ~"
    return ""


def _is_index(node: nodes.Node) -> bool:
    inner = node.node if isinstance(node, nodes.Neg) else node
    return isinstance(inner, nodes.Const) and type(inner.value) is int


def _is_field(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem)


def _is_named(node: nodes.Node, name: str) -> bool:
    return isinstance(node, nodes.Name) and node.name == name


def _is_now(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Call) and _is_named(node.node, "now")


_CHECKS: Final[Mapping[type[nodes.Node], Callable[[Any], str]]] = {
    nodes.Call: _call,
    nodes.CondExpr: _condexpr,
    nodes.Const: _const,
    nodes.Filter: _filter,
    nodes.Getattr: _getattr,
    nodes.Getitem: _getitem,
    nodes.Name: _name,
    nodes.Slice: lambda _: "",  # looked at with its Getitem, the only place it can be
    nodes.Test: _test,
    **dict.fromkeys(_CALCULATING, _calculation),
    **dict.fromkeys(_PLAIN, lambda _: ""),
}
"""All that is allowed, each with what returns why not this one, empty when it is."""
