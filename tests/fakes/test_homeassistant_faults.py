"""What goes wrong with the fake Home Assistant goes wrong as with the real one."""

import asyncio
from http import HTTPStatus

import aiohttp
import pytest
from aiohttp import WSMsgType

from tests.fakes.homeassistant import FakeHomeAssistant, Limits
from tests.fakes.homeassistant.client import WITHIN, signed_in, stranger


async def test_a_burst_comes_in_lists_for_who_asked_for_them_and_in_order() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha, coalesce=True) as client:
        await client.ask("subscribe_events", event_type="ride")
        before = len(client.frames)
        for number in range(1000):
            ha.fire("ride", {"number": number})
        assert [(await client.event())["data"]["number"] for _ in range(1000)] == list(range(1000))
        assert len(client.frames) - before < 20


async def test_a_burst_comes_one_by_one_for_who_did_not() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        await client.ask("subscribe_events", event_type="ride")
        before = len(client.frames)
        for number in range(100):
            ha.fire("ride", {"number": number})
        assert [(await client.event())["data"]["number"] for _ in range(100)] == list(range(100))
        assert len(client.frames) - before == 100


async def test_a_client_that_does_not_read_is_cut_off_with_1000_and_misses_the_rest() -> None:
    async with FakeHomeAssistant(send_buffer=4096) as ha, signed_in(ha) as client:
        await client.ask("subscribe_events", event_type="ride")
        client.pause()
        for number in range(20_000):
            ha.fire("ride", {"number": number, "pad": "x" * 2000})
            if number % 100 == 0:
                await asyncio.sleep(0)
        client.resume()
        numbers = [message["event"]["data"]["number"] for message in await client.rest()]
        assert client.socket.close_code == 1000
        assert numbers == list(range(len(numbers)))
        assert len(numbers) < 20_000 - 4096


async def test_a_client_that_stays_behind_for_long_is_cut_off() -> None:
    limits = Limits(peak=10, peak_time=0.05)
    async with FakeHomeAssistant(limits=limits, send_buffer=4096) as ha, signed_in(ha) as client:
        await client.ask("subscribe_events", event_type="ride")
        client.pause()
        for number in range(400):
            ha.fire("ride", {"number": number, "pad": "x" * 100_000})
        await ha.until(lambda: not ha.connections or ha.connections[0].waiting <= 1, "the cut")
        client.resume()
        assert len(await client.rest()) < 400
        assert client.socket.close_code == 1000


async def test_a_restart_closes_with_1000_refuses_and_comes_up_not_running_with_a_flood() -> None:
    async with FakeHomeAssistant() as ha:
        ha.add_entity("light.kitchen", "on", attributes={"friendly_name": "Kitchen", "brightness": 5})
        ha.set_state("light.late", "on")
        ha.set_state("sensor.rain", "1")
        async with signed_in(ha) as client:
            old = ha.states["light.kitchen"].context.id
            _, code = await asyncio.gather(ha.stop(), client.closed())
            assert code == 1000
        with pytest.raises(aiohttp.ClientConnectorError):
            async with stranger(ha):
                pass
        await ha.start(missing=["sensor.rain"], unavailable=["light.kitchen", "light.late"])
        async with signed_in(ha) as client:
            await client.ask("subscribe_events")
            assert (await client.ask("get_config"))["result"]["state"] == "NOT_RUNNING"
            states = {state["entity_id"]: state for state in (await client.ask("get_states"))["result"]}
            assert "sensor.rain" not in states
            assert states["light.kitchen"]["state"] == "unavailable"
            assert states["light.kitchen"]["attributes"] == {"restored": True, "friendly_name": "Kitchen"}
            assert states["light.kitchen"]["context"]["id"] != old
            ha.settle(late=["light.late"])
            flood = [await client.event() for _ in range(8)]
            changes = [
                (event["data"]["entity_id"], event["data"]["new_state"]["state"])
                if event["event_type"] == "state_changed"
                else event["event_type"]
                for event in flood
            ]
            assert changes == [
                ("sensor.rain", "1"),
                "component_loaded",
                "core_config_updated",
                "homeassistant_start",
                ("light.kitchen", "on"),
                "core_config_updated",
                "homeassistant_started",
                ("light.late", "on"),
            ]


async def test_after_a_restart_contexts_are_new_and_users_tokens_and_registry_are_the_same() -> None:
    async with FakeHomeAssistant() as ha:
        ha.add_entity("light.kitchen", "on")
        context, row = ha.states["light.kitchen"].context, dict(ha.registries.entities["light.kitchen"])
        await ha.restart()
        assert ha.life == "RUNNING"
        assert ha.states["light.kitchen"].state == "on"
        assert ha.states["light.kitchen"].context != context
        assert ha.registries.entities["light.kitchen"] == row
        async with signed_in(ha):
            pass


async def test_a_state_written_while_it_starts_is_not_undone_by_the_flood() -> None:
    async with FakeHomeAssistant() as ha:
        ha.set_state("light.kitchen", "on")
        await ha.stop()
        await ha.start()
        ha.set_state("light.kitchen", "off")
        ha.settle()
        assert ha.states["light.kitchen"].state == "off"


