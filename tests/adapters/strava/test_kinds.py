"""The events: typed, described, for their owner alone, and without what nobody told."""

import msgspec
import pytest
from hypothesis import given
from msgspec import Struct
from msgspec.structs import asdict

from jitney.adapters.strava import kinds, normalise
from jitney.adapters.strava.config import Privacy
from jitney.adapters.strava.kinds import KINDS, ActivityCreated, ActivityData, ActivityUpdated, PhotoAdded, PhotoData
from jitney.adapters.strava.models import Activity
from jitney.topics import EventData, Kinds, event
from tests.adapters.strava.oddities import any_of

RIDE = ActivityData(id=1, sport_type="Ride", sport="ride", distance=0.0, trainer=False, url="https://x.example/1")
STRUCTS = [
    kind
    for kind in vars(kinds).values()
    if isinstance(kind, type) and issubclass(kind, Struct) and kind.__module__ == kinds.__name__
]


def test_there_is_an_event_for_everything_that_happens() -> None:
    assert Kinds(KINDS).types() == [
        "strava.activity.created",
        "strava.activity.deleted",
        "strava.activity.updated",
        "strava.athlete.deauthorised",
        "strava.athlete.updated",
        "strava.photo.added",
        "strava.stats.updated",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_is_never_shared_by_a_wildcard(kind: type[EventData]) -> None:
    assert kind.private is True
    assert "private" not in kind.__struct_fields__


@pytest.mark.parametrize("kind", STRUCTS)
def test_everything_is_described_and_has_a_schema(kind: type[Struct]) -> None:
    schema = msgspec.json.schema(kind)
    description = schema["$defs"][kind.__name__]["description"]
    assert len(description) > 10
    assert description.endswith(".")


def test_the_schema_names_the_units() -> None:
    properties = msgspec.json.schema(ActivityCreated)["$defs"]["ActivityCreated"]["properties"]
    assert properties["distance"]["anyOf"][0]["description"] == "metres"
    assert properties["average_speed"]["anyOf"][0]["description"] == "metres per second"
    assert properties["energy"]["anyOf"][0]["description"] == "kilojoules"
    assert properties["temperature"]["anyOf"][0]["description"] == "degrees Celsius"


def test_what_was_not_told_is_left_out_and_zero_and_false_are_there() -> None:
    assert msgspec.to_builtins(RIDE) == {
        "id": 1,
        "sport_type": "Ride",
        "sport": "ride",
        "distance": 0.0,
        "trainer": False,
        "url": "https://x.example/1",
    }


def test_the_fields_of_an_activity_are_those_of_its_event() -> None:
    created = ActivityCreated(**asdict(RIDE))
    assert msgspec.to_builtins(created) == msgspec.to_builtins(RIDE)
    updated = ActivityUpdated(**asdict(RIDE), changed=("name",))
    assert msgspec.to_builtins(updated) == {**msgspec.to_builtins(RIDE), "changed": ("name",)}
    photo = PhotoData(unique_id="a", activity=1, url="https://x.example/a.jpg")
    assert msgspec.to_builtins(PhotoAdded(**asdict(photo))) == msgspec.to_builtins(photo)


@given(any_of(Activity))
def test_the_data_of_an_event_is_read_back_as_it_was(model: Activity) -> None:
    data = ActivityUpdated(**asdict(normalise.activity(model, privacy=Privacy())), changed=("name",))
    assert Kinds(KINDS).data(event(data, adapter="strava", owner="alice")) == data
