import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from jitney.daemon.routes.faults import TemplateError, TemplateFault
from jitney.daemon.routes.templates import MOST_BYTES, compile_expression, compile_template
from tests.daemon.routes.hostile import CORPUS
from tests.daemon.routes.making import document

DATA = {
    "distance": 25312.5,
    "count": 3,
    "sport": "ride",
    "tags": ["b", "a"],
    "items": {"values": 7, "a b": 8},
    "nothing": None,
    "yes": True,
    "long": "x" * 16_000,
    "longer": "x" * 20_000,
    "numbers": [3, 1.5, 2],
    "many": list(range(20_000)),
    "some": list(range(2000)),
    "big": 2**300,
    "first": "count",
}


def filled(text: str, **keys: Any) -> Any:  # noqa: ANN401 - any JSON
    return compile_template(text).render(document(DATA, **keys))


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("plain", "plain"),
        ("100 % {sure}", "100 % {sure}"),
        ("{{ data.distance }}", 25312.5),
        ("{{ data.count }}\n", 3),
        ("{{ data.tags }}", ["b", "a"]),
        ("{{ data.items }}", {"values": 7, "a b": 8}),
        ("{{ data.items.values }}", 7),
        ("{{ data.items['a b'] }}", 8),
        ("{{ data[data.first] }}", 3),
        ("{{ data.tags[-1] }}", "a"),
        ("{{ data.tags[0] ~ data.count ~ none }}", "b3None"),
        ("{{ data.sport[:2] ~ data.sport[-2:] }}", "ride"),
        ("{{ data.numbers[1:] }}", [1.5, 2]),
        ("{{ data.nothing }}", None),
        ("{{ data.yes }}", True),
        ("x{{ data.count }}", "x3"),
        ("x{{ data.tags }}", 'x["b","a"]'),
        ("x{{ data.nothing }}{{ data.yes }}", "xNoneTrue"),
        ("{# nothing #}{{ data.count }}", 3),
        ("{{ owner.name }} rode {{ (data.distance / 1000) | round(1) }} km", "Alice rode 25.3 km"),
        (
            "{{ owner.id }} {{ type }} {{ kind }} {{ adapter }} {{ subject }}",
            "alice strava.activity.created activity.created strava activity/1",
        ),
        ("{{ data.distance if data.yes else 0 }}", 25312.5),
        ("{% if data.count > 2 %}many{% elif data.count %}some{% else %}none{% endif %}", "many"),
        ("{% if data.missing %}a{% else %}b{% endif %}", "b"),
        ("{{ data.missing or 'other' }}", "other"),
        ("{{ data.missing.deeper | default('other') }}", "other"),
        ("{{ data.nothing.x is defined }}", False),
        ("{{ actor is defined }}", False),
        ("{{ 1 < data.count <= 3 < 9 }}", True),
        ("{{ data.sport in ['ride', 'run'] and 'rid' in data.sport and 'count' in data }}", True),
        ("{{ data.sport not in ('swim',) }}", True),
        ("{{ data.missing == 3 or data.missing != 3 }}", True),
        ("{{ data.tags != [] }}", True),
        ("{{ 'a' < 'b' and 'b' >= 'b' and not 'a' > 'b' }}", True),
        ("{{ -data.count + 7 // 2 * 2 % 4 }}", -1),
        ("{{ now().hour ~ now().strftime(':%M') }} {{ now().weekday() }}", "18:30 5"),
        ("{{ now().isoformat() }}", "2026-11-21T18:30:15+00:00"),
        ("{{ now().timestamp() - as_timestamp(time) > 0 }}", True),
        ("{{ get('last') + 1 }}", 6),
        ("{{ get('other', 0) + 1 }}", 1),
        ("{{ get('other') | default('none yet') }}", "none yet"),
        ("{{ variables.last }}", 5),
        ("{{ 'a' if get('last') == 5 else 'b' }}", "a"),
    ],
)
def test_a_template_is_filled_in_and_a_sole_expression_keeps_its_type(text: str, becomes: object) -> None:
    found = filled(text, variables={"last": 5})
    assert found == becomes
    assert type(found) is type(becomes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ data.missing }}", "missing is missing: add | default(…), or test it first"),
        ("x {{ data.missing.deeper }}", "missing is missing"),
        ("{{ data.missing + 1 }}", "missing is missing"),
        ("{{ data.missing > 1 }}", "missing is missing"),
        ("{{ 'a' in data.missing }}", "missing is missing"),
        ("{{ data.missing[:3] }}", "missing is missing"),
        ("{{ data.count[:3] }}", "expected a list, got a number"),
        ("{{ data[data.missing] }}", "missing is missing"),
        ("{{ data.missing | upper }}", "missing is missing"),
        ("{{ get('other') }}", "the variable other was never set"),
        ("{{ data.sport * 3 }}", 'expected a number, got "ride"'),
        ("{{ 3 * data.sport }}", 'expected a number, got "ride"'),
        ("{{ data.sport % data.sport }}", 'expected a number, got "ride"'),
        ("{{ data.tags * 3 }}", "expected a number, got"),
        ("{{ data.sport + data.sport }}", "texts are put together by ~"),
        ("{{ data.yes + 1 }}", "expected a number, got true"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ 1e308 * 10 }}", "too large"),
        ("{{ data.big + 1 }}", "too large"),
        ("{{ data.sport > 1 }}", 'expected a number, got "ride"'),
        ("{{ data.tags == data.items }}", "compare their fields"),
        ("{{ data.tags in data.tags }}", "expected a text or a number, got a list"),
        ("{{ 3 in data.many }}", "a list of more than 1000"),
        ("{{ 3 in data.sport }}", "expected a text, got 3"),
        ("{{ data.some | sort }}", "a list of more than 1000"),
        ("{{ data.long ~ data.long }}", "longer than 16384 characters"),
        ("{{ data.long }}{{ data.long }}", "longer than 16384 characters"),
        ("x{{ data.longer }}", "longer than 16384 characters"),
        ("{{ data.longer }}", "20002 bytes long, at most 16384"),
        ("x{{ data }}", "longer than 16384 characters"),
        ("{{ data.long | replace('x', 'yy') }}", "longer than 16384 characters"),
        ("{{ [data.long, data.long] | join }}", "longer than 16384 characters"),
        ("{{ now().strftime('%9999999Y') }}", "expected a format"),
    ],
)
def test_what_cannot_be_filled_in_is_told(text: str, words: str) -> None:
    with pytest.raises(TemplateError) as caught:
        filled(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(("text", "line", "reason"), CORPUS)
def test_a_hostile_template_is_refused_at_load(text: str, line: int, reason: str) -> None:
    with pytest.raises(TemplateFault) as caught:
        compile_template(text)
    assert caught.value.line == line
    assert reason in caught.value.reason
    assert len(caught.value.reason) < 1500


def test_the_corpus_of_hostile_templates_is_large() -> None:
    assert len({text for text, _, _ in CORPUS}) >= 60


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("{{ data.x", 1, "unexpected end of template"),
        ("a\nb\n{{ data. }}", 3, "expected"),
        ("{% if data.x %}", 1, "endif"),
        ("{{ data.x | rond }}", 1, 'there is no filter rond: did you mean "round"?'),
        ("{{ data.x is nombre }}", 1, "there is no test nombre"),
        ("{{ dat.x }}", 1, 'there is no dat here: did you mean "data"?'),
        ("{{ data.x | round(1, 2, 3, 4) }}", 1, "round: too many positional arguments"),
        ("{{ data.x | replace('a') }}", 1, "replace: missing a required argument: 'new'"),
        ("{{ data.x | round(digits=1) }}", 1, "round: got an unexpected keyword argument 'digits'"),
        ("{{ states }}", 1, "the states of Home Assistant are not here"),
        ("{{ now(1) }}", 1, "now: too many positional arguments"),
        ("{{ now(1).strftime('%Y') }}", 1, "now: too many positional arguments"),
        ("{{ get() }}", 1, "get: missing a required argument: 'name'"),
        ("{{ 'a' if data.x }}", 1, "say what otherwise"),
        ("{{ data.text.lower() }}", 1, "lower cannot be called: use the filter: text | lower"),
        ("{{ data.text.startswith('a') }}", 1, "use when with prefix"),
        ("{{ '\ud800' }}", 1, "not a template"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_remedy(text: str, line: int, reason: str) -> None:
    with pytest.raises(TemplateFault) as caught:
        compile_template(text)
    assert (caught.value.line, reason in caught.value.reason) == (line, True), caught.value.reason


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("data.distance > 20000", True),
        ("{{ data.distance > 20000 }}", True),
        ("data.count", True),
        ("data.count - 3", False),
        ("data.sport", False),
        ("'on'", True),
        ("' Yes '", True),
        ("'false'", False),
        ("data.nothing", False),
        ("data.tags", True),
        ("now().hour >= 18", True),
        ("data.many", True),
    ],
)
def test_an_expression_holds_as_in_home_assistant(text: str, holds: bool) -> None:  # noqa: FBT001
    assert compile_expression(text).holds(document(DATA)) is holds


