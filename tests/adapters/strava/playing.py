"""A household at a fake Strava: the adapter with a recording bus, its HTTP on a real port, and a time to turn."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from jitney.adapters.base import Owner
from jitney.adapters.secret import Secret
from jitney.adapters.strava import Strava
from jitney.adapters.strava.config import App, Config, Identity
from jitney.adapters.strava.house import House
from jitney.adapters.strava.standing import Standing
from jitney.adapters.strava.timing import Timing
from jitney.topics import Command, Event
from tests.adapters.strava.front import front
from tests.fakes.context import RecordingContext
from tests.fakes.strava import App as StravaApp
from tests.fakes.strava import Athlete as StravaAthlete
from tests.fakes.strava import FakeStrava

NOON = 1_795_262_400.0
"""2026-11-21 12:00 UTC: a Saturday, at the beginning of a quarter of an hour."""


A_MONTH = 30 * 86_400.0
HASTE = 10.0


class Hurried(Timing):
    """A time that goes on by itself, ten times as fast as the real one: what it pauses is soon over."""

    def __init__(self) -> None:
        self._began = time.time()

    def now(self) -> float:
        return self._began + (time.time() - self._began) * HASTE

    async def wait(self, news: asyncio.Event, until: float) -> None:
        await super().wait(news, self.now() + (until - self.now()) / HASTE)

    async def pause(self, future: "asyncio.Future[Any]", seconds: float) -> None:
        await super().pause(future, seconds / HASTE)


class Turned(Timing):
    """A time that stands still until the test turns it; it knows when everybody waits for it."""

    def __init__(self, now: float = NOON) -> None:
        self.began = self._now = now
        self._waiting: dict[asyncio.Future[None], float] = {}
        self._changed = asyncio.Event()

    def now(self) -> float:
        return self._now

    async def wait(self, news: asyncio.Event, until: float) -> None:
        listening = asyncio.ensure_future(news.wait())
        try:
            await self.pause(listening, until - self._now)
        finally:
            listening.cancel()

    async def pause(self, future: "asyncio.Future[Any]", seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        turned: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[turned] = self._now + seconds
        self._changed.set()
        try:
            await asyncio.wait((turned, future), return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._waiting[turned]

    async def quiet(self, waiters: int) -> None:
        """Return when at least so many wait for the time."""
        async with asyncio.timeout(20):
            for _ in range(5):
                await asyncio.sleep(0)
            while len(self._waiting) < waiters:
                self._changed.clear()
                await self._changed.wait()

    def turn(self, seconds: float) -> None:
        """Go forward."""
        self._now += seconds
        for turned, until in self._waiting.items():
            if until <= self._now and not turned.done():
                turned.set_result(None)

    def until_next(self) -> float:
        """Return the seconds until somebody's time has come."""
        return max(0.0, min(self._waiting.values()) - self._now)


