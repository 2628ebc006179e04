import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.delivery.log_lines import MACHINERY, MOST_BYTES, public
from jitney.topics import HOUSE

PARTS = frozenset({*MACHINERY, "adapter", "bus", "commands", "routes"})
VALUES = st.one_of(st.text(), st.integers(-(2**63), 2**63), st.lists(st.text()))
SECRET_OF_ALICE = "she rode to the clinic"


def shown(line: dict[str, object], lost: int = 0) -> dict[str, object]:
    found: dict[str, object] = msgspec.json.decode(public(line, parts=PARTS, lost=lost))
    assert str(found.pop("time")).endswith("Z")
    return found


def test_a_line_about_the_bus_itself_is_shown_whole() -> None:
    line = {"level": "warning", "event": "no connection to the broker", "part": "broker", "reason": "refused", "n": 3}
    assert shown(line) == line


@pytest.mark.parametrize("part", sorted(PARTS - MACHINERY))
def test_of_a_line_about_people_only_what_happened_is_shown(part: str) -> None:
    line = {"level": "error", "event": "disconnected", "part": part, "owner": "alice", "adapter": "strava"}
    found = shown({**line, "reason": SECRET_OF_ALICE, "next_attempt_in": 4.5, "exception": SECRET_OF_ALICE})
    assert found == {
        "level": "error",
        "event": "disconnected",
        "part": part,
        "adapter": "strava",
        "next_attempt_in": 4.5,
        "withheld": True,
    }


def test_a_line_of_the_bus_about_one_owner_is_not_shown_whole_either() -> None:
    line = {"level": "info", "event": "kept", "part": "store", "owner": "alice", "what": SECRET_OF_ALICE}
    assert shown(line) == {"level": "info", "event": "kept", "part": "store", "withheld": True}
    assert shown({**line, "owner": HOUSE})["what"] == SECRET_OF_ALICE


def test_the_words_of_a_library_are_not_shown() -> None:
    line = {"level": "warning", "event": f"GET /{SECRET_OF_ALICE}", "part": "aiohttp.access"}
    assert SECRET_OF_ALICE not in str(shown(line))
    assert shown(line)["part"] == "aiohttp.access"


def test_how_many_lines_were_lost_before_is_said() -> None:
    assert shown({"level": "info", "event": "x", "part": "app"}, lost=7)["lost"] == 7


@given(st.dictionaries(st.text(), VALUES), st.sampled_from(sorted(PARTS)), st.text(max_size=30_000))
def test_a_line_is_never_longer_than_it_may_be(fields: dict[str, object], part: str, text: str) -> None:
    line = {**fields, "level": "info", "event": "x", "part": part, "reason": text}
    assert len(public(line, parts=PARTS)) <= MOST_BYTES
