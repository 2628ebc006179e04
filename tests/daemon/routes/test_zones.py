"""Time zones: the house's, whatever the machine goes by, and the machine's as its clocks change."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jitney.daemon.routes.document import Document
from jitney.daemon.routes.templates import compile_template
from jitney.daemon.routes.zones import MACHINE, zone
from tests.daemon.routes.making import event

BERLIN = ZoneInfo("Europe/Berlin")
AUTUMN = int(datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp())
"""When the clocks of Berlin go back from three to two."""
SPRING = int(datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp())


@pytest.fixture
def machine_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Return what puts this machine into another time zone, until the end of the test."""

    def put(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield put
    monkeypatch.undo()
    time.tzset()


@given(st.integers(0, 4_000_000_000), st.integers(0, 999_999))
@example(AUTUMN - 1, 0)
@example(AUTUMN, 1)
@example(AUTUMN + 3599, 0)
@example(SPRING - 1, 0)
@example(SPRING, 0)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_machines_zone_is_at_each_instant_what_its_name_says(
    machine_in: Callable[[str], None], seconds: int, micros: int
) -> None:
    machine_in("Europe/Berlin")
    instant = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
    ours, expected = instant.astimezone(MACHINE), instant.astimezone(BERLIN)
    assert (ours.replace(tzinfo=None), ours.fold) == (expected.replace(tzinfo=None), expected.fold)
    assert (ours.utcoffset(), ours.tzname()) == (expected.utcoffset(), expected.tzname())
    assert ours.astimezone(UTC) == instant


@pytest.mark.parametrize("fold", [0, 1])
@pytest.mark.parametrize("wall", ["2026-03-29T02:30", "2026-10-25T02:30", "2026-07-01T12:00", "2026-12-01T12:00"])
def test_a_wall_clock_of_the_machine_is_read_as_one_of_that_zone(
    machine_in: Callable[[str], None], wall: str, fold: int
) -> None:
    machine_in("Europe/Berlin")
    naive = datetime.fromisoformat(wall).replace(fold=fold)
    assert naive.replace(tzinfo=MACHINE).timestamp() == naive.replace(tzinfo=BERLIN).timestamp()


def test_the_machines_zone_is_no_offset_that_was_right_at_the_start(machine_in: Callable[[str], None]) -> None:
    machine_in("Europe/Berlin")
    house = zone("")
    offsets = [datetime.fromtimestamp(AUTUMN + hours * 3600, house).strftime("%H:%M %z") for hours in (-1, 0)]
    assert offsets == ["02:00 +0200", "02:00 +0100"]


def test_a_zone_is_known_by_its_name() -> None:
    assert zone("Europe/Berlin") is BERLIN


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Europe/Berln", "there is no time zone 'Europe/Berln': did you mean \"Europe/Berlin\"?"),
        ("Mars", "there is no time zone 'Mars': give one such as \"Europe/Berlin\""),
        ("Europe", "there is no time zone"),
        ("../../etc/passwd", "there is no time zone"),
        ("/etc/localtime", "there is no time zone"),
        ("Europe/Berlin\0", "there is no time zone"),
        (" ", "there is no time zone"),
        ("x" * 5000, "there is no time zone"),
        ("\udcff", "there is no time zone"),
    ],
)
def test_a_zone_that_is_not_known_is_told(name: str, says: str) -> None:
    with pytest.raises(ValueError, match="there is no time zone") as caught:
        zone(name)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 200


def filled_in(text: str, *, at: float, house: str) -> object:
    return compile_template(text).render(Document(event({"at": at}), now=at, zone=zone(house)))


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("{{ now().strftime('%H:%M') }}", "02:30", "02:30"),
        ("{{ now().isoformat() }}", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"),
        ("{{ now().hour }}", 2, 2),
        ("{{ data.at | timestamp_custom('%H:%M %Z') }}", "02:30 CEST", "02:30 CET"),
        ("{{ data.at | timestamp_custom('%H:%M', local=false) }}", "00:30", "01:30"),
        ("{{ data.at | timestamp_local }}", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"),
        ("{{ data.at | timestamp_utc }}", "2026-10-25T00:30:00+00:00", "2026-10-25T01:30:00+00:00"),
        ("{{ as_timestamp(now()) - data.at }}", 0.0, 0.0),
    ],
)
def test_templates_go_by_the_house_on_the_night_when_its_clocks_change(
    machine_in: Callable[[str], None], text: str, before: object, after: object
) -> None:
    machine_in("America/New_York")
    for at, expected in ((AUTUMN - 1800, before), (AUTUMN + 1800, after)):
        assert filled_in(text, at=at, house="Europe/Berlin") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ as_timestamp('2026-07-01T12:00:00') }}", "2026-07-01T10:00:00+00:00"),
        ("{{ '2026-12-01T12:00:00' | as_timestamp }}", "2026-12-01T11:00:00+00:00"),
        ("{{ '2026-12-01T12:00:00Z' | as_timestamp }}", "2026-12-01T12:00:00+00:00"),
        ("{{ '2026-12-01T12:00:00-05:00' | as_timestamp }}", "2026-12-01T17:00:00+00:00"),
    ],
)
def test_a_time_that_names_no_zone_is_one_of_the_house(
    machine_in: Callable[[str], None], text: str, expected: str
) -> None:
    machine_in("America/New_York")
    found = filled_in(text, at=0.0, house="Europe/Berlin")
    assert found == datetime.fromisoformat(expected).timestamp()


def test_one_template_serves_two_houses() -> None:
    template = compile_template("{{ 0 | timestamp_custom('%H:%M') }} {{ as_timestamp('1970-01-02T00:00:00') }}")
    found = [
        template.render(Document(event(), now=0.0, zone=zone(name)))
        for name in ("Europe/Berlin", "Asia/Kathmandu", "Europe/Berlin")
    ]
    assert found == ["01:00 82800.0", "05:30 66600.0", "01:00 82800.0"]
