"""What Home Assistant is shown of an owner: which devices there are, as what is retained of the owner has it."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

from jitney.adapters.entities import AnyEntity, At, BinarySensor, Device, Image, Sensor
from jitney.adapters.strava import sports
from jitney.adapters.strava.board import Shown
from jitney.adapters.strava.config import Show
from jitney.adapters.strava.entities_activity import of_activity
from jitney.adapters.strava.entities_athlete import SIGN_IN, of_athlete
from jitney.adapters.strava.entities_sums import of_statistics
from jitney.adapters.strava.kinds import ActivityData, GearState, WeekState
from jitney.adapters.strava.quantities import DISTANCES, NUMBER, sensor
from jitney.adapters.strava.sports import Sport

MANUFACTURER: Final = "Powered by Strava"
"""What Strava wants to be read wherever its data are shown (brand guidelines)."""

MOST_SPORTS: Final = 8
"""Latest activities of different sports, where the owner has named none."""

_ATHLETES: Final = "https://www.strava.com/athletes"
_GEAR: Final = "https://www.strava.com/settings/gear"
_LATEST: Final = "latest_"
_GEAR_ICONS: Final = {"bike": "mdi:bike", "shoe": "mdi:shoe-sneaker", "other": "mdi:bag-personal"}


class Done(Struct, frozen=True, gc=False):
    """What an activity that is shown was, and where a person can view it on Strava."""

    id: int
    sport_type: str
    url: str


class Used(Struct, frozen=True, gc=False):
    """A bike or a pair of shoes; ``field`` is that of its state which its owner knows it by."""

    name: str
    field: str
    kind: Literal["bike", "shoe", "other"]
    make: str


class Scene(Struct, frozen=True, kw_only=True):
    """What of an owner's states decides which devices there are; the numbers in them do not.

    ``athlete`` is 0 when nobody is connected. Activities and gear are by the subjects of their states.
    """

    athlete: int = 0
    recent: dict[str, Done | None] = {}
    latest: dict[str, Done | None] = {}
    gear: dict[str, Used] = {}
    groups: tuple[Sport, ...] = ()


NOBODY: Final = Scene()


def scene(shown: Iterable[Shown], show: Show, *, athlete: int) -> Scene:
    """Return what there is to see of a connected ``athlete`` in what is retained, as far as the owner wants it."""
    values = {one.subject: one.value for one in shown}
    activities = {subject: _done(value) for subject, value in values.items() if isinstance(value, ActivityData)}
    seen = {subject: done for subject, done in activities.items() if subject.startswith(_LATEST)}
    wanted = [f"{_LATEST}{sports.word(sport)}" for sport in show.sports] or list(seen)[:MOST_SPORTS]
    return Scene(
        athlete=athlete,
        recent={subject: activities.get(subject) for subject in (f"recent_{n}" for n in range(1, show.recent + 1))},
        latest={subject: seen.get(subject) for subject in sorted(wanted)},
        gear=_most_used(values, show.gear),
        groups=_groups(values.get("week"), seen.values()),
    )


def devices(scene: Scene, show: Show, *, name: str, places: bool) -> tuple[Device, ...]:
    """Return all devices of an owner; ``name`` begins that of each, and with ``places`` activities show their start.

    While nobody is connected there is one, and nothing of Strava's is in it.
    """
    if not scene.athlete:
        return (_device(name=name, model="Athlete", entities=(SIGN_IN,)),)
    page = f"{_ATHLETES}/{scene.athlete}"
    found = [_device(name=name, model="Athlete", url=page, entities=of_athlete(scene.groups))]
    for subject, done in scene.recent.items():
        entities = of_activity(subject, activity=done.id if done else 0, places=places)
        slot = subject.rpartition("_")[2]
        found.append(_activity(subject, done, name=f"{name} recent activity {slot}", page=page, entities=entities))
    for subject, done in scene.latest.items():
        word = subject.removeprefix(_LATEST)
        sport_type = _SPORT_TYPES.get(word) or (done.sport_type if done else sports.UNKNOWN)
        entities = of_activity(subject, sport_type, activity=done.id if done else 0, places=places)
        words = word.replace("_", " ")
        found.append(_activity(subject, done, name=f"{name} latest {words}", page=page, entities=entities))
    found += [
        _device(key=subject, name=f"{name} {used.name}", model=used.make, url=_GEAR, entities=_gear(subject, used))
        for subject, used in scene.gear.items()
    ]
    if show.statistics:
        entities = tuple(of_statistics())
        found.append(_device(key="stats", name=f"{name} statistics", model="Statistics", url=page, entities=entities))
    if show.photos:
        found.append(_device(key="photos", name=f"{name} photos", model="Photos", url=page, entities=tuple(_photos())))
    return tuple(found)


_SPORT_TYPES: Final = {sports.word(sport_type): sport_type for sport_type in sports.SPORTS}


def _device(**described: Any) -> Device:  # noqa: ANN401 - the fields of a device
    return Device(manufacturer=MANUFACTURER, private=True, **described)


def _activity(subject: str, done: Done | None, *, name: str, page: str, entities: tuple[AnyEntity, ...]) -> Device:
    return _device(key=subject, name=name, model="Activity", url=done.url if done else page, entities=entities)


def _done(activity: ActivityData) -> Done:
    return Done(activity.id, activity.sport_type, activity.url)


def _most_used(values: dict[str, Struct], most: int) -> dict[str, Used]:
    """Return the gear that was used most, what is retired last, in an order that does not change by using it."""
    found = [(subject, gear) for subject, gear in values.items() if isinstance(gear, GearState)]
    found.sort(key=lambda one: (bool(one[1].retired), -(one[1].distance or 0.0), one[0]))
    return {subject: _used(gear) for subject, gear in sorted(found[:most], key=lambda one: one[0])}


def _used(gear: GearState) -> Used:
    names = {"name": gear.name, "nickname": gear.nickname, "id": f"{gear.kind} {gear.id}"}
    field, name = next((field, name) for field, name in names.items() if name)
    return Used(name, field, gear.kind, " ".join(filter(None, (gear.brand, gear.model))))


def _groups(week: Struct | None, latest: Iterable[Done]) -> tuple[Sport, ...]:
    """Return the groups of sports that a week has or lately had."""
    found = {sports.group(done.sport_type) for done in latest}
    if isinstance(week, WeekState):
        found |= week.sports.keys()
    return tuple(group for group in get_args(Sport) if group in found)


def _gear(subject: str, used: Used) -> tuple[AnyEntity, ...]:
    icon = _GEAR_ICONS[used.kind]
    return (
        Sensor(key="gear", value=At(subject, used.field), icon=icon, attributes=At(subject)),
        sensor(DISTANCES, "distance", "Distance", At(subject, "distance"), state_class="total"),
        *(
            BinarySensor(key=key, name=key.capitalize(), value=At(subject, key), category="diagnostic", enabled=False)
            for key in ("primary", "retired")
        ),
    )


def _photos() -> Iterator[AnyEntity]:
    yield Image(key="photo", url=At("photo", "url"), attributes=At("photo"))
    yield Sensor(key="caption", name="Caption", value=At("photo", "caption"), icon="mdi:image-text")
    yield Sensor(
        key="taken", name="Taken", value=At("photo", "created"), device_class="timestamp", icon="mdi:calendar-clock"
    )
    number = sensor(NUMBER, "photos", "Photos", At("photos", "photos"), icon="mdi:image-multiple-outline")
    yield replace(number, expression="value | length")
