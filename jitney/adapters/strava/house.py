"""Everybody who is connected: begins and ends each owner's part, and shows each owner how it stands with theirs."""

import asyncio
from collections.abc import Callable
from typing import Final, Literal
from urllib.parse import urlsplit

import aiohttp

from jitney.adapters.base import Context
from jitney.adapters.errors import RefusedError
from jitney.adapters.strava.api import Api
from jitney.adapters.strava.apps import Apps
from jitney.adapters.strava.athlete import Athlete
from jitney.adapters.strava.breaker import Breaker
from jitney.adapters.strava.commands import Connect
from jitney.adapters.strava.config import Config, identity
from jitney.adapters.strava.deliveries import Deliveries
from jitney.adapters.strava.errors import GrantGoneError, StravaError
from jitney.adapters.strava.grants import Grant, Grants
from jitney.adapters.strava.kinds import AthleteDeauthorised
from jitney.adapters.strava.memory import Remembered, remembered
from jitney.adapters.strava.photos import PhotoFiles
from jitney.adapters.strava.porch import SIGN_IN, Porch
from jitney.adapters.strava.signin import LIFE, SignIn
from jitney.adapters.strava.standing import Disconnected, Link, Standing
from jitney.adapters.strava.timing import Timing
from jitney.adapters.strava.worker import RETRY, Worker
from jitney.topics import event

MEGABYTE: Final = 1_000_000

_ENDED: Final = "ended/"
"""The key under which is kept that an owner has to sign in again."""

By = Literal["athlete", "owner"]


