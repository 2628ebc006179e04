"""Events, documents and routes for tests, of a household of alice, bob and carol."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from jitney.daemon.routes.compiled import Route, compile_routes
from jitney.daemon.routes.document import Document
from jitney.daemon.routes.faults import Fault, written
from jitney.daemon.routes.settings import RouteSettings
from jitney.topics import Event

OWNERS = ("alice", "bob", "carol")
ADAPTERS = {"home": "_house", "base": "alice", "roof": "bob", "strava": "_house"}
NOW = datetime(2026, 11, 21, 18, 30, 15, tzinfo=UTC)
RIDE = "strava.activity.created"
KINDS = {RIDE: True, "meshtastic.message": True, "meshtastic.battery_low": False, "homeassistant.state_changed": False}


def event(data: object = None, **fields: Any) -> Event:  # noqa: ANN401 - attributes of an event
    given: dict[str, Any] = {"type": RIDE, "owner": "alice", "source": "/strava", "subject": "activity/1", **fields}
    return Event(
        id="01J",
        time="2026-11-21T05:41:00.120Z",
        data=Raw(msgspec.json.encode({} if data is None else data)),
        **{name: UNSET if value is None else value for name, value in given.items()},
    )


def document(
    data: object = None,
    *,
    variables: Mapping[str, Any] | None = None,
    name: str = "Alice",
    **fields: Any,  # noqa: ANN401
) -> Document:
    return Document(event(data, **fields), variables, name, now=NOW)


def settings(**keys: Any) -> RouteSettings:  # noqa: ANN401 - keys of a route
    return RouteSettings(**{"name": "sample", "owner": "alice", "on": RIDE, "do": ({"publish": "seen"},), **keys})


def compiled(*routes: RouteSettings) -> tuple[list[Route], list[Fault]]:
    return compile_routes(routes, owners=OWNERS, adapters=ADAPTERS, kinds=KINDS.get)


def route(**keys: Any) -> Route:  # noqa: ANN401 - keys of a route
    routes, faults = compiled(settings(**keys))
    assert faults == []
    (one,) = routes
    return one


def complaints(**keys: Any) -> list[str]:  # noqa: ANN401 - keys of a route
    routes, faults = compiled(settings(**keys))
    assert bool(routes) is not bool(faults)
    return [f"{written(fault.path)}: {fault.text}" for fault in faults]
