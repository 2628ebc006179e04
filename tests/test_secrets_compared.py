"""No secret is compared so that the time it takes tells how much of a guess was right."""

import ast
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent.parent / "jitney"
_EQUAL = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)


def revealed(node: ast.AST) -> bool:
    """Tell whether an expression is a secret itself, or made of one; its length and its being empty are none."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"len", "bool"}:
        return False
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "reveal"
    return is_call or any(revealed(child) for child in ast.iter_child_nodes(node))


def compared(source: str) -> list[str]:
    """Return the comparisons in which a secret takes part, also under a name that a function gives it."""
    tree = ast.parse(source)
    found = []
    for scope in ast.walk(tree):
        if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        names = {
            target.id
            for node in ast.walk(scope)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and revealed(node.value)
            for target in node.targets
            if isinstance(target, ast.Name) and ".reveal()" in ast.unparse(node.value)[-40:]
        }
        for node in ast.walk(scope):
            if isinstance(node, ast.Compare) and any(isinstance(how, _EQUAL) for how in node.ops):
                sides = [node.left, *node.comparators]
                if any(revealed(side) or (isinstance(side, ast.Name) and side.id in names) for side in sides):
                    found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize(
    "source",
    [
        "def f(): return a.reveal() == b",
        "def f(): return b != a.reveal().encode()",
        "def f(): return b in {a.reveal()}",
        "def f():\n    ours = a.reveal().encode()\n    return ours == b",
        "f = lambda a, b: b == f'/hook/{a.reveal()}'",
    ],
)
def test_a_comparison_of_a_secret_is_found(source: str) -> None:
    assert compared(source)


@pytest.mark.parametrize(
    "source",
    [
        "def f(): return compare_digest(a.reveal(), b)",
        "def f(): return len(a.reveal()) == 40",
        "def f(): return a == b",
    ],
)
def test_what_is_no_comparison_of_a_secret_is_not(source: str) -> None:
    assert compared(source) == []


def test_no_secret_is_compared_but_in_constant_time() -> None:
    files = sorted(SOURCES.rglob("*.py"))
    assert len(files) > 200
    found = {str(file.relative_to(SOURCES)): compared(file.read_text(encoding="utf-8")) for file in files}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("file", ["adapters/strava/subscription.py", "adapters/strava/signin.py"])
def test_where_strangers_offer_a_secret_it_is_compared_in_constant_time(file: str) -> None:
    assert "compare_digest(" in (SOURCES / file).read_text(encoding="utf-8")
