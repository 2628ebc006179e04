"""The fake Strava counts the calls of each app as the real one does, and refuses what is too much."""

from tests.fakes.strava import Limits
from tests.fakes.strava.client import CALLBACK, stage


async def test_calls_are_counted_in_both_windows_and_told_with_each_answer() -> None:
    limits = Limits(short=20, day=2000, read_short=10, read_day=1000)
    async with stage(limits=limits) as on:
        on.app.quota.use(3, read=False)
        headers = (await on.client.get("/athlete", on.access)).headers
        names = ["X-RateLimit-Limit", "X-RateLimit-Usage", "X-ReadRateLimit-Limit", "X-ReadRateLimit-Usage"]
        assert [name for name in headers if "RateLimit" in name] == names
        assert [headers[name] for name in names] == ["20,2000", "4,4", "10,1000", "1,1"]
        on.clock.now += 899
        assert (await on.client.get("/athlete", on.access)).headers["X-RateLimit-Usage"] == "5,5"
        on.clock.now += 1
        assert (await on.client.get("/athlete", on.access)).headers["X-RateLimit-Usage"] == "1,6"
        on.clock.now += 12 * 3600
        access = on.fake.grant(on.app, on.alice)
        assert (await on.client.get("/athlete", access)).headers["X-RateLimit-Usage"] == "1,1"


async def test_calls_over_the_limit_are_refused_and_counted_until_the_next_quarter() -> None:
    async with stage(limits=Limits(read_short=2), allow=["must wait for"]) as on:
        statuses = [(await on.client.get("/athlete", on.access)).status for _ in range(3)]
        assert statuses == [200, 200, 429]
        answer = await on.client.get("/athlete", on.access)
        assert answer.error == ("Application", "read rate limit", "exceeded")
        assert answer.json["message"] == "Rate Limit Exceeded"
        assert answer.headers["X-ReadRateLimit-Usage"] == "4,4"
        assert on.app.closed_until == on.clock.now + 900
        on.clock.now += 900
        assert (await on.client.get("/athlete", on.access)).status == 200


async def test_calls_over_the_limit_of_the_day_are_refused_until_midnight() -> None:
    async with stage(limits=Limits(day=2)) as on:
        for expected in (200, 200, 429):
            answer = await on.client.get("/athlete", on.access)
            assert answer.status == expected
        assert answer.error == ("Application", "overall rate limit", "exceeded")
        assert on.app.closed_until == on.clock.now + 12 * 3600
        on.clock.now += 12 * 3600
        assert (await on.client.get("/athlete", on.fake.grant(on.app, on.alice))).status == 200


async def test_the_limits_of_an_app_are_no_other_app_s() -> None:
    async with stage(limits=Limits(read_short=1)) as on:
        access = on.fake.grant(on.fake.app("54321", "other"), on.alice)
        accesses = [on.access, on.access, access]
        assert [(await on.client.get("/athlete", one)).status for one in accesses] == [200, 429, 200]


async def test_an_app_whose_owner_does_not_pay_is_refused_everywhere() -> None:
    async with stage() as on:
        on.app.active = False
        answers = [
            await on.client.get("/athlete", on.access),
            await on.client.subscriptions(on.app),
            await on.client.subscribe(on.app, CALLBACK),
        ]
        assert {answer.status for answer in answers} == {403}
        assert {answer.error for answer in answers} == {("Application", "Status", "Inactive")}
        assert {answer.json["message"] for answer in answers} == {"Forbidden"}
