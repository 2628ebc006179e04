"""The classes of sensors in Home Assistant with the units and state classes that each can have.

Classes are those that all of 2024.11, 2026.2 and 2026.11 know, units and state classes those that both 2026.2 and
2026.11 take. Source: https://developers.home-assistant.io/docs/core/entity/sensor
"""

from collections.abc import Mapping
from typing import Final

NOT_NUMBERS: Final = frozenset({"date", "enum", "timestamp"})
"""Classes of values that are no numbers and so have neither unit nor state class."""

STATE_CLASSES: Final = frozenset({"measurement", "total", "total_increasing"})

_UNITS: Final = """\
apparent_power: VA | kVA | mVA
aqi: -
atmospheric_pressure: Pa | bar | cbar | hPa | inHg | inH₂O | kPa | mPa | mbar | mmHg | psi
battery: %
carbon_dioxide: ppm
carbon_monoxide: mg/m³ | ppb | ppm | µg/m³
conductivity: S/cm | mS/cm | µS/cm
current: A | mA
data_rate: B/s | GB/s | Gbit/s | GiB/s | KiB/s | MB/s | Mbit/s | MiB/s | bit/s | kB/s | kbit/s
data_size: B | EB | EiB | GB | Gbit | GiB | KiB | MB | Mbit | MiB | PB | PiB | TB | TiB | bit | kB | kbit
distance: cm | ft | in | km | m | mi | mm | nmi | yd
duration: d | h | min | ms | s | µs
energy: GJ | GWh | Gcal | J | MJ | MWh | Mcal | TWh | Wh | cal | kJ | kWh | kcal | mWh
energy_storage: GJ | GWh | Gcal | J | MJ | MWh | Mcal | TWh | Wh | cal | kJ | kWh | kcal | mWh
frequency: GHz | Hz | MHz | kHz
gas: CCF | L | MCF | ft³ | m³
humidity: %
illuminance: lx
irradiance: BTU/(h⋅ft²) | W/m²
moisture: %
nitrogen_dioxide: ppb | µg/m³
nitrogen_monoxide: ppb | µg/m³
nitrous_oxide: µg/m³
ozone: ppb | µg/m³
ph: -
pm1: µg/m³
pm10: µg/m³
pm25: µg/m³
power: GW | MW | TW | W | kW | mW
power_factor: - | %
precipitation: cm | in | mm
precipitation_intensity: in/d | in/h | mm/d | mm/h
pressure: Pa | bar | cbar | hPa | inHg | inH₂O | kPa | mPa | mbar | mmHg | psi
reactive_power: kvar | mvar | var
signal_strength: dB | dBm
sound_pressure: dB | dBA
speed: Beaufort | ft/s | in/d | in/h | in/s | km/h | kn | m/min | m/s | mm/d | mm/h | mm/s | mph
sulphur_dioxide: ppb | µg/m³
temperature: K | °C | °F
volatile_organic_compounds: mg/m³ | µg/m³
volatile_organic_compounds_parts: ppb | ppm
voltage: MV | V | kV | mV | µV
volume: CCF | L | MCF | fl. oz. | ft³ | gal | mL | m³
volume_flow_rate: L/h | L/min | L/s | ft³/min | gal/d | gal/h | gal/min | mL/s | m³/h | m³/min | m³/s
volume_storage: CCF | L | MCF | fl. oz. | ft³ | gal | mL | m³
water: CCF | L | MCF | ft³ | gal | m³
weight: g | kg | lb | mg | oz | st | µg
wind_speed: Beaufort | ft/s | in/s | km/h | kn | m/min | m/s | mm/s | mph
"""
_MEASUREMENTS: Final = """
apparent_power aqi atmospheric_pressure battery carbon_dioxide carbon_monoxide conductivity current data_rate
energy_storage frequency humidity illuminance irradiance moisture nitrogen_dioxide nitrogen_monoxide nitrous_oxide
ozone ph pm1 pm10 pm25 power power_factor precipitation_intensity pressure reactive_power signal_strength
sound_pressure speed sulphur_dioxide temperature volatile_organic_compounds volatile_organic_compounds_parts voltage
volume_flow_rate volume_storage wind_speed
"""
_TOTALS: Final = "energy gas volume water"
_ALL: Final = "data_size distance duration precipitation weight"


def _units(table: str) -> Mapping[str, frozenset[str]]:
    lines = (line.split(": ") for line in table.splitlines())
    return {name: frozenset("" if unit == "-" else unit for unit in units.split(" | ")) for name, units in lines}


UNITS: Final = _units(_UNITS)
"""The units of each class that has any, an empty one for none. U+00B5 is the micro that all versions take."""

CLASSES: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(NOT_NUMBERS, frozenset()),
    **dict.fromkeys(_MEASUREMENTS.split(), frozenset({"measurement"})),
    **dict.fromkeys(_TOTALS.split(), frozenset({"total", "total_increasing"})),
    **dict.fromkeys(_ALL.split(), STATE_CLASSES),
    "monetary": frozenset({"total"}),
}
"""All classes with the state classes that each can have."""
