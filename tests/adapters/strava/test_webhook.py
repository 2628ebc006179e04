"""What Strava calls: every delivery is checked, kept and answered, and nobody else gets anything out of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.base import HttpRequest, HttpResponse, Owner
from jitney.adapters.secret import Secret
from jitney.adapters.strava import config, http
from jitney.adapters.strava.deliveries import Deliveries
from jitney.adapters.strava.grants import Grant, Grants
from jitney.adapters.strava.limiter import Limiter
from jitney.adapters.strava.subscription import Subscriptions
from jitney.adapters.strava.webhook import MOST_BYTES, Webhook, read_push
from jitney.topics import HOUSE
from tests.adapters.strava.front import front
from tests.fakes.context import DEADLINE, RecordingContext
from tests.fakes.strava import App, Athlete, FakeStrava, trouble
from tests.fakes.strava.client import Clock

OWNERS = (Owner("alice", "Alice"), Owner("bob", "Bob"), Owner("carol", "Carol"))
SECRETS = {"main": "main-secret-main-secret", "club": "club-secret-club-secret"}


@dataclass
class Scene:
    strava: FakeStrava
    ctx: RecordingContext
    clock: Clock
    apps: dict[str, App]
    subscriptions: dict[str, Subscriptions]
    grants: Grants
    deliveries: Deliveries
    webhook: Webhook
    alice: Athlete
    bob: Athlete
    url: str

    def path(self, app: str = "main") -> str:
        there = self.strava.subscription(self.apps[app])
        assert there is not None
        return there.callback_url.removeprefix(f"{self.url}/")

    async def post(self, body: bytes, *, app: str = "main") -> HttpResponse:
        return await self.webhook.handle(HttpRequest("POST", self.path(app), body=body))

    async def tell(self, *, app: str = "main", athlete: int = 11, **fields: Any) -> int:  # noqa: ANN401
        """Deliver an event past the network and return the status."""
        event = self.strava.event(self.apps[app], athlete, **fields)
        return (await self.post(msgspec.json.encode(event), app=app)).status

    def waiting(self, owner: str = "alice") -> list[tuple[str, int]]:
        return [(one.aspect, one.object_id) for one in self.deliveries.waiting(owner)]


@asynccontextmanager
async def scene(*, subscribed: bool = True) -> AsyncIterator[Scene]:
    """Two apps: alice uses main and bob club; carol is not connected."""
    clock = Clock()
    ctx = RecordingContext(name="strava", owners=OWNERS)
    async with FakeStrava(clock=clock, automatic=False) as strava, front(ctx) as url, http.session() as session:
        apps = {"main": strava.app("12345", SECRETS["main"]), "club": strava.app("54321", SECRETS["club"])}
        subscriptions = {
            name: Subscriptions(
                ctx,
                session,
                name=name,
                app=config.App(client_id=app.client_id, client_secret=Secret(app.secret)),
                url=strava.subscription_url,
                public_url=url,
                limiter=Limiter(reserve=0.2, clock=clock),
                timeout=DEADLINE,
            )
            for name, app in apps.items()
        }
        grants = Grants(apps)
        await grants.load(ctx)
        deliveries = Deliveries(ctx, clock=clock)
        webhook = Webhook(ctx, subscriptions, grants=grants, deliveries=deliveries, clock=clock)
        ctx.serve(webhook.handle)
        alice, bob = strava.athlete(11, firstname="Alice"), strava.athlete(22, firstname="Bob")
        for owner, app, athlete in (("alice", "main", alice), ("bob", "club", bob)):
            strava.grant(apps[app], athlete)
            await grants.add(Grant(owner=owner, app=app, athlete=athlete.id, scopes=("activity:read_all",)))
        for subscription in subscriptions.values():
            await subscription.load()
            if subscribed:
                await subscription.ensure()
        yield Scene(strava, ctx, clock, apps, subscriptions, grants, deliveries, webhook, alice, bob, url)


async def test_a_delivery_is_kept_for_its_owner_before_it_is_answered() -> None:
    async with scene() as on:
        attempt = await on.strava.deliver(
            on.apps["main"],
            on.strava.event(on.apps["main"], on.alice, object_id=16_500_000_007, updates={"title": "Évening"}),
        )
        assert attempt.good
        (kept,) = on.deliveries.waiting("alice")
        assert (kept.app, kept.object_type, kept.object_id, kept.aspect) == (
            "main",
            "activity",
            16_500_000_007,
            "update",
        )
        assert (kept.event_time, kept.arrived, kept.updates) == (int(on.clock.now), on.clock.now, {"title": "Évening"})
        restarted = Deliveries(RecordingContext(kept=on.ctx.kept))
        await restarted.load()
        assert restarted.waiting("alice") == [kept]
        assert on.deliveries.waiting("bob") == []


async def test_what_comes_twice_waits_once_and_is_answered_both_times() -> None:
    async with scene() as on:
        assert [await on.tell(object_id=5), await on.tell(object_id=5)] == [200, 200]
        assert on.waiting() == [("update", 5)]
        assert (on.ctx.counts["deliveries"], on.ctx.counts["duplicates"]) == (1, 1)


async def test_what_cannot_be_kept_is_answered_503_so_that_strava_comes_again() -> None:
    async with scene() as on:
        on.ctx.full = True
        assert await on.tell(object_id=5) == 503
        assert on.ctx.counts["not_kept"] == 1
        on.ctx.full = False
        assert await on.tell(object_id=5) == 200
        assert on.waiting() == [("update", 5)]


async def test_a_full_queue_of_one_owner_is_answered_503_and_another_owner_does_not_notice() -> None:
    async with scene() as on:
        on.deliveries._most_waiting = 1
        assert await on.tell(object_id=5) == 200
        assert await on.tell(object_id=6) == 503
        assert on.ctx.counts["queue_full"] == 1
        assert await on.tell(app="club", athlete=22, object_id=7) == 200


async def test_the_end_of_a_permission_is_kept_like_everything_else() -> None:
    async with scene() as on:
        on.strava.revoke(on.apps["main"], on.alice)
        (sent,) = await on.strava.deliver_all()
        assert sent.delivered
        (kept,) = on.deliveries.waiting("alice")
        assert (kept.object_type, kept.object_id, kept.updates) == ("athlete", 11, {"authorized": "false"})


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"athlete": 33, "object_id": 5}, "unknown_athlete"),
        ({"athlete": 22, "object_id": 5}, "unknown_athlete"),
        ({"subscription_id": 1, "object_id": 5}, "unknown_subscription"),
        ({"app": "club", "athlete": 11, "object_id": 5}, "unknown_athlete"),
    ],
)
async def test_what_concerns_nobody_here_is_answered_200_counted_and_not_kept(fields: Any, kind: str) -> None:  # noqa: ANN401
    async with scene() as on:
        kept = dict(on.ctx.kept)
        assert await on.tell(**fields) == 200
        assert on.ctx.counts[kind] == 1
        assert on.ctx.kept == kept
        assert on.deliveries.owners() == []


async def test_an_athlete_whom_nobody_is_known_for_is_told_and_nobody_else() -> None:
    async with scene() as on:
        await on.tell(athlete=33, object_id=5)
        await on.tell(athlete=22, object_id=5)
        await on.tell(subscription_id=1, athlete=44, object_id=5)
        await on.tell(athlete=11, object_id=5)
        assert on.ctx.strangers == {("athlete", "33"): ""}


async def test_somebody_who_is_no_longer_configured_is_nobody_here() -> None:
    async with scene() as on:
        on.ctx.owners = {"bob": OWNERS[1]}
        assert await on.tell(object_id=5) == 200
        assert on.ctx.counts["unknown_athlete"] == 1
        assert on.deliveries.owners() == []


async def test_the_subscription_of_another_app_does_not_count_on_this_apps_path() -> None:
    async with scene() as on:
        event = on.strava.event(on.apps["club"], 11, object_id=5)
        assert (await on.post(msgspec.json.encode(event), app="main")).status == 200
        assert on.ctx.counts["unknown_subscription"] == 1


async def test_a_flood_of_useless_deliveries_is_one_line_a_minute_and_keeps_nothing_of_its_senders() -> None:
    async with scene() as on:
        before = len(on.ctx.lines.written)
        kept = dict(on.ctx.kept)
        for number in range(500):
            assert await on.tell(athlete=1000 + number, object_id=5) == 200
        on.clock.now += 61
        await on.tell(athlete=4711, object_id=5)
        lines = [fields for _, _, fields in on.ctx.lines.written[before:]]
        assert [line["times"] for line in lines] == [1, 500]
        assert "4711" not in str(lines)
        assert on.ctx.kept == kept
        assert len(on.webhook._oddities._due) == 1
        assert on.strava.count("*", "/athlete*") == 0


async def test_before_the_number_of_the_subscription_is_known_strava_is_asked_to_come_again() -> None:
    async with scene(subscribed=False) as on:
        there = on.strava.subscribe(on.apps["main"], f"{on.url}/{on.subscriptions['main']._path}")
        assert await on.tell(object_id=5) == 503
        assert on.ctx.counts["early"] == 1
        await on.subscriptions["main"].ensure()
        assert on.subscriptions["main"].id == there.id
        assert await on.tell(object_id=5) == 200


async def test_while_a_new_subscription_is_being_made_strava_is_asked_to_come_again() -> None:
    async with scene() as on:
        path, event = on.path(), on.strava.event(on.apps["main"], 11, object_id=5)
        on.strava.subscriptions.known.clear()
        hanging = on.strava.play(trouble.hang(), "/push_subscriptions", method="POST")
        making = asyncio.create_task(on.subscriptions["main"].ensure(), name="ensure")
        await on.strava.until(lambda: hanging.waiting == 1)
        told = HttpRequest("POST", path, body=msgspec.json.encode({**event, "subscription_id": 999_999}))
        assert (await on.webhook.handle(told)).status == 503
        hanging.release()
        await making
        assert on.subscriptions["main"].state == "active"
        assert await on.tell(object_id=5) == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"{",
        b"\xff\xfe",
        b"[" * 4000,
        b'{"updates":' + b"[" * 3000,
        b'"text"',
        b"1e999",
    ],
)
async def test_what_is_no_delivery_is_answered_400(body: bytes) -> None:
    async with scene() as on:
        assert (await on.post(body)).status == 400
        assert on.ctx.counts["malformed"] == 1


WELL: dict[str, Any] = {
    "aspect_type": "create",
    "event_time": 1_516_126_040,
    "object_id": 16_360_128_428,
    "object_type": "activity",
    "owner_id": 134_815,
    "subscription_id": 120_475,
    "updates": {},
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"aspect_type": "upsert"},
        {"aspect_type": None},
        {"object_type": "club"},
        {"object_id": -1},
        {"object_id": 0},
        {"object_id": 2**63},
        {"object_id": 1.5},
        {"object_id": True},
        {"object_id": " 5"},
        {"object_id": "5\n"},
        {"object_id": "\u0665"},
        {"object_id": "9" * 30},
        {"owner_id": None},
        {"owner_id": [1]},
        {"event_time": 253_402_300_800},
        {"subscription_id": ""},
        {"updates": []},
        {"updates": "title"},
        {"updates": {str(number): "x" for number in range(33)}},
        {"object_type": "athlete"},
        {"padding": "x" * MOST_BYTES},
    ],
)
def test_what_is_wrong_in_one_place_is_no_delivery(wrong: dict[str, object]) -> None:
    assert read_push(json.dumps({**WELL, **wrong}).encode()) is None


@pytest.mark.parametrize("missing", sorted(WELL.keys() - {"updates"}))
def test_what_lacks_a_field_is_no_delivery(missing: str) -> None:
    assert read_push(json.dumps({name: value for name, value in WELL.items() if name != missing}).encode()) is None


def test_numbers_may_be_texts_and_updates_anything() -> None:
    texts = {name: str(value) for name, value in WELL.items() if isinstance(value, int)}
    odd = {"private": True, "title": "a", "nested": {"b": [1], "a": None}, "number": 1.5}
    push = read_push(json.dumps({**WELL, **texts, "updates": odd, "new": {"field": 1}}).encode())
    assert push is not None
    assert (push.object_id, push.owner_id, push.subscription_id) == (16_360_128_428, 134_815, 120_475)
    assert push.updates == {"private": "true", "title": "a", "nested": '{"a":null,"b":[1]}', "number": "1.5"}
    for nothing in ({**WELL, "updates": None}, {name: WELL[name] for name in WELL if name != "updates"}):
        bare = read_push(json.dumps(nothing).encode())
        assert bare is not None
        assert bare.updates == {}


def test_half_a_character_in_a_title_costs_nothing_but_itself() -> None:
    for half in (b"\\ud83d", b"\xff"):
        body = json.dumps({**WELL, "updates": {"title": "Run HERE"}}).encode().replace(b"HERE", half)
        push = read_push(body)
        assert push is not None
        assert push.updates == {"title": "Run \ufffd"}
        assert msgspec.json.encode(push)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
likely = st.fixed_dictionaries(
    {
        "aspect_type": st.sampled_from(["create", "update", "delete"]) | json_values,
        "event_time": st.integers(1, 2**32) | json_values,
        "object_id": st.integers(1, 2**63 - 1) | json_values,
        "object_type": st.sampled_from(["activity", "athlete"]) | json_values,
        "owner_id": st.integers(1, 2**63 - 1) | json_values,
        "subscription_id": st.integers(1, 999_999) | json_values,
    },
    optional={"updates": st.dictionaries(st.text(max_size=5), json_values, max_size=3) | json_values},
)


@given(
    st.binary() | likely.map(lambda body: json.dumps(body).encode()) | json_values.map(lambda x: json.dumps(x).encode())
)
def test_whatever_comes_is_a_good_delivery_or_none(body: bytes) -> None:
    push = read_push(body)
    if push is not None:
        assert all(0 < number < 2**63 for number in (push.object_id, push.owner_id, push.subscription_id))
        assert push.object_type == "activity" or push.object_id == push.owner_id
        assert msgspec.json.encode(push)


@given(
    st.fixed_dictionaries(
        {
            "aspect_type": st.sampled_from(["create", "update", "delete"]),
            "event_time": st.integers(1, 2**32),
            "object_id": st.integers(1, 2**63 - 1),
            "object_type": st.just("activity"),
            "owner_id": st.integers(1, 2**63 - 1),
            "subscription_id": st.integers(1, 2**31),
            "updates": st.dictionaries(st.text(max_size=8), st.text(max_size=30), max_size=4),
        }
    )
)
def test_what_strava_writes_is_read_as_it_is(event: dict[str, Any]) -> None:
    push = read_push(msgspec.json.encode(event))
    assert push is not None
    assert msgspec.to_builtins(push) == event


async def ask(url: str, **query: str) -> tuple[int, bytes]:
    async with aiohttp.ClientSession() as session, session.get(url, params=query) as answer:
        return answer.status, await answer.read()


async def test_a_challenge_is_answered_only_with_the_right_word_and_mode() -> None:
    async with scene() as on:
        url = f"{on.url}/{on.path()}"
        word = on.subscriptions["main"]._verify_token.reveal()
        right = {"hub.mode": "subscribe", "hub.verify_token": word, "hub.challenge": "15f7d1a91c1f40f8a748fd134752feb3"}
        assert await ask(url, **right) == (200, b'{"hub.challenge":"15f7d1a91c1f40f8a748fd134752feb3"}')
        for wrong in (
            {"hub.verify_token": "wrong"},
            {"hub.verify_token": "wörd"},
            {"hub.verify_token": ""},
            {"hub.verify_token": on.subscriptions["club"]._verify_token.reveal()},
            {"hub.mode": "unsubscribe"},
            {"hub.challenge": ""},
        ):
            status, body = await ask(url, **{**right, **wrong})
            assert status == 403
            assert b"15f7" not in body
        assert (await ask(url))[0] == 403
        assert on.ctx.counts["wrong_challenge"] == 7


async def test_a_wrong_path_is_nowhere_whatever_is_asked() -> None:
    async with scene() as on:
        secret = on.path().rpartition("/")[2]
        other = on.path("club").rpartition("/")[2]
        event = msgspec.json.encode(on.strava.event(on.apps["main"], 11, object_id=5))
        wrong = ["webhook", "webhook/main", "webhook/main/", f"webhook/main/{secret[:-1]}", f"webhook/main/{secret}/x"]
        wrong += [f"webhook/main/{other}", f"webhook/club/{secret}", f"WEBHOOK/main/{secret}", "webhook/main/ü", ""]
        for path in wrong:
            for method in ("GET", "POST", "PUT", "DELETE"):
                answer = await on.webhook.handle(HttpRequest(method, path, {"hub.challenge": "x"}, event))
                assert (answer.status, answer.body) == (404, b"{}")
        assert on.deliveries.owners() == []
        assert on.ctx.counts["wrong_path"] == 4 * len(wrong)


@given(st.text(), st.text(max_size=20))
def test_no_path_and_no_word_is_right_by_chance(path: str, word: str) -> None:
    subscriptions = Subscriptions.__new__(Subscriptions)
    subscriptions._name = "main"
    subscriptions._secret = subscriptions._verify_token = Secret("A" * 32)
    assert not subscriptions.is_path(path)
    assert not subscriptions.is_verify_token(word)


async def test_other_methods_are_told_what_there_is() -> None:
    async with scene() as on:
        answer = await on.webhook.handle(HttpRequest("PUT", on.path()))
        assert (answer.status, answer.headers) == (405, {"Allow": "GET, POST"})


async def test_a_thousand_deliveries_at_once_are_all_kept_and_answered_in_time() -> None:
    async with scene() as on:
        for number in range(500):
            for app, athlete in (("main", 11), ("club", 22)):
                found = on.strava.subscription(on.apps[app])
                assert found is not None
                on.strava.webhooks.plan(found, on.strava.event(on.apps[app], athlete, object_id=number + 1))
        async with asyncio.timeout(3 * DEADLINE):
            sent = await on.strava.deliver_all(twice=True, shuffled=True)
        assert all(one.delivered for one in sent)
        assert len(sent) == 2000
        assert [len(on.deliveries.waiting(owner)) for owner in ("alice", "bob")] == [500, 500]
        assert (on.ctx.counts["deliveries"], on.ctx.counts["duplicates"]) == (1000, 1000)


async def test_nothing_of_what_is_said_has_a_secret_or_an_athlete_in_it() -> None:
    async with scene() as on:
        await on.tell(athlete=987_654_321, object_id=5)
        await on.tell(subscription_id=1, object_id=5)
        await on.post(b"nonsense")
        await ask(f"{on.url}/{on.path()}", **{"hub.verify_token": "guess"})
        said = str(on.ctx.lines.written)
        words = [secret.reveal() for (owner, _), secret in on.ctx.vault.secrets.items() if owner == HOUSE]
        assert len(words) == 4
        assert not [word for word in (*words, *SECRETS.values(), "987654321", "guess") if word in said]
