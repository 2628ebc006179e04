"""The data of an event in a few words, for somebody who watches."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

_TEXTS: Final = ("name", "title", "message", "text")
_CHANGES: Final = (("old_state", "state"), ("previous", "value"))
_LEFT_OUT: Final = frozenset({"attributes", "last_changed", "last_updated", "unit"})
_DEEPEST: Final = 2
_LONGEST_TEXT: Final = 80
_LARGEST: Final = 1e15
_KILOMETRE: Final = 1000
_MINUTE: Final = 60
_HOUR: Final = 3600
_KMH: Final = 3.6


def digest(data: object, *, subject: str = "") -> str:
    """Return what matters of ``data``: texts, changes and quantities first, then the other plain values.

    ``subject`` is what stands beside it anyway. Quantities are taken for SI units. The result may hold characters
    that are not printable.
    """
    if not isinstance(data, Mapping):
        return _plain(data)
    rest = {str(name): value for name, value in data.items()}
    return ", ".join(
        [*_texts(rest), *_change(rest), *_place(rest), *_quantities(rest), *_others(rest, subject=subject)]
    )


def _texts(rest: dict[str, Any]) -> Iterator[str]:
    for name in _TEXTS:
        if isinstance(rest.get(name), str) and (text := rest.pop(name)):
            sender = rest.pop("sender", None)
            yield f"{sender}: {_quoted(text)}" if isinstance(sender, str) and sender else _quoted(text)


def _change(rest: dict[str, Any]) -> Iterator[str]:
    for old, new in _CHANGES:
        if new not in rest or isinstance(rest[new], Mapping | list):
            continue
        before, after, unit = rest.pop(old, None), rest.pop(new), _unit(rest)
        if after is None:
            yield "gone"
        else:
            yield (f"{_state(before)} → " if before is not None else "") + f"{_state(after)}{unit}"


def _unit(rest: Mapping[str, Any]) -> str:
    attributes = rest.get("attributes")
    named = attributes.get("unit_of_measurement") if isinstance(attributes, Mapping) else rest.get("unit")
    return f" {named}" if isinstance(named, str) and named else ""


def _state(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return _plain(value)


def _place(rest: dict[str, Any]) -> Iterator[str]:
    if all(_measured(rest.get(name)) for name in ("latitude", "longitude")):
        yield f"{rest.pop('latitude'):.5f} {rest.pop('longitude'):.5f}"


def _quantities(rest: dict[str, Any]) -> Iterator[str]:
    for name, show in _QUANTITIES.items():
        if _measured(rest.get(name)):
            yield show(rest.pop(name))


def _measured(value: object) -> bool:
    """Tell whether a value is a number that something was measured to be, not NaN nor one of hundreds of digits."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST


def _others(rest: Mapping[str, Any], *, subject: str, prefix: str = "", depth: int = 1) -> Iterator[str]:
    for name, value in rest.items():
        if name in _LEFT_OUT or value in (None, "", False, [], {}) or value == subject:
            continue
        if isinstance(value, Mapping) and depth < _DEEPEST:
            yield from _others(value, subject=subject, prefix=f"{prefix}{name}.", depth=depth + 1)
        else:
            yield f"{prefix}{name}" if value is True else f"{prefix}{name}={_plain(value)}"


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else value[:_LONGEST_TEXT] + "…"
    if isinstance(value, Mapping):
        return "{…}" if value else "{}"
    if isinstance(value, list):
        return f"[{len(value)}]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _quoted(text: str) -> str:
    return f"“{_plain(text)}”"


def _distance(metres: float) -> str:
    return f"{metres / _KILOMETRE:.1f} km" if abs(metres) >= _KILOMETRE else f"{metres:.0f} m"


def _duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min"
    return f"{int(seconds // _HOUR)} h {int(seconds % _HOUR // _MINUTE):02} min"


def _speed(metres_per_second: float) -> str:
    return f"{metres_per_second * _KMH:.1f} km/h"


_QUANTITIES: Final[dict[str, Callable[[float], str]]] = {
    "distance": _distance,
    "moving_time": _duration,
    "duration": _duration,
    "average_speed": _speed,
    "speed": _speed,
    "elevation_gain": lambda metres: f"{metres:.0f} m up",
    "altitude": lambda metres: f"at {metres:.0f} m",
    "battery": lambda percent: f"battery {percent:.0f} %",
    "level": lambda percent: f"{percent:.0f} %",
    "voltage": lambda volts: f"{volts:.2f} V",
    "temperature": lambda celsius: f"{celsius:.1f} °C",
}
