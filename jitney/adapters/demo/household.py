"""The simulation: what happens to one owner, one thing after another, the same for the same seed."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

from msgspec import Struct

from jitney.adapters.demo.kinds import (
    BatteryChanged,
    MessageReceived,
    MessageSent,
    PositionReceived,
    RideFinished,
    RideStarted,
    StateChanged,
)
from jitney.topics import EventData

LIGHTS: Final = ("light.desk", "light.hall", "light.kitchen")
DOORS: Final = ("door.front", "door.garden")
TEMPERATURES: Final = ("temperature.bedroom", "temperature.kitchen")
RIDE: Final = "ride"
RADIO: Final = "radio"

_RIDES: Final = ("Morning ride", "Along the river", "Over the hill", "To the bakery", "Evening loop")
_TEXTS: Final = (
    "Back in ten minutes",
    "Anybody on the ridge?",
    "Rain is coming from the west",
    "The ferry is late",
    "Good signal up here",
    "Dinner at seven",
)
_FRIENDS: Final = ("base", "hilltop", "ferry")
_COMFORTABLE: Final = 20.5
_LOW_BATTERY: Final = 15


class Happening(Struct, frozen=True):
    """Something that happened to a subject, and the state it is in since then (None: as before)."""

    subject: str
    data: EventData
    state: Mapping[str, Any] | None = None


class Household:
    """The things of one owner."""

    def __init__(self, owner: str, seed: int) -> None:
        self._random = Random(f"{seed}/{owner}")  # noqa: S311 - a simulation that has to be repeatable
        self._on = dict.fromkeys((*LIGHTS, *DOORS), False)
        self._celsius = {subject: round(self._random.uniform(18, 22), 1) for subject in TEMPERATURES}
        self._riding = ""
        self._latitude = self._random.uniform(46, 54)
        self._longitude = self._random.uniform(6, 14)
        self._battery = self._random.randint(60, 100)
        self._deck: list[Callable[[], Happening]] = []

    def states(self) -> dict[str, Mapping[str, Any]]:
        """Return the state of every subject there is."""
        on_off = {subject: {"value": on} for subject, on in self._on.items()}
        celsius = {subject: {"value": value, "unit": "°C"} for subject, value in self._celsius.items()}
        return {**on_off, **celsius, RIDE: self._ride_state(), RADIO: self._radio_state()}

    def step(self) -> Happening:
        """Let the next thing happen; in each round everything happens at least once, in another order."""
        if not self._deck:
            self._deck = [self._light, self._light, self._temperature, self._temperature, self._door]
            self._deck += [self._ride, self._text, self._text, self._position, self._drain]
            self._random.shuffle(self._deck)
        return self._deck.pop()()

    def switch(self, subject: str, *, on: bool) -> Happening:
        """Switch a light; raises KeyError when there is no such light."""
        if subject not in LIGHTS:
            raise KeyError(subject)
        return self._turn(subject, on=on)

    def say(self, text: str) -> Happening:
        """Send a text by radio."""
        return Happening(RADIO, MessageSent(text))

    def hear(self, text: str, *, sender: str) -> Happening:
        """Receive a text by radio."""
        return Happening(RADIO, MessageReceived(text, sender))

    def _light(self) -> Happening:
        subject = self._random.choice(LIGHTS)
        return self._turn(subject, on=not self._on[subject])

    def _door(self) -> Happening:
        subject = self._random.choice(DOORS)
        return self._turn(subject, on=not self._on[subject])

    def _turn(self, subject: str, *, on: bool) -> Happening:
        previous, self._on[subject] = self._on[subject], on
        return Happening(subject, StateChanged(on, previous), {"value": on})

    def _temperature(self) -> Happening:
        subject = self._random.choice(TEMPERATURES)
        previous = self._celsius[subject]
        step = self._random.choice((0.1, 0.2, 0.3))
        value = round(previous + (step if self._random.random() < self._pull(previous) else -step), 1)
        self._celsius[subject] = value
        return Happening(subject, StateChanged(value, previous, "°C"), {"value": value, "unit": "°C"})

    def _pull(self, celsius: float) -> float:
        """Return how likely it gets warmer: the colder, the likelier."""
        return min(0.95, max(0.05, 0.5 + (_COMFORTABLE - celsius) / 4))

    def _ride(self) -> Happening:
        if not self._riding:
            self._riding = self._random.choice(_RIDES)
            return Happening(RIDE, RideStarted(self._riding), self._ride_state())
        name, self._riding = self._riding, ""
        distance = self._random.uniform(8_000, 90_000)
        speed = self._random.uniform(5.5, 8.5)
        finished = RideFinished(
            name=name,
            distance=round(distance, 1),
            moving_time=round(distance / speed),
            average_speed=round(speed, 2),
            elevation_gain=round(distance * self._random.uniform(0.003, 0.015)),
        )
        return Happening(RIDE, finished, self._ride_state())

    def _text(self) -> Happening:
        return self.hear(self._random.choice(_TEXTS), sender=self._random.choice(_FRIENDS))

    def _position(self) -> Happening:
        self._latitude += self._random.uniform(-0.002, 0.002)
        self._longitude += self._random.uniform(-0.003, 0.003)
        altitude = round(self._random.uniform(80, 320))
        latitude, longitude = round(self._latitude, 5), round(self._longitude, 5)
        return Happening(RADIO, PositionReceived(latitude, longitude, altitude), self._radio_state())

    def _drain(self) -> Happening:
        self._battery = 100 if self._battery < _LOW_BATTERY else self._battery - self._random.randint(1, 4)
        data = BatteryChanged(self._battery, round(3.3 + self._battery * 0.009, 2))
        return Happening(RADIO, data, self._radio_state())

    def _ride_state(self) -> Mapping[str, Any]:
        return {"riding": bool(self._riding), "name": self._riding}

    def _radio_state(self) -> Mapping[str, Any]:
        return {
            "latitude": round(self._latitude, 5),
            "longitude": round(self._longitude, 5),
            "battery": self._battery,
        }
