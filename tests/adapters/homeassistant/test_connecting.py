"""What keeps the adapter out is told apart, and each says what a person can do about it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest
from aiohttp import web

from jitney.adapters.errors import DisconnectedError, MisconfiguredError, UnauthorisedError
from jitney.adapters.homeassistant import HomeAssistant
from jitney.adapters.homeassistant.config import Config
from jitney.adapters.homeassistant.expiry import ALERT, DAY
from jitney.adapters.secret import Secret
from jitney.topics import HOUSE, State
from tests.adapters.homeassistant.following import adapter_for, attempt, context, ended, online
from tests.fakes.context import RecordingContext
from tests.fakes.homeassistant import FakeHomeAssistant

TOKEN = "0123456789abcdef0123456789abcdef"

Play = Callable[[web.WebSocketResponse], Awaitable[object]]


@asynccontextmanager
async def somebody(play: Play) -> AsyncIterator[str]:
    """Serve a websocket that is no Home Assistant, and yield its address."""

    async def handle(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        await play(response)
        return response

    app = web.Application()
    app.router.add_get("/api/websocket", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def at(url: str, **config: object) -> HomeAssistant:
    return HomeAssistant("home", Config(url=url, token=Secret(TOKEN), **config))  # type: ignore[arg-type]


async def test_a_token_that_is_not_accepted_asks_for_a_new_one_and_shows_four_characters() -> None:
    async with FakeHomeAssistant() as home:
        home.revoke(home.token)
        with pytest.raises(UnauthorisedError) as caught:
            await adapter_for(home).run(context())
    assert "Invalid access token" in str(caught.value)
    assert "long-lived access token" in caught.value.remedy
    assert caught.value.link == f"{home.url}/profile/security"
    said = str(caught.value) + caught.value.remedy
    assert home.token[-4:] in said
    assert home.token[-5:] not in said


async def test_a_token_that_is_revoked_ends_the_connection_and_is_not_accepted_again() -> None:
    async with FakeHomeAssistant() as home:
        adapter, ctx = adapter_for(home), context()
        async with online(adapter, ctx) as task:
            home.revoke(home.token)
            with pytest.raises(DisconnectedError, match="revoked"):
                await ended(task)
        with pytest.raises(UnauthorisedError):
            await adapter.run(ctx)
        assert ctx.audited == [("_house", "sign_in", "ok", "token"), ("_house", "sign_in", "refused", "token")]


async def test_a_token_that_has_expired_is_not_even_tried() -> None:
    async with FakeHomeAssistant() as home:
        token = home.users.issue(home.jitney, age=10 * DAY, lifespan=9 * DAY)
        with pytest.raises(UnauthorisedError, match="expired on"):
            await adapter_for(home, token=token).run(context())
        assert home.record.attempts == []


async def test_a_token_that_expires_soon_is_announced_to_the_adapters_owner() -> None:
    async with FakeHomeAssistant() as home:
        token = home.users.issue(home.jitney, lifespan=29 * DAY)
        async with online(adapter_for(home, token=token), ctx := context(default_owner="alice")):
            message, link = ctx.alerts["alice", ALERT]
            assert "expires on" in message
            assert link == f"{home.url}/profile/security"


async def test_a_token_that_is_good_for_long_takes_the_announcement_back() -> None:
    async with FakeHomeAssistant() as home, online(adapter_for(home), ctx := context()):
        assert ctx.alerts == {}
        assert ctx.resolved == [(HOUSE, ALERT)]


async def test_a_banned_address_says_banned_or_proxy() -> None:
    async with FakeHomeAssistant() as home:
        home.ban()
        with pytest.raises(UnauthorisedError, match="banned, or the proxy is not trusted") as caught:
            await adapter_for(home).run(context())
    assert "ip_bans.yaml" in caught.value.remedy
    assert "trusted_proxies" in caught.value.remedy


async def test_a_proxy_that_wants_a_login_is_told() -> None:
    async with FakeHomeAssistant() as home:
        home.refuse(HTTPStatus.UNAUTHORIZED)
        with pytest.raises(UnauthorisedError, match="HTTP 401"):
            await adapter_for(home).run(context())


@pytest.mark.parametrize(
    ("status", "says", "slowly"),
    [
        (HTTPStatus.NOT_FOUND, "not a Home Assistant websocket .HTTP 404.: check url", True),
        (HTTPStatus.OK, "not a Home Assistant websocket .HTTP 200.: check url", True),
        (HTTPStatus.BAD_REQUEST, "trusted_proxies", True),
        (HTTPStatus.BAD_GATEWAY, "not ready .HTTP 502.", False),
        (HTTPStatus.SERVICE_UNAVAILABLE, "not ready .HTTP 503.", False),
        (HTTPStatus.TOO_MANY_REQUESTS, "not ready .HTTP 429.", False),
    ],
)
async def test_an_answer_instead_of_a_websocket_is_told_apart(status: HTTPStatus, says: str, *, slowly: bool) -> None:
    async with FakeHomeAssistant() as home:
        home.refuse(status)
        with pytest.raises(DisconnectedError, match=says) as caught:
            await adapter_for(home).run(context())
    assert (caught.value.after > 0) is slowly


async def test_a_port_where_nobody_listens_is_told() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(DisconnectedError, match="Connect call failed"):
            await at(f"http://127.0.0.1:{free.getsockname()[1]}").run(context())


async def test_a_name_that_nobody_knows_is_told() -> None:
    with pytest.raises(DisconnectedError, match="its name is not known"):
        await at("http://nowhere.invalid").run(context())


async def test_https_where_http_is_spoken_is_told() -> None:
    async with FakeHomeAssistant() as home:
        with pytest.raises(DisconnectedError, match="does it really speak https there") as caught:
            await at(home.url.replace("http", "https")).run(context())
    assert caught.value.after > 0


async def test_a_file_of_certificates_that_is_missing_is_a_wrong_configuration() -> None:
    with pytest.raises(MisconfiguredError, match=r"ca_file /nowhere\.pem: No such file"):
        await at("https://127.0.0.1", ca_file="/nowhere.pem").run(context())


async def test_a_home_that_accepts_and_then_says_nothing_is_given_up_in_time() -> None:
    async with FakeHomeAssistant() as home:
        home.hang()
        with pytest.raises(DisconnectedError, match=r"does not answer within 0\.5 s"):
            await adapter_for(home, timeout=0.5).run(context())


async def test_a_greeting_that_does_not_come_is_given_up_in_time() -> None:
    async with somebody(lambda response: response.receive()) as url:
        with pytest.raises(DisconnectedError, match=r"has not sent its greeting within 0\.5 s"):
            await at(url, timeout=0.5).run(context())


async def test_an_answer_to_the_token_that_does_not_come_is_given_up_in_time() -> None:
    async def play(response: web.WebSocketResponse) -> None:
        await response.send_str('{"type":"auth_required"}')
        await response.receive()
        await response.receive()

    async with somebody(play) as url:
        with pytest.raises(DisconnectedError, match=r"has not sent its answer to the token within 0\.5 s"):
            await at(url, timeout=0.5).run(context())


@pytest.mark.parametrize("greeting", ['{"type":"hello"}', "hello", "[]", '{"type":5}', b"\xff\xfe"])
async def test_a_websocket_that_is_no_home_assistant_is_told(greeting: str | bytes) -> None:
    async def play(response: web.WebSocketResponse) -> None:
        await (response.send_bytes(greeting) if isinstance(greeting, bytes) else response.send_str(greeting))
        await response.receive()

    async with somebody(play) as url:
        with pytest.raises(DisconnectedError, match="check url") as caught:
            await at(url).run(context())
    assert caught.value.after > 0


async def test_a_home_that_hangs_up_instead_of_greeting_is_told() -> None:
    async with somebody(lambda response: response.close()) as url:
        with pytest.raises(DisconnectedError, match="hung up instead of sending its greeting"):
            await at(url).run(context())


async def test_a_request_without_a_result_ends_the_attempt_in_time() -> None:
    async with FakeHomeAssistant() as home:
        home.pause_results("get_config")
        with pytest.raises(DisconnectedError, match=r"has not answered get_config within 0\.5 s"):
            await adapter_for(home, timeout=0.5).run(context())


async def test_a_home_that_hangs_is_noticed_by_its_missing_sign_of_life() -> None:
    async with FakeHomeAssistant() as home, online(adapter_for(home, heartbeat=0.1), context()) as task:
        home.hang()
        with pytest.raises(DisconnectedError, match=r"no sign of life for 0\.15 s"):
            await ended(task)


async def test_a_message_that_is_too_big_names_the_limit_and_does_not_come_back_at_once() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("sensor.big", "1", attributes={"pad": "x" * (1 << 20)})
        with pytest.raises(DisconnectedError, match=r"more than 1 MB: raise max_msg_size_mb \(1\)") as caught:
            await adapter_for(home, max_msg_size_mb=1).run(context())
    assert caught.value.after >= 60


async def test_a_home_that_stops_ends_the_attempt() -> None:
    async with FakeHomeAssistant() as home, online(adapter_for(home), context()) as task:
        await home.stop()
        with pytest.raises(DisconnectedError, match="it stops"):
            await ended(task)


async def test_a_torn_connection_ends_the_attempt() -> None:
    async with FakeHomeAssistant() as home, online(adapter_for(home), context()) as task:
        home.kill()
        with pytest.raises(DisconnectedError):
            await ended(task)


async def test_an_attempt_that_is_stopped_leaves_no_connection_and_no_task() -> None:
    async with FakeHomeAssistant() as home:
        before = asyncio.all_tasks()
        async with attempt(adapter_for(home), ctx := context()) as task:
            await ctx.until_online()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await home.disconnected()
        await home.stop()
        assert {other.get_name() for other in asyncio.all_tasks() - before} == set()


async def test_a_bug_in_a_task_is_not_taken_for_a_lost_connection() -> None:
    class BrokenError(Exception):
        pass

    class BrokenContext(RecordingContext):
        def set_state(self, state: State) -> None:
            raise BrokenError(state.subject)

    async with FakeHomeAssistant() as home:
        with pytest.raises(BrokenError):
            await adapter_for(home).run(BrokenContext())
