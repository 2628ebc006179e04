"""What a Home Assistant, or who took its place, answers and tells: a whole connection, from its first request on."""

import asyncio
from collections import deque
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, Final, cast

import msgspec
from aiohttp import WSMsgType
from hypothesis import strategies as st

from fuzz.fields import apart, joined
from fuzz.looping import LOOP
from fuzz.oracle import check
from fuzz.publishing import json
from jitney.adapters.base import Context, Owner
from jitney.adapters.errors import DisconnectedError, UnauthorisedError
from jitney.adapters.groups import most_telling
from jitney.adapters.homeassistant import session as following
from jitney.adapters.homeassistant.config import Config, Identity
from jitney.adapters.homeassistant.connection import Connection
from jitney.adapters.homeassistant.memory import Memory
from jitney.adapters.homeassistant.session import Session
from jitney.adapters.secret import Secret
from jitney.topics import cloudevents
from tests.fakes.context import RecordingContext

WORDS = (
    b'{"type":"event","id":3,"event":{"event_type":"state_changed","data":',
    b'{"type":"result","id":4,"success":true,"result":',
    b'{"type":"pong","id":1}',
    b'"entity_id":"light.alice_desk"',
    b'"entity_id":"person.bob"',
    b'"new_state":null',
    b'"user_id":"u-bob"',
    b'"context":{"id":"c","parent_id":null,"user_id":"u-alice"}',
    b'"last_updated":"2026-11-21T05:41:00.120000+00:00"',
    b'"event_type":"homeassistant_stop"',
    b'"event_type":"call_service"',
    b'"event_type":"area_registry_updated"',
    b'"state":"NOT_RUNNING"',
    b'"success":false',
    b'"code":"id_reuse"',
)
_REQUESTS: Final = (
    "auth/current_user",
    "get_config",
    "person/list",
    "config/area_registry/list",
    "config/device_registry/list",
    "config/entity_registry/list_for_display",
    "get_states",
)
_OWNERS: Final = (
    Owner("alice", "Alice", Identity(person="person.alice", entities=("*.alice_*",), areas=("Alice's room",))),
    Owner("bob", "Bob", Identity(person="person.bob", entities=("*.bob_*",), users=("b" * 32,))),
)
_MOST_REQUESTS: Final = 30
_PATIENT: Final = 12
"""Turns of the loop until who has asked nothing more is told something."""

_MOST_EVENTS: Final = 5000
_CONFIG: Final = Config(url="http://home.invalid:8123", token=Secret("t" * 40), event_types=("*",), timeout=5.0)

following.POLL = following.SETTLE = following.REST = 0.0  # type: ignore[misc] # of these nothing follows but waiting


class _Socket:
    """The other end: answers each request with the part of the input that is for it, then tells the rest."""

    def __init__(self, answers: list[bytes], told: list[bytes]) -> None:
        self.close_code = 1000
        self._answers = dict(zip(_REQUESTS, answers, strict=True))
        self._told = deque(told)
        self._frames: deque[bytes] = deque()
        self._requests = 0

    async def receive(self) -> Any:  # noqa: ANN401 - aiohttp's message
        for _ in range(_PATIENT):
            if self._frames:
                break
            await asyncio.sleep(0)
        else:
            if self._told:
                self._frames.append(self._told.popleft())
        if not self._frames or self._requests > _MOST_REQUESTS:
            return SimpleNamespace(type=WSMsgType.CLOSED, data=None)
        return SimpleNamespace(type=WSMsgType.TEXT, data=self._frames.popleft())

    async def send_frame(self, frame: bytes, kind: WSMsgType) -> None:
        del kind
        asked = msgspec.json.decode(frame)
        self._requests += 1
        answer = self._answers.pop(asked["type"], b"null")
        success = not answer.startswith(b"no")
        head = f'{{"id":{asked["id"]},"type":"result","success":{str(success).lower()},"result":'.encode()
        self._frames.append(head + (answer if success else b"null") + b"}")

    def exception(self) -> None:
        """Tell of none."""


def one(data: bytes) -> None:
    """Feed the answers to seven requests, and then frames."""
    *answers, rest = apart(data, len(_REQUESTS) + 1)
    LOOP.get().run(_one(answers, rest.split(b"\n")))


async def _one(answers: list[bytes], told: list[bytes]) -> None:
    ctx = RecordingContext(owners=_OWNERS)
    bus = cast("Context", ctx)
    memory = Memory(_CONFIG)

    def odd(kind: str, detail: object) -> None:
        memory.oddities.note(bus, kind, detail)

    connection = Connection(cast("Any", _Socket(answers, told)), _CONFIG, odd)
    try:
        await Session(bus, _CONFIG, memory, connection=connection).run()
    except* (DisconnectedError, UnauthorisedError) as group:
        check(str(most_telling(group)), "an end without words")
    check(len(ctx.events) <= _MOST_EVENTS, f"{len(ctx.events)} events of one input")
    everybody = {"alice", "bob", "_house"}
    for event in ctx.events:
        check(event.owner in everybody, f"an event of {event.owner!r}")
        cloudevents.decode(cloudevents.encode(event))
        if event.type == "homeassistant.state_changed":
            _whose(str(event.subject), event.owner)
    for (owner, subject), state in ctx.states.items():
        _whose(subject, owner)
        if state.data is not None:
            check(bytes(state.data)[:1] == b"{", "a state that is no object")
            bytes(state.data).decode()


