"""Turns what was read into events, and gives the bus all that arrived together at once."""

import asyncio
from typing import Final, NoReturn

from jitney.adapters.base import Context
from jitney.adapters.delivering import deliver
from jitney.adapters.homeassistant import frames, snapshot
from jitney.adapters.homeassistant.backlog import Backlog, Shed
from jitney.adapters.homeassistant.connection import Connection
from jitney.adapters.homeassistant.frames import Answer, Item, StateChange
from jitney.adapters.homeassistant.memory import Memory
from jitney.adapters.homeassistant.places import CHANGES
from jitney.adapters.homeassistant.translation import Translator
from jitney.topics import Event, utc_now

_LOSSES: Final = frozenset({"not_json", "wrong_type", "event_without_data"})
"""Oddities behind which a change may be lost."""


class Processor:
    """Takes the backlog slice by slice, as fast as the bus accepts events; begins with the first snapshot."""

    def __init__(self, ctx: Context, memory: Memory, translator: Translator, *, connection: Connection) -> None:
        self.backlog = Backlog(self._odd, shed=self._note_shed, lost_answer=lambda: self._end_snapshot(compared=False))
        self.stale = asyncio.Event()
        """Set when what is known may be wrong: then registries and states have to be fetched again."""
        self._ctx = ctx
        self._oddities = memory.oddities
        self._house = memory.house
        self._translator = translator
        self._connection = connection
        self._begun = asyncio.Event()
        self._compared = False
        self._end: asyncio.Future[bool] | None = None

    async def compare(self) -> None:
        """Fetch all states and return when they were compared, in their place among the changes, and told."""
        compared = False
        while not compared:
            self._end = asyncio.get_running_loop().create_future()
            result = await self._connection.request_in_order("get_states")
            states = frames.states(result, frames.ignore)
            snapshot.meet_persons(states, self._house)
            if not self._begun.is_set() and snapshot.has_restarted(states, self._house):
                self._house.expect_noise()
            self._begun.set()
            compared = await self._end

    async def run(self) -> NoReturn:
        """Process what arrives; cancelled to stop it."""
        await self._begun.wait()
        while True:
            shed, taken = await self.backlog.take()
            events = self._events(shed, taken)
            if events:
                await self.deliver(events)
            if self._compared:
                self._end_snapshot(compared=True)
            await asyncio.sleep(0)

    async def deliver(self, events: list[Event]) -> None:
        """Give events to the bus; those of an owner whose events cannot be kept are counted and gone."""
        async for error, number in deliver(self._ctx, events):
            self._oddities.note(self._ctx, "refused", error, what="the bus refused events", number=number)

    def _events(self, shed: list[Shed], taken: list[bytes]) -> list[Event]:
        observed = utc_now()
        events: list[Event] = []
        self._translator.noisy = self._house.noisy_until > 0
        change = self._translator.change
        for one in shed:
            event = change(one.change, observed=observed, skipped=one.skipped)
            if event is not None:
                events.append(event)
        for frame in taken:
            for item in frames.items(frame, self._odd):
                if type(item) is StateChange:
                    event = change(item, observed=observed)
                    if event is not None:
                        events.append(event)
                else:
                    events.extend(self._other(item, observed))
        if self._translator.persons_changed:
            self._translator.persons_changed = False
            self.stale.set()
        return events

    def _other(self, item: Item, observed: str) -> list[Event]:
        """Return the events of what is not a changed state."""
        if isinstance(item, Answer):
            return self._snapshot(item, observed) if self._connection.is_in_order(item) else []
        if isinstance(item, StateChange):
            return []
        if item.event_type in CHANGES and self._house.uses_areas():
            self.stale.set()
        event = self._translator.happened(item, observed=observed)
        return [] if event is None else [event]

    def _snapshot(self, answer: Answer, observed: str) -> list[Event]:
        states = frames.states(answer.result, self._note)
        events = snapshot.apply(states, house=self._house, translator=self._translator, observed=observed)
        self._ctx.keep_states(self._house.states())
        self._compared = True
        return events

    def _end_snapshot(self, *, compared: bool) -> None:
        self._compared = False
        if self._end is not None and not self._end.done():
            self._end.set_result(compared)

    def _odd(self, kind: str, detail: object) -> None:
        """Note what is wrong with a frame; when a change may have been in it, compare soon."""
        self._note(kind, detail)
        if kind in _LOSSES:
            self.stale.set()

    def _note(self, kind: str, detail: object) -> None:
        self._oddities.note(self._ctx, kind, detail)

    def _note_shed(self, number: int) -> None:
        what = "changes were left out: they came faster than they are taken"
        self._oddities.note(self._ctx, "shed", "of every entity the newest was kept", what=what, number=number)
