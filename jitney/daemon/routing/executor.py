"""Does what routes have planned: at least once until its time to live, over restarts, each owner in a lane apart."""

import asyncio
import time
from collections.abc import Callable, Sequence
from math import inf
from typing import TYPE_CHECKING, Final, Protocol

from msgspec.structs import replace

from jitney.daemon.counters import Counters
from jitney.daemon.delivery.traces import Traces
from jitney.daemon.log import Decay, Tally, bound, get
from jitney.daemon.routes.actions import RunHandler
from jitney.daemon.routing.failures import MOST_UNSURE, FailedError, Failure, judge, pause
from jitney.daemon.routing.lanes import Lane, Waiting
from jitney.daemon.routing.left import MEMORY_BYTES, left
from jitney.daemon.routing.letters import Letters
from jitney.daemon.routing.pace import Pace
from jitney.daemon.routing.planned import Planned, decode, describe, destination, encode, place_of
from jitney.daemon.routing.room import Room
from jitney.daemon.routing.troubles import Troubles
from jitney.daemon.store import actions as rows
from jitney.daemon.store.actions import Write
from jitney.daemon.store.store import Store, StoreError
from jitney.topics import JitneyError
from jitney.topics.messages import ROUTE

if TYPE_CHECKING:
    from jitney.daemon.store.pending import Row

AT_ONCE: Final = 8
"""Actions of one owner that are done at the same time, each of another route."""

PATIENCE: Final = 60.0
"""Seconds that one try may take; a Python file is ended by whoever runs it."""

_LOOK: Final = 60.0
"""The longest sleep in seconds: the wall clock may be put meanwhile."""

RARELY: Final = 5
"""What cannot be read is tried again as if it had failed so often."""

_log = get("routes")


class Doer(Protocol):
    """Whoever knows how things are done."""

    async def do(self, planned: Planned) -> None:
        """Do it, once; raises a JitneyError, of which ``failures.judge`` tells what it means."""

    async def close(self) -> None:
        """Let go of whatever is open."""


