"""Tokens are kept before they are used, through cancellation, full disks and restarts, and go when they must."""

import asyncio

import pytest

from jitney.adapters.errors import MisconfiguredError, RefusedError
from jitney.adapters.secret import Secret
from jitney.adapters.strava import tokens
from jitney.adapters.strava.errors import (
    GrantGoneError,
    InactiveError,
    StravaError,
    UnavailableError,
)
from jitney.adapters.strava.tokens import Tokens
from tests.adapters.strava.speaking import grant_of, is_good, kept, side, tokens_of
from tests.adapters.strava.turning import NOON, settled
from tests.fakes.context import RecordingVault
from tests.fakes.strava import trouble
from tests.waiting import until

SIX_HOURS = 21_600.0
TOKEN_PATH = "/oauth/token"


class SlowVault(RecordingVault):
    """A vault whose ``put`` waits for a test."""

    def __init__(self) -> None:
        super().__init__()
        self.going = asyncio.Event()
        self.going.set()
        self.waiting = 0

    async def put(self, owner: str, name: str, secret: Secret) -> None:
        self.waiting += 1
        await self.going.wait()
        self.waiting -= 1
        await super().put(owner, name, secret)


async def test_the_answer_is_in_the_vault_before_its_token_is_given_to_anybody() -> None:
    async with side() as at:
        vault = at.vault = SlowVault()
        at.restart()
        alice, grant = await at.join("alice", 5)
        at.turn(SIX_HOURS)
        vault.going.clear()
        callers = [asyncio.create_task(at.tokens.access(grant), name=f"caller {number}") for number in range(3)]
        await until(lambda: vault.waiting == 1)
        await settled()
        assert not any(caller.done() for caller in callers)
        vault.going.set()
        assert len(set(await asyncio.gather(*callers))) == 1
        assert at.refresh_token(alice) in kept(at)


async def test_a_vault_that_refuses_costs_no_token() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        at.turn(SIX_HOURS)
        at.vault.full = True
        for _ in range(3):
            with pytest.raises(UnavailableError, match=r"alice cannot be kept \(the disk is full\)") as caught:
                await at.tokens.access(grant)
            assert at.refresh_token(alice) not in str(caught.value)
        assert at.refreshes == 1
        at.vault.full = False
        assert await is_good(at, alice, await at.tokens.access(grant))
        assert at.refresh_token(alice) in kept(at)
        assert at.refreshes == 1
        at.turn(SIX_HOURS)
        await at.tokens.access(grant)
        assert at.refreshes == 2


async def test_a_vault_that_refuses_longer_than_a_token_lives_costs_none_either() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        at.turn(SIX_HOURS)
        at.vault.full = True
        with pytest.raises(UnavailableError):
            await at.tokens.access(grant)
        at.turn(SIX_HOURS)
        with pytest.raises(UnavailableError):
            await at.tokens.refreshed(grant, Secret("other"))
        at.vault.full = False
        assert await is_good(at, alice, await at.tokens.access(grant))
        assert at.refreshes == 2


async def test_who_is_cancelled_in_the_middle_of_a_refresh_loses_no_token() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        at.turn(SIX_HOURS)
        hanging = at.fake.play(trouble.hang(), TOKEN_PATH)
        caller = asyncio.create_task(at.tokens.access(grant), name="caller")
        await at.fake.until(lambda: hanging.waiting == 1)
        for _ in range(3):
            caller.cancel()
            await settled()
        assert not caller.done()
        hanging.release()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert at.refresh_token(alice) in kept(at)
        assert await is_good(at, alice, await at.tokens.access(grant))
        assert at.refreshes == 1


async def test_a_stop_does_not_wait_for_an_answer_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "LEAVE", 0.05)
    async with side() as at:
        _, grant = await at.join("alice", 5)
        at.turn(SIX_HOURS)
        hanging = at.fake.play(trouble.hang(), TOKEN_PATH)
        caller = asyncio.create_task(at.tokens.access(grant), name="caller")
        await at.fake.until(lambda: hanging.waiting == 1)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert hanging.waiting <= 1


async def test_who_is_cancelled_while_the_answer_is_being_kept_loses_no_token() -> None:
    async with side() as at:
        vault = at.vault = SlowVault()
        at.restart()
        alice, grant = await at.join("alice", 5)
        at.turn(SIX_HOURS)
        vault.going.clear()
        caller = asyncio.create_task(at.tokens.access(grant), name="caller")
        await until(lambda: vault.waiting == 1)
        caller.cancel()
        await settled()
        vault.going.set()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert at.refresh_token(alice) in kept(at)
        at.restart()
        assert await is_good(at, alice, await at.tokens.access(grant))
        assert at.refreshes == 1


