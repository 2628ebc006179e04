"""What Home Assistant is shown of an athlete: who it is, what happens, and how news come."""

from collections.abc import Iterable, Iterator
from typing import Final, get_args

from jitney.adapters.entities import AnyEntity, At, BinarySensor, Button, EventEntity, OfStatus, Sensor
from jitney.adapters.strava import subscription
from jitney.adapters.strava.entities_sums import of_week
from jitney.adapters.strava.kinds import KINDS, ActivityCreated, ActivityDeleted, ActivityUpdated, PhotoAdded
from jitney.adapters.strava.quantities import NUMBER, POWER, WEIGHT, sensor
from jitney.adapters.strava.sports import Sport
from jitney.topics import EventData

SIGN_IN: Final = BinarySensor(
    key="sign_in",
    name="Sign-in needed",
    value=OfStatus("state"),
    on=("reauth",),
    device_class="problem",
    attributes=OfStatus(""),
    category="diagnostic",
    needs="bus",
)
"""Whether the permission at Strava has ended; the reason is beside it."""

_OF_ACTIVITIES: Final[tuple[type[EventData], ...]] = (ActivityCreated, ActivityUpdated, ActivityDeleted, PhotoAdded)


def of_athlete(groups: Iterable[Sport]) -> tuple[AnyEntity, ...]:
    """Return the entities of a connected athlete, with this week's sums of these ``groups`` of sports."""
    return (*_who(), *_happens(), *of_week(groups), SIGN_IN, *_service())


def _who() -> Iterator[AnyEntity]:
    name = At("athlete", "name")
    yield Sensor(key="athlete", name="Athlete", value=name, icon="mdi:account", attributes=At("athlete"))
    yield sensor(WEIGHT, "weight", "Weight", At("athlete", "weight"))
    yield sensor(POWER, "ftp", "Functional threshold power", At("athlete", "ftp"))


def _happens() -> Iterator[AnyEntity]:
    yield Sensor(key="last_activity", name="Last activity", value=At("recent_1", "name"), icon="mdi:medal")
    yield EventEntity(key="activity", name="Activity", kinds=_words(_OF_ACTIVITIES), icon="mdi:bell-outline")
    yield EventEntity(
        key="account",
        name="Account",
        kinds=_words(kind for kind in KINDS if kind not in _OF_ACTIVITIES),
        icon="mdi:account-sync",
        category="diagnostic",
        enabled=False,
    )
    yield Button(key="refresh", name="Refresh", command="refresh", icon="mdi:refresh")


def _service() -> Iterator[AnyEntity]:
    """Yield how news come from Strava, and how many calls are left."""
    yield Sensor(
        key="subscription",
        name="Webhooks",
        value=At("subscription", "state"),
        device_class="enum",
        options=get_args(subscription.State),
        icon="mdi:webhook",
        attributes=At("subscription"),
        category="diagnostic",
    )
    yield Sensor(
        key="last_news",
        name="Last news",
        value=At("subscription", "last_event"),
        device_class="timestamp",
        icon="mdi:clock-outline",
        category="diagnostic",
    )
    for window, name in (("quarter", "Calls left this quarter of an hour"), ("day", "Calls left today")):
        yield Sensor(
            key=f"calls_left_{window}",
            name=name,
            value=At("quota", f"{window}.left"),
            icon=NUMBER.icon,
            precision=0,
            state_class="measurement",
            attributes=At("quota", window),
            category="diagnostic",
        )
    yield Sensor(
        key="calls_blocked_until",
        name="No calls until",
        value=At("quota", "blocked_until"),
        device_class="timestamp",
        icon="mdi:clock-alert-outline",
        category="diagnostic",
        enabled=False,
    )


def _words(kinds: Iterable[type[EventData]]) -> tuple[str, ...]:
    """Return the kinds of events without the word for the type of adapter."""
    return tuple(kind.type.partition(".")[2] for kind in kinds)
