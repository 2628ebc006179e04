"""What is told of Strava without anybody's permission."""

from typing import Any

import pytest

from jitney.adapters.base import Examination, Found, Owner
from jitney.adapters.secret import Secret
from jitney.adapters.strava import Strava
from jitney.adapters.strava.config import App, Config, Identity
from tests.fakes.strava import FakeStrava

SECRET = "0123456789abcdef0123456789abcdef01234567"
NO_TOKEN = "no Authorization header"


def configured(**config: Any) -> Config:  # noqa: ANN401
    return Config(**{"apps": {"main": App(client_id="100", client_secret=Secret(SECRET))}, **config})


async def told(config: Config, *owners: Owner, **about: Any) -> list[Found]:  # noqa: ANN401
    known = {owner.id: owner for owner in owners}
    return [found async for found in Strava.examine(config, Examination(name="strava", owners=known, **about))]


def at(found: list[Found], level: str) -> list[str]:
    return [one.text for one in found if one.level == level]


async def test_one_request_without_a_token_tells_that_strava_is_there() -> None:
    async with FakeStrava(allow=[NO_TOKEN]) as strava:
        found = await told(configured(api_url=strava.api_url), Owner("alice", "Alice"))
        (call,) = strava.calls
    assert (call.method, call.path, call.status, call.app) == ("GET", "/athlete", 401, "")
    assert {one.level for one in found} == {"ok"}
    assert found[-1].text.endswith(" answers")


async def test_a_strava_that_is_not_there_is_a_problem() -> None:
    found = await told(configured(api_url="http://127.0.0.1:1/api/v3"))
    assert "127.0.0.1:1 is not reached" in at(found, "problem")[0]


async def test_what_is_not_strava_is_a_warning() -> None:
    async with FakeStrava(allow=["there is no such path"]) as strava:
        found = await told(configured(api_url=f"{strava.origin}/elsewhere"))
    assert "does not answer as Strava does (HTTP 404)" in at(found, "warning")[0]


async def test_offline_nothing_is_asked() -> None:
    found = await told(configured(api_url="http://127.0.0.1:1/api/v3"), offline=True)
    assert at(found, "problem") == []


async def test_a_secret_that_does_not_look_like_one_is_a_warning_that_does_not_show_it() -> None:
    apps = {"main": App(client_id="100", client_secret=Secret("canary-0a1b2c3d"))}
    found = await told(configured(apps=apps), offline=True)
    assert len(at(found, "warning")) == 1
    assert "canary" not in str(found)


async def test_an_owner_without_a_right_app_is_a_warning_with_the_key() -> None:
    apps = {name: App(client_id=number, client_secret=Secret(SECRET)) for name, number in (("a", "1"), ("b", "2"))}
    owners = [Owner("alice", "", Identity(app="a")), Owner("bob", ""), Owner("carol", "", Identity(app="c"))]
    found = await told(configured(apps=apps), *owners, offline=True)
    assert at(found, "warning") == [
        "bob does not say through which app to sign in",
        "carol names the app 'c', which there is not",
    ]


async def test_polling_that_asks_more_than_an_app_may_is_a_warning_with_the_number_that_fits() -> None:
    people = [Owner(f"p{number}", "") for number in range(10)]
    found = await told(configured(), *people, offline=True)
    (warning,) = (one for one in found if one.level == "warning")
    assert "960 calls a day for 10 people" in warning.text
    seconds = int(warning.remedy.partition("poll = ")[2].partition(",")[0])
    assert at(await told(configured(poll=seconds), *people, offline=True), "warning") == []


@pytest.mark.parametrize(
    ("mode", "public_url", "level", "says"),
    [
        ("webhook", "", "problem", "needs an address that Strava reaches"),
        ("auto", "https://bus.example.org/strava", "ok", "by webhook"),
        ("poll", "https://bus.example.org/strava", "ok", "by polling"),
        ("auto", "", "ok", "by polling"),
    ],
)
async def test_how_news_come_is_told(mode: str, public_url: str, level: str, says: str) -> None:
    found = await told(configured(mode=mode), Owner("alice", ""), offline=True, public_url=public_url)
    assert any(says in text for text in at(found, level))
