"""What nodes measure, as sensors: one for each value that their states can have."""

from collections.abc import Container, Iterator, Mapping
from typing import Any, Final

from msgspec.structs import replace

from jitney.adapters.entities import At, Sensor

HEALTH: Final = "health."
"""Begins the paths of what is measured of a person."""

_RARE: Final[Mapping[str, Any]] = {"enabled": False}
_DIAGNOSTIC: Final[Mapping[str, Any]] = {"category": "diagnostic"}
_RARE_DIAGNOSTIC: Final[Mapping[str, Any]] = {**_DIAGNOSTIC, **_RARE}

_CHANNELS: Final = range(1, 9)
_WIRES: Final = range(1, 9)
_PARTICLES: Final = {"03": "0.3", "05": "0.5", "10": "1", "25": "2.5", "40": "4", "50": "5", "100": "10"}
_DUST: Final = {"pm10": ("PM1", "pm1"), "pm25": ("PM2.5", "pm25"), "pm100": ("PM10", "pm10")}


def sensors(subject: str, measured: Container[str]) -> Iterator[Sensor]:
    """Yield the sensors of what is measured, by paths in the state of a node."""
    for path, sensor in SENSORS.items():
        if path in measured:
            yield replace(sensor, value=At(subject, path))


def _sensor(path: str, name: str, **more: Any) -> tuple[str, Sensor]:  # noqa: ANN401 - the fields of Sensor
    fields = {"state_class": "measurement", "precision": 0, **more}
    return path, Sensor(key=path.replace(".", "_"), name=name, value=At("", path), **fields)


def _temperature(path: str, name: str, **more: Any) -> tuple[str, Sensor]:  # noqa: ANN401 - as in _sensor
    fields = {"unit": "°C", "shown_as": ("°C", "°F"), "device_class": "temperature", "precision": 1, **more}
    return _sensor(path, name, **fields)


def _humidity(path: str, name: str, **more: Any) -> tuple[str, Sensor]:  # noqa: ANN401 - as in _sensor
    return _sensor(path, name, unit="%", device_class="humidity", **more)


def _wind(path: str, name: str, **more: Any) -> tuple[str, Sensor]:  # noqa: ANN401 - as in _sensor
    fields = {"unit": "m/s", "shown_as": ("km/h", "mph"), "device_class": "wind_speed", "precision": 1, **more}
    return _sensor(path, name, **fields)


def _rain(path: str, name: str) -> tuple[str, Sensor]:
    return _sensor(path, name, unit="mm", shown_as=("mm", "in"), device_class="precipitation", precision=1)


def _light(path: str, name: str, **more: Any) -> tuple[str, Sensor]:  # noqa: ANN401 - as in _sensor
    return _sensor(path, name, unit="lx", device_class="illuminance", **more)


def _volts(path: str, name: str, **more: Any) -> tuple[str, Sensor]:  # noqa: ANN401 - as in _sensor
    return _sensor(path, name, unit="V", device_class="voltage", precision=2, **more)


def _current(path: str, name: str) -> tuple[str, Sensor]:
    return _sensor(path, name, unit="mA", device_class="current", precision=1)


def _device() -> Iterator[tuple[str, Sensor]]:
    yield _sensor("battery_level", "Battery", unit="%", device_class="battery", **_DIAGNOSTIC)
    yield _volts("voltage", "Voltage", **_DIAGNOSTIC)
    percent = {"unit": "%", "precision": 1, **_RARE_DIAGNOSTIC}
    yield _sensor("channel_utilization", "Channel in use", icon="mdi:access-point-network", **percent)
    yield _sensor("air_util_tx", "Airtime used for sending", icon="mdi:radio-tower", **percent)
    days = {"unit": "s", "shown_as": ("d", "d"), "device_class": "duration", "precision": 1}
    yield _sensor("uptime", "Uptime", **days, **_DIAGNOSTIC)


