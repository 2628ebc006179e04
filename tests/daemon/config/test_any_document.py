"""Whatever a file says: either it is a configuration or every problem names the file."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitney.daemon.config.problems import ConfigError, Problem

SECTIONS = ["version", "bus", "mqtt", "http", "outbox", "owners", "adapters"]
COMMON = ["type", "owner", "enabled", "durable", "retry"]
OWN = ["url", "token", "spare", "more", "apps", "include", "size", "ratio", "half", "short", "level", "colour", "names"]
MORE = ["place", "few", "since", "send", "extra", "folder", "long"]
WORDS = st.sampled_from(
    [*SECTIONS, *COMMON, *OWN, *MORE, "sample", "demo", "first", "env", "file", "by", "mail", "alice"]
)
TEXTS = WORDS | st.text(st.characters(codec="utf-8"), max_size=5)
SCALARS = (
    st.none().map(lambda _: 1)
    | st.booleans()
    | st.integers()
    | st.integers(10**300, 10**301)
    | st.floats()
    | TEXTS
    | st.dates()
    | st.times()
    | st.datetimes()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)
SETTINGS = st.fixed_dictionaries(
    {"type": st.sampled_from(["sample", "anonymous", "broken"]) | VALUES},
    optional=dict.fromkeys([*COMMON[1:], *OWN, *MORE], VALUES),
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "version": st.just(1) | VALUES,
        "bus": VALUES,
        "mqtt": st.dictionaries(st.sampled_from(["url", "password", "ca_file", "topic_root", "window"]), VALUES),
        "http": st.dictionaries(st.sampled_from(["listen", "public_url"]), TEXTS),
        "owners": st.dictionaries(TEXTS, st.dictionaries(st.sampled_from(["name", "sample", "x"]), VALUES), max_size=2),
        "adapters": st.dictionaries(TEXTS, SETTINGS, max_size=2),
    },
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(document=DOCUMENTS | st.dictionaries(TEXTS, VALUES, max_size=3))
def test_any_document_is_a_configuration_or_a_list_of_problems(
    read: Callable, toml: Callable, document: dict[str, Any]
) -> None:
    for problem in found(read, toml(document)):
        assert problem.file.endswith("config.toml")
        assert problem.line > 0
        assert problem.key
        assert str(problem).isprintable()


def found(read: Callable, text: str) -> Sequence[Problem]:
    try:
        return read(text).warnings
    except ConfigError as error:
        return error.problems


@settings(deadline=None)
@given(text=st.binary() | st.text(st.characters(codec="utf-8")).map(str.encode))
def test_any_file_is_a_configuration_or_a_list_of_problems(read: Callable, text: bytes) -> None:
    with suppress(ConfigError):
        read(text)
