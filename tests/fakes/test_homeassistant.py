"""The fake Home Assistant behaves as the real one does, and notices what a correct client never does."""

import json
import re
from base64 import urlsafe_b64decode
from typing import Any

import pytest

from tests.fakes.homeassistant import FakeHomeAssistant, Limits
from tests.fakes.homeassistant.client import signed_in, stranger


def claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


async def test_a_token_looks_as_home_assistant_makes_them() -> None:
    async with FakeHomeAssistant() as ha:
        assert len(ha.token) == 183
        assert ha.token.count(".") == 2
        assert sorted(claims(ha.token)) == ["exp", "iat", "iss"]
        assert re.fullmatch("[0-9a-f]{32}", claims(ha.token)["iss"])


async def test_a_good_token_is_let_in() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha):
        await ha.connected(1)


@pytest.mark.parametrize(
    "wrong", ["nonsense", "", "a.b.c", "expired", "forged", "revoked", "inactive", "from tomorrow"]
)
async def test_a_bad_token_is_refused_with_auth_invalid_and_close_code_1000(wrong: str) -> None:
    async with FakeHomeAssistant() as ha:
        alice = ha.users["Alice"]
        tokens = {
            "expired": ha.users.issue(alice, age=7200, lifespan=3600),
            "forged": alice.token[:-8] + "AAAAAAAA",
            "from tomorrow": ha.users.issue(alice, age=-86_400),
        }
        token = tokens.get(wrong, alice.token if wrong in {"revoked", "inactive"} else wrong)
        if wrong == "revoked":
            ha.revoke(token)
        alice.active = wrong != "inactive"
        async with stranger(ha) as client:
            assert (await client.next())["type"] == "auth_required"
            await client.say({"type": "auth", "access_token": token})
            assert await client.next() == {"type": "auth_invalid", "message": "Invalid access token or password"}
            assert await client.closed() == 1000
        await ha.rejected(1)
        assert [known for _, known in ha.record.auth_failures] == [token]


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ('{"id": 1, "type": "auth", "access_token": "x"}', "extra keys not allowed @ data['id']. Got 1"),
        ('{"type": "auth", "access_token": 5}', "expected str for dictionary value @ data['access_token']. Got 5"),
        ('{"id": 1, "type": "ping"}', "not a valid value for dictionary value @ data['type']. Got 'ping'"),
        ("{}", "required key not provided @ data['type']. Got None"),
        ("[1]", "expected a dictionary"),
    ],
)
async def test_a_wrong_sign_in_is_answered_and_is_misbehaviour(first: str, said: str) -> None:
    async with FakeHomeAssistant(allow=["a sign-in that is none"]) as ha, stranger(ha) as client:
        await client.next()
        await client.socket.send_str(first)
        answer = await client.next()
        assert answer["type"] == "auth_invalid"
        assert said in answer["message"]
        assert await client.closed() == 1000
        assert len(ha.misbehaviour) == 1


async def say_and_leave(*messages: object, allow: str = "something else", error: Exception | None = None) -> None:
    async with FakeHomeAssistant(allow=[allow]) as ha, signed_in(ha) as client:
        for message in messages:
            await client.say(message)
            await client.next()
        if error is not None:
            raise error


async def test_misbehaviour_fails_the_test_that_does_not_allow_it() -> None:
    with pytest.raises(AssertionError, match=r"never does this:\nconnection 1: sent id 1 \(ping\) after 2$"):
        await say_and_leave({"id": 2, "type": "ping"}, {"id": 1, "type": "ping"})
    await say_and_leave({"id": 2, "type": "ping"}, {"id": 1, "type": "ping"}, allow="ping.*after")


async def test_misbehaviour_does_not_hide_the_error_of_a_test() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        await say_and_leave({"id": 2, "type": "nonsense"}, error=ZeroDivisionError())
    assert "nonsense" in caught.value.__notes__[0]


async def test_to_offer_a_refused_token_again_soon_is_misbehaviour() -> None:
    async with FakeHomeAssistant(allow=["offered a refused token again after 0"]) as ha:
        for _ in range(2):
            assert ha.misbehaviour == []
            async with stranger(ha) as client:
                await client.next()
                await client.say({"type": "auth", "access_token": "wrong"})
                assert (await client.next())["type"] == "auth_invalid"
        assert len(ha.misbehaviour) == 1