class Household:
    """The adapter of a household while it runs, and the Strava that it talks to."""

    def __init__(
        self,
        strava: FakeStrava,
        ctx: RecordingContext,
        adapter: Strava,
        *,
        apps: dict[str, StravaApp],
        timing: Timing,
        task: "asyncio.Task[None]",
    ) -> None:
        self.strava = strava
        self.ctx = ctx
        self.adapter = adapter
        self.apps = apps
        self.timing = timing
        self._task = task

    @property
    def house(self) -> House:
        assert self.adapter._house is not None
        return self.adapter._house

    def standing(self, owner: str) -> Standing:
        return self.house.status(owner)

    async def stop(self) -> None:
        """Stop the adapter, as the daemon does."""
        self._task.cancel()
        await asyncio.wait([self._task], timeout=5)
        self.ctx.handler = None
        if not self._task.cancelled():
            self._task.result()

    async def go_on(self, seconds: float = 0.0, *, until: Callable[[], object] = lambda: False) -> None:
        """Let the time go on from one thing that is due to the next: for so long, or until something holds.

        The time stands still while somebody is busy.
        """
        timing = self.timing
        assert isinstance(timing, Turned)
        end = timing.now() + (seconds or A_MONTH)
        while not until() and timing.now() < end:
            assert not self._task.done(), self._task.result()
            await timing.quiet(2 + len(self.house._tasks))
            if not until():
                timing.turn(min(timing.until_next(), end - timing.now()))
        assert seconds or until(), "it has not happened within a month"

    async def command(self, owner: str, name: str, /, **data: object) -> dict[str, Any]:
        command = Command(id="1", owner=owner, adapter="strava", name=name, data=msgspec.Raw(msgspec.json.encode(data)))
        reply = await self.adapter.command(command)
        assert reply.status == "ok"
        answer: dict[str, Any] = msgspec.json.decode(reply.data)
        return answer

    async def sign_in(self, owner: str, athlete: StravaAthlete, **consent: Any) -> None:  # noqa: ANN401
        link = (await self.command(owner, "connect"))["link"]
        await self.strava.consent(link, athlete, **consent)

    def events(self, owner: str = "", kind: str = "") -> list[Event]:
        return [one for one in self.ctx.events if owner in ("", one.owner) and one.type.endswith(kind)]

    async def told(self, number: int, owner: str = "", kind: str = "") -> list[Event]:
        """Wait for so many events and return them."""
        await self.ctx.until(lambda: len(self.events(owner, kind)) >= number)
        return self.events(owner, kind)

    def state(self, owner: str, subject: str) -> dict[str, Any] | None:
        state = self.ctx.states.get((owner, subject))
        return None if state is None or state.data is None else msgspec.json.decode(state.data)

    def named(self, owner: str, subject: str) -> str:
        """Return the name in a state, empty when there is none."""
        state = self.state(owner, subject)
        return "" if state is None else str(state.get("name", ""))

    def photos(self, owner: str) -> list[dict[str, Any]]:
        state = self.state(owner, "photos")
        return [] if state is None else list(state["photos"])

    def subjects(self, owner: str) -> set[str]:
        return {subject for whose, subject in self.ctx.states if whose == owner}


@asynccontextmanager
async def household(
    folder: Path,
    *,
    owners: tuple[str, ...] = ("alice", "bob"),
    identities: dict[str, Identity] | None = None,
    apps: tuple[str, ...] = ("main",),
    timing: Timing | None = None,
    public: bool = True,
    strava: FakeStrava | None = None,
    **settings: Any,  # noqa: ANN401
) -> AsyncIterator[Household]:
    """Run the adapter against a fake Strava that is made for it."""
    timing = timing or Hurried()
    people = [Owner(owner, owner.title(), (identities or {}).get(owner)) for owner in owners]
    ctx = RecordingContext(name="strava", owners=people, folders=folder)
    fake = strava or FakeStrava(clock=timing.now)
    async with fake, front(ctx) as address:
        registered = {name: fake.app(str(100 + number), f"secret-of-{name}") for number, name in enumerate(apps)}
        ctx.local_url = address
        ctx.public_url = address if public else ""
        async with running(fake, ctx, registered, timing, **settings) as house:
            yield house


@asynccontextmanager
async def running(
    fake: FakeStrava,
    ctx: RecordingContext,
    apps: dict[str, StravaApp],
    timing: Timing,
    **settings: Any,  # noqa: ANN401
) -> AsyncIterator[Household]:
    """Run the adapter once."""
    config = Config(
        apps={name: App(client_id=app.client_id, client_secret=Secret(app.secret)) for name, app in apps.items()},
        api_url=fake.api_url,
        oauth_url=fake.oauth_url,
        **settings,
    )
    adapter = Strava("strava", config, timing=timing)
    task = asyncio.create_task(adapter.run(ctx), name="adapter")
    try:
        await started(ctx, task)
        yield Household(fake, ctx, adapter, apps=apps, timing=timing, task=task)
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=5)
        ctx.handler = None
        if not task.cancelled():
            task.result()


async def started(ctx: RecordingContext, task: "asyncio.Task[None]") -> None:
    """Wait until the adapter has told a status; raises what it ended with before."""
    before = len(ctx.statuses)
    telling = asyncio.create_task(ctx.until(lambda: len(ctx.statuses) > before), name="telling")
    await asyncio.wait((telling, task), return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        telling.cancel()
        await asyncio.wait([telling])
        task.result()
    else:
        await telling
