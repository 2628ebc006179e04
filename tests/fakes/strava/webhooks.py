"""Events about what has changed, and their delivery: at most three attempts, in no order, perhaps twice."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from tests.fakes.strava import answers
from tests.fakes.strava.callbacks import Attempt, Callbacks
from tests.fakes.strava.grants import Grant
from tests.fakes.strava.record import Record
from tests.fakes.strava.subscriptions import Subscription, Subscriptions
from tests.fakes.strava.world import App, Change, World

ATTEMPTS: Final = 3


@dataclass(eq=False)
class Delivery:
    """An event on its way to one subscription."""

    subscription: Subscription
    event: dict[str, Any]
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def delivered(self) -> bool:
        """Whether it was answered 200 in time."""
        return bool(self.attempts) and self.attempts[-1].good

    @property
    def lost(self) -> bool:
        """Whether Strava has given up."""
        return len(self.attempts) >= ATTEMPTS and not self.delivered


class Webhooks:
    """Makes events of changes and delivers them, at once while ``automatic``, else when a test says so."""

    def __init__(
        self, world: World, record: Record, subscriptions: Subscriptions, *, callbacks: Callbacks, automatic: bool
    ) -> None:
        self.automatic = automatic
        self.deliveries: list[Delivery] = []
        """Every delivery that was made, sent or not."""
        self.pending: list[Delivery] = []
        """Those that wait for their first attempt, or after a failed one for the next."""
        self._world = world
        self._record = record
        self._subscriptions = subscriptions
        self._callbacks = callbacks
        self._tasks: set[asyncio.Task[None]] = set()
        world.listeners.append(self._listen)

    @property
    def sending(self) -> int:
        """How many deliveries are under way by themselves."""
        return len(self._tasks)

    async def close(self) -> None:
        """Stop what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def event(self, subscription: Subscription, athlete: int, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return an event as Strava writes it; ``fields`` replace or add to it."""
        return {
            "aspect_type": "update",
            "event_time": int(self._world.clock()),
            "object_id": athlete,
            "object_type": "activity",
            "owner_id": athlete,
            "subscription_id": subscription.id,
            "updates": {},
            **fields,
        }

    def plan(self, subscription: Subscription, event: dict[str, Any]) -> Delivery:
        """Let an event wait for its delivery."""
        made = Delivery(subscription, event)
        self.deliveries.append(made)
        self.pending.append(made)
        return made

    async def attempt(self, delivery: Delivery) -> Attempt:
        """Deliver an event once; after a failure it waits for the next attempt, until it is lost."""
        if delivery in self.pending:
            self.pending.remove(delivery)
        made = await self._callbacks.post(delivery.subscription.callback_url, answers.encode(delivery.event))
        delivery.attempts.append(made)
        if not made.good and not delivery.lost:
            self.pending.append(delivery)
        self._record.changed()
        return made

    async def attempt_all(self, *, shuffled: Random | None, twice: bool, at_once: int) -> list[Delivery]:
        """Deliver everything that waits, ``at_once`` at a time; ``twice`` once more each, as Strava may."""
        waiting, self.pending = list(self.pending), []
        copies = [Delivery(one.subscription, one.event) for one in waiting] if twice else []
        self.deliveries += copies
        waiting += copies
        if shuffled is not None:
            shuffled.shuffle(waiting)
        turns = asyncio.Semaphore(at_once)

        async def send(delivery: Delivery) -> None:
            async with turns:
                await self.attempt(delivery)

        async with asyncio.TaskGroup() as group:
            for delivery in waiting:
                group.create_task(send(delivery), name="delivery")
        return waiting

    def _listen(self, change: Change) -> None:
        for app in list(self._world.apps.values()):
            subscription = self._subscriptions.of(app)
            if subscription is None:
                continue
            for event in self._events(app, subscription, change):
                delivery = self.plan(subscription, event)
                if self.automatic:
                    self._spawn(delivery)
        self._record.changed()

    def _spawn(self, delivery: Delivery) -> None:
        self.pending.remove(delivery)
        task = asyncio.create_task(self._send(delivery), name="delivery")
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._record.failures.append(f"a delivery broke: {task.exception()!r}")
        self._record.changed()

    async def _send(self, delivery: Delivery) -> None:
        await self.attempt(delivery)

    def _events(self, app: App, subscription: Subscription, change: Change) -> Iterable[dict[str, Any]]:
        athlete = change.athlete
        if change.activity is None:
            if change.app is app:
                yield self.event(
                    subscription, athlete.id, object_type="athlete", aspect_type="update", updates=change.updates
                )
            return
        grant = self._world.grants.of(app, athlete)
        aspect = _aspect(grant, change) if grant else ""
        if aspect:
            updates = change.updates if aspect == "update" else {}
            yield self.event(
                subscription, athlete.id, object_id=change.activity.id, aspect_type=aspect, updates=updates
            )


def _aspect(grant: Grant, change: Change) -> str:
    """Return what a grant is told of a change to an activity, empty when nothing."""
    assert change.activity is not None
    if "activity:read_all" in grant.scopes:
        return change.aspect
    if "activity:read" not in grant.scopes:
        return ""
    if "private" in change.updates:
        return "delete" if change.activity.private else "create"
    return "" if change.activity.private else change.aspect
