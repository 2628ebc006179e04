"""The routes that a Python file declares, read from its text without running it."""

import ast
import warnings
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from jitney.daemon.routes.faults import Path
from jitney.daemon.routes.settings import RouteSettings
from jitney.daemon.routes.words import mean

MODULE: Final = "jitney.daemon.scripts"
"""Where the decorator comes from."""

NAME: Final = "route"
IMPORT: Final = f"from {MODULE} import Bus, Event, {NAME}"

WORDS: Final = {
    field.name: field.encode_name for field in msgspec.structs.fields(RouteSettings) if field.name not in ("name", "do")
} | {"name": "name"}
"""The arguments of the decorator, and what the same is called in `[[routes]]`."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_REMEDY: Final = "it must be written out here, because the file is read without being run"


class Declaration(Struct, frozen=True, kw_only=True):
    """One decorator above the ``function``: its arguments in the words of `[[routes]]`.

    ``lines`` says in which line of the file each stands, by its path; the empty path is the decorator itself.
    """

    function: str
    words: dict[str, Any]
    lines: dict[Path, int]


class Mistake(Struct, frozen=True):
    """What is wrong with a ``line`` of the file, 0 for all of it, about a ``function`` if it has a name."""

    line: int
    text: str
    function: str = ""


def declared(source: str) -> tuple[list[Declaration], list[Mistake]]:
    """Return what a file declares, and everything that keeps it from being used; never raises."""
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(source)
            compile(source, "<file>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return [], [Mistake(error.lineno or 0, f"not Python: {error.msg}")]
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return [], [Mistake(0, f"not Python: {error or 'nested too deeply'}")]
    reading = _Reading(tree)
    reading.all()
    return reading.found, reading.mistakes


class _Reading:
    """Reads one file."""

    def __init__(self, tree: ast.Module) -> None:
        self.found: list[Declaration] = []
        self.mistakes: list[Mistake] = []
        self._tree = tree
        self._names = _names(tree)

    def all(self) -> None:
        """Read all of it."""
        top = {id(node) for node in self._tree.body}
        ours = [
            self._decorator(decorator, node, at_top=id(node) in top)
            for node in ast.walk(self._tree)
            if isinstance(node, _Function | ast.ClassDef)
            for decorator in node.decorator_list
        ]
        if not any(ours):
            self._add(0, f"declares no route: put @{NAME}(on=…, owner=…) above an `async def`; {IMPORT}")

    def _decorator(self, decorator: ast.expr, node: _Function | ast.ClassDef, *, at_top: bool) -> bool:
        """Read one decorator; tells whether it is ours."""
        dotted = _dotted(decorator.func if isinstance(decorator, ast.Call) else decorator)
        if dotted not in self._names:
            if dotted != NAME or self._bound(NAME):
                return False
            self._add(decorator.lineno, f"{NAME} is not imported: {IMPORT}", node.name)
            return True
        self._function(node, at_top=at_top)
        if isinstance(decorator, ast.Call):
            before = len(self.mistakes)
            declaration = self._arguments(decorator, node.name)
            if len(self.mistakes) == before:
                self.found.append(declaration)
        else:
            self._add(decorator.lineno, f"needs its arguments: @{dotted}(on=…, owner=…)", node.name)
        return True

    def _function(self, node: _Function | ast.ClassDef, *, at_top: bool) -> None:
        """Note what is wrong with the function of a route."""
        name, line = node.name, node.lineno
        if not isinstance(node, ast.AsyncFunctionDef):
            self._add(line, f"write `async def {name}(event: Event, bus: Bus) -> None:`", name)
            return
        if not at_top:
            self._add(line, "must stand at the top level of the file, not inside of anything", name)
        elif self._binding(name) is not node:
            self._add(line, "another definition further down has this name: give them different ones", name)
        arguments = node.args
        needed = len(arguments.posonlyargs) + len(arguments.args)
        if needed != len(("event", "bus")) or arguments.vararg or arguments.kwonlyargs or arguments.kwarg:
            self._add(line, f"must have two parameters: async def {name}(event: Event, bus: Bus)", name)
        if any(isinstance(inner, ast.Yield) for inner in _inside(node)):
            self._add(line, "must not yield", name)

    def _arguments(self, call: ast.Call, function: str) -> Declaration:
        words: dict[str, Any] = {}
        lines: dict[Path, int] = {(): call.lineno}
        for argument in call.args:
            self._add(argument.lineno, "give every argument by its name: on=…, owner=…", function)
        for keyword in call.keywords:
            word = WORDS.get(keyword.arg or "")
            if word is None:
                self._add(keyword.lineno, _unknown(keyword.arg), function)
                continue
            try:
                words[word] = _value(ast.literal_eval(keyword.value))
            except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
                text = str(error) if isinstance(error, _UnsuitableError) else f"not a literal value: {_REMEDY}"
                self._add(keyword.value.lineno, f"{keyword.arg}: {text}", function)
            else:
                lines.update(_lines(keyword.value, (word,), keyword.lineno))
        words.setdefault("name", function)
        return Declaration(function=function, words=words, lines=lines)

    def _binding(self, name: str) -> ast.stmt | None:
        """Return the last definition of a name at the top level."""
        named = [one for one in self._tree.body if isinstance(one, _Function | ast.ClassDef) and one.name == name]
        return named[-1] if named else None

    def _bound(self, name: str) -> bool:
        """Tell whether the file itself gives a meaning to a name."""
        imported = (alias for node in ast.walk(self._tree) if isinstance(node, ast.ImportFrom) for alias in node.names)
        stored = (node for node in ast.walk(self._tree) if isinstance(node, ast.Name) and node.id == name)
        return (
            self._binding(name) is not None
            or any((alias.asname or alias.name) == name for alias in imported)
            or any(isinstance(node.ctx, ast.Store) for node in stored)
        )

    def _add(self, line: int, text: str, function: str = "") -> None:
        self.mistakes.append(Mistake(line, text, function))


class _UnsuitableError(ValueError):
    """A literal of a sort that no configuration has."""


def _names(tree: ast.Module) -> set[str]:
    """Return every way in which a file can write the name of the decorator."""
    parent, _, last = MODULE.rpartition(".")
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                name = alias.asname or alias.name
                if node.module == MODULE and alias.name == NAME:
                    names.add(name)
                elif node.module == parent and alias.name == last:
                    names.add(f"{name}.{NAME}")
        elif isinstance(node, ast.Import):
            names |= {f"{alias.asname or alias.name}.{NAME}" for alias in node.names if alias.name == MODULE}
    return names


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _inside(function: ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """Give what is in a function, but not what is in functions inside of it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _Function | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))


def _unknown(name: str | None) -> str:
    if name is None:
        return f"** is not allowed: {_REMEDY}"
    if name == "do":
        return "do: what is done stands in the function"
    return f"unknown argument {name}{mean(name, WORDS)}"


def _value(value: object) -> Any:  # noqa: ANN401 - what a configuration can hold
    """Return a literal as the configuration would have it; raises _UnsuitableError."""
    match value:
        case bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [_value(one) for one in value]
        case dict():
            if not all(isinstance(key, str) for key in value):
                raise _UnsuitableError("the keys of a table are texts")
            return {key: _value(one) for key, one in value.items()}
    message = f"expected a text, a number, true or false, a list or a table, got {type(value).__name__}"
    raise _UnsuitableError(message)


def _lines(node: ast.expr, path: Path, line: int) -> Iterator[tuple[Path, int]]:
    yield path, line
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield from _lines(value, (*path, key.value), key.lineno)
    elif isinstance(node, ast.List | ast.Tuple):
        for index, one in enumerate(node.elts):
            yield from _lines(one, (*path, index), one.lineno)
