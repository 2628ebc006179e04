"""Every refresh of a token is told to the audit log, and nothing of the token."""

import pytest

from jitney.adapters.strava.errors import GrantGoneError
from jitney.adapters.strava.tokens import Tokens
from tests.adapters.strava.speaking import side

SIX_HOURS = 6 * 3600.0


async def test_a_refresh_that_works_and_one_that_strava_refuses_are_told() -> None:
    told: list[tuple[str, ...]] = []

    def audit(owner: str, what: str, /, *, outcome: str = "ok", detail: str = "") -> None:
        told.append((owner, what, outcome, detail))

    async with side() as at:
        alice, grant = await at.join("alice", 5)
        tokens = Tokens(at.vault, {"main": at.oauth}, clock=at.ours, audit=audit)
        await tokens.access(grant)
        assert told == []
        at.turn(SIX_HOURS)
        await tokens.access(grant)
        at.fake.revoke(at.app, alice)
        at.turn(SIX_HOURS)
        with pytest.raises(GrantGoneError):
            await tokens.access(grant)
        with pytest.raises(GrantGoneError):
            await tokens.access(grant)
    assert told == [("alice", "token_refresh", "ok", "app main"), ("alice", "token_refresh", "refused", "app main")]
