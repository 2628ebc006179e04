from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from jitney.daemon.routes import document as module
from jitney.daemon.routes.document import Document, reader
from jitney.daemon.routes.paths import MISSING, parse
from tests.daemon.routes.making import document, event

DATA = {"distance": 1200.5, "tags": ["a", {"b": 2}], "a.b": {"c d": 3}, "none": None, "": 4}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("data", DATA),
        ("data.distance", 1200.5),
        ("data.tags[0]", "a"),
        ("data.tags[-1].b", 2),
        ('data["a.b"]["c d"]', 3),
        ("data['a.b']['c d']", 3),
        ('data[""]', 4),
        ("data.none", None),
        ("data.none.x", MISSING),
        ("data.tags[2]", MISSING),
        ("data.tags[-3]", MISSING),
        ("data.tags.b", MISSING),
        ("data.distance[0]", MISSING),
        ("data[0]", MISSING),
        ("subject", "activity/1"),
        ("type", "strava.activity.created"),
        ("kind", "activity.created"),
        ("adapter", "strava"),
        ("owner", "alice"),
        ("owner.id", "alice"),
        ("owner.name", "Alice"),
        ("actor", MISSING),
        ("time", "2026-11-21T05:41:00.120Z"),
        ("hops", 0),
        ("variables.last", 7),
        ("variables.other", MISSING),
        ("no path", MISSING),
    ],
)
def test_a_path_leads_to_a_field(path: str, found: object) -> None:
    assert document(DATA, variables={"last": 7}).get(path) == found


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "expected a field of an event"),
        ("dat.x", "expected a field of an event"),
        ("data." + "x" * 300, "expected a field of an event"),
        ("data.", "not a path"),
        ("data.a b", "not a path"),
        ("data[x]", "not a path"),
        ("data[1", "not a path"),
        ("variables", "one by one"),
        ("subject.x", "without fields"),
        ("owner.age", "an id and a name"),
    ],
)
def test_what_is_no_path_is_told(path: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(path)


def test_data_is_decoded_once_and_only_when_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[Any] = []
    decode = module._decode
    monkeypatch.setattr(module, "_decode", lambda raw: decoded.append(raw) or decode(raw))
    one = document({"x": 1})
    assert one.get("subject") == "activity/1"
    assert decoded == []
    assert one.get("data.x") == 1
    assert one.get("data.y") is MISSING
    assert len(decoded) == 1


def test_as_long_as_one_field_is_looked_at_the_others_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[Any] = []
    decode = module._decode
    monkeypatch.setattr(module, "_decode", lambda raw: decoded.append(raw) or decode(raw))
    x, y = reader("data.x"), reader("data.y")
    one = document({"x": [1], "y": {"z": 2}})
    assert [x(one), x(one)] == [[1], [1]]
    assert decoded == []
    assert [y(one), x(one), y(one)] == [{"z": 2}, [1], {"z": 2}]
    assert len(decoded) == 1


KEYS = ["", "x", "value", "a b", 'a"b', "\n", "é"]


@given(
    data=st.dictionaries(st.sampled_from(KEYS), st.none() | st.integers() | st.text() | st.just([{"x": 1}])),
    looked=st.lists(st.sampled_from(KEYS), max_size=5),
)
def test_a_field_is_the_same_however_it_is_come_by(data: dict[str, Any], looked: list[str]) -> None:
    one = document(data)
    for key in looked:
        assert reader(f"data['{key}']")(one) == data.get(key, MISSING)
    assert one.data == data


@pytest.mark.parametrize("raw", [b"[1]", b'"x"', b"7", b"null", b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_object_has_no_fields(raw: bytes) -> None:
    one = Document(replace(event(), data=Raw(raw)))
    assert reader("data.x")(one) is MISSING
    assert reader("data.y")(one) is MISSING


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 100_000])
def test_data_that_is_not_json_is_as_if_it_were_empty(raw: bytes) -> None:
    one = Document(replace(event(), data=Raw(raw)))
    assert one.get("data.x") is MISSING


def test_an_owner_without_a_name_is_called_by_the_id() -> None:
    assert document(name="").get("owner.name") == "alice"


def test_it_is_always_the_same_moment_in_a_document() -> None:
    one = Document(event())
    assert one.now is one.now
    assert one.now.tzinfo is not None
