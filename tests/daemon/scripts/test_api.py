"""What a Python route is given can also be made in a test of its own, without a bus."""

import ast
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon import scripts
from jitney.daemon.routing import variables
from jitney.daemon.scripts import Bus, Event, RefusedError, api, route
from jitney.daemon.scripts.link import LARGEST, Link
from tests.at_strava import REPOSITORY


async def test_a_route_can_be_tested_with_an_event_and_a_bus_of_ones_own() -> None:
    asked: list[tuple[str, Mapping[str, Any]]] = []

    async def perform(what: str, fields: Mapping[str, Any]) -> object:
        asked.append((what, fields))
        return {"packet_id": 7}

    @route(on="played.ticked", owner="alice")
    async def greet(event: Event, bus: Bus) -> None:
        bus.log.info("hello")
        reply = await bus.command("base.send_text", text=f"{event.owner_name}: {event.data['n']}")
        bus.set("last", reply["packet_id"])

    lines: list[tuple[str, str]] = []
    bus = Bus(perform, api.Log(lambda level, text: lines.append((level, text))), {})
    await greet(Event(type="played.ticked", owner="alice", data={"n": 1}), bus)
    assert asked == [("command", {"command": "base.send_text", "data": {"text": "alice: 1"}})]
    assert bus.changes == {"last": {"value": "7", "expiry": 0}}
    assert lines == [("info", "hello")]


def test_what_can_be_imported_is_what_is_promised() -> None:
    assert set(scripts.__all__) == {"Bus", "Event", "RefusedError", "route"}
    assert all(getattr(scripts, name).__doc__ for name in scripts.__all__)
    methods = [getattr(Bus, name) for name in vars(Bus) if not name.startswith("_")]
    assert all(method.__doc__ for method in methods)


def test_the_example_in_the_documentation_is_python() -> None:
    example = (scripts.__doc__ or "").partition("::")[2]
    ast.parse("\n".join(line.removeprefix("    ") for line in example.splitlines()))


def test_the_process_of_a_file_imports_nothing_but_small_things() -> None:
    """A worker has half the memory without asyncio and msgspec."""
    small = {"api", "lasting", "link", "worker", "__init__"}
    for name in small:
        tree = ast.parse((REPOSITORY / "jitney" / "daemon" / "scripts" / f"{name}.py").read_text(encoding="utf-8"))
        modules = {
            name
            for node in tree.body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
        }
        ours = {module for module in modules if module.startswith("jitney")}
        assert ours <= {f"jitney.daemon.scripts.{one}" for one in small}
        assert modules.isdisjoint({"asyncio", "msgspec", "dataclasses", "inspect", "logging", "pathlib", "traceback"})


def test_the_limits_of_variables_are_those_of_the_bus() -> None:
    assert (api.MOST_NAMES, api.MOST_BYTES, api.LONGEST_NAME) == (
        variables.MOST_NAMES,
        variables.MOST_BYTES,
        variables.LONGEST_NAME,
    )


def test_times_are_written_as_everywhere_on_the_bus() -> None:
    moment = datetime(2026, 11, 21, 5, 41, tzinfo=UTC)
    assert (
        api.encoded({"at": moment, "λ": [1.5, None, True]}) == '{"at":"2026-11-21T05:41:00+00:00","λ":[1.5,null,true]}'
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=10,
)


@given(value=JSON)
def test_what_is_written_there_is_read_here(value: object) -> None:
    assert msgspec.json.decode(api.encoded(value)) == value


def pair() -> tuple[socket.socket, Link, socket.socket]:
    ours, theirs = socket.socketpair()
    return ours, Link(theirs.fileno()), theirs


def test_messages_come_whole_however_they_are_cut() -> None:
    ours, link, theirs = pair()
    with ours, theirs:
        body = b'{"n":"' + b"x" * 500_000 + b'"}'
        frame = len(body).to_bytes(4) + body

        def drip() -> None:
            for start in range(0, len(frame), 99_991):
                ours.sendall(frame[start : start + 99_991])

        writer = Thread(target=drip)
        writer.start()
        assert link.receive() == {"n": "x" * 500_000}
        writer.join()
        ours.shutdown(socket.SHUT_WR)
        assert link.receive() is None


def test_a_bus_that_has_gone_is_told_to_whoever_asks() -> None:
    ours, link, theirs = pair()
    with ours, theirs:
        ours.shutdown(socket.SHUT_WR)
        with pytest.raises(RefusedError, match="the bus has gone") as raised:
            link.call(1, "publish", {})
        assert raised.value.code == "disconnected"


def test_what_is_too_long_is_told_before_it_is_sent() -> None:
    ours, link, theirs = pair()
    with ours, theirs:
        with pytest.raises(ValueError, match=f"at most {LARGEST}"):
            link.send({"x": "x" * LARGEST})
        link.say(1, "info", "still here")
        assert ours.recv(4) == len(b'{"do":"said","event":1,"level":"info","text":"still here"}').to_bytes(4)
