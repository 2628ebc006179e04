"""The fake Strava subscribes apps and delivers events as the real one does: late, twice, in any order, not for ever."""

import asyncio

import pytest

from tests.fakes.strava import App, Athlete, FakeStrava, Limits
from tests.fakes.strava.client import Receiver, client_of, receiver, stage

READ = ("read", "activity:read")
NOT_200 = ("PushSubscription", "callback url", "GET to callback URL does not return 200")
NOT_VERIFIABLE = ("PushSubscription", "callback url", "not verifiable")


def told(hook: Receiver) -> list[tuple[str, dict[str, str]]]:
    return [(event["aspect_type"], event["updates"]) for event in hook.events]


def subscribed(fake: FakeStrava, hook: Receiver) -> tuple[App, Athlete]:
    app, alice = fake.app("12345", "secret"), fake.athlete(1001)
    fake.grant(app, alice)
    fake.subscribe(app, hook.url)
    return app, alice


async def test_a_subscription_is_made_while_the_callback_answers_the_challenge() -> None:
    async with stage() as on, receiver() as hook:
        assert (await on.client.subscriptions(on.app)).json == []
        hook.going.clear()
        making = asyncio.create_task(on.client.subscribe(on.app, hook.url, verify_token="mine"), name="making")
        await on.fake.until(lambda: on.fake.count("POST", "/push_subscriptions") == 1)
        assert on.fake.subscription(on.app) is None
        hook.going.set()
        answer = await making
        assert answer.status == 201
        (query,) = hook.queries
        assert (query["hub.mode"], query["hub.verify_token"]) == ("subscribe", "mine")
        (row,) = (await on.client.subscriptions(on.app)).json
        assert (row["id"], row["callback_url"], row["application_id"]) == (answer.json["id"], hook.url, 12345)
        assert row["created_at"] == "2026-11-21T12:00:00Z"
        assert (await on.client.unsubscribe(on.app, row["id"])).status == 204
        assert on.fake.subscription(on.app) is None
        assert (await on.client.unsubscribe(on.app, row["id"])).status == 404


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, "echo", NOT_200),
        (204, "echo", NOT_200),
        (301, "echo", NOT_200),
        (200, "{}", NOT_VERIFIABLE),
        (200, '{"hub.challenge": "other"}', NOT_VERIFIABLE),
        (200, "<html>", NOT_VERIFIABLE),
    ],
)
async def test_a_callback_that_answers_the_challenge_wrongly_gets_no_subscription(
    status: int, body: str, error: tuple[str, str, str]
) -> None:
    async with stage() as on, receiver() as hook:
        hook.answer, hook.challenge = status, body
        answer = await on.client.subscribe(on.app, hook.url)
        assert (answer.status, answer.error) == (400, error)
        assert on.fake.subscription(on.app) is None
        assert len(hook.queries) == 1


async def test_a_callback_that_answers_the_challenge_late_gets_no_subscription() -> None:
    async with stage(answer_seconds=0.05) as on, receiver() as hook:
        hook.going.clear()
        answer = await on.client.subscribe(on.app, hook.url)
        assert (answer.status, answer.error) == (400, NOT_VERIFIABLE)


async def test_a_callback_that_is_not_there_gets_no_subscription() -> None:
    async with stage() as on:
        answer = await on.client.subscribe(on.app, "http://127.0.0.1:1/hook")
        assert (answer.status, answer.error) == (400, NOT_200)


async def test_a_public_address_leads_where_the_test_says() -> None:
    async with stage() as on, receiver() as hook:
        on.fake.lead("https://Jitney.example", hook.url.removesuffix("/hook"))
        answer = await on.client.subscribe(on.app, "https://jitney.example/strava/webhook/home/x")
        assert answer.status == 201
        on.alice.add_activity()
        await on.fake.settled()
        assert told(hook) == [("create", {})]


async def test_a_second_subscription_is_refused_and_one_of_another_app_is_not_shown() -> None:
    async with stage() as on, receiver() as hook:
        other = on.fake.app("54321", "other")
        on.fake.subscribe(other, "https://n8n.example/hook", foreign=True)
        assert (await on.client.subscriptions(on.app)).json == []
        assert (await on.client.subscribe(on.app, hook.url)).status == 201
        answer = await on.client.subscribe(on.app, hook.url)
        assert (answer.status, answer.error) == (400, ("PushSubscription", "", "already exists"))
        on.fake.take_fault("a subscription asked for while one exists")


