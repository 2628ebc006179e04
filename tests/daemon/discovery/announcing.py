"""Devices announced for a test, their payloads kept in golden files, and templates rendered as Home Assistant does."""

import contextlib
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

import jinja2
import msgspec
import pytest
from jinja2.ext import do, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from jitney.adapters.entities import AnyEntity, Device
from jitney.daemon.discovery import rules
from jitney.daemon.discovery.payload import Announcement, Place, announcements
from jitney.topics import TopicTree

GOLDEN: Final = Path(__file__).parent / "golden"
WRITE: Final = "JITNEY_GOLDEN"

PREFIX: Final = "homeassistant"


class Told(jinja2.Undefined):
    """What is not there, as Home Assistant has it: it would log a warning where this fails."""

    def _warn(self) -> NoReturn:
        raise AssertionError(self._undefined_message)

    __str__ = __iter__ = __bool__ = _warn  # type: ignore[assignment]


_jinja = ImmutableSandboxedEnvironment(undefined=Told, extensions=[do, loopcontrols])


def place(
    owner: str = "alice",
    adapter: str = "mesh",
    *,
    system: Literal["metric", "imperial", "native"] = "metric",
    instance: str = "main",
) -> Place:
    """Return where a test's device stands."""
    return Place(tree=TopicTree(), instance=instance, owner=owner, adapter=adapter, system=system, version="1.2.3")


def announced(device: Device, where: Place | None = None) -> Announcement:
    """Return what announces a device that has at least one entity, once it is certain that Home Assistant takes it."""
    (found,) = announcements(device, where or place(), prefix=PREFIX, per_component=False)
    return certain(found)


def each_announced(device: Device, where: Place | None = None) -> dict[str, Announcement]:
    """Return what announces each entity of a device, by the last level but one of its topic."""
    found = announcements(device, where or place(), prefix=PREFIX, per_component=True)
    return {certain(one, per_component=True).topic.split("/")[-2]: one for one in found}


def component(entity: AnyEntity, where: Place | None = None) -> dict[str, Any]:
    """Return the options of an entity that is alone on a device."""
    found: dict[str, Any] = announced(Device(name="Thing", entities=(entity,)), where).payload["components"][entity.key]
    return found


def certain(found: Announcement, *, per_component: bool = False) -> Announcement:
    """Return an announcement as Home Assistant reads it; fails when it would refuse anything of it."""
    payload = msgspec.json.decode(msgspec.json.encode(found.payload))
    assert rules.faults(payload, per_component=per_component) == []
    return Announcement(found.topic, payload)


def golden(name: str, payload: Mapping[str, Any]) -> None:
    """Compare a payload with ``golden/{name}.json``, so that a review sees every change of what Home Assistant is told.

    One file for each type of device: ``golden("strava-athlete", announced(device, place("alice", "strava")).payload)``.
    ``JITNEY_GOLDEN=write python -m pytest`` writes what has changed, or a new file; look at it before you commit.
    """
    path = GOLDEN / f"{name}.json"
    text = json.dumps(payload, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if os.environ.get(WRITE) == "write":
        path.write_text(text, encoding="utf-8")
    elif not path.exists():
        pytest.fail(f"golden/{path.name} is missing: run once with {WRITE}=write and look at it")
    assert text == path.read_text(encoding="utf-8"), f"golden/{path.name}: run with {WRITE}=write if this is wanted"


def rendered(template: str, payload: object, *, raw: str | None = None) -> str:
    """Return what a value template gives for a payload, or for a ``raw`` one that need not be JSON.

    Stricter than Home Assistant: what it would only log a warning about fails here.
    """
    text = json.dumps(payload) if raw is None else raw
    values: dict[str, object] = {"value": text}
    with contextlib.suppress(ValueError):
        values["value_json"] = json.loads(text)
    return _compiled(template).render(values).strip()


def commanded(template: str, typed: str) -> Any:  # noqa: ANN401 - the JSON of the command
    """Return the data of a command that a command template makes of what a person has typed."""
    return json.loads(_compiled(template).render(value=typed))


@cache
def _compiled(template: str) -> jinja2.Template:
    return _jinja.from_string(template)