def _whose(entity: str, owner: str) -> None:
    """Raise OracleError where what is one person's by a rule was given to another."""
    check(owner in ("alice", "bob", "_house"), f"{entity[:80]!r} belongs to {owner!r}")
    name = entity.partition(".")[2]
    if "." in entity and "\n" not in entity:
        for person, other in (("alice", "bob"), ("bob", "alice")):
            check(
                not name.startswith(f"{person}_") or f".{other}_" in entity or owner == person, f"{entity!r}: {owner}"
            )


def _change(entity: str, state: str, **more: Any) -> str:  # noqa: ANN401 - any JSON
    at = "2026-11-21T05:41:00.120000+00:00"
    new = {"state": state, "attributes": {"friendly_name": "x"}, "last_changed": at, "last_updated": at}
    data = {"entity_id": entity, "new_state": new, "old_state": {"state": "off"}}
    event = {"event_type": "state_changed", "data": data, "time_fired": at, "context": {"id": "c", "user_id": "u-bob"}}
    return msgspec.json.encode({"type": "event", "id": 3, "event": {**event, **more}}).decode()


def _answers(**instead: str) -> list[str]:
    state = '{"entity_id":"%s","state":"home","attributes":%s,"last_changed":"","last_updated":""}'
    person = '{"id":"bob","user_id":"u-bob","device_trackers":["device_tracker.phone"]}'
    found = {
        "auth/current_user": '{"id":"u-bus","is_admin":true}',
        "get_config": '{"state":"RUNNING","version":"2026.11.0"}',
        "person/list": f'{{"storage":[{person}],"config":[]}}',
        "config/area_registry/list": '[{"area_id":"a1","name":"Alice\'s room"},{"area_id":"a2","name":"Hall"}]',
        "config/device_registry/list": '[{"id":"d1","area_id":"a1"}]',
        "config/entity_registry/list_for_display": '{"entities":[{"ei":"light.lamp","di":"d1"},{"ei":"a.b","ai":"a"}]}',
        "get_states": f"[{state % ('person.bob', person)},{state % ('light.alice_desk', '{}')}]",
    }
    return [{**found, **instead}[name] for name in _REQUESTS]


def seeds() -> Iterable[bytes]:
    """Return a day of a house, and answers and frames that are wrong."""
    day = [
        _change("light.alice_desk", "on"),
        _change("person.bob", "not_home"),
        f"[{_change('light.lamp', 'on')},{_change('light.bob_x', 'unavailable')}]",
        (
            '{"type":"event","id":3,"event":{"event_type":"call_service","data":{"domain":"light","service":"turn_on",'
            '"service_data":{"entity_id":"light.lamp"}},"context":{"id":"c2","user_id":"u-bob"}}}'
        ),
        '{"type":"event","id":3,"event":{"event_type":"area_registry_updated","data":{}}}',
        '{"type":"event","id":3,"event":{"event_type":"zha_event","data":{"x":[1]},"time_fired":"never"}}',
        '{"type":"event","id":3,"event":{"event_type":"homeassistant_stop","data":{}}}',
    ]
    yield joined(*_answers(), "\n".join(day))
    yield from (joined(*_answers(), line) for line in day)
    yield joined(*_answers(get_config='{"state":"STARTING"}'), day[0])
    yield joined(*_answers(get_states="no"), "")
    yield joined(*_answers(**{"auth/current_user": "{}", "person/list": "no"}), day[0])
    for frame in ("", "{", "17", "[1,2]", '{"type":"event"}', '{"type":"result","id":7,"success":true}', "[" * 3000):
        yield joined(*_answers(), frame)


def inputs() -> st.SearchStrategy[bytes]:
    """Return changes of any entity, among other things, after answers that need not be any."""
    entities = st.sampled_from(["light.alice_x", "person.alice", "light.bob_y", "light.lamp", "", "x"])
    changes = st.builds(_change, entities, st.text(max_size=5)).map(str.encode)
    frames = st.lists(changes | json(), max_size=4).map(b"\n".join)
    whole = [answer.encode() for answer in _answers()]
    answers = st.tuples(*(st.just(answer) | st.sampled_from([b"null", b"no", b"[]"]) | json() for answer in whole))
    return st.builds(lambda first, rest: joined(*first, rest), answers, frames)
