"""What no sensible server would answer, as strategies: every field of a struct, filled with anything of its type."""

from string import printable
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import fields

T = TypeVar("T", bound=Struct)

LETTERS = printable + "\x00\x1f\x7f\u2028\ud800\udfff\ufeff\ufffféßİ٣🚲"
TEXTS = st.one_of(
    st.text(LETTERS, max_size=30),
    st.builds(lambda character, times: character * times, st.sampled_from('\x00\\"é🚲\ud800a'), st.integers(0, 40_000)),
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    st.sampled_from(
        [
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-12:00",
            "2026-11-21T00:00:01Z",
            "(GMT+01:00) Europe/Oslo",
            "none",
            "https://photos.example/placeholder-photo.png",
            "https://photos.example/1.jpg",
            "only_me",
            "Run",
        ]
    ),
)
NUMBERS = st.floats() | st.integers() | st.integers(-400, 400) | st.floats(-400, 400)


MOST_FIELDS = 12
SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    int: st.integers() | st.integers(0, 3),
    float: NUMBERS,
    bool: st.booleans(),
    NoneType: st.none(),
}


def any_of(kind: type[T]) -> st.SearchStrategy[T]:
    """Return structs of a kind in which a few fields, and those without a default, are anything of their type."""
    hints = get_type_hints(kind)
    required = {field.name for field in fields(kind) if field.required}

    @st.composite
    def built(draw: st.DrawFn) -> T:
        chosen = draw(st.lists(st.sampled_from(sorted(hints)), max_size=MOST_FIELDS, unique=True))
        return kind(**{name: draw(_values(hints[name])) for name in sorted({*chosen, *required})})

    return built()


def _values(hint: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - any type of a field
    arguments = get_args(hint)
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        return st.one_of(*(_values(argument) for argument in arguments))
    if origin is tuple:
        return st.lists(_values(arguments[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(TEXTS, _values(arguments[1]), max_size=3)
    return any_of(hint) if issubclass(hint, Struct) else SIMPLE[hint]
