"""What is told of a Home Assistant before it is followed."""

import socket
from typing import Any

import pytest

from jitney.adapters.base import Examination, Found, Owner
from jitney.adapters.homeassistant import HomeAssistant, examine
from jitney.adapters.homeassistant.config import Config, Identity
from jitney.adapters.homeassistant.expiry import DAY
from jitney.adapters.secret import Secret
from tests.fakes.homeassistant import FakeHomeAssistant

ALICE = Owner("alice", "Alice", Identity(person="person.alice"))


async def told(home: FakeHomeAssistant, *owners: Owner, token: str = "", **about: Any) -> list[Found]:  # noqa: ANN401
    config = Config(url=home.url, token=Secret(token or home.token))
    known = {owner.id: owner for owner in owners}
    return [found async for found in HomeAssistant.examine(config, Examination(name="home", owners=known, **about))]


def problems(found: list[Found]) -> list[str]:
    return [one.text for one in found if one.level == "problem"]


async def test_one_that_lets_us_in_is_told_with_version_and_for_how_long_the_token_is_good() -> None:
    async with FakeHomeAssistant() as home:
        token, reached = await told(home, ALICE)
        await home.disconnected()
    assert (token.level, "for 3650 more days" in token.text) == ("ok", True)
    assert reached == Found("ok", f"{home.url} lets Jitney in: Home Assistant 2026.2.3, running")


async def test_a_person_whom_it_does_not_have_is_a_problem() -> None:
    async with FakeHomeAssistant() as home:
        carol = Owner("carol", "Carol", Identity(person="person.carol"))
        found = await told(home, ALICE, carol)
    assert problems(found) == ["there is no person.carol, which carol is said to be"]
    assert "owners.carol.homeassistant.person" in found[-1].remedy


async def test_an_area_that_it_does_not_have_is_a_warning() -> None:
    async with FakeHomeAssistant() as home:
        home.registries.add_area("Workshop")
        found = await told(home, Owner("bob", "Bob", Identity(areas=("workshop", "Attic"))))
    assert [one.text for one in found if one.level == "warning"] == [
        "there is no area 'Attic', which is said to be of bob"
    ]


async def test_a_user_who_is_no_administrator_is_told() -> None:
    async with FakeHomeAssistant() as home:
        found = await told(home, ALICE, token=home.users["Alice"].token)
    assert [one.text for one in found if one.level == "note"] == [
        "Alice is no administrator: nothing but state changes is seen"
    ]


async def test_a_token_that_is_refused_is_a_problem_and_shows_four_characters() -> None:
    async with FakeHomeAssistant() as home:
        home.revoke(home.token)
        found = await told(home)
    (text,) = problems(found)
    assert "does not accept the token" in text
    assert home.token[-5:] not in text
    assert "long-lived access token" in found[-1].remedy


async def test_a_token_that_has_expired_is_not_even_tried() -> None:
    async with FakeHomeAssistant() as home:
        found = await told(home, token=home.users.issue(home.jitney, age=10 * DAY, lifespan=9 * DAY))
        assert home.record.attempts == []
    assert problems(found)[0].startswith("the token expired on ")


async def test_a_token_that_expires_soon_is_a_warning() -> None:
    async with FakeHomeAssistant() as home:
        found = await told(home, token=home.users.issue(home.jitney, lifespan=9 * DAY))
    assert (found[0].level, "for 9 more days" in found[0].text) == ("warning", True)


async def test_offline_nothing_is_tried() -> None:
    async with FakeHomeAssistant() as home:
        assert [one.level for one in await told(home, ALICE, offline=True)] == ["ok"]
        assert home.record.attempts == []


async def test_one_that_is_not_there_or_hangs_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examine, "PATIENCE", 0.3)
    async with FakeHomeAssistant() as home:
        home.hang()
        assert "does not answer within 0.3 s" in problems(await told(home))[0]
        home.unhang()
        await home.stop()
        assert "Connect call failed" in problems(await told(home))[0]


async def test_one_that_stops_answering_in_the_middle_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examine, "PATIENCE", 0.3)
    async with FakeHomeAssistant() as home:
        home.pause_results("get_config")
        assert "does not answer within 0.3 s" in problems(await told(home, ALICE))[0]
        home.resume_results()


async def test_what_is_no_home_assistant_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examine, "PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = Config(url=f"http://127.0.0.1:{silent.getsockname()[1]}", token=Secret("0123456789abcdef"))
        found = [one async for one in HomeAssistant.examine(config, Examination(name="home"))]
    assert len(problems(found)) == 1
