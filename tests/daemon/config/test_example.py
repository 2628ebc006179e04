"""The example shows every key there is, with its default, and loads."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import NODEFAULT, Struct, inspect, json

from jitney.adapters import registry
from jitney.adapters.secret import Secret
from jitney.daemon.config.convert import fields_of
from jitney.daemon.config.limits import OwnLimits
from jitney.daemon.config.load import examine
from jitney.daemon.config.schema import AdapterSettings, Config, OwnerSettings
from jitney.daemon.routes.settings import (
    CountSettings,
    GrantSettings,
    RouteSettings,
    ScheduleSettings,
    TestSettings,
)
from jitney.share import share

EXAMPLE = share("config.example.toml")
DOCUMENT = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
ENVIRONMENT = {
    "MQTT_PASSWORD": "a password",
    "PROOF_PASSWORD": "another",
    "OTLP_KEY": "the key of a collector",
    "HOME_TOKEN": "an0opaque0token0of0the0supervisor",
}
VAULT = {"strava/main": Secret("0123456789abcdef")}
SAID = {
    *("mqtt.username", "mqtt.password", "adapters.demo.enabled", "access.logins", "owners.alice.discovery.private"),
    "tracing.headers",
    *(f"routes.{key}" for key in ("owner", "on", "when", "if", "tests", "schedule.at", "schedule.days")),
    *("routes.tests.name", "routes.tests.variables"),
    *("grants.adapters", "grants.private"),
}
"""What the example shows with another value than the default, and says so."""


def shown() -> Iterator[tuple[str, inspect.Field, dict[str, Any]]]:
    """Yield every field of the schema with its key and the table in which the example has to show it."""
    for section in fields_of(Config):
        if isinstance(section.type, inspect.StructType):
            yield from inside(section.encode_name, section.type.cls, DOCUMENT[section.encode_name])
    for name, table in DOCUMENT["adapters"].items():
        adapter = registry.adapter_type(table["type"])
        if name == "home":
            common = [field for field in fields_of(AdapterSettings) if field.name not in {"name", "config"}]
            yield from every(f"adapters.{name}", common, table)
        yield from inside(f"adapters.{name}", adapter.Config, table)
        if adapter.Identity is not None:
            identity = DOCUMENT["owners"]["alice"][adapter.name]
            yield from inside(f"owners.alice.{adapter.name}", adapter.Identity, identity)
    yield from of_routes()
    names = [field for field in fields_of(OwnerSettings) if field.name in {"name", "enabled", "discovery"}]
    yield from every("owners.alice", names, DOCUMENT["owners"]["alice"])


def of_routes() -> Iterator[tuple[str, inspect.Field, dict[str, Any]]]:
    """Yield the fields of routes, which no single one can have together: the first that shows a key counts."""
    routes = {key: value for route in reversed(DOCUMENT["routes"]) for key, value in route.items()}
    yield from inside("routes", RouteSettings, routes)
    yield from inside("routes.count", CountSettings, routes["count"])
    yield from inside("routes.schedule", ScheduleSettings, routes["schedule"])
    yield from inside("routes.tests", TestSettings, routes["tests"][0])
    yield from inside("grants", GrantSettings, DOCUMENT["grants"][0])


def inside(key: str, cls: type[Struct], table: dict[str, Any]) -> Iterator[tuple[str, inspect.Field, dict[str, Any]]]:
    return every(key, fields_of(cls), table)


def every(
    key: str, fields: Iterable[inspect.Field], table: dict[str, Any]
) -> Iterator[tuple[str, inspect.Field, dict[str, Any]]]:
    for field in fields:
        yield f"{key}.{field.encode_name}", field, table
        if isinstance(field.type, inspect.StructType) and field.type.cls is not OwnLimits:  # its keys are above
            yield from inside(f"{key}.{field.encode_name}", field.type.cls, table.get(field.encode_name, {}))


def test_the_example_loads_without_a_warning() -> None:
    loaded = examine(EXAMPLE, environ=ENVIRONMENT, vault=lambda _, name: VAULT.get(name), trials=True)
    assert loaded.warnings == ()
    assert loaded.config.adapters["strava"].config.apps["main"].client_secret.reveal() == VAULT["strava/main"].reveal()
    assert loaded.config.adapters["home"].config.token.reveal() == ENVIRONMENT["HOME_TOKEN"]


def test_every_type_of_adapter_is_in_the_example() -> None:
    assert {table["type"] for table in DOCUMENT["adapters"].values()} == set(registry.BUILT_IN)


def test_the_example_shows_every_key() -> None:
    keys = list(shown())
    assert len(keys) > 40
    assert [key for key, field, table in keys if field.encode_name not in table] == []


def test_what_the_example_shows_is_the_default() -> None:
    differing = [
        key
        for key, field, table in shown()
        if key not in SAID
        and not key.startswith("owners.")
        and (default := default_of(field)) is not None
        and default != table[field.encode_name]
    ]
    assert differing == []


def default_of(field: inspect.Field) -> object:
    """Return the default as TOML has it; None where there is none, or a table shown key by key."""
    if isinstance(field.type, inspect.StructType) or field.required:
        return None
    default = field.default if field.default_factory is NODEFAULT else field.default_factory()
    return None if isinstance(default, Secret) else json.decode(json.encode(default))


def test_every_key_of_the_example_is_explained() -> None:
    """A key, or the run of keys it stands in, follows a comment."""
    blocks = re.split(r"\n(?:[ \t]*\n)+", EXAMPLE.read_text(encoding="utf-8"))
    for block in blocks:
        lines = [line for line in block.splitlines() if not line.startswith((" ", "]"))]
        assert lines[0].startswith("#"), block


def test_no_line_of_the_example_is_too_long_to_read() -> None:
    assert max(map(len, EXAMPLE.read_text(encoding="utf-8").splitlines())) <= 120


def test_what_comes_with_jitney_is_found() -> None:
    assert share("config.example.toml").is_file()
    with pytest.raises(FileNotFoundError, match=r"nothing\.toml is missing from the installation"):
        share("nothing.toml")


def test_what_is_installed_comes_before_a_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "jitney" / "data").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "jitney" / "data"):
        (folder / "x").touch()
    monkeypatch.setattr("jitney.share.__file__", str(tmp_path / "jitney" / "share.py"))
    assert share("x") == tmp_path / "jitney" / "data" / "x"
