"""Dead letters: listed, tried again, dropped; events and actions alike."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jitney.adapters.errors import RefusedError
from jitney.daemon.routes.actions import Action, Forward, SendCommand, Webhook
from jitney.daemon.routes.settings import GrantSettings
from jitney.daemon.routing import dead_requests, room
from jitney.daemon.routing.planned import plan
from jitney.daemon.store import outbox as rows
from jitney.topics import cloudevents
from tests.daemon.routing.acting import Actors, Door, acting
from tests.daemon.routing.doing import event
from tests.daemon.running import config, observing, payload, running
from tests.fakes.mosquitto import Broker
from tests.waiting import until

GRANT = GrantSettings(from_="alice", to="bob", kinds="played.*")
TURN = SendCommand(adapter="home", command="turn")


@asynccontextmanager
async def house(broker: Broker, folder: Path, *, door: Door | None = None, **options: Any) -> AsyncIterator[Actors]:  # noqa: ANN401
    doors = {"home": door or Door()}
    async with (
        running(config(broker.url), folder) as daemon,
        acting(daemon, doors=doors, types={"home": "homeassistant"}, **options) as actors,
    ):
        await daemon.connected()
        yield actors


async def died(actors: Actors, action: Action, *, owner: str = "alice", number: int = 1) -> int:
    """Let an action die and return the id of its letter."""
    before = {letter.id for letter in await actors.dead.newest()}
    await actors.accept(plan(event(number, owner=owner), [action], route="long ride", now=time.time(), ttl=60))

    async def new() -> bool:
        return bool({letter.id for letter in await actors.dead.newest()} - before)

    await until(new)
    return (await actors.dead.newest())[0].id


async def dead_event(actors: Actors, topic: str, *, adapter: str = "played", number: int = 1) -> int:
    """Put an event among the dead letters, as the outbox does when the broker refuses it."""
    body = cloudevents.encode(event(number, subject="s"))
    row = ("alice", adapter, topic, body, "not_authorised", "2026-11-21T05:41:00.120Z")
    actors.store.write(rows.DEAD, [row])
    await actors.store.committed()
    return (await actors.dead.newest())[0].id


async def test_dead_letters_are_listed_newest_first_and_by_owner(broker: Broker, tmp_path: Path) -> None:
    async with house(broker, tmp_path) as actors:
        first = await dead_event(actors, "jitney/alice/event/played/ticked")
        second = await died(actors, TURN)
        third = await died(actors, TURN, owner="bob")
        letters = await actors.dead.newest()
        assert [letter.id for letter in letters] == [third, second, first]
        assert [letter.id for letter in await actors.dead.newest("alice")] == [second, first]
        assert [letter.id for letter in await actors.dead.newest(limit=1)] == [third]
        action, published = letters[1], letters[2]
        assert (action.kind, action.route, action.action) == ("action", "long ride", "command home.turn")
        assert (action.reason, action.tries) == ("unknown_adapter: alice has no adapter 'home'", 1)
        assert (action.event_id, action.event_type, action.adapter) == ("event-1", "played.ticked", "played")
        assert (published.kind, published.topic, published.reason) == (
            "event",
            "jitney/alice/event/played/ticked",
            "not_authorised",
        )
        assert (published.event_id, published.event_type, published.subject) == ("event-1", "played.ticked", "s")


async def test_a_dead_action_can_be_tried_again_as_if_it_were_new(broker: Broker, tmp_path: Path) -> None:
    door = Door("alice")
    door.answers = [RefusedError("not_allowed", "not yet")]
    async with house(broker, tmp_path, door=door) as actors:
        letter = await died(actors, TURN)
        retried = await actors.dead.retry(letter)
        assert (retried.id, retried.reason) == (letter, "not_allowed: not yet")
        await until(lambda: len(door.commands) == 2)
        assert door.commands[0].id != door.commands[1].id
        assert await actors.dead.newest() == []
        with pytest.raises(RefusedError, match="there is no dead letter"):
            await actors.dead.retry(letter)


async def test_a_dead_event_can_be_published_again(broker: Broker, tmp_path: Path) -> None:
    topic = "jitney/alice/event/played/ticked"
    async with observing(broker.port) as observer, house(broker, tmp_path) as actors:
        letter = await dead_event(actors, topic, number=5)
        await actors.dead.retry(letter)
        await observer.message(topic)
        assert observer.events(topic) == [event(5, subject="s")]
        assert await actors.dead.newest() == []


async def test_what_was_to_be_shown_is_shown_only_if_it_is_still_granted(broker: Broker, tmp_path: Path) -> None:
    topic = "jitney/bob/shared/alice/event/played/ticked"
    async with observing(broker.port) as observer, house(broker, tmp_path, grants=[GRANT]) as actors:
        letter = await dead_event(actors, topic, adapter="shared/bob")
        actors.grants.change([])
        with pytest.raises(RefusedError, match="not granted"):
            await actors.dead.retry(letter)
        await actors.accept(plan(event(2), [Forward(to="bob")], route="r", now=time.time(), ttl=60))
        await until(lambda: actors.counters.total("dead", reason="not_granted") == 1)
        actors.grants.change([GRANT])
        for one in await actors.dead.newest():
            await actors.dead.retry(one.id)
        await observer.until(lambda: len(observer.on(topic)) == 2)


async def test_two_who_try_the_same_letter_again_do_it_once(broker: Broker, tmp_path: Path) -> None:
    topic = "jitney/alice/event/played/ticked"
    async with observing(broker.port) as observer, house(broker, tmp_path) as actors:
        letter = await dead_event(actors, topic)
        results = await asyncio.gather(*(actors.dead.retry(letter) for _ in range(3)), return_exceptions=True)
        assert [getattr(one, "code", "ok") for one in results] == ["ok", "busy", "busy"]
        await actors.bus.emit([event(9, type="played.last")], durable=True)
        await observer.message("jitney/alice/event/played/last")
        assert len(observer.on(topic)) == 1


async def test_a_letter_for_which_there_is_no_room_stays(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(broker, tmp_path) as actors:
        letter = await died(actors, TURN)
        monkeypatch.setattr(room, "MOST", 0)
        with pytest.raises(RefusedError, match="try again later"):
            await actors.dead.retry(letter)
        assert [one.id for one in await actors.dead.newest()] == [letter]


async def test_letters_are_dropped_one_by_one_or_all_of_an_owner_or_all(broker: Broker, tmp_path: Path) -> None:
    async with house(broker, tmp_path) as actors:
        letters = [await died(actors, TURN, owner=owner) for owner in ("alice", "alice", "alice", "bob", "bob")]
        await actors.dead.drop(letters[0])
        with pytest.raises(RefusedError, match="there is no dead letter"):
            await actors.dead.drop(letters[0])
        assert await actors.dead.drop_all("alice") == 2
        assert [one.owner for one in await actors.dead.newest()] == ["bob", "bob"]
        assert await actors.dead.drop_all() == 2
        assert await actors.dead.newest() == []


async def test_a_letter_that_nobody_can_read_any_more_is_listed_and_can_only_be_dropped(
    broker: Broker, tmp_path: Path
) -> None:
    async with house(broker, tmp_path) as actors:
        for kind in ("action", "event"):
            row = ("alice", "route", "nowhere", b"{", "unreadable", "2026-11-21T05:41:00.120Z", kind)
            columns = "owner, adapter, topic, payload, reason, time, kind"
            actors.store.write(f"INSERT INTO dead ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", [row])  # noqa: S608
        await actors.store.committed()
        letters = await actors.dead.newest()
        assert [one.reason for one in letters] == ["unreadable"] * 2
        for one in letters:
            with pytest.raises(RefusedError) as raised:
                await actors.dead.retry(one.id)
            assert raised.value.code in ("unreadable", "invalid")
            await actors.dead.drop(one.id)


async def test_no_secret_of_a_webhook_is_in_the_list(broker: Broker, tmp_path: Path) -> None:
    async with house(broker, tmp_path) as actors:
        await died(actors, Webhook(method="POST", url="https://hooks.example.org/s3cret?token=s3cret"))
        assert b"s3cret" not in msgspec.json.encode(await actors.dead.newest())


async def test_dead_letters_are_looked_after_by_request(broker: Broker, tmp_path: Path) -> None:
    async with (
        observing(broker.port) as observer,
        running(config(broker.url), tmp_path) as daemon,
        acting(daemon) as actors,
    ):
        await daemon.connected()
        daemon.app.parts.administration.handlers.update(dead_requests.handlers(actors.dead))

        async def asked(name: str, body: bytes) -> dict[str, Any]:
            topic = f"jitney/_bus/main/response/{name}"
            before = len(observer.on(topic))
            await observer.publish(f"jitney/_bus/main/request/{name}", body)
            await observer.until(lambda: len(observer.on(topic)) > before)
            decoded: dict[str, Any] = msgspec.json.decode(payload(observer.on(topic)[-1]))
            return decoded

        letter = await died(actors, TURN)
        listed = await asked("dead_list", b'{"owner":"alice"}')
        assert [one["id"] for one in listed["data"]["letters"]] == [letter]
        assert listed["data"]["letters"][0]["action"] == "command home.turn"
        assert (await asked("dead_retry", b'{"id":%d}' % letter))["data"]["retried"]["id"] == letter
        assert (await asked("dead_retry", b'{"id":999}'))["error"]["code"] == "unknown_letter"
        await until(lambda: actors.counters.total("dead") == 2)
        assert (await asked("dead_drop", b'{"all":true}'))["data"] == {"dropped": 1}
        for body in (b"{}", b'{"id":1,"all":true}', b'{"id":1,"owner":"alice"}', b'{"id":"x"}', b'{"limit":0}'):
            assert (await asked("dead_drop", body))["error"]["code"] == "invalid"
        assert (await asked("dead_list", b'{"limit":100000}'))["error"]["code"] == "invalid"