class Executor:
    """The lanes of all owners. ``clock`` gives Unix seconds and may jump."""

    def __init__(self, store: Store, doer: Doer, *, counters: Counters, clock: Callable[[], float] = time.time) -> None:
        self.declined: Callable[[Planned, str], None] = lambda _planned, _why: None
        """Told of each action that on purpose was not done, and why."""
        self.traces = Traces()
        """Where it is told of each event what was done about it."""
        self._store = store
        self._doer = doer
        self._counters = counters
        self._clock = clock
        self._owners: dict[str, _Owner] = {}
        self._number = 0
        self._letters = Letters(store, counters)
        self._group: asyncio.TaskGroup | None = None
        self._tally = Tally(_log)
        self._reading = Decay(_log)
        self._troubles = Troubles()

    async def run(self) -> None:
        """Do what an earlier run has left and what is begun from now on; cancelled to stop it."""
        try:
            await self._load()
            async with asyncio.TaskGroup() as group:
                self._group = group
                self.wake()
                await asyncio.Event().wait()
        finally:
            self._group = None
            for owner in self._owners.values():
                owner.disarm()
            await self._doer.close()

    def rows(self, planned: Sequence[Planned]) -> list[Write]:
        """Return what has to be written together with the event that led to it, before ``begin`` or ``abandon``.

        Where there is no room for an action, that is its dead letter.
        """
        kept: list[Row] = []
        writes: list[Write] = []
        for one in planned:
            body = encode(one)
            room = self._owner(one.owner).room
            reason = room.refuses(one, len(body))
            if not reason:
                room.promise(one, len(body))
                kept.append((one.id, one.owner, one.route, one.due, one.until, body))
                continue
            self._counters.add("dropped", owner=one.owner, adapter=ROUTE, reason=reason)
            if reason != "too_large" and room.may_write(self._clock()):
                reason = f"{reason}: too many actions of {one.owner} wait to be done"
                writes += self._letters.writes(one.owner, body, reason)
        return [*writes, (rows.PUT, kept)] if kept else writes

    def refuses(self, planned: Planned) -> str:
        """Return why there is no room for an action, empty when there is."""
        return self._owner(planned.owner).room.refuses(planned, len(encode(planned)))

    def begin(self, planned: Sequence[Planned]) -> None:
        """Let actions wait for their turn, once their rows are on disk or on their way there."""
        begun: dict[tuple[str, str, str], list[Planned]] = {}
        for one in planned:
            owner = self._owner(one.owner)
            size = owner.room.redeem(one)
            if size is not None:
                self._add(owner, Waiting(one, 0, size=size))
                begun.setdefault(_event(one), []).append(one)
        for event, actions in begun.items():
            self.traces.begun(event, ((one.id, one.route, describe(one.action)) for one in actions))
        for name in {one.owner for one in planned}:
            self._wake(self._owner(name))

    def abandon(self, planned: Sequence[Planned]) -> None:
        """Learn that the rows of actions could not be written, so that nothing must follow."""
        for one in planned:
            if self._owner(one.owner).room.redeem(one) is not None:
                self._counters.add("dropped", owner=one.owner, adapter=ROUTE, reason="not_kept")

    def wake(self) -> None:
        """Look whose time has come: to be called also when the clock was put."""
        for owner in self._owners.values():
            self._wake(owner)

    def reached(self, adapter: str) -> None:
        """Try what waits for an adapter that has come online, which would else wait out its pause."""
        for owner in self._owners.values():
            if owner.lane.reached(place_of(adapter)):
                self._wake(owner)

    def waiting(self, owner: str = "") -> int:
        """Return how many actions of an owner, or of all, are not done yet."""
        return sum(len(one.lane) for name, one in self._owners.items() if owner in ("", name))

    def waiting_of(self) -> dict[str, int]:
        """Return how many actions of each owner are not done yet."""
        return {name: len(one.lane) for name, one in self._owners.items()}

    async def erase(self, owner: str) -> int:
        """Drop every action of an owner; returns how many. What is being done just now comes to its end."""
        known = self._owner(owner)
        for item in known.lane.items.values():
            known.release(item)
        gone = known.lane.clear()
        self._store.write(rows.ERASE, [(owner,)])
        await self._store.committed()
        return gone

    async def _load(self) -> None:
        """Take what an earlier run has left; what cannot be read any more becomes a dead letter."""
        found = await self._store.read(left)
        for owner, item in found.waiting:
            self._add(self._owner(owner), item)
        for action, owner, body in found.unreadable:
            failure = Failure(code="unreadable", reason="unreadable: another version of Jitney has written it")
            self._letters.bury(action, owner, body, failure=failure)

    def _owner(self, name: str) -> "_Owner":
        owner = self._owners.get(name)
        if owner is None:
            owner = self._owners[name] = _Owner(name)
        return owner

    def _add(self, owner: "_Owner", item: Waiting) -> None:
        if item.id not in owner.lane.items:
            self._number = item.number = self._number + 1
            owner.keep(item)
            owner.lane.add(item)

    def _wake(self, owner: "_Owner") -> None:
        """Let as many workers work on a lane as there is work for, and look again when its time comes."""
        owner.disarm()
        if self._group is None:
            return
        owner.lane.look(self._clock())
        for _ in range(min(AT_ONCE - owner.workers, owner.lane.ready)):
            owner.workers += 1
            self._group.create_task(self._work(owner), name=f"routes of {owner.name}")
        if owner.lane.next < inf:
            seconds = min(max(owner.lane.next - self._clock(), 0.0), _LOOK)
            owner.timer = asyncio.get_running_loop().call_later(seconds, self._wake, owner)

    async def _work(self, owner: "_Owner") -> None:
        """Do one thing after the other of a lane until there is nothing to do now."""
        try:
            while (item := owner.lane.take(self._clock())) is not None:
                if wait := owner.pace.wait(asyncio.get_running_loop().time()):
                    await asyncio.sleep(wait)
                if item.id not in owner.lane.items:  # erased meanwhile
                    owner.lane.done(item)
                    continue
                await self._carry_out(owner, item)
                await asyncio.sleep(0)
        finally:
            owner.workers -= 1
        self._wake(owner)

    async def _carry_out(self, owner: "_Owner", item: Waiting) -> None:
        lane = owner.lane
        try:
            planned = item.planned or await self._read(item)
        except StoreError as error:
            self._reading.failed("an action cannot be read", reason=str(error))
            lane.later(item, self._clock() + pause(RARELY), blocking=False)
            return
        self._reading.over("actions can be read again")
        if planned is None:
            lane.done(item)
            return
        with bound(owner=planned.owner, adapter=ROUTE, event_id=planned.event_id):
            failure = await self._try(planned)
            code = failure.code if failure else "ok"
            kind = describe(planned.action).partition(" ")[0]
            self._counters.add("actions", owner=planned.owner, adapter=kind, reason=code)
            if failure is None:
                self._counters.histogram("actions", kind).add(max(0.0, self._clock() - planned.due))
                self._troubles.worked(planned.owner, destination(planned))
            if item.id not in lane.items:  # erased meanwhile
                lane.done(item)
            elif failure is None or failure.declined:
                self._store.write(rows.DELETE, [(item.id,)])
                owner.release(item)
                lane.done(item)
                self._tell(planned, failure, final=True)
                if failure is not None:
                    self._counters.add("dropped", owner=planned.owner, adapter=ROUTE, reason=failure.code)
                    self.declined(planned, failure.reason)
            else:
                self._failed(owner, item, planned, failure=failure)

    async def _read(self, item: Waiting) -> Planned | None:
        """Return an action that is only on disk, None when it is not there any more. Raises StoreError."""
        await self._store.committed(quiet=True)
        body = await self._store.read(lambda db: rows.body(db, item.id))
        return None if body is None else decode(body)

    async def _try(self, planned: Planned) -> Failure | None:
        """Do an action once; returns why it could not be done."""
        if self._clock() > planned.until:
            reason = planned.reason or "expired: its time to live was over before it could be done"
            return Failure(code="expired", reason=reason, final=True)
        try:
            async with asyncio.timeout(None if isinstance(planned.action, RunHandler) else PATIENCE):
                await self._doer.do(planned)
        except TimeoutError:
            return judge(FailedError("timeout", f"not done within {PATIENCE:g} s"))
        except JitneyError as error:
            return judge(error)
        except Exception as error:  # noqa: BLE001 - it is on disk: a fault would end the daemon at every start
            if not planned.tries:
                _log.exception("an action crashed: this is a fault in the code", route=planned.route)
            return Failure(code="crashed", reason=f"crashed: {type(error).__name__}")
        return None

    def _failed(self, owner: "_Owner", item: Waiting, planned: Planned, *, failure: Failure) -> None:
        """Try again later, or give up."""
        lane, now = owner.lane, self._clock()
        tried = replace(
            planned,
            tries=planned.tries + (failure.code != "expired"),
            unsure=planned.unsure + failure.unsure,
            reason=failure.reason,
        )
        body = encode(tried)
        final = failure.final or now >= planned.until or (failure.unsure and tried.unsure >= MOST_UNSURE)
        self._tell(planned, failure, final=final)
        if final:
            owner.release(item)
            lane.done(item)
            self._letters.bury(item.id, planned.owner, body, failure=failure)
            key = f"{planned.owner}/{planned.route}/{failure.code}"
            action = describe(planned.action)
            self._tally.add("an action is given up", key=key, route=planned.route, action=action, reason=tried.reason)
            return
        if failure.blocking and (where := destination(planned)).startswith("webhook"):
            self._troubles.failed(planned.owner, where, failure.reason)
        self._store.write(rows.CHANGE, [(body, item.id)])
        if item.planned is not None:
            item.planned = tried
        again = min(now + pause(tried.tries, after=failure.after), planned.until)
        lane.later(item, again, blocking=failure.blocking)

    def _tell(self, planned: Planned, failure: Failure | None, *, final: bool) -> None:
        outcome, why = (failure.code, failure.reason) if failure else ("ok", "")
        self.traces.ended(_event(planned), action=planned.id, outcome=outcome, why=why, final=final)


def _event(planned: Planned) -> tuple[str, str, str]:
    """Return the event that an action answers, as traces know it."""
    return planned.owner, planned.adapter, planned.event_id


class _Owner:
    """The lane of an owner, what of it is in memory, and who works on it."""

    __slots__ = ("bytes", "lane", "name", "pace", "room", "timer", "workers")

    def __init__(self, name: str) -> None:
        self.name = name
        self.lane = Lane()
        self.room = Room(self.lane)
        self.pace = Pace()
        self.workers = 0
        self.bytes = 0
        self.timer: asyncio.TimerHandle | None = None

    def keep(self, item: Waiting) -> None:
        """Keep an action in memory while there is room."""
        if item.planned is not None and self.bytes + item.size <= MEMORY_BYTES:
            self.bytes += item.size
        else:
            item.planned = None

    def release(self, item: Waiting) -> None:
        """Give back the memory that an action takes."""
        if item.planned is not None:
            item.planned = None
            self.bytes -= item.size

    def disarm(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