async def test_to_offer_it_again_after_a_while_or_to_offer_another_one_is_none() -> None:
    async with FakeHomeAssistant(limits=Limits(patience=0.0)) as ha:
        for token in ("wrong", "wrong", "other"):
            async with stranger(ha) as client:
                await client.next()
                await client.say({"type": "auth", "access_token": token})
                assert (await client.next())["type"] == "auth_invalid"


async def test_who_sends_no_token_in_time_is_closed_out_without_a_word() -> None:
    async with FakeHomeAssistant(limits=Limits(auth=0.05), allow=["no token within"]) as ha, stranger(ha) as client:
        await client.next()
        assert await client.closed() == 1000
        assert len(ha.misbehaviour) == 1


@pytest.mark.parametrize("frame", ['{"id": 1', "", "\x00", "[" * 100_000])
async def test_invalid_json_closes_the_connection_without_a_word(frame: str) -> None:
    async with FakeHomeAssistant(allow=["invalid JSON"]) as ha, signed_in(ha) as client:
        await client.socket.send_str(frame)
        assert await client.closed() == 1000
        assert len(ha.misbehaviour) == 1


async def test_too_long_a_frame_closes_the_connection() -> None:
    assert Limits().frame == 4 * 1024 * 1024
    async with FakeHomeAssistant(limits=Limits(frame=1000), allow=["type ERROR"]) as ha, signed_in(ha) as client:
        await client.say({"id": 1, "type": "ping", "x": "x" * 2000})
        assert await client.closed() == 1009
        assert len(ha.misbehaviour) == 1


@pytest.mark.parametrize("message", [{"type": "ping"}, {"id": 0, "type": "ping"}, {"id": "3", "type": "ping"}, 5, "x"])
async def test_a_message_that_is_no_command_is_answered_with_its_id_or_null(message: object) -> None:
    async with FakeHomeAssistant(allow=["without a usable id"]) as ha, signed_in(ha) as client:
        await client.say(message)
        answer = await client.next()
        assert answer["error"]["code"] == "invalid_format"
        assert answer["id"] == (message.get("id") if isinstance(message, dict) else 0)


async def test_only_a_known_command_moves_the_last_id() -> None:
    async with FakeHomeAssistant(allow=["nonsense", "after 9", "extra keys"]) as ha, signed_in(ha) as client:
        await client.say([{"id": 20, "type": "nonsense"}, {"id": 9, "type": "ping", "x": 1}, {"id": 9, "type": "ping"}])
        await client.say([{"id": 10, "type": "ping"}])
        codes = [(await client.next()).get("error", {}).get("code") for _ in range(4)]
        assert codes == ["unknown_command", "invalid_format", "id_reuse", None]


async def test_a_second_sign_in_is_an_unknown_command() -> None:
    async with FakeHomeAssistant(allow=["'auth'"]) as ha, signed_in(ha) as client:
        assert await client.code("auth", access_token=ha.token) == "unknown_command"
        assert len(ha.misbehaviour) == 1


async def test_an_old_home_assistant_does_not_know_a_command_and_nobody_is_blamed() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        ha.forget_command("config/entity_registry/list_for_display")
        assert await client.code("config/entity_registry/list_for_display") == "unknown_command"


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("get_states", {"x": 1}, "extra keys not allowed. Got {'id': 1, 'type': 'get_states', 'x': 1}"),
        ("subscribe_events", {"event_type": 5}, "expected str for dictionary value @ data['event_type']. Got 5"),
        ("subscribe_events", {"kind": "x"}, "extra keys not allowed @ data['kind']. Got 'x'"),
        ("unsubscribe_events", {}, "required key not provided @ data['subscription']. Got None"),
        ("call_service", {"domain": "light"}, "required key not provided @ data['service']. Got None"),
        ("fire_event", {"event_type": "x", "event_data": 5}, "expected dict for dictionary value @ data['event_data']"),
    ],
)
async def test_a_command_of_another_shape_is_refused_and_is_misbehaviour(
    kind: str, fields: dict[str, Any], said: str
) -> None:
    async with FakeHomeAssistant(allow=[f"a wrong {kind}"]) as ha, signed_in(ha) as client:
        answer = await client.ask(kind, **fields)
        assert answer["error"]["code"] == "invalid_format"
        assert said in answer["error"]["message"]
        assert len(ha.misbehaviour) == 1


async def test_a_pong_has_no_success_and_keeps_its_id() -> None:
    async with FakeHomeAssistant() as ha, signed_in(ha) as client:
        assert await client.ask("ping") == {"id": 1, "type": "pong"}
