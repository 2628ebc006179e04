"""Whatever Home Assistant or a proxy sends, the adapter goes on, says so once and misses nothing for good."""

import msgspec
import pytest

from jitney.adapters.errors import DisconnectedError
from jitney.adapters.homeassistant import session
from jitney.topics import HOUSE
from tests.adapters.homeassistant.following import adapter_for, attempt, changes, context, ended, online, published
from tests.fakes.homeassistant import FakeHomeAssistant

EVENT = '{"type":"event","id":2,"event":{"event_type":"state_changed","data":%s,"context":{"id":"c"}}}'


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        ('{"type":"event","ev', "not_json"),
        ("", "not_json"),
        ("\x00", "not_json"),
        (b"\xff\xfe\x00", "not_json"),
        ("[" * 5000, "not_json"),
        ("17", "wrong_type"),
        ("null", "wrong_type"),
        ("[1,2]", "wrong_type"),
        ('{"id":1}', "wrong_type"),
        ('{"type":5}', "wrong_type"),
        ('{"type":"event","id":1}', "event_without_data"),
        ('{"type":"event","id":1,"event":null}', "wrong_type"),
        ('{"type":"event","id":1,"event":{"event_type":"doorbell"}}', "wrong_type"),
        (EVENT % "{}", "event_without_data"),
        (EVENT % '{"entity_id":"light.x"}', "event_without_data"),
        (EVENT % '{"entity_id":"light.x","new_state":5}', "wrong_type"),
        (EVENT % '{"entity_id":"light.x","new_state":{"state":1,"attributes":{}}}', "wrong_type"),
        ('{"type":"surprise","id":4}', "unknown_message"),
    ],
)
async def test_a_frame_that_is_wrong_is_counted_and_the_next_one_is_taken(frame: str | bytes, kind: str) -> None:
    async with FakeHomeAssistant() as home, online(adapter_for(home), ctx := context()):
        home.send_raw(frame, binary=isinstance(frame, bytes))
        home.set_state("light.hall", "on")
        await ctx.until_events(1)
        assert changes(ctx) == [("light.hall", None, "on")]
        assert ctx.counts[kind] >= 1
        (line,) = ctx.warnings()
        assert line["kind"] == kind


async def test_a_wrong_frame_is_logged_rarely_and_counted_always() -> None:
    async with FakeHomeAssistant() as home, online(adapter_for(home), ctx := context()):
        for _ in range(250):
            home.send_raw("{")
        await ctx.until(lambda: ctx.counts["not_json"] == 250)
        assert [line["times"] for line in ctx.warnings()] == [1, 10, 100]


async def test_one_wrong_message_in_a_list_costs_none_of_the_others() -> None:
    def change(state: str) -> str:
        new = {"state": state, "attributes": {}, "last_changed": "", "last_updated": state}
        return EVENT % msgspec.json.encode({"entity_id": "light.x", "new_state": new}).decode()

    async with FakeHomeAssistant() as home, online(adapter_for(home), ctx := context()):
        home.send_raw(
            f'[{change("1")},{{"type":"event","event":7}},{change("2")},5,{{"type":"pong","id":3}},{change("3")}]'
        )
        await ctx.until_events(3)
        assert [state for _, _, state in changes(ctx)] == ["1", "2", "3"]


async def test_unknown_fields_and_a_time_that_is_none_are_taken() -> None:
    new = '{"state":"on","attributes":{},"last_changed":"x","last_updated":"yesterday","brand_new":[1]}'
    async with FakeHomeAssistant() as home, online(adapter_for(home), ctx := context()):
        home.send_raw(EVENT % f'{{"entity_id":"light.x","new_state":{new},"more":{{}}}}')
        (event,) = await ctx.until_events(1)
        assert event.time == event.observed


async def test_what_was_in_a_frame_that_was_cut_off_is_found_by_comparing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "SETTLE", 0.01)
    async with FakeHomeAssistant() as home:
        home.set_state("light.hall", "off")
        async with online(adapter_for(home), ctx := context()):
            listeners, home.listeners = home.listeners, []
            home.set_state("light.hall", "on")
            home.listeners = listeners
            home.send_raw('{"type":"event","event":{"event_type":"state_chan')
            await ctx.until(lambda: published(ctx)["light.hall"] == (HOUSE, "on"))
            assert changes(ctx) == [("light.hall", "off", "on")]


@pytest.mark.parametrize(
    "frame",
    [
        '{"id":null,"type":"result","success":false,"error":{"code":"invalid_format","message":"?"}}',
        '{"id":-5,"type":"result","success":true,"result":null}',
        '{"id":1,"type":"result","success":true,"result":[]}',
        '{"id":99999,"type":"result","success":true,"result":{}}',
        '{"id":"7","type":"result"}',
        '{"type":"result"}',
    ],
)
async def test_a_result_that_answers_nothing_is_left_alone(frame: str) -> None:
    async with FakeHomeAssistant() as home:
        home.pause_results("get_states")
        async with attempt(adapter_for(home), ctx := context()):
            await home.received("get_states")
            home.send_raw(frame)
            home.resume_results()
            await ctx.until_online()
            home.send_raw(frame)
            home.set_state("light.hall", "on")
            await ctx.until_events(1)
            assert changes(ctx) == [("light.hall", None, "on")]


async def test_a_home_that_counts_the_requests_differently_is_connected_to_anew() -> None:
    async with FakeHomeAssistant() as home:
        home.pause_results("get_states")
        async with attempt(adapter_for(home), context()) as task:
            number = (await home.received("get_states")).message["id"]
            error = {"code": "id_reuse", "message": "Identifier values have to increase."}
            home.send_raw(
                msgspec.json.encode({"id": number, "type": "result", "success": False, "error": error}).decode()
            )
            with pytest.raises(DisconnectedError, match="opened anew"):
                await ended(task)


async def test_states_that_are_wrong_cost_none_of_the_others() -> None:
    async with FakeHomeAssistant() as home:
        home.pause_results("get_states")
        async with attempt(adapter_for(home), ctx := context()):
            number = (await home.received("get_states")).message["id"]
            good = {"entity_id": "light.x", "state": "on", "attributes": {}}
            result = [5, {"entity_id": 7}, good, None]
            answer = {"id": number, "type": "result", "success": True, "result": result}
            home.send_raw(msgspec.json.encode(answer).decode())
            await ctx.until_online()
            assert published(ctx) == {"light.x": (HOUSE, "on")}
            assert ctx.counts["wrong_type"] == 3
