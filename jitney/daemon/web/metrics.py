"""/metrics: everything that is counted and measured, put together in the text format of Prometheus at each scrape."""

from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from jitney.daemon.counters import BOUNDS, Histogram
from jitney.daemon.delivery.lanes import SHARED
from jitney.daemon.web.health import Health
from jitney.daemon.web.metric_names import COUNTED, COUNTS, GAUGES, HISTOGRAMS, TOTALS, Metric
from jitney.daemon.web.readings import Readings, Values
from jitney.topics.messages import ROUTE

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

INBOX: Final = "inbox"
"""What every source is called that is none of ours: those of the inbox are words of people."""

_OURS: Final = frozenset(
    ("", ROUTE, INBOX, "inbound", "discovery", "replies", "requests", "log", "unknown", "command", SHARED.rstrip("/"))
)


class Metrics(Collector):
    """Renders a scrape. What comes from outside becomes no label, so that there are never too many of them."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._counters = health.parts.counters
        self._readings = Readings(health, label=self._label)
        self._known: set[str] = set()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    async def answer(self, _: web.Request) -> web.Response:
        """Answer a scrape."""
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE})

    def collect(self) -> Iterator[Family]:
        """Yield everything with the values of now."""
        self._known.update(self._health.parts.runners)
        yield from self._counts()
        for name, metric in TOTALS.items():
            yield _filled(CounterMetricFamily(metric.name, metric.help, labels=metric.labels), self._readings.of(name))
        for name, metric in GAUGES.items():
            yield _filled(GaugeMetricFamily(metric.name, metric.help, labels=metric.labels), self._readings.of(name))
        yield from self._histograms()

    def _counts(self) -> Iterator[Family]:
        values: dict[str, Counter[tuple[str, ...]]] = {name: Counter() for name in (*COUNTS, "")}
        for name, owner, adapter, reason, value in self._counters.items():
            count = COUNTS.get(name)
            if count is None:
                values[""][self._label(adapter), name] += value
                continue
            of_adapter = self._label(adapter) if count.labels[1] == "adapter" else adapter
            given = zip(count.labels, (owner, of_adapter, reason), strict=True)
            values[name][tuple(value for label, value in given if label)] += value
        for name, count in COUNTS.items():
            yield _counter(count.metric, values[name])
        yield _counter(COUNTED, values[""])

    def _histograms(self) -> Iterator[Family]:
        found: dict[tuple[str, str], Histogram] = {("store", ""): self._health.parts.store.commits}
        for (name, label), histogram in self._counters.histograms.items():
            key = name, label if name == "actions" else self._label(label)
            found[key] = _sum(found[key], histogram) if key in found else histogram
        for name, metric in HISTOGRAMS.items():
            family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
            for (known, label), histogram in sorted(found.items(), key=lambda one: one[0]):
                if known == name:
                    counts = list(accumulate(histogram.counts))
                    bounds = [*map(str, BOUNDS), "+Inf"]
                    labels = [label] if metric.labels else []
                    family.add_metric(labels, list(zip(bounds, counts, strict=True)), histogram.total)
            yield family

    def _label(self, adapter: str) -> str:
        """Return what a source is called."""
        if adapter.startswith(SHARED):
            return SHARED.rstrip("/")
        return adapter if adapter in _OURS or adapter in self._known else INBOX


def _counter(metric: Metric, values: Counter[tuple[str, ...]]) -> Family:
    return _filled(CounterMetricFamily(metric.name, metric.help, labels=metric.labels), values)


def _filled(family: CounterMetricFamily | GaugeMetricFamily, values: Values) -> Family:
    for labels, value in sorted(values.items()):
        family.add_metric(labels, value)
    return family


def _sum(one: Histogram, other: Histogram) -> Histogram:
    both = Histogram()
    both.counts = [first + second for first, second in zip(one.counts, other.counts, strict=True)]
    both.total = one.total + other.total
    return both
