"""From Strava's answers about profiles, statistics, gear and photos to what is published."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import Encoder, decode
from msgspec.structs import asdict, replace

from jitney.adapters.strava import normalise
from jitney.adapters.strava.kinds import AthleteData, GearState, PhotoAdded, PhotoData, StatsData, Totals
from jitney.adapters.strava.models import AthleteInfo, Gear, GearSummary, Photo, Stats
from jitney.adapters.strava.models import Totals as Sums
from tests.adapters.strava.oddities import any_of

MOST_BYTES = 128 * 1024
JSON = Encoder().encode


@given(any_of(AthleteInfo))
def test_no_athlete_is_too_odd(model: AthleteInfo) -> None:
    data = normalise.athlete(model)
    assert decode(JSON(data), type=AthleteData) == data
    for summary in (*(model.bikes or ()), *(model.shoes or ())):
        assert len(JSON(normalise.gear(summary))) < MOST_BYTES


@given(any_of(Stats))
def test_no_statistics_are_too_odd(model: Stats) -> None:
    data = normalise.stats(model)
    assert decode(JSON(data), type=StatsData) == data


@given(any_of(Gear) | any_of(GearSummary), st.none() | any_of(Gear))
def test_no_gear_is_too_odd(model: GearSummary, before: Gear | None) -> None:
    data = normalise.gear(model, None if before is None else normalise.gear(before))
    assert decode(JSON(data), type=GearState) == data
    assert len(JSON(data)) < MOST_BYTES


@given(st.lists(any_of(Photo), max_size=3))
def test_no_photo_is_too_odd(models: list[Photo]) -> None:
    for photo in normalise.photos(models, activity=1):
        assert decode(JSON(PhotoAdded(**asdict(photo))), type=PhotoAdded) == PhotoAdded(**asdict(photo))
        assert photo.url.startswith(("https://", "http://"))


def test_an_athlete_has_a_name_in_any_case() -> None:
    model = AthleteInfo(id=7, firstname="Alice", lastname="Example", username="ally", weight=61, ftp=210)
    assert normalise.athlete(model) == AthleteData(id=7, name="Alice Example", ftp=210.0, weight=61.0)
    assert normalise.athlete(replace(model, firstname=None, lastname="")).name == "ally"
    assert normalise.athlete(AthleteInfo(id=7)) == AthleteData(id=7)


def test_missing_sums_are_zero_and_missing_records_are_none() -> None:
    model = Stats(ytd_run_totals=Sums(count=3, distance=30_000.4, moving_time=9_000, elevation_gain=None))
    data = normalise.stats(model)
    assert data.year.run == Totals(count=3, distance=30_000.4, moving_time=9_000)
    assert (data.recent.ride, data.all.swim) == (Totals(), Totals())
    assert data.biggest_ride_distance is None
    assert normalise.stats(replace(model, biggest_climb_elevation_gain=0)).biggest_climb_elevation_gain == 0.0


def test_gear_keeps_what_only_its_own_page_tells() -> None:
    detail = Gear(id="b1", name="Canyon", brand_name="Canyon", model_name="Grail", distance=1_000, primary=True)
    before = normalise.gear(detail)
    assert before == GearState(
        id="b1", kind="bike", name="Canyon", brand="Canyon", model="Grail", distance=1_000.0, primary=True
    )
    now = normalise.gear(GearSummary(id="b1", name="Canyon", distance=1_100.5, primary=True), before)
    assert now == replace(before, distance=1_100.5)
    assert [normalise.gear(GearSummary(id=gear_id)).kind for gear_id in ("g1", "x1", "")] == ["shoe", "other", "other"]


def test_a_photo_has_its_largest_picture() -> None:
    model = Photo(
        unique_id="A-1",
        type=1,
        caption="on top",
        created_at="2026-11-21T06:00:00Z",
        urls={"100": "https://photos.example/1.jpg", "2048": "https://photos.example/2.jpg", "x": "https://y.example/"},
        sizes={"100": (100, 75), "2048": (2048, 1536.0)},
    )
    (photo,) = normalise.photos([model], activity=9)
    assert photo == PhotoData(
        unique_id="A-1",
        activity=9,
        url="https://photos.example/2.jpg",
        created="2026-11-21T06:00:00.000Z",
        caption="on top",
        width=2048,
        height=1536,
    )
    (video,) = normalise.photos([replace(model, type=2, sizes={"2048": (1,)})], activity=9)
    assert (video.video, video.width, video.height) == (True, 1, None)


def test_a_photo_that_is_still_processed_has_a_placeholder() -> None:
    waiting = "https://photos.example/assets/placeholder-photo@4x-13b0.png?x=1"
    (photo,) = normalise.photos([Photo(unique_id="A", urls={"1800": waiting})], activity=9)
    assert normalise.is_placeholder(photo.url)
    ready = {"1800": waiting, "100": "https://photos.example/placeholders/1.jpg"}
    (photo,) = normalise.photos([Photo(unique_id="A", urls=ready)], activity=9)
    assert photo.url == "https://photos.example/placeholders/1.jpg"
    assert not normalise.is_placeholder(photo.url)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//photos.example/1.jpg",
        "https://",
        "https:///1.jpg",
        'https://photos.example/"><script>',
        "https://photos.example/1 2.jpg",
        "https://photos.example/é.jpg",
        "https://photos.example/1.jpg\n",
        "https://photos.example/" + "x" * 1_000,
        "",
    ],
)
def test_what_is_no_address_is_no_photo(url: str) -> None:
    assert normalise.photos([Photo(unique_id="A", urls={"1": url}), Photo(unique_id="B")], activity=9) == ()