async def test_subscriptions_want_the_secret_and_are_limited_but_not_counted() -> None:
    async with stage(limits=Limits(read_short=1)) as on:
        url = on.fake.subscription_url
        answer = await on.client.ask("GET", url, params={"client_id": "12345", "client_secret": "guess"})
        assert (answer.status, answer.error) == (401, ("Application", "", "invalid"))
        answer = await on.client.ask("GET", url, params={"client_id": "9"})
        assert (answer.status, answer.error) == (400, ("Application", "client_id", "invalid"))
        on.app.quota.use(1)
        assert (await on.client.subscriptions(on.app)).status == 200
        on.app.quota.use(1)
        assert (await on.client.subscriptions(on.app)).status == 429
        assert on.app.quota.usage == (2, 2, 2, 2)


async def test_an_event_has_the_fields_of_the_documentation() -> None:
    async with stage() as on, receiver() as hook:
        subscription = on.fake.subscribe(on.app, hook.url)
        ride = on.alice.add_activity()
        await on.fake.settled()
        assert hook.events == [
            {
                "aspect_type": "create",
                "event_time": int(on.clock.now),
                "object_id": ride.id,
                "object_type": "activity",
                "owner_id": 1001,
                "subscription_id": subscription.id,
                "updates": {},
            }
        ]


async def test_only_title_type_privacy_and_the_end_are_told() -> None:
    async with FakeStrava() as fake, receiver() as hook:
        _, alice = subscribed(fake, hook)
        fake.automatic = False
        ride = alice.add_activity()
        ride.edit(name="Hill", sport_type="GravelRide", description="long")
        ride.edit(sport_type="Run")
        ride.edit(private=True)
        ride.edit(visibility="followers_only")
        ride.edit(visibility="everyone", kudos_count=3, gear_id="b1", description="longer", name="Hill")
        ride.add_photo()
        alice.add_bike("Blue")
        ride.delete()
        await fake.deliver_all(at_once=1)
        assert told(hook) == [
            ("create", {}),
            ("update", {"title": "Hill", "type": "Ride"}),
            ("update", {"type": "Run"}),
            ("update", {"private": "true"}),
            ("update", {"private": "false"}),
            ("delete", {}),
        ]


async def test_without_read_all_what_becomes_private_is_deleted_and_comes_back_created() -> None:
    async with FakeStrava() as fake, receiver() as hook:
        app, alice = fake.app("12345", "secret"), fake.athlete(1001)
        fake.grant(app, alice, READ)
        fake.subscribe(app, hook.url)
        fake.automatic = False
        hidden = alice.add_activity(private=True)
        hidden.edit(name="Secret")
        hidden.delete()
        ride = alice.add_activity()
        ride.edit(private=True, name="Secret")
        ride.edit(private=False)
        await fake.deliver_all(at_once=1)
        assert told(hook) == [("create", {}), ("delete", {}), ("create", {})]
        assert {event["object_id"] for event in hook.events} == {ride.id}


async def test_without_a_scope_for_activities_only_the_end_of_the_grant_is_told() -> None:
    async with FakeStrava() as fake, receiver() as hook:
        app, alice = fake.app("12345", "secret"), fake.athlete(1001)
        fake.grant(app, alice, ["read", "profile:read_all"])
        fake.subscribe(app, hook.url)
        alice.add_activity()
        fake.revoke(app, alice)
        await fake.settled()
        (event,) = hook.events
        assert (event["object_type"], event["aspect_type"], event["object_id"]) == ("athlete", "update", 1001)
        assert event["updates"] == {"authorized": "false"}


async def test_the_end_of_a_grant_is_told_to_its_app_alone_also_when_a_client_ended_it() -> None:
    async with FakeStrava() as fake, receiver() as hook, receiver() as other_hook, client_of(fake) as client:
        app, alice = subscribed(fake, hook)
        other = fake.app("54321", "other")
        fake.grant(other, alice)
        fake.subscribe(other, other_hook.url)
        grant = fake.grant_of(app, alice)
        assert grant is not None
        await client.revoke(app, grant.refresh_token)
        await fake.settled()
        assert told(hook) == [("update", {"authorized": "false"})]
        assert other_hook.events == []
        alice.add_activity()
        await fake.settled()
        assert (told(hook)[1:], told(other_hook)) == ([], [("create", {})])


