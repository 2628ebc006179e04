"""What the guide to security says is proved: every test that it names is there and is run, and every table is whole.

The numbers in the pages that it leads to, people, port and audit log, are those of the code.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from jitney.adapters.registry import BUILT_IN, adapter_type
from jitney.daemon.broker import rivals
from jitney.daemon.cli.audit import _EPILOG
from jitney.daemon.config.limits import LimitSettings
from jitney.daemon.config.schema import AuditSettings
from jitney.daemon.delivery import doorkeeper, foreign, usage
from jitney.daemon.owners import audit, audit_rate, unclaimed
from jitney.daemon.web import adapters, caller, guesses, lobby
from tests.documents import DOCUMENTS, REPOSITORY, codes, rows

PATH: Final = REPOSITORY / "docs" / "security.md"
TEXT: Final = PATH.read_text(encoding="utf-8")
HEAD: Final = "| what they may try | what holds it off | which test proves it |"
MISTAKES: Final = "| what may happen | what holds it off | which test proves it |"
NAMED: Final = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
PROOFS: Final = ("access_matrix", "canaries", "http_attacks", "limits", "audit")


@cache
def collected_from(path: str) -> frozenset[str]:
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
    assert collected_from(file)
    assert not test or test in collected_from(file)


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


def test_it_is_one_of_the_documents_whose_links_and_commands_are_tried() -> None:
    assert PATH in DOCUMENTS
    assert "docs/security.md" in (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_every_kind_of_upstream_is_spoken_of() -> None:
    names = {"homeassistant": "Home Assistant", "strava": "Strava", "meshtastic": "mesh", "demo": "bus"}
    assert names.keys() == BUILT_IN.keys()
    assert [name for name, word in names.items() if word not in TEXT] == []


def numbers(text: str) -> list[int]:
    return [int(number.replace(" ", "")) for number in re.findall(r"\d[\d ]*\d|\d", text)]


def test_what_each_person_may_take_is_what_the_guide_to_people_says() -> None:
    is_so = LimitSettings()
    table = dict(cells[:2] for cells in rows("people.md", "what | limit"))
    assert [numbers(limit) for limit in table.values()] == [
        [is_so.inbox_per_second, is_so.inbox_burst, is_so.inbox_kb_per_second],
        [is_so.commands_per_second, is_so.command_burst],
        [is_so.events_per_second, is_so.event_kb_per_second, is_so.event_burst],
        [is_so.states],
        [],
        [is_so.files_mb],
    ]
    text = (REPOSITORY / "docs" / "people.md").read_text(encoding="utf-8")
    assert f"At most {unclaimed.MOST} ids of each type" in text
    assert (doorkeeper.FIRST, doorkeeper.LONGEST, doorkeeper.TRIAL, doorkeeper.ANSWERS) == (10.0, 300.0, 10.0, 5)
    assert usage.CALM == 600.0
    assert {f"_limits.{word}" for word in (doorkeeper.INBOX, doorkeeper.COMMAND)} <= set(
        re.findall(r"_limits\.\w+", text)
    )
    assert {f"_limits.{word}" for word in usage._QUOTAS.values()} <= set(re.findall(r"_limits\.\w+", text))


def test_what_the_port_bears_is_what_its_guide_says() -> None:
    table = {tuple(codes(reasons)): numbers(who) for reasons, who, _ in rows("http.md", "reason | who")}
    assert table == {
        ("address",): [6, 64],
        ("connections",): [lobby.SPARE_FILES],
        ("silent", "slow_headers", "headers"): [
            caller.FIRST_SECONDS,
            caller.HEADER_SECONDS,
            caller.MOST_HEADER_BYTES >> 10,
        ],
        ("slow_body", "slow_request", "bodies"): [
            adapters.BODY_SECONDS,
            caller.REQUEST_SECONDS,
            lobby.MOST_BODIES,
            lobby.MOST_BODIES_OF_ONE,
        ],
        ("body",): [adapters.MOST_BYTES >> 10],
        ("malformed",): [],
        ("rate_limited",): [guesses.BURST, 1 / guesses.PER_SECOND],
    }


def test_what_the_audit_log_tells_is_what_its_guide_says() -> None:
    table = {word: outcomes for whats, _, outcomes in rows("audit.md", "`what` | tells of") for word in codes(whats)}
    (listed,) = re.findall(r"WHAT is ([^.]*)\. SINCE", _EPILOG)
    assert set(table) == set(re.findall(r"\w+", listed)) - {"or"}
    assert set(codes(table["refused"])) == audit.REFUSALS
    text = (REPOSITORY / "docs" / "audit.md").read_text(encoding="utf-8")
    assert f"{audit_rate.BURST} rows at once and {audit_rate.A_DAY} a day" in text
    assert f"{audit.MOST_WAITING} rows wait" in text
    settings = AuditSettings()
    assert f"days = {settings.days}\nmost = {settings.most:_}" in text
    controlled = {name for kind in BUILT_IN for name in getattr(adapter_type(kind), "controls", ())}
    tells = next(row[1] for row in rows("audit.md", "`what` | tells of") if "`device`" in row[0])
    assert controlled == set(codes(tells)) - {"device"}


def test_a_rival_and_somebody_else_in_our_place_are_alerts_by_the_names_that_are_given() -> None:
    text = (REPOSITORY / "docs" / "audit.md").read_text(encoding="utf-8")
    assert (rivals.TIMES, rivals.WITHIN) == (4, 120.0)
    assert "four times within two minutes" in text
    assert f"`_access.{foreign.ALERT}`" in text
    assert "`_access.taken_over`" in text