async def test_its_port_is_nobody_elses_while_it_is_down() -> None:
    async with FakeHomeAssistant() as ha:
        port = ha.port
        await ha.stop()
        with pytest.raises(OSError, match="in use"):
            await asyncio.start_server(lambda *_: None, "127.0.0.1", port, reuse_address=False)
        await ha.start()
        assert ha.port == port
        async with signed_in(ha):
            pass


async def test_killed_sockets_are_torn_and_new_ones_are_taken() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        ha.kill()
        assert await client.closed() == 1006
        async with signed_in(ha):
            await ha.connected(2)


async def test_a_killed_server_refuses_connections() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        await ha.stop(killed=True)
        assert await client.closed() == 1006
        with pytest.raises(aiohttp.ClientConnectorError):
            async with stranger(ha):
                pass


async def test_while_it_hangs_nothing_is_answered_and_then_everything_is() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        await client.ask("subscribe_events", event_type="ride")
        ha.hang()
        ha.fire("ride")
        await client.say({"id": 2, "type": "ping"})
        await client.socket.ping()
        with pytest.raises(TimeoutError):
            await client.socket.receive(0.05)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), stranger(ha) as other:
                await other.next()
        await ha.attempted(2)
        ha.unhang()
        assert (await client.event())["event_type"] == "ride"
        assert await client.next() == {"id": 2, "type": "pong"}


async def test_a_hung_server_can_be_left() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha):
        ha.hang()


@pytest.mark.parametrize("status", [403, 401, 400, 502, 503])
async def test_a_refused_upgrade_has_its_status_and_open_sockets_stay_open(status: int) -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        if status == HTTPStatus.FORBIDDEN:
            ha.ban()
        else:
            ha.refuse(status)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with stranger(ha):
                pass
        assert refused.value.status == status
        assert (await client.ask("ping"))["type"] == "pong"
        ha.refuse(0)
        async with signed_in(ha):
            await ha.attempted(3)


async def test_too_many_failed_sign_ins_in_a_row_get_the_address_banned() -> None:
    async with FakeHomeAssistant(ban_after=2) as ha:
        for token in ("one", "", "two", "three"):
            async with stranger(ha) as client:
                await client.next()
                await client.say({"type": "auth", "access_token": token or ha.token})
                await client.next()
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            async with stranger(ha):
                pass


async def test_to_revoke_a_token_closes_its_sockets_with_1000_and_no_others() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client, signed_in(ha, ha.users["Alice"].token) as other:
        ha.revoke(ha.token)
        assert await client.closed() == 1000
        assert (await other.ask("ping"))["type"] == "pong"


async def test_a_raw_frame_reaches_subscribers_as_it_is_and_alone() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha, coalesce=True) as client, signed_in(ha) as idle:
        await client.ask("subscribe_events", event_type="ride")
        for frame in ('{"id": 1, "type"', "[]", "null", "x" * 20_000_000):
            ha.fire("ride")
            ha.send_raw(frame)
            ha.fire("ride")
            assert (await client.event())["event_type"] == "ride"
            assert (await client.socket.receive(WITHIN)).data == frame
            assert (await client.event())["event_type"] == "ride"
        ha.send_raw(b"\x01\xff", binary=True)
        assert (await client.socket.receive(WITHIN)).type is WSMsgType.BINARY
        ha.send_raw(b'{"id": "\xff"}')
        assert await client.closed() == 1007
        assert (await idle.ask("ping"))["type"] == "pong"


async def test_paused_results_wait_while_events_go_on() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        await client.ask("subscribe_events", event_type="ride")
        ha.pause_results("get_states")
        await client.say([{"id": 2, "type": "get_states"}, {"id": 3, "type": "ping"}])
        assert (await client.next())["id"] == 3
        ha.pause_results()
        await client.say({"id": 4, "type": "ping"})
        await ha.received("ping", count=2)
        ha.fire("ride")
        assert (await client.event())["event_type"] == "ride"
        ha.resume_results()
        assert [(await client.next())["id"], (await client.next())["id"]] == [2, 4]
        assert await client.ask("ping") == {"id": 5, "type": "pong"}


async def test_waiting_ends_with_what_was_seen() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        await client.ask("ping")
        with pytest.raises(AssertionError, match=r'get_states number 1; .*"commands":\{"ping":1\}'):
            await ha.received("get_states", deadline=0.01)
        assert (await ha.received("ping")).message == {"id": 1, "type": "ping"}


async def test_the_rest_interface_asks_for_the_token() -> None:
    async with FakeHomeAssistant() as ha, aiohttp.ClientSession() as http:
        async with http.get(f"{ha.url}/api/", headers={"Authorization": f"Bearer {ha.token}"}) as answer:
            assert await answer.json() == {"message": "API running."}
        async with http.get(f"{ha.url}/api/", headers={"Authorization": "Bearer wrong"}) as answer:
            assert (answer.status, await answer.text()) == (401, "401: Unauthorized")
        async with http.get(f"{ha.url}/api/websocket") as answer:
            assert answer.status == HTTPStatus.BAD_REQUEST
        await ha.rejected(1)