class House:
    """The owners of one adapter. ``load`` comes first, then ``run``; commands come while that is under way."""

    def __init__(
        self, ctx: Context, config: Config, apps: Apps, *, http: aiohttp.ClientSession, webhooks: bool, timing: Timing
    ) -> None:
        self.grants = Grants(config.apps)
        self.deliveries = Deliveries(ctx, clock=timing.now)
        self.signin = SignIn(
            ctx, self.grants, apps.tokens, oauths=apps.oauths, connected=self._connected, write=config.write
        )
        self._ctx = ctx
        self._config = config
        self._apps = apps
        self._http = http
        self._webhooks = webhooks
        self._timing = timing
        self._porch = Porch(ctx, apps, places=config.privacy.coordinates, photos=config.privacy.photos, timing=timing)
        self._workers: dict[str, Worker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._signed_in: dict[str, float] = {}
        self._changing = asyncio.Lock()
        self._group: asyncio.TaskGroup | None = None

    async def load(self) -> None:
        """Read who is connected and what waits for them; raises RefusedError."""
        await self.grants.load(self._ctx)
        await self.deliveries.load()
        for owner in {*self.deliveries.owners(), *await remembered(self._ctx)}:
            if self.grants.of(owner) is None:
                await self.deliveries.drop(owner)
                await Remembered(self._ctx, owner).erase()

    async def run(self, *, ready: Callable[[], None]) -> None:
        """Let every owner's part run, ``ready`` when all that is known is shown; cancelled to stop it."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for owner in self._ctx.owners:
                grant = self.grants.of(owner)
                if grant is not None and grant.app in self._config.apps:
                    await self._begin(grant)
                else:
                    await self._begin_without(owner, grant)
            self._porch.begin()
            ready()
            await self._porch.run(self._workers)

    def worker(self, owner: str) -> Worker:
        """Return the worker of an owner; raises RefusedError when they are not connected."""
        worker = self._workers.get(owner)
        if worker is None:
            raise _not_connected(owner)
        return worker

    def api(self, grant: Grant) -> Api:
        """Return the API through the app of a grant, or any where that app is not configured any more."""
        return self._apps.apis.get(grant.app) or next(iter(self._apps.apis.values()))

    async def connect(self, owner: str, asked: Connect) -> Link | Standing:
        """Begin or finish a sign-in; raises RefusedError."""
        if asked.take_over:
            subscription = self._apps.subscriptions[self.grants.app_of(owner)]
            await subscription.ensure(take_over=True)
            if subscription.state != "active":
                raise RefusedError("not_taken_over", f"the webhooks were not taken over: {subscription.reason}")
        if asked.url:
            await self.signin.finish(owner, asked.url)
            return self.status(owner)
        link = self.signin.begin(owner, redirect="local" if asked.local else "auto")
        returns_to = self._ctx.local_url if asked.local else self._ctx.public_url or self._ctx.local_url
        return Link(link, int(LIFE), returns_to)

    def status(self, owner: str) -> Standing:
        """Return how it stands with an owner."""
        worker = self._workers.get(owner)
        if worker is None:
            return Standing(owner=owner, connected=False, reason=self._why_not(owner))
        return self._porch.standing(
            worker, waiting=len(self.deliveries.waiting(owner)), signed_in=self._signed_in.get(owner, 0.0)
        )

    async def disconnect(self, owner: str) -> Disconnected:
        """End the permission of an owner and forget what was kept of them; raises RefusedError."""
        async with self._changing:
            grant = self.grants.of(owner)
            if grant is None:
                raise _not_connected(owner)
            worker = self._workers.get(owner)
            await self._stop(owner)
            reason = ""
            try:
                await self._apps.tokens.revoke(grant)
            except StravaError as error:
                reason = f"{error}; end it at https://www.strava.com/settings/apps"
            athlete = worker.athlete if worker is not None else await self._athlete(grant)
            await self._forget(athlete, by="owner")
            await self._ctx.save(_ENDED + owner, None)
        self._ctx.resolve(owner, SIGN_IN)
        self._ctx.owner_status(owner, "offline", f"disconnected:  jitney strava connect {owner}")
        return Disconnected(revoked=not reason, reason=reason)

    async def erase(self, owner: str) -> None:
        """Disconnect an owner who is connected; raises RefusedError when the permission is left at Strava."""
        if self.grants.of(owner) is None:
            await self._ctx.save(_ENDED + owner, None)
            await self._ctx.vault.delete(owner)
            self._ctx.resolve(owner, SIGN_IN)
            self._ctx.owner_status(owner, "offline", self._why_not(owner))
            return
        ended = await self.disconnect(owner)
        if not ended.revoked:
            raise RefusedError("unfinished", ended.reason)

    async def _connected(self, grant: Grant) -> None:
        """Begin with an owner who has just signed in, also when nobody waits for the page any more."""
        if self._group is None:
            return
        name = f"{self._ctx.name}: {grant.owner} signs in"
        await asyncio.shield(self._group.create_task(self._begin_anew(grant), name=name))

    async def _begin_anew(self, grant: Grant) -> None:
        async with self._changing:
            await self._stop(grant.owner)
            self._signed_in[grant.owner] = self._timing.now()
            await self._ctx.save(_ENDED + grant.owner, None)
            self._ctx.resolve(grant.owner, SIGN_IN)
            self._ctx.owner_status(grant.owner, "online")
            await self._begin(grant)

    async def _athlete(self, grant: Grant) -> Athlete:
        """Return what there is of an owner."""
        athlete = Athlete(
            self._ctx,
            grant,
            config=self._config,
            slots=max(self._config.activities, identity(self._ctx.owners.get(grant.owner)).show.recent),
            api=self.api(grant),
            deliveries=self.deliveries,
            polls=lambda: self._polls(grant),
            files=self._files(grant.owner),
            http=self._http,
            timing=self._timing,
        )
        await athlete.load()
        return athlete

    async def _begin(self, grant: Grant) -> None:
        owner = grant.owner
        athlete = await self._athlete(grant)
        worker = Worker(
            self._ctx,
            athlete,
            news=self.deliveries.news(owner),
            breaker=Breaker("Strava", clock=self._timing.now),
            changed=lambda: self._porch.show(worker),
            timing=self._timing,
        )
        self._workers[owner] = worker
        self._porch.show(worker)
        if self._group is not None:
            name = f"{self._ctx.name}: {owner}"
            self._tasks[owner] = self._group.create_task(self._work(worker), name=name)

    async def _begin_without(self, owner: str, grant: Grant | None) -> None:
        """Show an owner that they are not connected, if they ever were or are to be; raises RefusedError."""
        ended = grant is None and await self._ctx.load(_ENDED + owner) is not None
        if ended or grant is not None or self.grants.expects(owner):
            self._porch.clear(owner)
        if ended:
            await self._ask_to_sign_in(owner)
        else:
            self._ctx.owner_status(owner, "offline", self._why_not(owner))

    async def _work(self, worker: Worker) -> None:
        try:
            await worker.run()
        except GrantGoneError:
            await self._gone(worker)

    async def _gone(self, worker: Worker) -> None:
        """Forget an owner who has ended the permission, and ask them to sign in again."""
        owner = worker.athlete.grant.owner
        asked = told = False
        while not asked:
            try:
                async with self._changing:
                    now = self._workers.get(owner)
                    if now is worker:
                        await self._ctx.save(_ENDED + owner, b"true")
                        await self._forget(worker.athlete, by="athlete")
                    if now in (worker, None):
                        await self._ask_to_sign_in(owner)
                    asked = True
            except RefusedError as error:
                write = self._ctx.log.debug if told else self._ctx.log.warning
                write("what is kept of an athlete cannot be erased yet", owner=owner, reason=str(error))
                told = True
                await self._timing.wait(asyncio.Event(), self._timing.now() + RETRY)

    async def _ask_to_sign_in(self, owner: str) -> None:
        """Tell an owner that the permission has ended; raises RefusedError."""
        link = await self.signin.invite(owner)
        message = f"Strava no longer lets Jitney see the activities of {self._ctx.owners[owner].name}: sign in again"
        self._ctx.owner_status(owner, "reauth", f"the permission at Strava has ended:  jitney strava connect {owner}")
        self._ctx.alert(owner, SIGN_IN, message=message, link=link)

    def _why_not(self, owner: str) -> str:
        """Return why an owner has no worker."""
        grant = self.grants.of(owner)
        if grant is None:
            return f"not connected:  jitney strava connect {owner}"
        return f"connected through the app {grant.app!r}, which is not configured any more"

    async def _stop(self, owner: str) -> None:
        task = self._tasks.pop(owner, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self._workers.pop(owner, None)

    async def _forget(self, athlete: Athlete, *, by: By) -> None:
        """Tell that the permission has ended, and erase everything; raises RefusedError, and can be called again."""
        grant = athlete.grant
        ended = event(
            AthleteDeauthorised(id=grant.athlete, by=by),
            adapter=self._ctx.name,
            owner=grant.owner,
            id=athlete.ids.deauthorised(),
            subject=f"athlete/{grant.athlete}",
        )
        await self._ctx.emit(ended)
        self._ctx.audit(grant.owner, "sign_out", detail=f"app {grant.app}, by the {by}")
        await athlete.erase()
        await self._apps.tokens.forget(grant)
        await self._ctx.vault.delete(grant.owner)
        await self.grants.remove(grant.owner)
        await athlete.remembered.erase()  # last, because the id of the event above is made of it
        await self.deliveries.drop(grant.owner)
        self._workers.pop(grant.owner, None)
        self._porch.clear(grant.owner)

    def _polls(self, grant: Grant) -> bool:
        """Tell whether Strava is asked for news, because it does not tell them."""
        return not self._webhooks or self._apps.subscriptions[grant.app].state != "active"

    def _files(self, owner: str) -> PhotoFiles:
        """Return where the photos of an owner lie."""
        api = urlsplit(self._config.api_url)
        return PhotoFiles(
            self._ctx.folder(owner) / "photos",
            self._config.photo_mb * MEGABYTE,
            room=lambda: self._ctx.room(owner),
            full=lambda: self._ctx.count("files_full", owner=owner),
            origin=f"{api.scheme}://{api.netloc}",
            clock=self._timing.now,
        )


def _not_connected(owner: str) -> RefusedError:
    return RefusedError("not_connected", f"{owner} is not connected to Strava:  jitney strava connect {owner}")
