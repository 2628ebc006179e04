"""Who has allowed what: kept over restarts, one athlete for each owner, one owner for each athlete."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.base import Owner
from jitney.adapters.errors import RefusedError
from jitney.adapters.strava.config import Identity
from jitney.adapters.strava.grants import Grant, Grants
from tests.fakes.context import RecordingContext

OWNERS = (
    Owner("alice", "Alice", Identity(app="main")),
    Owner("bob", "Bob", Identity(app="club", athlete=22)),
    Owner("carol", "Carol"),
)


def grant(owner: str, athlete: int, *, app: str = "main", scopes: tuple[str, ...] = ("activity:read",)) -> Grant:
    return Grant(owner=owner, app=app, athlete=athlete, scopes=scopes)


def context(**options: Any) -> RecordingContext:  # noqa: ANN401
    return RecordingContext(name="strava", owners=OWNERS, **options)


async def loaded(ctx: RecordingContext, *apps: str) -> Grants:
    grants = Grants(apps or ("main", "club"))
    await grants.load(ctx)
    return grants


async def test_a_grant_is_there_after_a_restart_until_it_is_removed() -> None:
    ctx = context()
    grants = await loaded(ctx)
    alices, bobs = grant("alice", 11), grant("bob", 22, app="club", scopes=("activity:read_all", "profile:read_all"))
    await grants.add(bobs)
    await grants.add(alices)
    again = await loaded(context(kept=ctx.kept))
    assert again.all() == [alices, bobs]
    assert again.of("alice") == again.by_athlete(11) == alices
    assert again.of("carol") is again.by_athlete(33) is None
    await again.remove("alice")
    await again.remove("carol")
    assert again.all() == (await loaded(context(kept=ctx.kept))).all() == [bobs]
    assert again.by_athlete(11) is None


async def test_the_same_athlete_signs_in_again_with_other_scopes_and_through_another_app() -> None:
    grants = await loaded(context())
    await grants.add(grant("alice", 11))
    newer = grant("alice", 11, app="club", scopes=("activity:read_all",))
    await grants.add(newer)
    assert grants.all() == [newer]
    assert grants.by_athlete(11) == newer


@pytest.mark.parametrize(
    ("owner", "athlete", "code"),
    [
        ("bob", 33, "foreign_athlete"),
        ("alice", 12, "foreign_athlete"),
        ("carol", 11, "claimed_athlete"),
        ("carol", 22, "claimed_athlete"),
    ],
)
async def test_nobody_gets_an_athlete_who_is_not_theirs(owner: str, athlete: int, code: str) -> None:
    ctx = context()
    grants = await loaded(ctx)
    await grants.add(grant("alice", 11))
    kept = dict(ctx.kept)
    with pytest.raises(RefusedError) as caught:
        await grants.add(grant(owner, athlete, app="club"))
    assert caught.value.code == code
    others = {known.id for known in OWNERS} - {owner}
    assert not [word for word in (*others, str(athlete), "11", "22") if word in str(caught.value)]
    assert ctx.kept == kept


async def test_an_owner_may_be_another_athlete_after_the_first_was_let_go() -> None:
    grants = await loaded(context())
    await grants.add(grant("alice", 11))
    await grants.remove("alice")
    await grants.add(grant("alice", 12))
    await grants.add(grant("carol", 11))
    assert [known.athlete for known in grants.all()] == [12, 11]


async def test_of_two_who_claim_an_athlete_at_once_one_is_refused() -> None:
    grants = await loaded(context())
    answers = await asyncio.gather(
        grants.add(grant("alice", 11)), grants.add(grant("carol", 11)), return_exceptions=True
    )
    assert [getattr(answer, "code", None) for answer in answers] == [None, "claimed_athlete"]


async def test_a_grant_that_cannot_be_kept_leaves_all_as_it_was() -> None:
    ctx = context()
    grants = await loaded(ctx)
    first = grant("alice", 11)
    await grants.add(first)
    ctx.full = True
    for asked in (grant("alice", 11, app="club"), grant("carol", 33)):
        with pytest.raises(RefusedError, match="disk is full"):
            await grants.add(asked)
    with pytest.raises(RefusedError, match="disk is full"):
        await grants.remove("alice")
    assert grants.all() == [first]
    assert grants.by_athlete(11) == first
    assert grants.by_athlete(33) is None


async def test_what_cannot_be_read_is_told_and_the_others_are_there() -> None:
    ctx = context()
    await (await loaded(ctx)).add(grant("alice", 11))
    ctx.kept["grant/bob"] = b'{"owner":"bob"'
    grants = await loaded(ctx)
    assert grants.all() == [grant("alice", 11)]
    assert ctx.counts["unreadable"] == 1
    assert ctx.warnings()[0]["key"] == "grant/bob"
    assert "grant/bob" in ctx.kept


@given(st.binary(max_size=40) | st.just(b'{"owner":"bob","app":"main","athlete":"x","scopes":[]}'))
async def test_nothing_that_is_kept_prevents_loading(raw: bytes) -> None:
    ctx = context(kept={"grant/bob": raw})
    assert (await loaded(ctx)).all() == []


async def test_an_owner_uses_the_app_of_their_identity_or_the_only_one() -> None:
    several, single = await loaded(context()), await loaded(context(), "main")
    assert [several.app_of("alice"), several.app_of("bob"), single.app_of("carol")] == ["main", "club", "main"]


async def test_without_a_choice_among_several_apps_the_key_to_set_is_named() -> None:
    grants = await loaded(context())
    with pytest.raises(RefusedError, match=r'set app = "main" or "club" in owners\.carol\.strava') as caught:
        grants.app_of("carol")
    assert caught.value.code == "no_app"


async def test_an_app_that_does_not_exist_is_told_with_its_key() -> None:
    grants = await loaded(context(), "main")
    with pytest.raises(RefusedError, match=r'owners\.bob\.strava: app = "club" is no app of strava: use "main"'):
        grants.app_of("bob")


async def test_a_grant_tells_what_it_allows() -> None:
    allowed = grant("alice", 11, scopes=("read", "activity:read_all"))
    assert allowed.allows("activity:read", "activity:read_all")
    assert not allowed.allows("profile:read_all")
    assert not allowed.allows()
