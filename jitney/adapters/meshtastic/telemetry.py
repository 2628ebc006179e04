"""Measurements: every number that a node sends, by the name of its field in the protocol, and nothing else."""

import re
from collections.abc import Mapping
from functools import lru_cache
from math import isfinite
from typing import Final

from msgspec import Struct

from jitney.adapters.meshtastic.kinds import TelemetryKind

MAINS: Final = 100
"""A battery level above this means that the node is on mains."""

BATTERY: Final = "battery_level"

MOST_NUMBERS: Final = 64

_MOST_LISTED: Final = 8
_LARGEST: Final = 2**63
_DIGITS: Final = re.compile(r"-?[0-9]{1,20}")
_FIELD: Final = re.compile(r"[a-z][A-Za-z0-9]{0,40}")
_TEXTS: Final = frozenset({"userString"})
_CAPITAL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_UNIT: Final = re.compile(r"(?<=[a-z])(?=[0-9]+(?:h|um)$)")

_VARIANTS: Final[tuple[tuple[str, TelemetryKind], ...]] = (
    ("deviceMetrics", "device"),
    ("environmentMetrics", "environment"),
    ("localStats", "local_stats"),
    ("powerMetrics", "power"),
    ("airQualityMetrics", "air_quality"),
    ("healthMetrics", "health"),
    ("hostMetrics", "host"),
    ("trafficManagementStats", "traffic"),
)

_ZEROS: Final[dict[TelemetryKind, dict[str, int | float]]] = {
    "local_stats": {
        "channel_utilization": 0.0,
        "air_util_tx": 0.0,
        "num_packets_tx": 0,
        "num_packets_rx": 0,
        "num_packets_rx_bad": 0,
        "num_online_nodes": 0,
        "num_total_nodes": 0,
        "num_rx_dupe": 0,
        "num_tx_relay": 0,
        "num_tx_relay_canceled": 0,
        "num_tx_dropped": 0,
    },
    "host": {"load1": 0, "load5": 0, "load15": 0},
    "traffic": {
        "packets_inspected": 0,
        "position_dedup_drops": 0,
        "nodeinfo_cache_hits": 0,
        "rate_limit_drops": 0,
        "unknown_packet_drops": 0,
        "hop_exhausted_packets": 0,
        "router_hops_preserved": 0,
    },
}
"""Fields whose zero the protocol cannot tell from absent: where anything was sent, they are zero."""


class Measured(Struct, frozen=True):
    """What was measured; ``powered``: on mains. No values: nothing was sent, as in a request."""

    kind: TelemetryKind
    values: dict[str, int | float]
    powered: bool = False


def measured(telemetry: Mapping[str, object]) -> Measured | None:
    """Return the measurements in what the library decoded, None when there is nothing that is known."""
    for name, kind in _VARIANTS:
        metrics = telemetry.get(name)
        if isinstance(metrics, Mapping):
            values = numbers(metrics)
            if not values:
                return Measured(kind, {})
            if kind in _ZEROS:
                values = _ZEROS[kind] | values
            battery = values.get(BATTERY, 0)
            powered = kind == "device" and battery > MAINS
            if powered:
                values[BATTERY] = MAINS
            return Measured(kind, values, powered)
    return None


def numbers(fields: Mapping[str, object]) -> dict[str, int | float]:
    """Return the finite numbers among some fields by their name in the protocol; of lists, each with its place."""
    found: dict[str, int | float] = {}
    for field, value in fields.items():
        if len(found) >= MOST_NUMBERS:
            break
        name = _name(field) if isinstance(field, str) and field not in _TEXTS else ""
        if not name:
            continue
        if isinstance(value, list):
            for place, one in enumerate(value[:_MOST_LISTED], 1):
                if (number := _number(one)) is not None:
                    found[f"{name}_{place}"] = number
        elif (number := _number(value)) is not None:
            found[name] = number
    return found


def _number(value: object) -> int | float | None:
    """Return a number; 64-bit ones arrive as digits, and what is not finite as a word."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    return value if isinstance(value, int) and -_LARGEST <= value < _LARGEST else None


@lru_cache(maxsize=512)
def _name(field: str) -> str:
    """Return ``rainfall_1h`` of ``rainfall1h``, as the protocol writes it; empty for what cannot be a field."""
    if _FIELD.fullmatch(field) is None:
        return ""
    return _UNIT.sub("_", _CAPITAL.sub("_", field)).lower()
