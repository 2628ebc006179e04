"""What the guide to security says is proved: every test that it names is there and is run, and every table is whole."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from jitney.adapters.registry import BUILT_IN
from tests.documents import REPOSITORY
from tests.test_documents import LINK, anchors

PATH: Final = REPOSITORY / "docs" / "security.md"
TEXT: Final = PATH.read_text(encoding="utf-8")
HEAD: Final = "| what they may try | what holds it off | which test proves it |"
MISTAKES: Final = "| what may happen | what holds it off | which test proves it |"
NAMED: Final = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
PROOFS: Final = ("access_matrix", "canaries", "http_attacks", "limits", "audit")


@cache
def tests_of(path: str) -> frozenset[str]:
    """Return the names of the tests that are collected of a file."""
    body = ast.parse((REPOSITORY / path).read_text(encoding="utf-8")).body
    functions = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return frozenset(name for name in functions if name.startswith("test_"))


def named() -> list[tuple[str, str]]:
    return sorted(set(NAMED.findall(TEXT)))


def chapters() -> Iterator[tuple[str, str]]:
    for chapter in re.split(r"(?m)^## ", TEXT)[1:]:
        title, _, text = chapter.partition("\n")
        yield title, text


def attacks() -> list[tuple[str, list[str]]]:
    """Return the rows of all tables of attacks, each with the title of its chapter."""
    found = []
    for title, text in chapters():
        lines = text.splitlines()
        for begin in (at for at, line in enumerate(lines) if line in (HEAD, MISTAKES)):
            for line in lines[begin + 2 :]:
                if not line.startswith("|"):
                    break
                found.append((title, [cell.strip() for cell in line.split("|")[1:-1]]))
    return found


@pytest.mark.parametrize(("file", "test"), [pytest.param(*one, id="::".join(filter(None, one))) for one in named()])
def test_a_test_that_is_named_exists_and_is_collected(file: str, test: str) -> None:
    assert Path(file).name.startswith("test_")
    assert (REPOSITORY / file).is_file()
    assert tests_of(file)
    assert not test or test in tests_of(file)


def test_whatever_looks_like_a_test_is_named_whole() -> None:
    spans = re.findall(r"`([^`\n]*(?:tests/|test_)[^`\n]*)`", TEXT)
    assert len(spans) > 150
    assert [span for span in spans if not NAMED.fullmatch(f"`{span}`")] == []


@pytest.mark.parametrize("proof", PROOFS)
def test_a_file_of_proofs_is_named(proof: str) -> None:
    assert f"tests/test_{proof}.py" in {file for file, _ in named()}


def test_every_place_from_which_somebody_can_come_has_a_table() -> None:
    found = [title for title, _ in attacks()]
    assert sorted(set(found), key=found.index) == [
        "From another owner's device",
        "From the network",
        "From the radio",
        "From an upstream",
        "From this machine, without root",
        "From a stolen device, a lost card, a lost backup",
        "By mistake",
    ]
    assert [title for title in set(found) if found.count(title) < 5] == []


@pytest.mark.parametrize("row", [pytest.param(cells, id=f"{cells[0][:50]}") for _, cells in attacks()])
def test_an_attack_is_held_off_by_something_and_proved_by_a_test(row: list[str]) -> None:
    attack, holds, proof = row
    assert attack
    assert holds
    assert NAMED.search(proof) or proof.startswith("the matrix")


def test_what_is_not_held_off_and_what_to_do_then_have_their_chapters() -> None:
    texts = dict(chapters())
    assert len(re.findall(r"(?m)^- \*\*[^*]+\*\*", texts["What is not held off"])) > 10
    for command in ("devices revoke", "vault rotate", "strava disconnect", "audit verify --known", "owners disable"):
        assert f"jitney {command}" in texts["If something has happened"]


def test_every_link_leads_somewhere() -> None:
    links = [(target, anchor) for target, anchor in LINK.findall(TEXT) if "://" not in target]
    assert len(links) > 15
    for target, anchor in links:
        document = PATH.parent / target if target else PATH
        assert document.exists()
        assert not anchor or anchor in anchors(document)


def test_every_kind_of_upstream_is_spoken_of() -> None:
    names = {"homeassistant": "Home Assistant", "strava": "Strava", "meshtastic": "mesh", "demo": "bus"}
    assert names.keys() == BUILT_IN.keys()
    assert [name for name, word in names.items() if word not in TEXT] == []
