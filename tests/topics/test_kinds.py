"""The registry knows which data each type of event has."""

from typing import Annotated, ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Raw
from msgspec.structs import replace

from jitney.topics import Event, EventData, InvalidPayloadError, JitneyError, Kinds, event


class Rode(EventData, frozen=True):
    """Somebody rode a bicycle."""

    type: ClassVar[str] = "strava.rode"
    metres: Annotated[float, Meta(ge=0)]
    title: str = ""


class Weighed(EventData, frozen=True):
    """Somebody stood on the scales."""

    type: ClassVar[str] = "scales.weighed"
    private: ClassVar[bool] = True
    kilograms: float


class Other(EventData, frozen=True):
    """Another kind that claims a type."""

    type: ClassVar[str] = "strava.rode"


def rode(data: bytes) -> Event:
    return replace(event(Rode(0), adapter="strava", owner="alice"), data=Raw(data))


@given(st.builds(Rode, st.floats(0, 1e9), st.text()))
def test_data_comes_back_typed(data: Rode) -> None:
    assert Kinds([Rode, Weighed]).data(event(data, adapter="strava", owner="alice")) == data


def test_an_unknown_type_has_no_typed_data() -> None:
    assert Kinds([Weighed]).data(rode(b'{"metres":1}')) is None
    assert Kinds().types() == []


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"{}", b'{"metres":"far"}', b'{"metres":-1}', b'{"metres":1,"title":"\xff"}']
)
def test_data_that_is_not_of_its_kind_is_refused_by_type_and_id(data: bytes) -> None:
    wrong = rode(data)
    with pytest.raises(InvalidPayloadError, match=f"data of strava.rode {wrong.id}: "):
        Kinds([Rode]).data(wrong)


@given(st.binary())
def test_arbitrary_data_is_typed_or_refused(data: bytes) -> None:
    try:
        found = Kinds([Rode]).data(rode(data))
    except InvalidPayloadError:
        return
    assert isinstance(found, Rode)


def test_a_type_belongs_to_one_kind() -> None:
    kinds = Kinds([Rode])
    kinds.add(Rode)
    with pytest.raises(JitneyError, match=r"'strava\.rode' is declared by both Rode and Other"):
        kinds.add(Other)
    assert kinds.data(rode(b'{"metres":1}')) == Rode(1)


def test_types_are_sorted_and_each_has_a_schema_with_its_description() -> None:
    kinds = Kinds([Rode, Weighed])
    assert kinds.types() == ["scales.weighed", "strava.rode"]
    schemas = kinds.schemas()
    assert list(schemas) == kinds.types()
    definition = schemas["strava.rode"]["$defs"]["Rode"]
    assert definition["description"] == "Somebody rode a bicycle."
    assert definition["required"] == ["metres"]
    assert msgspec.json.encode(schemas)


def test_a_kind_is_public_unless_it_says_otherwise() -> None:
    assert (Rode.private, Weighed.private) == (False, True)
