"""The running daemon, as it tells the broker: whether it is there, how its adapters are, what people must do."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

import jitney
from jitney.adapters.base import Found, Level
from jitney.daemon.config.resting import resting, running
from jitney.daemon.config.schema import Config
from jitney.daemon.service.doctor.case import Case, Heard
from jitney.daemon.supervision.status import Alert, Status, Word
from jitney.topics import InvalidTopicError, TopicTree
from jitney.topics.messages import ROUTE
from jitney.topics.tree import AlertTopic, BusTopic, StatusTopic

_LEVELS: Final[Mapping[Word, Level]] = {
    "online": "ok",
    "connecting": "note",
    "degraded": "warning",
    "offline": "warning",
    "reauth": "problem",
    "failed": "problem",
}
_START: Final = "sudo systemctl start jitney, or  jitney run"
_LOG: Final = "look into its log: journalctl -u jitney"

S = TypeVar("S", bound=Struct)


class _State(Struct):
    state: str = ""
    boot: str = ""
    version: str = ""


class _Info(Struct):
    adapters: Mapping[str, Any] = {}


class _Health(Struct):
    waiting: int = 0


async def look(case: Case) -> AsyncIterator[Found]:
    """Yield how the daemon is."""
    heard, here = await case.heard(), case.runs_here()
    if not heard.reached:
        yield _unheard(case, here=here)
        return
    state = bus_state(case, heard)
    if state != "online":
        yield _absent(case, state, here=here)
        return
    for found in (*_present(case, heard, here=here), *_adapters(case.config, case.tree, heard)):
        yield found


def bus_state(case: Case, heard: Heard) -> str:
    """Return what the bus last said of itself: ``online``, ``offline``, or nothing."""
    return (_said(case, heard, "state", _State) or _State()).state


def statuses(tree: TopicTree, heard: Heard) -> dict[str, dict[str, Status]]:
    """Return the status of each adapter as each owner was told it."""
    found: dict[str, dict[str, Status]] = {}
    for topic, payload in heard.retained.items():
        address = _address(tree, topic)
        if isinstance(address, StatusTopic) and (status := _read(payload, Status)):
            found.setdefault(address.adapter, {})[address.owner] = status
    return found


def _unheard(case: Case, *, here: bool) -> Found:
    if here:
        return Found("ok", f"runs, with the state in {case.state}; more cannot be known without the broker")
    return Found("note", "whether it runs cannot be known without the broker")


def _absent(case: Case, state: str, *, here: bool) -> Found:
    instance = case.config.bus.instance
    if here:
        text = f"runs, with the state in {case.state}, but the broker knows no {instance} that is online"
        return Found("problem", text, f"is it of the same configuration? {_LOG}")
    said = "has been stopped" if state == "offline" else "has never been seen at this broker"
    return Found("note", f"the bus {instance} does not run: it {said}", _START)


def _present(case: Case, heard: Heard, *, here: bool) -> Iterator[Found]:
    state = _said(case, heard, "state", _State) or _State()
    yield Found("ok", f"runs since {state.boot}, version {state.version}")
    if state.version != jitney.__version__:
        text = f"it is of version {state.version}, and this program of {jitney.__version__}"
        yield Found("warning", text, "restart it: sudo systemctl restart jitney")
    if not here:
        text = f"it does not keep its state in {case.state}, or runs on another machine"
        remedy = "if it runs here, set bus.state_dir, so that every command finds the same folder"
        yield Found("note", text, remedy)
    told = _said(case, heard, "info", _Info)
    wanted = running(case.config).keys()
    if told is not None and told.adapters.keys() != wanted:
        apart = ", ".join(sorted(told.adapters.keys() ^ wanted))
        text = f"it was started with another configuration: {apart}"
        yield Found("warning", text, "let it read the new one: sudo systemctl reload jitney")
    health = _said(case, heard, "health", _Health)
    if health is not None and health.waiting:
        yield Found("note", f"{health.waiting} events wait for the broker")


def _adapters(config: Config, tree: TopicTree, heard: Heard) -> Iterator[Found]:
    told = statuses(tree, heard)
    away = resting(config)
    for name in running(config):
        yield from _one(name, {owner: one for owner, one in told.get(name, {}).items() if owner not in away})
    for owner, status in told.get(ROUTE, {}).items():
        if owner not in away and status.state != "online":
            text = f"the routes of {owner} are {_words(status.state, status.reason)}"
            yield Found(_LEVELS[status.state], text, "jitney routes")
    for topic, payload in heard.retained.items():
        address = _address(tree, topic)
        if isinstance(address, AlertTopic) and (alert := _read(payload, Alert)):
            yield Found("warning", f"{address.owner} has to do something: {alert.message}")


def _one(name: str, told: Mapping[str, Status]) -> Iterator[Found]:
    """Yield how an adapter is: once where it is the same for everybody, else also for whom it is otherwise."""
    if not told:
        yield Found("warning", f"{name} has told nobody how it is", _LOG)
        return
    ways: dict[tuple[Word, str], list[str]] = {}
    for owner, status in told.items():
        ways.setdefault((status.state, status.reason), []).append(owner)
    for (state, reason), owners in sorted(ways.items(), key=lambda way: -len(way[1])):
        whose = "" if len(ways) == 1 else f" for {', '.join(sorted(owners))}"
        text = f"{name}{whose} is {_words(state, reason)}"
        level = _LEVELS[state]
        yield Found(level, text, "" if level in ("ok", "note") or reason else _LOG)


def _words(state: str, reason: str) -> str:
    return f"{state}: {reason}" if reason else state


def _said(case: Case, heard: Heard, name: str, kind: type[S]) -> S | None:
    return _read(heard.retained.get(case.tree.name(BusTopic(case.config.bus.instance, name)), b""), kind)


def _read(payload: bytes, kind: type[S]) -> S | None:
    try:
        return msgspec.json.decode(payload, type=kind) if payload else None
    except (msgspec.MsgspecError, UnicodeError):
        return None


def _address(tree: TopicTree, topic: str) -> object:
    try:
        return tree.parse(topic)
    except InvalidTopicError:
        return None
