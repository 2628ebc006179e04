"""How much of the air is taken: what the own node says about itself and the channel, and what it may use.

Sources: ``channelUtilization`` and ``airUtilTx`` of the own node's telemetry; the firmware's table of regions.
"""

from collections.abc import Mapping
from math import inf, isfinite
from typing import Any, Final

from jitney.adapters.meshtastic.limits import Limits
from jitney.adapters.meshtastic.outgoing import Priority

DUTY_CYCLES: Final = {
    "EU_433": 10.0,
    "EU_868": 10.0,
    "EU_N_868": 10.0,
    "EU_866": 2.5,
    "TH": 10.0,
    "UA_433": 10.0,
    "UA_868": 1.0,
}
"""Percent of an hour in which a radio may send, in the regions that limit it."""

FRESH: Final = 1800.0
"""Seconds for which a measurement counts; radios tell their client about every minute, some only every half hour."""

NEARLY: Final = 0.8
"""From this part of the duty cycle on, what can wait waits."""

REFUSED: Final = 120.0
"""Seconds to be silent after the radio itself has refused to send for its duty cycle."""

_METRICS: Final = ("deviceMetrics", "localStats")


class Airtime:
    """What is known of the air around one radio. Times are seconds of one monotonic clock."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._limit = limits.duty_cycle
        self._region = ""
        self._channel = (0.0, -inf)
        self._own = (0.0, -inf)
        self._silent_until = -inf

    def region(self, name: str) -> None:
        """Learn the radio's region, like ``EU_868``."""
        self._region = name
        self._limit = self._limits.duty_cycle or DUTY_CYCLES.get(name, 0.0)

    def heard(self, packet: Mapping[str, Any], now: float) -> None:
        """Learn from a packet of the own node."""
        decoded = _part(packet, "decoded")
        telemetry = _part(decoded, "telemetry")
        for name in _METRICS:
            metrics = _part(telemetry, name)
            channel = _percent(metrics.get("channelUtilization"))
            own = _percent(metrics.get("airUtilTx"))
            self._channel = self._channel if channel is None else (channel, now)
            self._own = self._own if own is None else (own, now)

    def refused(self, now: float) -> None:
        """Learn that the radio refused to send because its duty cycle is used up."""
        self._silent_until = now + REFUSED

    def utilisation(self, now: float) -> float:
        """Return how many percent of the time the channel is taken, 0 when that is not known."""
        return _fresh(self._channel, now)

    def holds(self, priority: Priority, now: float) -> str:
        """Return why nothing of a priority should be sent now, empty when it may be."""
        if now < self._silent_until:
            return "the radio has used up the airtime that its region allows"
        return self._holds_duty(priority, now) or self._holds_channel(priority, now)

    def _holds_duty(self, priority: Priority, now: float) -> str:
        used = _fresh(self._own, now)
        if not self._limit or used < self._limit * NEARLY:
            return ""
        if used < self._limit and priority <= Priority.DIRECT_TEXT:
            return ""
        whose = self._region or "its configuration"
        return f"the radio has sent for {used:.1f} % of an hour, and {whose} allows {self._limit:g} %"

    def _holds_channel(self, priority: Priority, now: float) -> str:
        taken = self.utilisation(now)
        busy, very_busy = self._limits.busy_above, self._limits.alerts_only_above
        if taken > very_busy and priority > Priority.ALERT:
            return f"the channel is taken to {taken:.0f} %: above {very_busy:g} % only alerts are sent"
        if taken > busy and priority > Priority.DIRECT_TEXT:
            return f"the channel is taken to {taken:.0f} %: above {busy:g} % only alerts and direct texts are sent"
        return ""


def _part(packet: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = packet.get(name)
    return part if isinstance(part, Mapping) else {}


def _percent(value: object) -> float | None:
    """Return a share that a radio measured, None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value < 0:
        return None
    return float(value)


def _fresh(measured: tuple[float, float], now: float) -> float:
    value, when = measured
    return value if now - when < FRESH else 0.0
