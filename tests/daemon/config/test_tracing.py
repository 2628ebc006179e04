"""What can be wrong with `[tracing]`, and that a key of the collector's is told to nobody."""

from collections.abc import Callable

import pytest

from jitney.daemon.config import tracing
from jitney.daemon.config.plan import plan
from jitney.daemon.config.schema import Config, TracingSettings

Complaints = Callable[..., list[str]]
HEAD = 'version = 1\n[tracing]\notlp = "http://localhost:4318"\n'


def test_a_collector_with_a_key_is_read(read: Callable) -> None:
    text = f'{HEAD}sample = 0.25\nattributes = ["owner", "id"]\n[tracing.headers]\nx-api-key = {{ env = "KEY" }}\n'
    found = read(text, {"KEY": "a key of the collector"}).config.tracing
    assert (found.otlp, found.sample, found.service_name) == ("http://localhost:4318", 0.25, "jitney")
    assert found.attributes == ("owner", "id")
    assert found.headers["x-api-key"].reveal() == "a key of the collector"
    assert "a key of the" not in repr(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('otlp = "localhost:4318"', "expected a URL such as http://localhost:4318, got"),
        ('otlp = "http://me:mine@localhost:4318"', "user and password do not belong into the URL"),
        ('otlp = "http://localhost:4318/?key=1"', "takes no ? and no #"),
        ("sample = 0", "tracing.sample: expected a number"),
        ("sample = 1.5", "tracing.sample: expected a number"),
        ('attributes = ["data"]', "tracing.attributes[0]: expected one of"),
        ('headers = { "a b" = "c" }', "not the name of a header"),
        ('headers = { Content-Type = "text/plain" }', "not the name of a header"),
        ('headers = { key = "one\\ntwo" }', "cannot be sent in a header"),
        ('headers = { key = "" }', "cannot be sent in a header"),
        ('header = { key = "c" }', 'did you mean "headers"?'),
    ],
)
def test_what_is_wrong_is_told_with_its_line(complaints: Complaints, text: str, said: str) -> None:
    (complaint,) = complaints(f"version = 1\n[tracing]\n{text}\n")
    assert complaint.startswith("3: tracing")
    assert said in complaint
    assert "one\n" not in complaint


def test_without_the_extra_it_is_told_how_to_get_it(complaints: Complaints, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "EXTRA", "nothing_of_the_kind.exporter")
    assert complaints(HEAD) == ["3: tracing.otlp: the export of traces is not installed: pip install 'jitney[otel]'"]
    assert tracing.installed() is False


def test_it_changes_without_a_restart() -> None:
    found = plan(Config(), Config(tracing=TracingSettings(otlp="http://localhost:4318", sample=0.5)))
    assert [str(change) for change in found.changes] == ["tracing changed: otlp, sample"]
    assert found.restart == ()
