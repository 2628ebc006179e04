"""Payloads as the firmware reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meshtastic.protobuf import mesh_pb2, telemetry_pb2

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic import contents
from jitney.adapters.meshtastic.asked import SendPosition, SendWaypoint
from tests.adapters.meshtastic.sending import OWN, START


def read_waypoint(asked: SendWaypoint) -> mesh_pb2.Waypoint:
    return mesh_pb2.Waypoint.FromString(contents.waypoint(asked, id=7, own=OWN, unix=START))


def read_position(asked: SendPosition) -> mesh_pb2.Position:
    return mesh_pb2.Position.FromString(contents.position(asked, unix=START))


@pytest.mark.parametrize(
    ("kind", "variant"),
    [
        ("device", "device_metrics"),
        ("environment", "environment_metrics"),
        ("air_quality", "air_quality_metrics"),
        ("power", "power_metrics"),
        ("local_stats", "local_stats"),
        ("health", "health_metrics"),
        ("host", "host_metrics"),
    ],
)
def test_a_request_for_measurements_names_the_kind_and_tells_none(kind: str, variant: str) -> None:
    telemetry = telemetry_pb2.Telemetry.FromString(contents.telemetry_request(kind))
    assert telemetry.WhichOneof("variant") == variant
    assert getattr(telemetry, variant).ByteSize() == 0


def test_the_other_questions_tell_nothing() -> None:
    assert contents.traceroute() == b""
    assert contents.position_request() == b""


def test_a_position_on_the_equator_and_the_meridian_is_one() -> None:
    told = read_position(SendPosition(latitude=0.0, longitude=0.0, altitude=0))
    assert told.HasField("latitude_i")
    assert told.HasField("longitude_i")
    assert told.HasField("altitude")
    assert (told.time, told.precision_bits) == (int(START), 32)
    assert told.location_source == mesh_pb2.Position.LocSource.LOC_MANUAL


@given(st.floats(-90, 90), st.floats(-180, 180), st.integers(1, 32))
def test_a_position_is_sent_as_exactly_as_it_was_asked_for(latitude: float, longitude: float, bits: int) -> None:
    told = read_position(SendPosition(latitude=latitude, longitude=longitude, precision_bits=bits))
    most = 2 ** (32 - bits) / 1e7
    assert abs(told.latitude_i / 1e7 - latitude) <= most
    assert abs(told.longitude_i / 1e7 - longitude) <= most
    assert not told.HasField("altitude")
    if bits < 32:
        assert told.latitude_i % 2 ** (32 - bits) == 2 ** (31 - bits)


def test_a_waypoint_says_what_was_asked() -> None:
    asked = SendWaypoint(
        name="Spring", description="good water", latitude=47.5, longitude=-8.25, icon="⛲\ufe0f", hours=2, locked=True
    )
    assert read_waypoint(asked) == mesh_pb2.Waypoint(
        id=7,
        latitude_i=475_000_000,
        longitude_i=-82_500_000,
        expire=int(START) + 7200,
        locked_to=OWN,
        name="Spring",
        description="good water",
        icon=ord("⛲"),
    )


def test_a_waypoint_is_taken_back_by_one_that_has_expired() -> None:
    assert read_waypoint(SendWaypoint(id=7, delete=True)) == mesh_pb2.Waypoint(id=7, expire=1)


def test_a_waypoint_for_ever_does_not_run_over() -> None:
    asked = SendWaypoint(latitude=0.0, longitude=0.0, hours=87_600)
    late = mesh_pb2.Waypoint.FromString(contents.waypoint(asked, id=7, own=OWN, unix=2**32 - 5))
    assert late.expire == 2**32 - 1


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"latitude": 1.0}, "needs latitude and longitude"),
        ({"latitude": 1.0, "longitude": 1.0, "name": "ö" * 15}, "name: at most 29 bytes"),
        ({"latitude": 1.0, "longitude": 1.0, "description": "x" * 100}, "description: at most 99 bytes"),
        ({"latitude": 1.0, "longitude": 1.0, "icon": "ab"}, "icon: give one emoji"),
    ],
)
def test_a_waypoint_that_cannot_be_sent_says_why(fields: dict[str, object], says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        read_waypoint(SendWaypoint(**fields))