def _environment() -> Iterator[tuple[str, Sensor]]:
    yield _temperature("environment.temperature", "Temperature")
    yield _humidity("environment.relative_humidity", "Humidity")
    pressure = {"unit": "hPa", "shown_as": ("hPa", "inHg"), "device_class": "atmospheric_pressure", "precision": 1}
    yield _sensor("environment.barometric_pressure", "Air pressure", **pressure)
    yield _sensor("environment.gas_resistance", "Gas resistance", unit="MΩ", precision=2, icon="mdi:molecule")
    yield _sensor("environment.iaq", "Indoor air quality", device_class="aqi")
    yield _light("environment.lux", "Light")
    yield _light("environment.white_lux", "White light", **_RARE)
    yield _light("environment.ir_lux", "Infrared light", **_RARE)
    yield _light("environment.uv_lux", "Ultraviolet light", **_RARE)
    yield _wind("environment.wind_speed", "Wind")
    yield _wind("environment.wind_gust", "Wind gust")
    yield _wind("environment.wind_lull", "Wind lull", **_RARE)
    # A mean of directions says nothing, so these make no statistics.
    yield _sensor("environment.wind_direction", "Wind direction", unit="°", state_class="", icon="mdi:compass")
    yield _rain("environment.rainfall_1h", "Rain in an hour")
    yield _rain("environment.rainfall_24h", "Rain in a day")
    yield _sensor("environment.soil_moisture", "Soil moisture", unit="%", device_class="moisture")
    yield _temperature("environment.soil_temperature", "Soil temperature")
    for wire in _WIRES:
        yield _temperature(f"environment.one_wire_temperature_{wire}", f"Temperature {wire}")
    size = {"unit": "mm", "shown_as": ("cm", "in"), "device_class": "distance", "precision": 1}
    yield _sensor("environment.distance", "Distance", **size)
    weight = {"unit": "kg", "shown_as": ("kg", "lb"), "device_class": "weight", "precision": 2}
    yield _sensor("environment.weight", "Weight", **weight)
    yield _sensor("environment.radiation", "Radiation", unit="µR/h", precision=1, icon="mdi:radioactive")
    yield _volts("environment.voltage", "Measured voltage")
    yield _current("environment.current", "Measured current")


def _air_quality() -> Iterator[tuple[str, Sensor]]:
    for field, (name, device_class) in _DUST.items():
        dust = {"unit": "µg/m³", "device_class": device_class}
        yield _sensor(f"air_quality.{field}_standard", name, **dust)
        yield _sensor(f"air_quality.{field}_environmental", f"{name} (environmental)", **dust, **_RARE)
    yield _sensor("air_quality.pm40_standard", "PM4", unit="µg/m³", icon="mdi:blur")
    for field, size in _PARTICLES.items():
        fields = {"unit": "1/dL", "icon": "mdi:blur", **_RARE}
        yield _sensor(f"air_quality.particles_{field}um", f"Particles over {size} µm", **fields)
    yield _sensor("air_quality.particles_tps", "Typical particle", unit="µm", precision=1, icon="mdi:blur", **_RARE)
    yield _sensor("air_quality.co2", "CO₂", unit="ppm", device_class="carbon_dioxide")
    yield _sensor("air_quality.form_formaldehyde", "Formaldehyde", unit="ppb", precision=1, icon="mdi:molecule")
    yield _sensor("air_quality.pm_voc_idx", "VOC index", icon="mdi:molecule")
    yield _sensor("air_quality.pm_nox_idx", "NOx index", icon="mdi:molecule")
    for field, name in {"co2": "CO₂ sensor", "form": "formaldehyde sensor", "pm": "dust sensor"}.items():
        yield _temperature(f"air_quality.{field}_temperature", f"Temperature at the {name}", **_RARE)
        yield _humidity(f"air_quality.{field}_humidity", f"Humidity at the {name}", **_RARE)


def _power() -> Iterator[tuple[str, Sensor]]:
    for channel in _CHANNELS:
        yield _volts(f"power.ch{channel}_voltage", f"Voltage of channel {channel}")
        yield _current(f"power.ch{channel}_current", f"Current of channel {channel}")


def _health() -> Iterator[tuple[str, Sensor]]:
    yield _sensor(f"{HEALTH}heart_bpm", "Heart rate", unit="bpm", icon="mdi:heart-pulse")
    yield _sensor(f"{HEALTH}sp_o2", "Blood oxygen", unit="%", icon="mdi:water-percent")
    yield _temperature(f"{HEALTH}temperature", "Body temperature")


def _host() -> Iterator[tuple[str, Sensor]]:
    size = {"unit": "B", "device_class": "data_size", **_RARE_DIAGNOSTIC}
    yield _sensor("host.freemem_bytes", "Free memory", **size)
    for number in (1, 2, 3):
        yield _sensor(f"host.diskfree{number}_bytes", f"Free on disk {number}", **size)
    load = {"expression": "value / 100", "precision": 2, "icon": "mdi:gauge", **_RARE_DIAGNOSTIC}
    for minutes in (1, 5, 15):
        yield _sensor(f"host.load{minutes}", f"Load ({minutes} min)", **load)


SENSORS: Final[Mapping[str, Sensor]] = dict(
    (*_device(), *_environment(), *_air_quality(), *_power(), *_health(), *_host())
)
"""All that is shown, by its path in the state of a node; ``value`` has no subject yet."""
