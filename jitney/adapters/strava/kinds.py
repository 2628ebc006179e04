"""The events of Strava and the retained states, as they are published.

Units are SI: metres, seconds, metres per second, watts, kilojoules, degrees Celsius. What Strava did not tell is left
out; what it told is there, also 0 and false. Texts come from people and from Strava as they are.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from jitney.adapters.strava.sports import Sport
from jitney.topics import EventData

Metres = Annotated[float, Meta(description="metres")]
Seconds = Annotated[int, Meta(description="seconds")]
MetresPerSecond = Annotated[float, Meta(description="metres per second")]
SecondsPerKilometre = Annotated[float, Meta(description="seconds per kilometre")]
BeatsPerMinute = Annotated[float, Meta(description="heart beats per minute")]
Watts = Annotated[float, Meta(description="watts")]
Kilojoules = Annotated[float, Meta(description="kilojoules")]
Kilocalories = Annotated[float, Meta(description="kilocalories")]
PerMinute = Annotated[float, Meta(description="on foot steps of both legs, else revolutions, per minute")]
Celsius = Annotated[float, Meta(description="degrees Celsius")]
Degrees = Annotated[float, Meta(description="degrees, WGS 84")]
Kilograms = Annotated[float, Meta(description="kilograms")]
Instant = Annotated[str, Meta(description="RFC 3339, UTC")]
LocalTime = Annotated[str, Meta(description="date and time of day where it happened, without a zone")]
Day = Annotated[str, Meta(description="a date, like 2026-11-21")]


class Position(Struct, frozen=True, gc=False):
    """A place on earth."""

    latitude: Degrees
    longitude: Degrees


class UsedGear(Struct, frozen=True, omit_defaults=True, gc=False):
    """What an activity was done with: a bike's id begins with b, that of shoes with g."""

    id: str
    name: str | None = None


class ActivityData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One activity of an athlete."""

    id: int
    name: str | None = None
    description: str | None = None
    sport_type: str
    """As Strava names it, also one that is not known here; ``Other`` when it names none."""
    sport: Sport
    """The group that ``sport_type`` belongs to."""
    start: Instant | None = None
    start_local: LocalTime | None = None
    start_hidden: bool = False
    """The athlete hides the time of day: the start is given as one second past midnight."""
    timezone: str | None = None
    """The zone of the start in the IANA database, like Europe/Oslo."""
    utc_offset: Seconds | None = None
    """What local time was ahead of UTC at the start."""
    distance: Metres | None = None
    moving_time: Seconds | None = None
    elapsed_time: Seconds | None = None
    """With the pauses."""
    elevation_gain: Metres | None = None
    elevation_high: Metres | None = None
    elevation_low: Metres | None = None
    average_speed: MetresPerSecond | None = None
    max_speed: MetresPerSecond | None = None
    pace: SecondsPerKilometre | None = None
    """The moving time for each kilometre; not there without a distance."""
    average_heart_rate: BeatsPerMinute | None = None
    max_heart_rate: BeatsPerMinute | None = None
    average_power: Watts | None = None
    weighted_power: Watts | None = None
    """Strava's weighted average."""
    max_power: Watts | None = None
    energy: Kilojoules | None = None
    """The work done, as the power meter or Strava's estimate has it."""
    calories: Kilocalories | None = None
    cadence: PerMinute | None = None
    temperature: Celsius | None = None
    suffer_score: float | None = None
    """Strava's relative effort."""
    kudos: int | None = None
    comments: int | None = None
    achievements: int | None = None
    personal_records: int | None = None
    pr_segments: int | None = None
    """Segments on which the athlete was among their own three best."""
    kom_segments: int | None = None
    """Segments on which the athlete was among the ten best of all."""
    athletes: int | None = None
    """How many took part."""
    photos: int | None = None
    gear: UsedGear | None = None
    device: str | None = None
    trainer: bool | None = None
    """Done indoors on a machine."""
    commute: bool | None = None
    manual: bool | None = None
    """Entered by hand."""
    only_me: bool | None = None
    """Only the athlete sees it at Strava."""
    visibility: str | None = None
    """``everyone``, ``followers_only`` or ``only_me``."""
    hide_from_home: bool | None = None
    """Not shown in the feed of others."""
    flagged: bool | None = None
    start_position: Position | None = None
    end_position: Position | None = None
    polyline: str | None = None
    """The simplified route in the encoded polyline format."""
    url: str
    """The activity's page at Strava."""
    cut: tuple[str, ...] = ()
    """The fields that were shortened, or left out, because they were too long."""


class ActivityCreated(ActivityData, EventData, frozen=True, kw_only=True, omit_defaults=True):
    """An activity was recorded, or one that could not be seen before appeared; the subject is ``activity/{id}``."""

    type: ClassVar[str] = "strava.activity.created"
    private: ClassVar[bool] = True


class ActivityUpdated(ActivityData, EventData, frozen=True, kw_only=True, omit_defaults=True):
    """An activity was edited; the subject is ``activity/{id}``. It is here as it is now."""

    type: ClassVar[str] = "strava.activity.updated"
    private: ClassVar[bool] = True

    changed: tuple[str, ...] = ()
    """The fields that were edited."""