async def test_an_event_for_an_app_without_subscription_is_lost_at_once() -> None:
    async with stage() as on:
        on.alice.add_activity()
        assert on.fake.deliveries == []
        with pytest.raises(AssertionError, match="has no subscription"):
            on.fake.event(on.app, on.alice)


@pytest.mark.parametrize("status", [204, 301, 429, 503])
async def test_only_a_200_counts_and_three_attempts_are_all(status: int) -> None:
    async with FakeStrava() as fake, receiver() as hook:
        _, alice = subscribed(fake, hook)
        hook.answer = status
        alice.add_activity()
        await fake.settled()
        (delivery,) = fake.pending_deliveries
        assert [made.status for made in delivery.attempts] == [status]
        await fake.redeliver(delivery)
        assert await fake.deliver_all() == [delivery]
        assert delivery.lost
        assert fake.pending_deliveries == []
        assert len(hook.events) == 3


async def test_a_failed_delivery_comes_again_and_is_content_with_a_200() -> None:
    async with FakeStrava() as fake, receiver() as hook:
        _, alice = subscribed(fake, hook)
        hook.answer = 503
        alice.add_activity()
        await fake.settled()
        hook.answer = 200
        (delivery,) = await fake.deliver_all()
        assert delivery.delivered
        assert not delivery.lost
        assert hook.events[0] == hook.events[1]
        assert len(fake.latencies) == 2
        await fake.redeliver(delivery)
        assert len(hook.events) == 3


async def test_a_late_answer_is_none() -> None:
    async with FakeStrava(answer_seconds=0.05) as fake, receiver() as hook:
        app, alice = subscribed(fake, hook)
        hook.going.clear()
        attempt = await fake.deliver(app, fake.event(app, alice, object_id=5))
        assert (attempt.status, attempt.reason, attempt.good) == (0, "no answer in time", False)
        assert len(fake.pending_deliveries) == 1


async def test_a_callback_that_is_down_is_tried_again() -> None:
    async with FakeStrava() as fake, receiver() as hook:
        app, alice = fake.app("12345", "secret"), fake.athlete(1001)
        fake.subscribe(app, "http://127.0.0.1:1/hook")
        attempt = await fake.deliver(app, fake.event(app, alice))
        assert (attempt.status, attempt.reason) == (0, "ClientConnectorError")
        fake.lead("http://127.0.0.1:1", hook.url.removesuffix("/hook"))
        await fake.deliver_all()
        assert len(hook.events) == 1


async def test_what_is_being_delivered_does_not_keep_the_fake_from_ending() -> None:
    async with receiver() as hook:
        hook.going.clear()
        async with FakeStrava() as fake:
            _, alice = subscribed(fake, hook)
            assert fake.automatic
            alice.add_activity()
            assert fake.webhooks.sending == 1
        assert fake.webhooks.sending == 0
        assert fake.deliveries[0].attempts == []


async def test_what_is_pending_can_come_in_any_order_and_twice() -> None:
    async with FakeStrava(automatic=False) as fake, receiver() as hook:
        _, alice = subscribed(fake, hook)
        rides = [alice.add_activity() for _ in range(20)]
        assert len(fake.pending_deliveries) == 20
        sent = await fake.deliver_all(shuffled=True, twice=True, at_once=1)
        numbers = [event["object_id"] for event in hook.events]
        assert sorted(numbers) == sorted(2 * [ride.id for ride in rides])
        assert numbers[:20] != [ride.id for ride in rides]
        assert [delivery.event["object_id"] for delivery in sent] == numbers
        assert all(delivery.delivered for delivery in fake.deliveries)
        assert len(fake.deliveries) == 40


async def test_a_thousand_events_come_in_a_burst() -> None:
    async with FakeStrava(automatic=False) as fake, receiver() as hook:
        app, alice = subscribed(fake, hook)
        for number in range(1000):
            fake.plan(app, fake.event(app, alice, object_id=number))
        await fake.deliver_all(shuffled=True, at_once=100)
        assert {event["object_id"] for event in hook.events} == set(range(1000))
        assert len(fake.latencies) == 1000


async def test_an_event_may_be_false_or_no_event_at_all() -> None:
    async with FakeStrava() as fake, receiver() as hook:
        app, alice = subscribed(fake, hook)
        event = fake.event(app, alice, subscription_id="7", owner_id=99, aspect_type="create", extra=[1])
        await fake.deliver(app, event)
        assert hook.events == [event]
        assert (await fake.deliver_raw(app, b"[]")).status == 200
        assert hook.events[1:] == [[]]
