"""The dashboard to copy shows what a running bus has: every metric and label that a panel asks for exists."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from jitney.daemon.config.schema import HttpSettings
from jitney.daemon.web.metric_names import table
from tests.daemon.running import config, running, tick
from tests.daemon.web.looking import free_address, online, read
from tests.fakes.mosquitto import Broker

FOLDER = Path(__file__).parents[2] / "examples" / "grafana"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "jitney.json").read_text(encoding="utf-8"))

METRIC = re.compile(r"\b(?:jitney|process)_\w+")
GROUPED = re.compile(r"\bby \(([^)]*)\)")
SHOWN = re.compile(r"\{\{(\w+)\}\}")
OF_A_HISTOGRAM = re.compile(r"_(?:bucket|sum|count)$")
OF_A_KIND = re.compile(r"_(?:bucket|sum|count|total)$")
OF_PROMETHEUS = {"job", "le"}


def targets() -> Iterator[tuple[str, str, str]]:
    """Yield the title, expression and legend of everything that is drawn."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"], target["legendFormat"]


async def test_every_metric_that_a_panel_asks_for_is_scraped_from_a_running_bus(broker: Broker, tmp_path: Path) -> None:
    free = free_address()
    settings = config(broker.url, http=free)
    async with running(replace(settings, http=replace(settings.http, metrics=True)), tmp_path) as daemon:
        await online(daemon)
        await daemon.context().emit(tick(1))
        await daemon.drained()
        _, text = await read(free, "/metrics")
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    wanted = {name for _, expression, _ in targets() for name in METRIC.findall(expression)}
    assert len(wanted) > 25
    histograms = {OF_A_HISTOGRAM.sub("", name) for name in wanted if OF_A_HISTOGRAM.search(name)}
    assert {kinds.get(name) for name in histograms} == {"histogram"}
    assert {name for name in wanted if not OF_A_HISTOGRAM.search(name)} - kinds.keys() == set()


@pytest.mark.parametrize(("expression", "legend"), [one[1:] for one in targets()], ids=[one[0] for one in targets()])
def test_a_panel_groups_and_names_by_labels_that_its_metrics_have(expression: str, legend: str) -> None:
    labels = {OF_A_KIND.sub("", name): set(filter(None, known.split(", "))) for name, _, known, _ in table()}
    here: set[str] = set(OF_PROMETHEUS)
    for name in METRIC.findall(expression):
        here |= labels.get(OF_A_KIND.sub("", name), set())
    grouped = {label.strip() for group in GROUPED.findall(expression) for label in group.split(",")}
    assert grouped <= here
    assert set(SHOWN.findall(legend)) <= grouped
    assert set(re.findall(r"(\w+)(?:=~|!=)", expression)) <= here


def test_panels_do_not_lie_on_each_other_and_each_has_its_number() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))


def test_the_scrape_of_the_readme_is_where_the_bus_listens_by_default() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f'targets: ["{HttpSettings().listen}"]' in text
    assert "metrics = true" in text