class ActivityDeleted(EventData, frozen=True, kw_only=True, omit_defaults=True):
    """An activity is gone or can no longer be seen; the subject is ``activity/{id}``. The rest is what was known."""

    type: ClassVar[str] = "strava.activity.deleted"
    private: ClassVar[bool] = True

    id: int
    sport_type: str | None = None
    sport: Sport | None = None
    start: Instant | None = None


class AthleteData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who the athlete is, as far as the granted scopes tell."""

    id: int
    name: str | None = None
    measurement_preference: str | None = None
    """``meters`` or ``feet``: what the athlete reads, not what is written here."""
    ftp: Watts | None = None
    """The power that can be held for an hour."""
    weight: Kilograms | None = None


class AthleteUpdated(AthleteData, EventData, frozen=True, kw_only=True, omit_defaults=True):
    """The athlete's profile is another one; the subject is ``athlete/{id}``."""

    type: ClassVar[str] = "strava.athlete.updated"
    private: ClassVar[bool] = True

    changed: tuple[str, ...] = ()
    """The fields that are new."""


class AthleteDeauthorised(EventData, frozen=True, kw_only=True):
    """The athlete's permission ended, and with it everything that was kept; the subject is ``athlete/{id}``.

    ``by``: ``athlete`` ended it at Strava, ``owner`` disconnected here.
    """

    type: ClassVar[str] = "strava.athlete.deauthorised"
    private: ClassVar[bool] = True

    id: int
    by: Literal["athlete", "owner"]


class Totals(Struct, frozen=True, kw_only=True, gc=False):
    """Sums over several activities."""

    count: int = 0
    distance: Metres = 0.0
    moving_time: Seconds = 0
    elapsed_time: Seconds = 0
    elevation_gain: Metres = 0.0


class Period(Struct, frozen=True, kw_only=True):
    """The sums of a period for the three sports that Strava has statistics of."""

    ride: Totals = Totals()
    run: Totals = Totals()
    swim: Totals = Totals()


class StatsData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Strava's own statistics: only of what everyone can see. The subject of the state is ``stats``."""

    recent: Period
    """The last four weeks."""
    year: Period
    """This calendar year."""
    all: Period
    biggest_ride_distance: Metres | None = None
    biggest_climb_elevation_gain: Metres | None = None


class StatsUpdated(StatsData, EventData, frozen=True, kw_only=True, omit_defaults=True):
    """Strava's statistics are others than before; the subject is ``stats``."""

    type: ClassVar[str] = "strava.stats.updated"
    private: ClassVar[bool] = True


class PhotoData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A photo of an activity. Its address needs no sign-in and may change: ``unique_id`` is what it is known by.

    The subject of the one whose turn it is, where photos are shown one after the other, is ``photo``.
    """

    unique_id: str
    activity: int
    url: str
    created: Instant | None = None
    caption: str | None = None
    video: bool = False
    """It is a video, and ``url`` a picture of it."""
    width: int | None = None
    """Pixels, as is ``height``."""
    height: int | None = None
    file: str | None = None
    """Its name in the owner's folder, once it has been downloaded."""


class PhotoAdded(PhotoData, EventData, frozen=True, kw_only=True, omit_defaults=True):
    """A photo was added to an activity; the subject is ``activity/{id}``."""

    type: ClassVar[str] = "strava.photo.added"
    private: ClassVar[bool] = True


KINDS: tuple[type[EventData], ...] = (
    ActivityCreated,
    ActivityUpdated,
    ActivityDeleted,
    AthleteUpdated,
    AthleteDeauthorised,
    StatsUpdated,
    PhotoAdded,
)


class AthleteState(AthleteData, frozen=True, kw_only=True, omit_defaults=True):
    """Who is connected, and what was granted. The subject is ``athlete``."""

    scopes: tuple[str, ...] = ()
    """As Strava names them."""
    connected: Instant | None = None
    """Since when."""


class WeekState(Struct, frozen=True, kw_only=True):
    """The sums of this week by the local start of each activity. The subject is ``week``."""

    first: Day
    """The Monday."""
    last: Day
    """The Sunday."""
    total: Totals
    sports: dict[Sport, Totals]
    """By group: ride, run and swim always, the others when there was one."""


class GearState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A bike or a pair of shoes. The subject is ``gear_{id}``."""

    id: str
    kind: Literal["bike", "shoe", "other"]
    name: str | None = None
    nickname: str | None = None
    brand: str | None = None
    model: str | None = None
    description: str | None = None
    distance: Metres | None = None
    """What was done with it until now."""
    primary: bool | None = None
    retired: bool | None = None


class PhotosState(Struct, frozen=True, kw_only=True):
    """The newest photos, newest first. The subject is ``photos``."""

    photos: tuple[PhotoData, ...]


class Window(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The calls of an app in one window of Strava's limits."""

    limit: int
    used: int
    left: int
    resets: Instant | None = None


class QuotaState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many calls are left to the app, which all its athletes share. The subject is ``quota``."""

    quarter: Window
    """The quarter of an hour that the clock is in."""
    day: Window
    """The day of UTC."""
    blocked_until: Instant | None = None
    """Strava refused a call, and none is made before."""


class SubscriptionState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How news come from Strava. The subject is ``subscription``."""

    mode: Literal["webhook", "poll"]
    state: str
    """``active`` when Strava tells what happens; ``off`` when it is asked instead; else what is wrong."""
    reason: str | None = None
    last_event: Instant | None = None
    """When the last news came."""
