"""The documents, and what of them tests look at: fenced blocks, tables, and the texts that the source has."""

import ast
import itertools
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from jitney.adapters.secret import Secret

REPOSITORY = Path(__file__).parent.parent
DOCUMENTS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
ENVIRONMENT = {"HOME_TOKEN": "5f2c8e1b9d7a4c3f" * 4, "MQTT_PASSWORD": "a password"}
CREDENTIALS = ("mqtt", "home-token")
VAULT = {name: Secret("0123456789abcdef") for name in ("strava/main", "strava/hers", "strava/his", "broker/proof")}

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CELL = re.compile(r"(?<!\\)\|")


class Snippet(Struct, frozen=True):
    """A fenced block of a document."""

    document: str
    line: int
    language: str
    text: str


def snippets(*languages: str) -> list[Any]:
    """Return the blocks of some languages as parameters of a test."""
    return [
        pytest.param(snippet, id=f"{snippet.document}:{snippet.line}")
        for document in DOCUMENTS
        for snippet in blocks(document, *languages)
    ]


def blocks(document: Path, *languages: str) -> list[Snippet]:
    """Return the blocks of some languages in a document."""
    text = document.read_text(encoding="utf-8")
    return [
        Snippet(document.name, text.count("\n", 0, match.start()) + 1, match[1], match[2])
        for match in _FENCE.finditer(text)
        if match[1] in languages
    ]


def rows(document: str, head: str) -> list[list[str]]:
    """Return the cells of each row of the table below a head, as a reader sees them."""
    lines = (REPOSITORY / "docs" / document).read_text("utf-8").splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith(f"| {head} |"))
    found = itertools.takewhile(lambda line: line.startswith("|"), lines[begin + 2 :])
    return [[cell.strip().replace("\\|", "|") for cell in _CELL.split(row)[1:-1]] for row in found]


def first_cells(document: str, head: str) -> list[str]:
    """Return the first cells of the table below a head."""
    return [cells[0] for cells in rows(document, head)]


def codes(text: str) -> list[str]:
    """Return what stands between backticks."""
    return re.findall(r"`([^`]+)`", text)


def messages(*folders: str) -> list[str]:
    """Return the texts in the source, those with values in them with a gap for each value."""
    found = []
    for path in (path for folder in folders for path in (REPOSITORY / folder).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                found.append("".join(part.value if isinstance(part, ast.Constant) else "\0" for part in node.values))
    return found
