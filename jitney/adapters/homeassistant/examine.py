"""Looking at a Home Assistant without following it: whether it lets us in, and whether it knows the people."""

import math
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from aiohttp import WSMsgType
from msgspec import Raw, Struct
from msgspec.structs import replace

from jitney.adapters.base import Clock, Examination, Found
from jitney.adapters.errors import DisconnectedError, UnauthorisedError
from jitney.adapters.homeassistant.config import Config, Identity
from jitney.adapters.homeassistant.expiry import ANNOUNCED, DAY
from jitney.adapters.homeassistant.frames import ERRORS
from jitney.adapters.homeassistant.handshake import WebSocket, websocket
from jitney.topics import JitneyError

PATIENCE: Final = 5.0
"""Seconds for each step."""

_AREAS: Final = "config/area_registry/list"
_QUESTIONS: Final = ("auth/current_user", "get_config", _AREAS)
_MAKE_ONE: Final = "make a new long-lived access token in Home Assistant (your profile, Security)"


class _User(Struct):
    name: str = ""
    is_admin: bool = False


class _House(Struct):
    version: str = ""
    state: str = ""


class _Area(Struct):
    area_id: str = ""
    name: str = ""


class _Snapshot(Struct):
    a: dict[str, Raw] = {}


class _Frame(Struct):
    id: int = 0
    type: str = ""
    success: bool = False
    result: Raw = Raw(b"null")
    event: _Snapshot = msgspec.field(default_factory=_Snapshot)


async def findings(config: Config, about: Examination, *, now: Clock = time.time) -> AsyncIterator[Found]:
    """Yield how the token is, whether Home Assistant takes it, and what of the owners it does not know."""
    left = (config.checked_token().expires or math.inf) - now()
    yield _token(config, left)
    if about.offline or left <= 0:
        return
    patient = replace(config, timeout=min(config.timeout, PATIENCE))
    try:
        async with websocket(patient) as socket:
            persons = sorted({identity.person for _, identity in _identities(about) if identity.person})
            answers = await _ask(socket, persons)
            for found in _told(config, about, answers):
                yield found
    except UnauthorisedError as error:
        yield Found("problem", str(error), error.remedy)
    except JitneyError as error:
        remedy = "does it run, and does the url open it in a browser?" if isinstance(error, DisconnectedError) else ""
        yield Found("problem", str(error), remedy)
    except TimeoutError:
        yield Found(
            "problem", f"Home Assistant at {config.url} does not answer within {PATIENCE:g} s", "is it starting?"
        )


def _token(config: Config, left: float) -> Found:
    expires = config.checked_token().expires
    if expires is None:
        return Found("ok", "the token does not say when it expires")
    day = datetime.fromtimestamp(expires, UTC).date().isoformat()
    if left <= 0:
        return Found("problem", f"the token expired on {day}", _MAKE_ONE)
    text = f"the token is good until {day}, for {left / DAY:.0f} more days"
    return Found("warning", text, _MAKE_ONE) if left < ANNOUNCED else Found("ok", text)


async def _ask(socket: WebSocket, persons: list[str]) -> "dict[str, Raw | dict[str, Raw]]":
    """Return the answers by question, and under an empty one the states of the persons that there are."""
    questions: list[tuple[str, dict[str, Any]]] = [(kind, {}) for kind in _QUESTIONS]
    if persons:
        questions.append(("subscribe_entities", {"entity_ids": persons}))
    for number, (kind, fields) in enumerate(questions, start=1):
        await socket.send_frame(msgspec.json.encode({"id": number, "type": kind, **fields}), WSMsgType.TEXT)
    answers: dict[str, Raw | dict[str, Raw]] = {}
    while len(answers) < len(questions):
        frame = await socket.receive(PATIENCE)
        if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            message = "Home Assistant hung up while it was asked"
            raise DisconnectedError(message)
        _take(frame.data, [kind for kind, _ in questions], answers)
    return answers


def _take(data: bytes | str, kinds: list[str], answers: "dict[str, Raw | dict[str, Raw]]") -> None:
    try:
        answer = msgspec.json.decode(data, type=_Frame)
    except ERRORS:
        return
    if not 0 < answer.id <= len(kinds):
        return
    kind = kinds[answer.id - 1]
    if answer.type == "event":
        answers[""] = answer.event.a
    elif kind != "subscribe_entities":
        answers[kind] = answer.result.copy() if answer.success else Raw(b"null")
    elif not answer.success:
        answers[""] = {}


def _told(config: Config, about: Examination, answers: "dict[str, Raw | dict[str, Raw]]") -> Iterator[Found]:
    house = _decoded(answers["get_config"], _House) or _House()
    user = _decoded(answers["auth/current_user"], _User) or _User()
    yield Found(
        "ok", f"{config.url} lets {user.name or 'us'} in: Home Assistant {house.version}, {house.state.lower()}"
    )
    if not user.is_admin and config.event_types:
        remedy = "make that user an administrator, or set event_types = [] if state changes are enough"
        yield Found("note", f"{user.name or 'the user'} is no administrator: nothing but state changes is seen", remedy)
    present = answers.get("", {})
    areas = _decoded(answers[_AREAS], list[_Area]) or []
    known = {name.casefold() for area in areas for name in (area.area_id, area.name)}
    for owner, identity in _identities(about):
        if identity.person and isinstance(present, dict) and identity.person not in present:
            remedy = f"correct owners.{owner}.homeassistant.person: Settings, People, and there the entity id"
            yield Found("problem", f"there is no {identity.person}, which {owner} is said to be", remedy)
        for area in identity.areas:
            if known and area.casefold() not in known:
                remedy = f"correct owners.{owner}.homeassistant.areas"
                yield Found("warning", f"there is no area {area!r}, which is said to be of {owner}", remedy)


def _identities(about: Examination) -> Iterator[tuple[str, Identity]]:
    for owner in about.owners.values():
        if isinstance(owner.identity, Identity):
            yield owner.id, owner.identity


def _decoded(answer: object, kind: Any) -> Any:  # noqa: ANN401 - whatever kind is
    try:
        return msgspec.json.decode(answer, type=kind) if isinstance(answer, Raw) else None
    except ERRORS:
        return None
