"""What happens in the simulated household. Units are SI: metres, seconds, metres per second, degrees Celsius."""

from jitney.topics import EventData


class StateChanged(EventData, frozen=True):
    """A thing in the house has another state: a light or a door (true: on, open) or a temperature."""

    type = "demo.state_changed"
    value: bool | float
    previous: bool | float
    unit: str = ""


class RideStarted(EventData, frozen=True):
    """Somebody got on the bicycle."""

    type = "demo.ride_started"
    name: str


class RideFinished(EventData, frozen=True):
    """A ride is over."""

    type = "demo.ride_finished"
    name: str
    distance: float
    moving_time: float
    average_speed: float
    elevation_gain: float


class MessageReceived(EventData, frozen=True):
    """A radio heard a text."""

    type = "demo.message_received"
    private = True
    text: str
    sender: str


class MessageSent(EventData, frozen=True):
    """A radio sent a text, because it was commanded to."""

    type = "demo.message_sent"
    private = True
    text: str


class PositionReceived(EventData, frozen=True):
    """A radio told where it is; latitude and longitude in degrees, altitude in metres."""

    type = "demo.position_received"
    private = True
    latitude: float
    longitude: float
    altitude: float


class BatteryChanged(EventData, frozen=True):
    """A radio told its battery level in percent and its voltage in volts."""

    type = "demo.battery_changed"
    level: int
    voltage: float


KINDS = (
    StateChanged,
    RideStarted,
    RideFinished,
    MessageReceived,
    MessageSent,
    PositionReceived,
    BatteryChanged,
)
