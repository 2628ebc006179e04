"""The server: a Strava on a real port, with everything that can go wrong between it and a client."""

import time
from collections.abc import Callable, Iterable
from random import Random
from types import TracebackType
from typing import Any, Final, Self

from tests.fakes.strava.admission import Admission
from tests.fakes.strava.api import Api
from tests.fakes.strava.athletes import Athlete
from tests.fakes.strava.browser import Browser, Landing
from tests.fakes.strava.callbacks import Attempt, Callbacks
from tests.fakes.strava.cdn import Cdn
from tests.fakes.strava.door import API, Door
from tests.fakes.strava.grants import Access, Grant
from tests.fakes.strava.oauth import OAuth
from tests.fakes.strava.quota import Limits
from tests.fakes.strava.record import DEADLINE, Call, Record
from tests.fakes.strava.subscriptions import PATH, Subscription, Subscriptions
from tests.fakes.strava.trouble import Playing, Trouble
from tests.fakes.strava.webhooks import Delivery, Webhooks
from tests.fakes.strava.world import App, World

ALL_SCOPES: Final = ("read", "activity:read", "activity:read_all", "profile:read_all", "activity:write")


class FakeStrava:
    """A Strava that is up inside ``async with``; leaving raises AssertionError when a client misbehaved.

    ``allow``: patterns of faults that are none in this test. ``clock``: what windows and ends of tokens go by.
    ``automatic``: changes of the world are delivered at once to subscribers, else when the test says so.
    ``answer_seconds``: what a callback may take; ``refresh_seconds``: what a refresh takes here; ``grace``: for so
    long after a refusal calls may still arrive that were on their way.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        allow: Iterable[str] = (),
        automatic: bool = True,
        answer_seconds: float = 2.0,
        refresh_seconds: float = 0.02,
        grace: float = 0.1,
    ) -> None:
        self.record = Record(allow)
        self.world = World(clock)
        self.callbacks = Callbacks(answer_seconds=answer_seconds)
        admission = Admission(self.world, self.record, grace=grace)
        self.subscriptions = Subscriptions(self.world, self.record, admission, callbacks=self.callbacks)
        self.webhooks = Webhooks(
            self.world, self.record, self.subscriptions, callbacks=self.callbacks, automatic=automatic
        )
        self.door = Door(
            self.world,
            self.record,
            {
                f"{API}{PATH}": self.subscriptions,
                f"{API}/": Api(self.world, self.record, admission),
                "/oauth/": OAuth(self.world, self.record, refresh_seconds=refresh_seconds, grace=grace),
                "/cdn/": Cdn(self.world, self.record),
            },
        )

    async def __aenter__(self) -> Self:
        self.door.reserve()
        self.world.origin = self.origin
        await self.callbacks.open()
        await self.door.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.webhooks.close()
        await self.door.close()
        await self.callbacks.close()
        self.door.leave()
        verdict = "\n".join(self.record.verdict())
        if verdict and error is None:
            message = f"a correct client of Strava never does this:\n{verdict}"
            raise AssertionError(message)
        if verdict and error is not None:
            error.add_note(f"And the fake Strava has seen:\n{verdict}")

    @property
    def origin(self) -> str:
        """The scheme, host and port of everything here."""
        return self.door.origin

    @property
    def api_url(self) -> str:
        """The address of the API, as a configuration wants it."""
        return f"{self.origin}{API}"

    @property
    def oauth_url(self) -> str:
        """The address of consent and tokens."""
        return f"{self.origin}/oauth"

    @property
    def subscription_url(self) -> str:
        """The address of the webhook subscriptions."""
        return f"{self.api_url}{PATH}"

    @property
    def calls(self) -> list[Call]:
        """Every request so far."""
        return self.record.calls

    @property
    def faults(self) -> list[str]:
        """What clients did that a correct one never does, one sentence each."""
        return self.record.faults

    @property
    def deliveries(self) -> list[Delivery]:
        """Every delivery of an event, sent or not."""
        return self.webhooks.deliveries

    @property
    def pending_deliveries(self) -> list[Delivery]:
        """The deliveries that wait for their first attempt, or after a failed one for the next."""
        return self.webhooks.pending

    @property
    def latencies(self) -> list[float]:
        """The seconds that each answered delivery took, in the order of the deliveries."""
        return [made.seconds for delivery in self.deliveries for made in delivery.attempts if made.status]

    @property
    def automatic(self) -> bool:
        """Whether changes are delivered at once."""
        return self.webhooks.automatic

    @automatic.setter
    def automatic(self, automatic: bool) -> None:
        self.webhooks.automatic = automatic

    def app(self, client_id: str, secret: str, *, limits: Limits | None = None, **fields: Any) -> App:  # noqa: ANN401
        """Register an app; ``fields`` as of ``App``."""
        return self.world.add_app(client_id, secret, limits=limits, **fields)

    def athlete(self, number: int, *, firstname: str = "Alice", **fields: Any) -> Athlete:  # noqa: ANN401
        """Register an athlete, who may use any app; ``fields`` as of ``Athlete``."""
        return self.world.add_athlete(number, firstname=firstname, **fields)

    def grant(self, app: App, athlete: Athlete, scopes: Iterable[str] = ALL_SCOPES) -> Access:
        """Let an app in without a browser; returns the access token, with ``.grant.refresh_token``."""
        return self.world.grants.grant(app, athlete, tuple(scopes))

    def grant_of(self, app: App, athlete: Athlete) -> Grant | None:
        """Return what an athlete allows to an app now."""
        return self.world.grants.of(app, athlete)

    def spoil(self, app: App, athlete: Athlete) -> None:
        """Make the access tokens of a grant invalid before their time; a refresh gives a new one."""
        self.world.grants.spoil(self._grant(app, athlete))

    def revoke(self, app: App, athlete: Athlete) -> None:
        """End a grant as the athlete does in the settings of Strava; subscribers are told."""
        self.world.revoke(self._grant(app, athlete), by="athlete")
        self.record.changed()

    def subscription(self, app: App) -> Subscription | None:
        """Return the webhook subscription of an app."""
        return self.subscriptions.of(app)

    def subscribe(self, app: App, callback_url: str, *, foreign: bool = False) -> Subscription:
        """Make a subscription without asking the callback; a ``foreign`` one is another program's."""
        return self.subscriptions.add(app, callback_url, foreign=foreign)

    def lead(self, public: str, local: str) -> None:
        """Let a public origin such as ``https://jitney.example`` lead to one on this machine."""
        self.callbacks.hosts[public.lower().rstrip("/")] = local.rstrip("/")

    async def consent(
        self,
        link: str,
        athlete: Athlete,
        *,
        granted: Iterable[str] | None = None,
        refuse: bool = False,
        follow: bool = True,
    ) -> Landing:
        """Follow a link in the athlete's browser, tick ``granted`` (None: all) or refuse, and go where that leads.

        Without ``follow`` the browser stops there. Raises ConsentError when Strava shows an error instead.
        """
        async with Browser(self.oauth_url, athlete.id, reach=self.callbacks.reach) as browser:
            url = await browser.consent(link, granted=granted, refuse=refuse)
            return await browser.land(url) if follow else Landing(url)

    def event(self, app: App, athlete: Athlete | int, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return an event for the subscriber of an app, with ``fields`` of any value."""
        number = athlete if isinstance(athlete, int) else athlete.id
        return self.webhooks.event(self._subscription(app), number, **fields)

    async def deliver(self, app: App, event: dict[str, Any]) -> Attempt:
        """Deliver an event once, true or not; when it fails, it waits for ``redeliver``."""
        return await self.webhooks.attempt(self.plan(app, event))

    def plan(self, app: App, event: dict[str, Any]) -> Delivery:
        """Let an event wait for ``deliver_all``."""
        return self.webhooks.plan(self._subscription(app), event)

    async def deliver_raw(self, app: App, body: bytes) -> Attempt:
        """Post any body to the callback of an app, once."""
        return await self.callbacks.post(self._subscription(app).callback_url, body)

    async def redeliver(self, delivery: Delivery) -> Attempt:
        """Make the next attempt of a delivery, or repeat one that was answered."""
        return await self.webhooks.attempt(delivery)

    async def deliver_all(
        self, *, shuffled: bool = False, twice: bool = False, at_once: int = 32, seed: int = 1
    ) -> list[Delivery]:
        """Deliver everything that is pending, ``at_once`` at a time, in another order (of ``seed``) or once more each.

        What fails is pending again until its third attempt. Returns what was sent, in its order.
        """
        order = Random(seed) if shuffled else None  # noqa: S311 - an order that a test can repeat
        return await self.webhooks.attempt_all(shuffled=order, twice=twice, at_once=at_once)

    async def settled(self, deadline: float = DEADLINE) -> None:
        """Wait until nothing is being delivered."""
        await self.until(lambda: not self.webhooks.sending, "the end of deliveries", deadline)

    def play(
        self,
        trouble: Trouble,
        path: str = "**",
        *,
        method: str = "*",
        times: float = 1,
        app: App | None = None,
        athlete: Athlete | None = None,
    ) -> Playing:
        """Play a trouble for the next ``times`` calls to a path glob, of an app or athlete only if one is given."""
        return self.door.troubles.add(
            trouble,
            path,
            method=method,
            times=times,
            app=app.client_id if app else "",
            athlete=athlete.id if athlete else 0,
        )

    def allow(self, *patterns: str) -> None:
        """Take no offence at faults in which one of the patterns is found, past or to come."""
        self.record.allow(*patterns)

    def take_fault(self, pattern: str) -> str:
        """Remove a fault that the test wanted and return it; raises AssertionError when there is none."""
        return self.record.take_fault(pattern)

    def find(
        self, method: str = "*", path: str = "**", *, app: App | None = None, athlete: Athlete | None = None
    ) -> list[Call]:
        """Return the calls to a path glob, in which ``*`` ends at a slash and ``**`` does not."""
        return self.record.find(method, path, app=app.client_id if app else "", athlete=athlete.id if athlete else 0)

    def count(
        self, method: str = "*", path: str = "**", *, app: App | None = None, athlete: Athlete | None = None
    ) -> int:
        """Return how many calls ``find`` finds."""
        return len(self.find(method, path, app=app, athlete=athlete))

    async def until(self, condition: Callable[[], bool], what: str = "", deadline: float = DEADLINE) -> None:
        """Wait until ``condition`` holds; looked at whenever a client or this Strava does something."""
        await self.record.until(condition, what, deadline)

    async def start(self) -> None:
        """Take connections again, on the same port."""
        await self.door.open()

    async def stop(self) -> None:
        """Refuse connections, and cut those that hang."""
        await self.door.close()

    def _grant(self, app: App, athlete: Athlete) -> Grant:
        grant = self.grant_of(app, athlete)
        if grant is None:
            message = f"athlete {athlete.id} allows nothing to the app {app.client_id}"
            raise AssertionError(message)
        return grant

    def _subscription(self, app: App) -> Subscription:
        found = self.subscription(app)
        if found is None:
            message = f"the app {app.client_id} has no subscription"
            raise AssertionError(message)
        return found
