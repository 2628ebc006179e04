"""Python routes as actions: what they ask for is done as their owner, each thing once, however often they are run."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import pytest
from msgspec import UNSET, Raw
from msgspec.structs import replace

from jitney.adapters.errors import RefusedError
from jitney.daemon.counters import Counters
from jitney.daemon.routes.actions import (
    Action,
    Notify,
    PublishEvent,
    PublishState,
    Reply,
    RunHandler,
    SendCommand,
    SetVariable,
)
from jitney.daemon.routing import handlers as module
from jitney.daemon.routing.failures import FailedError
from jitney.daemon.routing.handlers import Handlers
from jitney.daemon.routing.lanes import Lane, Waiting
from jitney.daemon.routing.planned import NOBODY, Planned, decode, describe, destination, encode, plan
from jitney.daemon.routing.variables import Variables
from jitney.daemon.scripts.errors import HandlerError
from jitney.daemon.scripts.host import Task
from jitney.daemon.scripts.talk import Desk
from jitney.daemon.scripts.wire import Ask, AskCommand, AskNotify, AskPublish, AskReply, AskState, Change
from jitney.topics import EMPTY
from jitney.topics.messages import ReplyAddress
from tests.daemon.routing.doing import START, Clock, event

ACTION = RunHandler(file="routes/alice.py", handler="tick")
SAY = AskCommand(command="base.send_text", data={"text": "hi"})


class Player:
    """Runs functions as the test plays them: what they ask for, and the error that they end with each time."""

    def __init__(self, *asks: Ask, changes: Sequence[Change] = ()) -> None:
        self.asks = asks
        self.changes = tuple(changes)
        self.errors: list[Exception] = []
        self.answers: list[Raw | RefusedError] = []
        self.task: Task | None = None

    async def run(self, task: Task, desk: Desk) -> tuple[Change, ...]:
        self.task = task
        for ask in self.asks:
            try:
                self.answers.append(await desk(ask))
            except RefusedError as error:
                self.answers.append(error)
        if self.errors:
            raise self.errors.pop(0)
        return self.changes


class Doing:
    """Does actions as the test plays it."""

    def __init__(self) -> None:
        self.done: list[Planned] = []
        self.errors: list[Exception | None] = []

    async def __call__(self, planned: Planned) -> Raw:
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        self.done.append(planned)
        return Raw(b'{"n":%d}' % len(self.done))

    def actions(self) -> list[Action]:
        return [planned.action for planned in self.done]


def handlers(player: Player, variables: Variables | None = None) -> Handlers:
    return Handlers(player, variables or Variables(Counters()), names={"alice": "Alice"}, clock=Clock())  # type: ignore[arg-type]


def one(**fields: Any) -> Planned:  # noqa: ANN401
    (planned,) = plan(event(**fields), [ACTION], route="a route", now=START, ttl=60)
    return planned


async def run(player: Player, doing: Callable[[Planned], Awaitable[Raw]], planned: Planned | None = None) -> None:
    await handlers(player).run(planned or one(), ACTION, doing)


def test_the_event_waits_on_disk_with_who_can_be_answered() -> None:
    ping = event(
        type="meshtastic.message", source="/base", data=Raw(b'{"node":"!a1b2c3d4","packet_id":77,"channel":2}')
    )
    (planned,) = plan(ping, [ACTION], route="r", now=START, ttl=60)
    kept = decode(encode(planned))
    assert kept == planned
    assert kept.event is not None
    assert (kept.event.id, bytes(kept.event.data)) == (ping.id, bytes(ping.data))
    assert (kept.origin.node, kept.origin.packet_id) == ("!a1b2c3d4", 77)
    (asked,) = plan(event(), [ACTION], route="r", now=START, ttl=60, address=ReplyAddress(client="c"))
    assert asked.origin.address == ReplyAddress(client="c")
    assert one().origin == NOBODY
    assert describe(ACTION) == "python routes/alice.py:tick"
    assert destination(planned) == "python routes/alice.py"


def test_all_routes_of_a_file_are_done_one_after_the_other_and_those_of_others_meanwhile() -> None:
    lane = Lane()
    wanted: list[tuple[str, Action]] = [
        ("a", ACTION),
        ("b", RunHandler(file="routes/alice.py", handler="tock")),
        ("c", RunHandler(file="routes/bob.py", handler="tick")),
        ("d", SendCommand(adapter="base", command="x")),
    ]
    for number, (route, action) in enumerate(wanted):
        (planned,) = plan(event(number), [action], route=route, now=START, ttl=60)
        lane.add(Waiting(planned, number, size=1))
    taken = [lane.take(START), lane.take(START), lane.take(START), lane.take(START)]
    assert [item and item.planned and item.planned.route for item in taken] == ["a", "c", "d", None]
    assert taken[0] is not None
    lane.done(taken[0])
    second = lane.take(START)
    assert second is not None
    assert second.planned is not None
    assert second.planned.route == "b"


async def test_a_function_gets_the_event_and_the_variables_of_its_owner() -> None:
    variables = Variables(Counters())
    variables.set("alice", "n", b"1", now=START)
    variables.set("bob", "n", b"2", now=START)
    player = Player()
    await handlers(player, variables).run(one(hops=2), ACTION, Doing())
    task = player.task
    assert task is not None
    assert (task.file, task.handler, task.route) == ("routes/alice.py", "tick", "a route")
    assert (task.owner, task.owner_name, bytes(task.variables)) == ("alice", "Alice", b'{"n":1}')
    told = msgspec.json.decode(task.event)
    assert (told["id"], told["hops"], told["data"]) == ("event-1", 2, {"number": 1})


@pytest.mark.parametrize("data", [b"[1]", b"{", b'{"a":"\xff"}', b"[" * 100_000])
async def test_data_that_no_function_can_read_is_empty(data: bytes) -> None:
    player = Player()
    await run(player, Doing(), one(data=Raw(data)))
    assert player.task is not None
    assert msgspec.json.decode(player.task.event)["data"] == {}


@pytest.mark.parametrize(
    ("ask", "action"),
    [
        (SAY, SendCommand(adapter="base", command="send_text", data=Raw(b'{"text":"hi"}'))),
        (AskCommand(command="a.b.c", data={}), SendCommand(adapter="a", command="b.c", data=EMPTY)),
        (
            AskPublish(kind="x", data={"n": 1}, subject="s"),
            PublishEvent(kind="x", data=Raw(b'{"n":1}'), subject="s", source="a route"),
        ),
        (AskState(subject="s", data={"n": 1}, expiry=9), PublishState(subject="s", data=Raw(b'{"n":1}'), expiry=9)),
        (AskState(subject="s", data=None, expiry=0), PublishState(subject="s", data=UNSET)),
        (AskReply(text="x"), Reply(text="x")),
        (AskReply(data={"n": 1}), Reply(data=Raw(b'{"n":1}'))),
        (
            AskNotify(target="home.phone", message="m", title="t", data={"n": 1}),
            Notify(target="home.phone", message="m", title="t", data=Raw(b'{"n":1}')),
        ),
    ],
)
async def test_what_is_asked_for_is_an_action_of_the_same_owner_route_and_event(ask: Ask, action: Action) -> None:
    doing, planned = Doing(), one(hops=3)
    player = Player(ask)
    await run(player, doing, planned)
    (done,) = doing.done
    assert encode(done) == encode(replace(planned, id=done.id, action=action, event=None))
    assert done.id != planned.id
    assert player.answers == [Raw(b'{"n":1}')]


@pytest.mark.parametrize("command", ["", "base", ".x", "base."])
async def test_a_command_names_an_adapter_and_what_it_is_to_do(command: str) -> None:
    player, doing = Player(AskCommand(command=command, data={})), Doing()
    await run(player, doing)
    (answer,) = player.answers
    assert isinstance(answer, RefusedError)
    assert (answer.code, doing.done) == ("invalid", [])


async def test_what_was_done_is_not_done_again_when_the_event_is_answered_again() -> None:
    shout = AskCommand(command="base.send_text", data={"text": "HI"})
    player, doing, planned = Player(SAY, SAY, shout), Doing(), one()
    known = handlers(player)
    player.errors = [HandlerError("raised", "a.py:3: KeyError"), HandlerError("raised", "a.py:3: KeyError")]
    doing.errors = [None, None, RefusedError("offline", "base is not there")]
    with pytest.raises(FailedError) as raised:
        await known.run(planned, ACTION, doing)
    assert (raised.value.code, str(raised.value)) == ("raised", "a.py:3: KeyError")
    assert [type(answer) for answer in player.answers] == [Raw, Raw, RefusedError]
    first = [one.id for one in doing.done]
    assert len(set(first)) == 2
    player.asks = (shout, SAY, SAY)
    with pytest.raises(FailedError):
        await known.run(replace(planned, tries=1), ACTION, doing)
    await known.run(replace(planned, tries=2), ACTION, doing)
    assert [one.id for one in doing.done][:2] == first
    assert [bytes(one.action.data) for one in doing.done[2:]] == [b'{"text":"HI"}']  # type: ignore[union-attr]
    assert player.answers[3:6] == player.answers[6:] == [Raw(b'{"n":3}'), Raw(b'{"n":1}'), Raw(b'{"n":2}')]
    assert known._memory._bytes == 0


async def test_what_is_asked_for_about_an_event_has_the_same_ids_after_a_restart() -> None:
    planned, ids = one(), []
    for _ in range(2):
        doing = Doing()
        await run(Player(SAY, SAY, AskPublish(kind="x", data={}, subject="")), doing, planned)
        ids.append([one.id for one in doing.done])
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 3


async def test_what_is_remembered_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    player = Player(SAY)
    known, doing = handlers(player), Doing()
    planned = [one() for _ in range(10)]
    for each in planned:
        player.errors = [HandlerError("raised", "x")]
        with pytest.raises(FailedError):
            await known.run(each, ACTION, doing)
    assert known._memory._bytes <= 1000
    assert len(doing.done) == 10
    await known.run(planned[-1], ACTION, doing)
    assert len(doing.done) == 10
    await known.run(planned[0], ACTION, doing)
    assert len(doing.done) == 11


async def test_a_radio_that_gives_no_answer_on_purpose_is_no_error() -> None:
    player, doing = Player(AskReply(text="pong"), SAY), Doing()
    doing.errors = [RefusedError("cooling", "too soon"), RefusedError("cooling", "too soon")]
    await run(player, doing)
    answered, refused = player.answers
    assert answered == EMPTY
    assert isinstance(refused, RefusedError)
    assert (refused.code, str(refused)) == ("cooling", "too soon")


async def test_variables_are_set_when_all_went_well_and_not_before() -> None:
    changes = [Change(name="n", value="[1]", expiry=60), Change(name="m", value=None, expiry=0)]
    player, doing = Player(changes=changes), Doing()
    player.errors = [HandlerError("raised", "x")]
    known, planned = handlers(player), one()
    with pytest.raises(FailedError):
        await known.run(planned, ACTION, doing)
    assert doing.done == []
    await known.run(planned, ACTION, doing)
    assert doing.actions() == [SetVariable(name="n", value=Raw(b"[1]"), expiry=60), SetVariable(name="m")]


async def test_an_event_that_was_not_kept_cannot_be_answered() -> None:
    with pytest.raises(RefusedError, match="not kept"):
        await run(Player(), Doing(), replace(one(), event=None))


async def test_a_process_that_has_to_wait_lets_the_event_wait_too() -> None:
    player = Player()
    player.errors = [HandlerError("unavailable", "it is started again in 8 s", after=8.0)]
    with pytest.raises(FailedError) as raised:
        await run(player, Doing())
    assert (raised.value.code, raised.value.after) == ("unavailable", 8.0)
