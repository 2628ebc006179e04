"""Tokens: refreshed once, kept before they are used, and none that is stale is ever sent (the fake fails the test)."""

import asyncio

import pytest

from jitney.adapters.secret import Secret
from jitney.adapters.strava.errors import (
    GrantGoneError,
    LimitedError,
    UnavailableError,
)
from jitney.adapters.strava.tokens import MARGIN, Tokens
from tests.adapters.strava.speaking import answering, fault, is_good, kept, said, side, tokens_of
from tests.adapters.strava.turning import NOON, outcome
from tests.fakes.strava import trouble

SIX_HOURS = 21_600.0
TOKEN_PATH = "/oauth/token"


async def test_a_token_that_is_good_is_not_refreshed() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        at.turn(SIX_HOURS - MARGIN)
        assert await is_good(at, alice, await at.tokens.access(grant))
        assert at.refreshes == 0


async def test_a_token_that_is_about_to_expire_is_refreshed() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        old = await at.tokens.access(grant)
        at.turn(SIX_HOURS - MARGIN + 1)
        new = await at.tokens.access(grant)
        assert new != old
        assert await is_good(at, alice, new)
        assert await at.tokens.access(grant) == new
        assert at.refreshes == 1


async def test_the_refresh_token_that_was_answered_is_the_one_used_next() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        for times in range(1, 5):
            at.turn(SIX_HOURS)
            await at.tokens.access(grant)
            assert at.refresh_token(alice) in kept(at)
            assert at.refreshes == times


async def test_many_callers_at_expiry_cost_one_refresh() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        at.turn(SIX_HOURS)
        found = await asyncio.gather(*(at.tokens.access(grant) for _ in range(50)))
        assert len(set(found)) == 1
        assert await is_good(at, alice, found[0])
        assert at.refreshes == 1
        assert at.vault.puts == 2


async def test_owners_do_not_wait_for_each_other() -> None:
    async with side() as at:
        alice, of_alice = await at.join("alice", 5)
        _, of_bob = await at.join("bob", 6)
        at.turn(SIX_HOURS)
        hanging = at.fake.play(trouble.hang(), TOKEN_PATH, athlete=alice)
        waiting = asyncio.create_task(at.tokens.access(of_alice), name="alice")
        await at.fake.until(lambda: hanging.waiting == 1)
        await at.tokens.access(of_bob)
        assert not waiting.done()
        hanging.release()
        await waiting


async def test_tokens_outlive_a_restart() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        old = await at.tokens.access(grant)
        at.restart()
        assert await at.tokens.access(grant) == old
        at.turn(SIX_HOURS)
        at.restart()
        assert await is_good(at, alice, await at.tokens.access(grant))


async def test_another_instance_s_refresh_is_read_before_an_own_one() -> None:
    async with side() as at:
        _, grant = await at.join("alice", 5)
        await at.tokens.access(grant)
        other = Tokens(at.vault, {"main": at.oauth}, clock=at.ours)
        at.turn(SIX_HOURS)
        new = await other.access(grant)
        assert await at.tokens.access(grant) == new
        assert at.refreshes == 1


@pytest.mark.parametrize(
    "wrong", [trouble.status(500), trouble.html(503), trouble.html(200), trouble.truncated(), trouble.reset()]
)
async def test_trouble_at_strava_is_not_taken_for_the_end_of_the_permission(wrong: trouble.Trouble) -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        at.turn(SIX_HOURS)
        at.fake.play(wrong, TOKEN_PATH)
        with pytest.raises(UnavailableError):
            await at.tokens.access(grant)
        assert await is_good(at, alice, await at.tokens.access(grant))
        assert at.refreshes == 2


async def test_those_who_wait_for_a_refresh_share_its_failure() -> None:
    async with side() as at:
        _, grant = await at.join("alice", 5)
        at.turn(SIX_HOURS)
        at.fake.play(trouble.status(503), TOKEN_PATH)
        found = await asyncio.gather(*(outcome(at.tokens.access(grant)) for _ in range(10)))
        assert [type(one) for one in found] == [UnavailableError] * 10
        assert at.refreshes == 1
        await at.tokens.access(grant)
        assert at.refreshes == 2


