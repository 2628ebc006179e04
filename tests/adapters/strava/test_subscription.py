"""One webhook subscription for each app: found again, made when missing, and never taken away unasked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.base import HttpResponse
from jitney.adapters.errors import RefusedError
from jitney.adapters.secret import Secret
from jitney.adapters.strava import config, http
from jitney.adapters.strava.deliveries import Deliveries
from jitney.adapters.strava.errors import UnavailableError
from jitney.adapters.strava.grants import Grants
from jitney.adapters.strava.limiter import Limiter
from jitney.adapters.strava.subscription import Subscriptions, normalised
from jitney.adapters.strava.webhook import Webhook
from jitney.topics import HOUSE
from tests.adapters.strava.front import front
from tests.fakes.context import DEADLINE, RecordingContext
from tests.fakes.strava import App, FakeStrava, trouble
from tests.fakes.strava.client import Clock

SECRET = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4"


@dataclass
class Scene:
    strava: FakeStrava
    app: App
    ctx: RecordingContext
    clock: Clock
    public_url: str
    http: aiohttp.ClientSession

    def subscriptions(self, **options: Any) -> Subscriptions:  # noqa: ANN401
        """Return those of one attempt, served."""
        fields: dict[str, Any] = {
            "name": "main",
            "app": config.App(client_id="12345", client_secret=Secret(SECRET)),
            "url": self.strava.subscription_url,
            "public_url": self.public_url,
            "limiter": Limiter(reserve=0.2, clock=self.clock, jitter=lambda: 1.0),
            "timeout": DEADLINE,
        }
        made = Subscriptions(self.ctx, self.http, **{**fields, **options})
        webhook = Webhook(self.ctx, {"main": made}, grants=Grants(["main"]), deliveries=Deliveries(self.ctx))
        self.ctx.serve(webhook.handle)
        return made

    async def ensured(self, **options: Any) -> Subscriptions:  # noqa: ANN401
        made = self.subscriptions(**options)
        await made.load()
        await made.ensure()
        return made

    def posts(self) -> int:
        return self.strava.count("POST", "/push_subscriptions")


@asynccontextmanager
async def scene(**options: Any) -> AsyncIterator[Scene]:  # noqa: ANN401
    clock = Clock()
    ctx = RecordingContext(name="strava")
    async with FakeStrava(clock=clock, **options) as strava, front(ctx) as url, http.session() as session:
        yield Scene(strava, strava.app("12345", SECRET), ctx, clock, url, session)


def everything_said(ctx: RecordingContext, made: Subscriptions) -> str:
    return f"{ctx.lines.written} {made.reason} {made!r} {ctx.kept}"


async def test_where_there_is_none_one_is_made_which_answers_its_challenge() -> None:
    async with scene() as on:
        made = await on.ensured()
        there = on.strava.subscription(on.app)
        assert there is not None
        assert (made.state, made.reason, made.id) == ("active", "", there.id)
        assert there.callback_url.startswith(f"{on.public_url}/webhook/main/")
        assert len(there.callback_url.rpartition("/")[2]) >= 32


async def test_over_a_restart_it_is_found_again_with_the_same_secrets() -> None:
    async with scene() as on:
        first = await on.ensured()
        again = await on.ensured()
        assert (again.state, again.id) == ("active", first.id)
        assert on.posts() == 1
        assert on.strava.count("DELETE") == 0
        words = [secret.reveal() for (owner, _), secret in on.ctx.vault.secrets.items() if owner == HOUSE]
        assert len(set(words)) == 2
        assert min(map(len, words)) >= 32


async def test_where_the_number_was_forgotten_it_is_known_by_its_callback() -> None:
    async with scene() as on:
        first = await on.ensured()
        on.ctx.kept.clear()
        there = on.strava.subscription(on.app)
        assert there is not None
        there.callback_url = there.callback_url.replace("http://127", "HTTP://127") + "/"
        again = await on.ensured()
        assert (again.state, again.id, on.posts()) == ("active", first.id, 1)
        assert list(on.ctx.kept.values()) == [str(first.id).encode()]


async def test_a_new_public_address_replaces_our_own_one() -> None:
    async with scene() as on:
        first = await on.ensured()
        on.strava.lead("https://bus.example.org", on.public_url.removesuffix("/strava"))
        again = await on.ensured(public_url="https://bus.example.org/strava/")
        there = on.strava.subscription(on.app)
        assert there is not None
        assert there.callback_url.startswith("https://bus.example.org/strava/webhook/main/")
        assert again.state == "active"
        assert again.id == there.id != first.id


async def test_one_that_was_deleted_elsewhere_is_made_anew() -> None:
    async with scene() as on:
        first = await on.ensured()
        on.strava.subscriptions.known.clear()
        await first.ensure()
        there = on.strava.subscription(on.app)
        assert there is not None
        assert (first.state, first.id) == ("active", there.id)


async def test_another_programs_is_left_alone_and_told_with_what_to_do() -> None:
    async with scene() as on:
        there = on.strava.subscribe(on.app, "https://n8n.example.org/hook/very-secret", foreign=True)
        made = await on.ensured()
        assert made.state == "foreign"
        assert made.id == 0
        assert "n8n.example.org" in made.reason
        assert "--take-over" in made.reason
        assert "very-secret" not in everything_said(on.ctx, made)
        assert on.strava.subscription(on.app) is there
        assert made.is_id(there.id) is False


async def test_another_programs_is_taken_over_when_somebody_says_so() -> None:
    async with scene() as on:
        there = on.strava.subscribe(on.app, "https://n8n.example.org/hook", foreign=True)
        made = await on.ensured()
        await made.ensure(take_over=True)
        assert on.strava.take_fault("deleted the foreign subscription")
        ours = on.strava.subscription(on.app)
        assert ours is not None
        assert ours is not there
        assert (made.state, made.reason, made.id) == ("active", "", ours.id)


async def test_where_another_program_has_replaced_ours_its_deliveries_are_not_taken_for_ours() -> None:
    async with scene() as on:
        made = await on.ensured()
        before = made.id
        on.strava.subscriptions.known.clear()
        on.strava.subscribe(on.app, "not an address", foreign=True)
        await made.ensure()
        assert made.state == "foreign"
        assert "another place" in made.reason
        assert made.is_id(before) is False
        assert on.ctx.kept == {}


async def test_without_a_public_address_there_is_none_and_nobody_is_asked() -> None:
    async with scene() as on:
        made = await on.ensured(public_url="")
        assert made.state == "off"
        assert "http.public_url" in made.reason
        assert on.strava.calls == []
        assert on.ctx.warnings() == []


async def test_an_address_that_strava_would_not_take_is_not_sent() -> None:
    async with scene() as on:
        made = await on.ensured(public_url="https://" + "a" * 60 + ".example.org/" + "b" * 180)
        assert made.state == "failed"
        assert "too long" in made.reason
        assert on.posts() == 0


def cut(strava: FakeStrava) -> None:
    strava.play(trouble.reset(), "/push_subscriptions", times=9)


def page(strava: FakeStrava) -> None:
    strava.play(trouble.html(200), "/push_subscriptions", times=9)


def half(strava: FakeStrava) -> None:
    strava.play(trouble.truncated(), "/push_subscriptions", times=9)


def broken(strava: FakeStrava) -> None:
    strava.play(trouble.status(500, f"client_secret={SECRET}"), "/push_subscriptions", times=9)


def moved(strava: FakeStrava) -> None:
    strava.play(trouble.status(302), "/push_subscriptions", times=9)


@pytest.mark.parametrize("spoil", [cut, page, half, broken, moved])
async def test_while_strava_gives_no_usable_answer_a_known_one_stays_active(
    spoil: Callable[[FakeStrava], None],
) -> None:
    async with scene() as on:
        first = await on.ensured()
        spoil(on.strava)
        known = await on.ensured()
        assert (known.state, known.id) == ("active", first.id)
        assert known.reason
        on.ctx.kept.clear()
        unknown = await on.ensured()
        assert (unknown.state, unknown.id, unknown.is_id(first.id)) == ("failed", 0, None)
        assert SECRET not in everything_said(on.ctx, unknown)
        assert on.posts() == 1


async def test_an_answer_that_does_not_come_in_time_is_found_out_by_the_next_look() -> None:
    async with scene() as on:
        hanging = on.strava.play(trouble.hang(), "/push_subscriptions", method="POST")
        made = await on.ensured(timeout=0.2)
        assert (made.state, made.is_id(1)) == ("failed", None)
        assert "no answer within 0.2 s" in made.reason
        hanging.cut()
        again = await on.ensured()
        assert (again.state, again.reason) == ("active", "")


async def test_after_a_429_strava_is_not_asked_before_the_window_has_ended() -> None:
    async with scene() as on:
        on.strava.play(trouble.limited(120), "/push_subscriptions")
        made = await on.ensured()
        assert made.state == "failed"
        assert "used up" in made.reason
        calls = len(on.strava.calls)
        await made.ensure()
        assert len(on.strava.calls) == calls == 1
        on.clock.now += 1000
        await made.ensure()
        assert made.state == "active"


async def test_an_app_that_is_stopped_is_told_as_such() -> None:
    async with scene() as on:
        on.app.active = False
        made = await on.ensured()
        assert made.state == "failed"
        assert "paid Strava subscription" in made.reason


@pytest.mark.parametrize(("client_id", "secret"), [("12345", "wrong-secret-wrong-secret"), ("99999", SECRET)])
async def test_wrong_credentials_are_told_and_not_shown(client_id: str, secret: str) -> None:
    async with scene() as on:
        made = await on.ensured(app=config.App(client_id=client_id, client_secret=Secret(secret)))
        assert made.state == "failed"
        assert "compare client_id and client_secret" in made.reason
        assert secret not in everything_said(on.ctx, made)


async def test_a_callback_that_strava_does_not_reach_is_told_with_what_to_look_at() -> None:
    async with scene() as on:
        made = on.subscriptions(public_url=on.public_url + "/elsewhere")
        await made.load()
        await made.ensure()
        assert made.state == "failed"
        assert "does not reach Jitney" in made.reason
        assert "bot check" in made.reason


async def test_a_callback_that_something_else_answers_is_told_with_what_to_look_at() -> None:
    async with scene() as on:
        made = on.subscriptions()
        await made.load()
        other = RecordingContext()
        other.serve(lambda _: welcome())
        async with front(other) as url:
            made._public_url = url
            await made.ensure()
        assert made.state == "failed"
        assert "something else than Jitney" in made.reason


async def welcome() -> HttpResponse:
    return HttpResponse(200, b"<h1>It works!</h1>", "text/html")


async def test_one_that_somebody_made_at_the_same_moment_is_looked_at_again() -> None:
    async with scene() as on:
        made = on.subscriptions()
        await made.load()
        body = '{"message":"Bad Request","errors":[{"resource":"PushSubscription","field":"","code":"already exists"}]}'
        on.strava.play(trouble.status(400, body, content_type="application/json"), "/push_subscriptions", method="POST")
        await made.ensure()
        assert made.state == "failed"
        assert "looked at again soon" in made.reason
        await made.ensure()
        assert made.state == "active"


async def test_two_looks_at_once_make_one() -> None:
    async with scene() as on:
        made = on.subscriptions()
        await made.load()
        await asyncio.gather(made.ensure(), made.ensure(), made.ensure())
        assert (made.state, on.posts()) == ("active", 1)


async def test_it_is_given_up_for_good_when_it_is_asked_for() -> None:
    async with scene() as on:
        made = await on.ensured()
        await made.delete()
        assert on.strava.subscription(on.app) is None
        assert (made.id, made.state, on.ctx.kept) == (0, "missing", {})
        await made.delete()
        assert on.strava.count("DELETE") == 1


async def test_what_is_gone_already_is_given_up_without_a_complaint_and_otherwise_it_stays_known() -> None:
    async with scene() as on:
        made = await on.ensured()
        on.strava.play(trouble.status(502), "/push_subscriptions/*")
        with pytest.raises(UnavailableError):
            await made.delete()
        assert made.id
        on.strava.subscriptions.known.clear()
        await made.delete()
        assert made.id == 0


async def test_a_number_that_cannot_be_kept_does_no_harm() -> None:
    async with scene() as on:
        made = on.subscriptions()
        await made.load()
        on.ctx.full = True
        await made.ensure()
        assert made.state == "active"
        assert on.ctx.counts["not_kept"] == 1
        on.ctx.full = False
        again = await on.ensured()
        assert (again.id, on.posts()) == (made.id, 1)


async def test_secrets_that_cannot_be_kept_are_an_error_before_anything_is_made() -> None:
    async with scene() as on:
        on.ctx.vault.full = True
        with pytest.raises(RefusedError, match="disk is full"):
            await on.subscriptions().load()


async def test_a_name_with_odd_characters_makes_a_good_address() -> None:
    async with scene() as on:
        made = on.subscriptions(name="läufer/ä b?")
        webhook = Webhook(on.ctx, {"läufer/ä b?": made}, grants=Grants(["x"]), deliveries=Deliveries(on.ctx))
        on.ctx.serve(webhook.handle)
        await made.load()
        await made.ensure()
        assert (made.state, made.reason) == ("active", "")


async def test_before_the_secrets_are_there_no_path_and_no_word_is_right() -> None:
    async with scene() as on:
        made = on.subscriptions()
        assert not made.is_path("webhook/main/")
        assert not made.is_path("webhook/main")
        assert not made.is_verify_token("")


async def test_one_line_of_the_log_tells_each_change_and_none_a_secret() -> None:
    async with scene() as on:
        made = await on.ensured()
        for _ in range(3):
            await made.ensure()
        on.strava.play(trouble.status(500), "/push_subscriptions", times=3)
        for _ in range(3):
            await made.ensure()
        assert [level for level, _, _ in on.ctx.lines.written] == ["info", "warning"]
        said = everything_said(on.ctx, made)
        assert not [secret for secret in on.ctx.vault.secrets.values() if secret.reveal() in said]
        assert SECRET not in said


@pytest.mark.parametrize(
    "other",
    [
        "https://bus.example.org/strava/webhook/main/X",
        "HTTPS://BUS.Example.org/strava/webhook/main/X",
        "https://bus.example.org:443/strava/webhook/main/X/",
        " https://bus.example.org/strava/webhook/main/X ",
    ],
)
def test_addresses_that_mean_the_same_are_the_same(other: str) -> None:
    assert normalised(other) == normalised("https://bus.example.org/strava/webhook/main/X")


@pytest.mark.parametrize(
    "other",
    [
        "http://bus.example.org/strava/webhook/main/X",
        "https://bus.example.org:8443/strava/webhook/main/X",
        "https://bus.example.org/strava/webhook/main/x",
        "https://bus.example.org/strava/webhook/main/X?a=1",
        "https://example.org/strava/webhook/main/X",
        "https://[bus",
        "",
    ],
)
def test_addresses_that_mean_something_else_are_not_the_same(other: str) -> None:
    assert normalised(other) != normalised("https://bus.example.org/strava/webhook/main/X")


@given(st.text() | st.from_regex(r"https?://[a-zA-Z.\[\]:0-9]{0,20}(/[a-zA-Z/%?#]{0,20})?", fullmatch=True))
def test_any_text_has_one_normal_form(url: str) -> None:
    assert normalised(normalised(url)) == normalised(url)