@pytest.mark.parametrize(
    "text", ["", "a b", "x }} {{ y", "{% if 1 %}", "{# a #}", "data.x =", "{{ a }} {{ b }}", "#", "'a"]
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(TemplateFault):
        compile_expression(text)


def test_what_it_becomes_as_text() -> None:
    assert compile_template("{{ data.tags }}").text(document(DATA)) == '["b","a"]'
    assert compile_template("{{ data.distance }}").text(document(DATA)) == "25312.5"
    assert compile_template("plain").text(document(DATA)) == "plain"


def test_a_result_has_at_most_16_kib() -> None:
    rest = MOST_BYTES - 16_000 - 2
    text = "{{ data.long }}" + "y" * rest
    assert len(filled(text)) == MOST_BYTES - 2
    with pytest.raises(TemplateError, match="16385 bytes"):
        filled(text + "y")


def test_a_template_is_told_the_local_time_of_the_document() -> None:
    one = document(DATA)
    one._now = datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=2)))
    assert compile_template("{{ now() }}").text(one) == "2026-01-02 03:04:00+02:00"
    assert one.now.astimezone(UTC).hour == 1


def test_jinja_is_imported_only_when_there_is_a_template() -> None:
    program = """
import sys
from jitney.daemon.routes.compiled import Index, compile_routes
from jitney.daemon.routes.settings import RouteSettings
plain = RouteSettings(name="a", on="*", do=({"set": "x", "value": "plain"},))
filled = RouteSettings(name="b", on="*", do=({"set": "x", "value": "{{ subject }}"},))
assert not compile_routes([plain], owners=[], adapters={})[1]
assert "jinja2" not in sys.modules
assert not compile_routes([plain, filled], owners=[], adapters={})[1]
assert "jinja2" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603 - our own program