async def test_a_time_limit_of_the_caller_loses_no_token() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        at.turn(SIX_HOURS)
        hanging = at.fake.play(trouble.hang(), TOKEN_PATH)
        releasing = asyncio.get_running_loop().call_later(0.2, hanging.release)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await at.tokens.access(grant)
        releasing.cancel()
        assert at.refresh_token(alice) in kept(at)


async def test_others_go_on_when_the_one_who_refreshes_is_cancelled() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        at.turn(SIX_HOURS)
        hanging = at.fake.play(trouble.hang(), TOKEN_PATH)
        first = asyncio.create_task(at.tokens.access(grant), name="first")
        await at.fake.until(lambda: hanging.waiting == 1)
        second = asyncio.create_task(at.tokens.access(grant), name="second")
        await settled()
        first.cancel()
        await settled()
        hanging.release()
        assert await is_good(at, alice, await second)
        assert first.cancelled()
        assert at.refreshes == 1


async def test_a_sign_in_that_cannot_be_kept_leaves_what_was_there() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        old = await at.tokens.access(grant)
        at.vault.full = True
        with pytest.raises(RefusedError, match="disk is full"):
            await at.tokens.keep(grant, tokens_of("new", "new-refresh", expires_at=NOON + SIX_HOURS))
        assert await at.tokens.access(grant) == old
        at.vault.full = False
        at.turn(SIX_HOURS)
        assert await is_good(at, alice, await at.tokens.access(grant))


async def test_without_tokens_somebody_must_sign_in() -> None:
    async with side() as at:
        with pytest.raises(GrantGoneError, match="no tokens of alice: sign in"):
            await at.tokens.access(grant_of("alice", 5))
        assert at.fake.calls == []


@pytest.mark.parametrize("text", ["", "null", "[]", '{"athlete":5}', "\N{SNOWMAN}"])
async def test_what_is_kept_and_cannot_be_read_is_none(text: str) -> None:
    async with side() as at:
        at.vault.secrets["alice", "tokens/main"] = Secret(text)
        with pytest.raises(GrantGoneError, match="cannot be read"):
            await at.tokens.access(grant_of("alice", 5))


async def test_tokens_of_another_athlete_are_never_used() -> None:
    async with side() as at:
        await at.join("alice", 5)
        with pytest.raises(GrantGoneError, match="another athlete"):
            await at.tokens.access(grant_of("alice", 6))


async def test_a_vault_that_cannot_be_opened_says_so_itself() -> None:
    class Locked(RecordingVault):
        async def get(self, owner: str, name: str) -> Secret | None:
            raise MisconfiguredError(f"the key of the vault is another one: {owner} {name}")

    async with side() as at:
        at.vault = Locked()
        at.restart()
        with pytest.raises(MisconfiguredError, match="the key of the vault"):
            await at.tokens.access(grant_of("alice", 5))


async def test_an_app_that_is_no_longer_configured_is_called_so() -> None:
    async with side() as at:
        _, grant = await at.join("alice", 5)
        at.turn(SIX_HOURS)
        tokens = Tokens(at.vault, {}, clock=at.ours)
        with pytest.raises(InactiveError, match="alice signed in through the app main"):
            await tokens.access(grant)


async def test_an_end_is_told_to_strava_and_kept_nowhere() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        await at.tokens.revoke(grant)
        assert at.fake.grant_of(at.app, alice) is None
        assert at.vault.secrets == {}
        with pytest.raises(GrantGoneError):
            await at.tokens.access(grant)


@pytest.mark.parametrize("wrong", [trouble.status(500), trouble.reset(), trouble.html(403)])
async def test_the_tokens_are_erased_though_strava_did_not_hear_of_it(wrong: trouble.Trouble) -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        at.fake.play(wrong, "/oauth/revoke")
        with pytest.raises(StravaError):
            await at.tokens.revoke(grant)
        assert at.fake.grant_of(at.app, alice) is not None
        assert at.vault.secrets == {}


async def test_the_end_of_what_has_ended_asks_nobody() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        at.fake.revoke(at.app, alice)
        at.turn(SIX_HOURS)
        with pytest.raises(GrantGoneError):
            await at.tokens.access(grant)
        await at.tokens.revoke(grant)
        assert at.fake.count("POST", "/oauth/revoke") == 0
        assert at.vault.secrets == {}
        await at.tokens.revoke(grant)


async def test_what_is_forgotten_is_gone_for_its_owner_only() -> None:
    async with side() as at:
        alice, of_alice = await at.join("alice", 5)
        _, of_bob = await at.join("bob", 6)
        await at.tokens.forget(of_alice)
        assert list(at.vault.secrets) == [("bob", "tokens/main")]
        with pytest.raises(GrantGoneError):
            await at.tokens.access(of_alice)
        await at.tokens.access(of_bob)
        assert at.fake.grant_of(at.app, alice) is not None