async def test_a_permission_that_was_taken_back_is_asked_for_only_once() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        at.fake.revoke(at.app, alice)
        at.turn(SIX_HOURS)
        found = await asyncio.gather(*(outcome(at.tokens.access(grant)) for _ in range(5)))
        assert [type(one) for one in found] == [GrantGoneError] * 5
        with pytest.raises(GrantGoneError, match="alice: sign in again"):
            await at.tokens.refreshed(grant, Secret("any"))
        assert at.refreshes == 1


async def test_a_new_sign_in_ends_that() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        at.fake.revoke(at.app, alice)
        at.turn(SIX_HOURS)
        with pytest.raises(GrantGoneError):
            await at.tokens.access(grant)
        access = at.fake.grant(at.app, alice)
        answer = tokens_of(access.token, access.grant.refresh_token, expires_at=access.expires_at)
        await at.tokens.keep(grant, answer)
        assert (await at.tokens.access(grant)).reveal() == access.token


async def test_after_a_401_the_token_is_refreshed_once_for_all() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        stale = await at.tokens.access(grant)
        at.fake.spoil(at.app, alice)
        found = await asyncio.gather(*(at.tokens.refreshed(grant, stale) for _ in range(10)))
        assert len(set(found)) == 1
        assert found[0] != stale
        assert await is_good(at, alice, found[0])
        assert at.refreshes == 1


async def test_a_clock_behind_costs_one_refresh_for_each_life_of_a_token() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        at.ours.now -= 90 * 86_400
        at.turn(SIX_HOURS + 1)
        stale = await at.tokens.access(grant)
        assert not await is_good(at, alice, stale)
        assert await is_good(at, alice, await at.tokens.refreshed(grant, stale))
        assert at.refreshes == 1


async def test_a_clock_ahead_does_not_refresh_again_and_again() -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        at.ours.now += 90 * 86_400
        for _ in range(5):
            assert await is_good(at, alice, await at.tokens.access(grant))
        assert at.refreshes == 1
        at.turn(SIX_HOURS)
        assert await is_good(at, alice, await at.tokens.access(grant))
        assert at.refreshes == 2
        at.ours.now = at.clock.now
        at.turn(SIX_HOURS)
        stale = await at.tokens.access(grant)
        assert await is_good(at, alice, await at.tokens.refreshed(grant, stale))
        assert at.refreshes == 3


@pytest.mark.parametrize("expires_in", [None, SIX_HOURS])
async def test_the_end_that_strava_names_is_trusted_not_the_time_that_is_left(expires_in: float | None) -> None:
    async with side() as at:
        alice, grant = await at.join("alice", 5)
        answer = tokens_of("early", at.refresh_token(alice), expires_at=NOON + 7200, expires_in=expires_in)
        await at.tokens.keep(grant, answer)
        at.ours.now += 7200
        assert await is_good(at, alice, await at.tokens.access(grant))
        assert at.refreshes == 1


async def test_a_limit_at_the_sign_in_is_handed_on() -> None:
    async with answering(said(429, "", Retry_After="60")) as server, side() as at:
        _, grant = await at.join("alice", 5)
        at.turn(SIX_HOURS)
        at.oauth._url = server.url
        with pytest.raises(LimitedError) as caught:
            await at.tokens.access(grant)
        assert caught.value.until == at.ours.now + 60


async def test_no_token_is_shown_by_anything_that_fails() -> None:
    async with answering(fault(400, "RefreshToken", "refresh_token", "invalid")) as server, side() as at:
        alice, grant = await at.join("alice", 5)
        refresh_token = at.refresh_token(alice)
        at.turn(SIX_HOURS)
        at.oauth._url = server.url
        with pytest.raises(GrantGoneError) as caught:
            await at.tokens.access(grant)
        assert refresh_token in server.asked[0].body.decode()
        assert refresh_token not in repr(caught.value) + repr(at.tokens._held) + repr(vars(at.tokens._of(grant)))
