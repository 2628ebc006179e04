"""Reading answers: whatever the bytes are, one bad thing costs only itself."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from jitney.adapters.secret import Secret
from jitney.adapters.strava import models
from jitney.adapters.strava.errors import UnavailableError
from jitney.adapters.strava.models import Activity, ApiFault, AthleteInfo, Gear, Photo, Stats, TokenAnswer, each, one

KINDS = tuple(
    kind for name in models.__all__ if isinstance(kind := getattr(models, name), type) and issubclass(kind, Struct)
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = tuple(dict.fromkeys(field.encode_name for kind in KINDS for field in msgspec.structs.fields(kind)))
LIKELY: st.SearchStrategy[object] = st.recursive(
    st.sampled_from([None, 5, 5.5, "Ride", "", True, 10**30, [], {}]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=8),
    max_leaves=30,
)
GOOD = st.fixed_dictionaries(
    {"id": st.integers(1, 2**63)},
    optional={
        "name": st.none() | st.text(),
        "distance": st.none() | st.integers(0, 10**6) | st.floats(0, 1e6),
        "start_latlng": st.just([]) | st.tuples(st.floats(-90, 90), st.floats(-180, 180)).map(list),
        "map": st.none() | st.fixed_dictionaries({"summary_polyline": st.none() | st.text()}),
        "unheard_of": JSON,
    },
)


def told() -> tuple[list[str], models.Odd]:
    odd: list[str] = []
    return odd, lambda kind, detail: odd.append(f"{kind} {detail}")


@given(st.binary() | JSON.map(msgspec.json.encode), st.sampled_from(KINDS))
def test_no_bytes_are_too_odd(raw: bytes, kind: type[Struct]) -> None:
    odd, tell = told()
    with suppress(UnavailableError):
        assert isinstance(one(raw, kind, tell), kind)
    with suppress(UnavailableError):
        assert all(isinstance(item, kind) for item in each(raw, kind, tell))
    assert all(line.split(" ")[0] in {"odd_item", "odd_field"} for line in odd)


@given(LIKELY, st.sampled_from(KINDS))
def test_of_every_object_what_fits_is_kept_and_the_rest_is_told(content: object, kind: type[Struct]) -> None:
    odd, tell = told()
    try:
        found = one(msgspec.json.encode(content), kind, tell)
    except UnavailableError:
        required = {field.encode_name for field in msgspec.structs.fields(kind) if field.required}
        assert not isinstance(content, dict) or required
        return
    assert isinstance(content, dict)
    for field in msgspec.structs.fields(kind):
        given_value = content.get(field.encode_name)
        if isinstance(given_value, (int, float, str)) and not odd:
            kept = getattr(found, field.name)
            assert (kept.reveal() if isinstance(kept, Secret) else kept) == given_value


@given(st.lists(GOOD, max_size=5), st.integers(0, 5), JSON | LIKELY)
def test_one_bad_item_never_harms_the_others(items: list[object], at: int, wrong: object) -> None:
    odd, tell = told()
    alone = [one(msgspec.json.encode(item), Activity, tell) for item in items]
    assert each(msgspec.json.encode(items), Activity, tell) == alone
    assert odd == []
    both = each(msgspec.json.encode([*items[:at], wrong, *items[at:]]), Activity, tell)
    assert [item for item in both if item in alone] == alone or both == alone
    assert len(both) in {len(items), len(items) + 1}


@given(st.lists(GOOD, min_size=1, max_size=4), st.data())
def test_an_answer_that_is_cut_off_is_no_answer(items: list[object], data: st.DataObject) -> None:
    raw = msgspec.json.encode(items)
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(UnavailableError):
        each(raw[:cut], Activity, models.ignore)
    row = msgspec.json.encode(items[0])
    with pytest.raises(UnavailableError):
        one(row[: data.draw(st.integers(0, len(row) - 1))], Activity)


@given(st.lists(st.sampled_from([r"\ud83d", r"\ude00", r"\ud83d\ude00", r"\\", r"\"", r"\u00e9", "é", "ud83d"])))
def test_half_a_character_costs_only_itself(parts: list[str]) -> None:
    name = "".join(parts)
    raw = f'[{{"id":1,"name":"{name}"}},{{"id":2,"name":"whole"}}]'.encode()
    first, second = each(raw, Activity, models.ignore)
    whole = msgspec.json.decode(f'"{name}"') if readable(name) else None
    assert first.name is not None
    assert whole in (None, first.name)
    assert second.name == "whole"


def readable(name: str) -> bool:
    try:
        msgspec.json.decode(f'"{name}"')
    except msgspec.DecodeError:
        return False
    return True


@pytest.mark.parametrize("name", [rb"Tour \ud83d", rb"Tour \ude00!", b"Tour \xff", b"Tour \xed\xa0\x80"])
def test_a_name_that_is_no_text_is_repaired(name: bytes) -> None:
    odd, tell = told()
    first, second = each(b'[{"id":1,"name":"%s"},{"id":2,"name":"\\ud83d\\ude00"}]' % name, Activity, tell)
    assert first.name is not None
    assert first.name.startswith("Tour �")
    assert second.name == "😀"
    assert odd == []


def test_a_field_that_cannot_be_read_is_missing_and_the_rest_is_kept() -> None:
    odd, tell = told()
    raw = b'{"id":7,"distance":"far","name":"Tour","map":{"polyline":4,"summary_polyline":"abc"},"start_latlng":[null]}'
    found = one(raw, Activity, tell)
    assert (found.id, found.name, found.distance, found.start_latlng) == (7, "Tour", None, None)
    assert found.map is not None
    assert (found.map.polyline, found.map.summary_polyline) == (None, "abc")
    assert {line.split(":")[0] for line in odd} == {
        "odd_field Activity.distance",
        "odd_field ActivityMap.polyline",
        "odd_field Activity.start_latlng",
    }


def test_what_could_not_be_read_is_not_repeated_in_the_detail() -> None:
    odd, tell = told()
    one(b'{"id":7,"distance":"private words","weight":"more"}', AthleteInfo, tell)
    each(b'[{"id":"private words"}]', Activity, tell)
    with pytest.raises(UnavailableError) as caught:
        one(b'{"access_token":"private words","refresh_token":7,"expires_at":"private words"}', TokenAnswer)
    assert odd
    assert "private" not in "".join(odd) + str(caught.value)


def test_an_activity_without_an_id_is_left_out() -> None:
    odd, tell = told()
    assert each(b'[{"name":"x"},{"id":null},{"id":5}]', Activity, tell) == [Activity(id=5)]
    assert len(odd) == 2


def test_one_bad_bike_does_not_cost_the_other_ones() -> None:
    found = one(b'{"id":5,"bikes":[{"id":"b1","distance":3},{"id":4},null],"shoes":null}', AthleteInfo)
    assert [bike.id for bike in found.bikes or ()] == ["b1"]
    assert found.shoes is None


def test_numbers_stay_what_they_were() -> None:
    found = one(b'{"recent_ride_totals":{"distance":10,"moving_time":5.5},"biggest_climb_elevation_gain":null}', Stats)
    assert found.recent_ride_totals is not None
    assert msgspec.json.encode(found.recent_ride_totals.distance) == b"10"
    assert found.recent_ride_totals.moving_time == 5.5
    assert found.biggest_climb_elevation_gain is None


def test_a_photo_that_is_processed_still_says_so() -> None:
    raw = b'{"unique_id":"A","urls":{"0":"https://x"},"sizes":{"0":[64,48]},"placeholder_image":{"light_url":"https://p"}}'
    found = one(raw, Photo)
    assert found.urls == {"0": "https://x"}
    assert found.sizes == {"0": (64, 48)}
    assert found.placeholder_image is not None
    assert found.placeholder_image.light_url == "https://p"


@pytest.mark.parametrize("raw", [b"<!DOCTYPE html><h1>502</h1>", b"", b"null", b'{"message":"x"}', b'"text"', b"7"])
def test_what_is_no_list_is_not_an_empty_one(raw: bytes) -> None:
    with pytest.raises(UnavailableError):
        each(raw, Gear, models.ignore)


def test_tokens_are_secrets_from_the_first_moment() -> None:
    answer = one(b'{"access_token":"aaaaaaaaaaaaaaaaaaaaaaaa","refresh_token":"rrrrrr","expires_at":5}', TokenAnswer)
    assert answer.access_token.reveal() == "a" * 24
    assert "aaaaa" not in repr(answer)
    assert "rrr" not in repr(answer)


@pytest.mark.parametrize("token", [b'""', b"null", b"5", b"[]"])
def test_an_empty_token_is_none(token: bytes) -> None:
    with pytest.raises(UnavailableError):
        one(b'{"access_token":%s,"refresh_token":"r","expires_at":5}' % token, TokenAnswer)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'{"message":"Bad","errors":[{"resource":"App","field":"id","code":"invalid"}]}', "Bad: App id invalid"),
        (b'{"message":"Bad","errors":[{"resource":"App","field":null,"code":"invalid"}]}', "Bad: App invalid"),
        (b'{"errors":"Rate Limit Exceeded","status":429}', "Rate Limit Exceeded"),
        (b'{"message":"Bad","errors":[]}', "Bad"),
        (b'{"message":null,"errors":null}', ""),
        (b"{}", ""),
    ],
)
def test_both_shapes_of_errors_are_read(raw: bytes, text: str) -> None:
    assert str(one(raw, ApiFault)) == text
