"""Every metric by name: what /metrics shows, what the documents list, and what the dashboard draws."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct


class Metric(Struct, frozen=True):
    """One metric: what it is called, what it tells, and its labels."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


class Count(Struct, frozen=True):
    """A counter of ``Counters``: as which metric it is shown, and what its owner, adapter and reason are called there.

    An empty label: it has none, and the values are added up.
    """

    metric: Metric
    labels: tuple[str, str, str] = ("owner", "adapter", "reason")


def _count(name: str, text: str, *labels: str) -> Count:
    owner, adapter, reason = labels
    return Count(Metric(f"jitney_{name}", text, tuple(label for label in labels if label)), (owner, adapter, reason))


COUNTS: Final[Mapping[str, Count]] = {
    "dropped": _count(
        "dropped", "Events, states, messages and actions that were given up, by reason.", "owner", "adapter", "reason"
    ),
    "refused": _count("refused", "Events that were not accepted: the source keeps them.", "owner", "adapter", "reason"),
    "duplicates": _count("duplicates", "Events that had been accepted before.", "owner", "adapter", ""),
    "dead": _count("dead", "Events and actions that became dead letters.", "owner", "adapter", "reason"),
    "erased": _count("erased", "Waiting events that were dropped because their owner was erased.", "owner", "", ""),
    "shared": _count("shared", "Copies of events for somebody else.", "owner", "adapter", "to"),
    "retries": _count("retries", "Attempts of adapters that ended, by what ended them.", "", "adapter", "reason"),
    "commands": _count("commands", "Commands that were answered.", "owner", "adapter", "result"),
    "requests": _count("requests", "Requests to the bus itself that were answered.", "", "request", "result"),
    "actions": _count("actions", "Tries to do what a route has planned.", "owner", "action", "result"),
    "fired": _count("route_fired", "Times that a route has answered an event.", "owner", "", ""),
    "failed": _count("route_failed", "Times that a route could not be worked out.", "owner", "", "reason"),
    "stopped": _count("route_stopped", "Times that the breaker has stopped a route.", "owner", "", "reason"),
    "missed": _count("route_missed", "Times of a schedule that were over before.", "owner", "", "reason"),
    "walls": _count("walls", "Times it was not proved that the broker keeps owners apart.", "", "", "reason"),
    "foreign": _count(
        "foreign", "Messages of somebody else on topics that are the bus's alone, by kind.", "owner", "adapter", "kind"
    ),
    "spans": _count("spans", "Spans for the collector of traces, by what became of them.", "", "", "result"),
    "turned_away": _count("http_turned_away", "Who was turned away at the port, by reason.", "", "", "reason"),
    "unreadable": _count("unreadable", "Things kept or received that cannot be read.", "owner", "adapter", "reason"),
}  # fmt: skip
"""The counters of the daemon itself. Whatever else an adapter counts is one of ``COUNTED``."""

COUNTED: Final = Metric("jitney_adapter_counted", "What an adapter counts in its own words.", ("adapter", "what"))

TOTALS: Final[Mapping[str, Metric]] = {
    "events": Metric("jitney_events", "Events that were accepted.", ("owner", "adapter")),
    "published": Metric("jitney_published", "Messages that the broker has confirmed."),
    "broker_attempts": Metric("jitney_broker_attempts", "Attempts to connect to the broker."),
    "broker_connects": Metric("jitney_broker_connects", "Attempts that succeeded."),
    "broker_failures": Metric("jitney_broker_failures", "Sessions and attempts that ended, by reason.", ("reason",)),
    "store_failures": Metric("jitney_store_failures", "Commits that failed."),
    "store_given_up": Metric("jitney_store_given_up", "Rows for which the disk had no room for too long."),
}
"""Numbers that only grow, kept elsewhere than in ``Counters``."""

GAUGES: Final[Mapping[str, Metric]] = {
    "info": Metric("jitney_info", "1, with what is running.", ("version", "bus", "protocol")),
    "well": Metric("jitney_well", "1 while all is well, 0 while the status is degraded."),
    "ready": Metric("jitney_ready", "1 while events can be accepted."),
    "started": Metric("jitney_start_time_seconds", "When the bus was started, in Unix seconds."),
    "broker_connected": Metric("jitney_broker_connected", "1 while the broker is connected."),
    "in_flight": Metric("jitney_broker_in_flight", "Messages on their way to the broker."),
    "adapter_online": Metric("jitney_adapter_online", "1 while an adapter works.", ("adapter", "type")),
    "owner_online": Metric("jitney_owner_online", "1 while it works for an owner.", ("owner", "adapter")),
    "last_event": Metric("jitney_last_event_time_seconds", "When the newest event was heard of.", ("owner", "adapter")),
    "lag": Metric("jitney_event_lag_seconds", "From when the newest event happened until then.", ("owner", "adapter")),
    "waiting": Metric("jitney_waiting", "Events that wait for the broker.", ("owner", "adapter", "place")),
    "outbox_bytes": Metric("jitney_outbox_disk_bytes", "Bytes of events that wait on disk."),
    "retained": Metric("jitney_retained_topics", "Retained topics."),
    "retained_waiting": Metric("jitney_retained_waiting", "Retained topics that the broker has still to be told."),
    "actions_waiting": Metric("jitney_actions_waiting", "Actions of routes that are not done yet.", ("owner",)),
    "dead_letters": Metric("jitney_dead_letters", "Dead letters that are kept.", ("owner",)),
    "store_bytes": Metric("jitney_store_bytes", "Bytes of the state file and its log."),
    "limited": Metric("jitney_limits_reached", "Doors of owners that are closed, and quotas that are used up."),
}

HISTOGRAMS: Final[Mapping[str, Metric]] = {
    "committed": Metric("jitney_event_committed_seconds", "Durable events: from acceptance to the disk.", ("adapter",)),
    "sent": Metric("jitney_event_sent_seconds", "From acceptance to the session with the broker.", ("adapter",)),
    "confirmed": Metric("jitney_event_confirmed_seconds", "From acceptance to the broker's word.", ("adapter",)),
    "actions": Metric("jitney_action_seconds", "From when an action of a route is due until it is done.", ("action",)),
    "commands": Metric("jitney_command_seconds", "From the receipt of a command to its answer.", ("adapter",)),
    "store": Metric("jitney_store_commit_seconds", "Commits to the disk that succeeded."),
}
"""Of a burst of events only one in ``lanes.TIMED`` is measured: their number is that of ``jitney_events_total``."""


def table() -> list[tuple[str, str, str, str]]:
    """Return every metric as it is scraped: name, type, labels and what it tells."""
    kinds = {
        "counter": [*(count.metric for count in COUNTS.values()), COUNTED, *TOTALS.values()],
        "gauge": list(GAUGES.values()),
        "histogram": list(HISTOGRAMS.values()),
    }
    return [
        (f"{one.name}_total" if kind == "counter" else one.name, kind, ", ".join(one.labels), one.help)
        for kind, metrics in kinds.items()
        for one in metrics
    ]
