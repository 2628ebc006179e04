"""The dead letters, to be looked at, tried again or dropped by a person: events that no broker took, and actions."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from jitney.adapters.errors import RefusedError
from jitney.daemon.delivery.lanes import Entry
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.routing.executor import Executor
from jitney.daemon.routing.grants import Grants
from jitney.daemon.routing.planned import Planned, decode, describe
from jitney.daemon.store import dead as rows
from jitney.daemon.store.dead import Letter
from jitney.daemon.store.store import Store, StoreError, told
from jitney.topics import Event, InvalidPayloadError, InvalidTopicError, TopicTree, cloudevents, new_id
from jitney.topics.tree import SharedTopic


class Shown(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A dead letter as a person sees it. Of an event its ``topic``, of an action what it was to do for which ``route``.

    ``event_type``, ``event_id`` and ``subject`` are those of the event itself, or of the one that led to the action.
    """

    id: int
    kind: Literal["event", "action"]
    owner: str
    time: str
    reason: str
    adapter: str = ""
    topic: str = ""
    route: str = ""
    action: str = ""
    tries: int = 0
    event_type: str = ""
    event_id: str = ""
    subject: str = ""


class Dead:
    """Looks after the dead letters. ``clock`` gives Unix seconds.

    Without ``executor`` and ``grants``, where there are no routes, actions and what was shared can only be dropped.
    """

    def __init__(
        self,
        store: Store,
        executor: Executor | None,
        outbox: Outbox,
        *,
        grants: Grants | None,
        tree: TopicTree,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._executor = executor
        self._outbox = outbox
        self._grants = grants
        self._tree = tree
        self._clock = clock
        self._moving: set[int] = set()

    async def newest(self, owner: str = "", *, limit: int = 50) -> list[Shown]:
        """Return the newest letters of an owner, or of everybody, the newest first."""
        return await self._store.read(lambda db: [_shown(letter) for letter in rows.newest(db, owner, limit)])

    async def retry(self, number: int) -> Shown:
        """Give a letter another life and return it: an event goes to the end of its lane, an action is due now.

        Raises RefusedError when there is none of this number, or no room, or it can never succeed.
        """
        with self._alone(number):
            letter = await self._store.read(lambda db: rows.letter(db, number))
            if letter is None:
                raise _unknown(number)
            if letter.kind == "action":
                await self._retry_action(letter)
            else:
                await self._retry_event(letter)
        return _shown(letter)

    async def drop(self, number: int) -> None:
        """Drop a letter; raises RefusedError when there is none of this number."""
        with self._alone(number):
            if not await self._store.read(lambda db: db.execute(rows.DELETE, (number,)).rowcount):
                raise _unknown(number)

    async def drop_all(self, owner: str = "") -> int:
        """Drop every letter of an owner, or of everybody; returns how many."""
        return await self._store.read(lambda db: rows.clear(db, owner))

    async def _retry_action(self, letter: Letter) -> None:
        planned = _action(letter.payload)
        if planned is None:
            raise RefusedError("unreadable", "another version of Jitney has written it: it can only be dropped")
        executor = self._executor
        if executor is None:
            message = "the running bus has neither routes nor grants, and so nobody who does actions: it can be dropped"
            raise RefusedError("no_routes", message)
        now = self._clock()
        until = now + planned.until - planned.due
        fresh = replace(planned, id=new_id(), due=now, until=until, tries=0, unsure=0, reason="")
        if reason := executor.refuses(fresh):
            raise RefusedError(reason, f"too many actions of {planned.owner} wait to be done: try again later")
        for sql, values in executor.rows([fresh]):
            self._store.write(sql, values, told)
        try:
            await self._removed(letter)
        except RefusedError:
            executor.abandon([fresh])
            raise
        executor.begin([fresh])

    async def _retry_event(self, letter: Letter) -> None:
        self._check_grant(letter)
        lane = self._outbox.lane(letter.owner, letter.adapter)
        if self._outbox.full(lane, 1):
            message = f"the outbox of {letter.owner}/{letter.adapter} is full: is the broker running?"
            raise RefusedError("outbox_full", message)
        self._outbox.put_durable([Entry(lane, letter.topic, letter.payload)], [])
        await self._removed(letter)

    def _check_grant(self, letter: Letter) -> None:
        """Let nothing be shown to somebody who was granted it only when it died; raises RefusedError."""
        try:
            address = self._tree.parse(letter.topic)
        except InvalidTopicError as error:
            raise RefusedError("invalid", str(error)) from error
        if isinstance(address, SharedTopic):
            event = _event(letter.payload)
            permitted = event is not None and self._grants is not None and self._grants.permits(event, address.owner)
            if not permitted:
                raise RefusedError("not_granted", f"{letter.owner} has not granted this to {address.owner} any more")

    async def _removed(self, letter: Letter) -> None:
        """Remove a letter in one commit with what was written before; raises RefusedError when that fails."""
        self._store.write(rows.DELETE, [(letter.id,)], told)
        try:
            await self._store.committed()
        except StoreError as error:
            raise RefusedError("not_kept", str(error)) from error

    @contextmanager
    def _alone(self, number: int) -> Iterator[None]:
        """Keep others off a letter; raises RefusedError while somebody else has it."""
        if number in self._moving:
            raise RefusedError("busy", f"the dead letter {number} is being moved just now")
        self._moving.add(number)
        try:
            yield
        finally:
            self._moving.discard(number)


def _shown(letter: Letter) -> Shown:
    shown = Shown(id=letter.id, kind=letter.kind, owner=letter.owner, time=letter.time, reason=letter.reason)
    if letter.kind == "event":
        event = _event(letter.payload)
        shown = replace(shown, adapter=letter.adapter, topic=letter.topic)
        if event is None:
            return shown
        return replace(shown, event_type=event.type, event_id=event.id, subject=event.subject or "")
    planned = _action(letter.payload)
    if planned is None:
        return shown
    return replace(
        shown,
        adapter=planned.adapter,
        route=planned.route,
        action=describe(planned.action),
        tries=planned.tries,
        event_type=planned.event_type,
        event_id=planned.event_id,
        subject=planned.subject,
    )


def _action(payload: bytes) -> Planned | None:
    try:
        return decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _event(payload: bytes) -> Event | None:
    try:
        return cloudevents.decode(payload)
    except InvalidPayloadError:
        return None


def _unknown(number: int) -> RefusedError:
    return RefusedError("unknown_letter", f"there is no dead letter {number}: `jitney dead list` lists them")
