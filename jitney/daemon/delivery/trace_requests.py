"""The request `trace`: one event from its source to the broker, stage by stage, or the newest events."""

from datetime import UTC, datetime
from time import monotonic, time
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from jitney.adapters.errors import RefusedError
from jitney.daemon.delivery.traces import MOST_EVENTS, Act, Trace, Traces
from jitney.topics import rfc3339

MOST_LISTED: Final = 200

State = Literal["confirmed", "sent", "waiting", "dropped"]
"""The broker has it; it is on its way there; it waits for its turn; it will not be published."""


class Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """The event ``id``, or the newest ``limit`` ones; only those of an ``owner`` if one is named."""

    id: str = ""
    owner: str = ""
    limit: Annotated[int, Meta(ge=1, le=MOST_LISTED)] = 20


class Stage(Struct, frozen=True):
    """When an event came to a stage, RFC 3339, and how many seconds after the stage before.

    That is less than 0 where the clock of the source goes wrong.
    """

    name: Literal["happened", "observed", "accepted", "committed", "sent", "confirmed"]
    at: str
    after: float


class Done(Struct, frozen=True):
    """An action of a route and what came of it: ``outcome`` is empty until it was tried.

    ``final``: it is not tried again. ``seconds`` after it was planned the last try ended.
    """

    route: str
    action: str
    outcome: str
    why: str
    tries: int
    final: bool
    seconds: float


class Short(Struct, frozen=True):
    """An event in one line; ``at`` is when it was accepted, ``seconds`` from there to the broker, None until then."""

    id: str
    owner: str
    adapter: str
    type: str
    at: str
    state: State
    seconds: float | None = None
    dropped: str = ""


class Traced(Struct, frozen=True):
    """One event: its stages, its actions, and the events that it led to.

    ``again``: so often it was sent again, because a session ended before the broker had confirmed it. ``others`` have
    an event with the same id.
    """

    event: Short
    stages: list[Stage]
    again: int = 0
    cause: str = ""
    traceparent: str = ""
    actions: list[Done] = []
    caused: list[Short] = []
    others: list[str] = []


class Newest(Struct, frozen=True):
    """The newest events, the newest first."""

    events: list[Short]


class TraceRequests:
    """Answers `trace`."""

    def __init__(self, traces: Traces) -> None:
        self._traces = traces

    async def requested(self, data: Raw) -> Traced | Newest:
        """Answer; raises RefusedError: ``invalid`` or ``unknown_event``."""
        try:
            asked = msgspec.json.decode(data, type=Asked)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise RefusedError("invalid", str(error)) from error
        if asked.id:
            return self._one(asked.id, asked.owner)
        return Newest([_short(*found) for found in self._traces.newest(asked.owner, asked.limit)])

    def _one(self, event_id: str, owner: str) -> Traced:
        found = self._traces.find(event_id, owner)
        if not found:
            raise RefusedError("unknown_event", self._unknown(event_id, owner))
        whose, _, trace = found[0]
        return Traced(
            event=_short(*found[0]),
            stages=_stages(trace),
            again=trace.again,
            cause=trace.causation or "",
            traceparent=trace.traceparent or "",
            actions=[_done(act) for act in trace.acts or ()],
            caused=[_short(*one) for one in self._traces.caused(event_id, owner)],
            others=sorted({name for name, _, _ in found} - {whose}),
        )

    def _unknown(self, event_id: str, owner: str) -> str:
        whose = f" of {owner}" if owner else ""
        since = rfc3339(datetime.fromtimestamp(self._traces.started, UTC))
        return (
            f"no event {event_id[:100]!r}{whose} is remembered: of each owner and source these are the newest "
            f"{MOST_EVENTS} since the bus was started at {since}, of a burst the first {MOST_EVENTS} in a second; "
            "`jitney trace` lists them"
        )


def _short(owner: str, adapter: str, trace: Trace) -> Short:
    state: State = "waiting"
    if trace.dropped:
        state = "dropped"
    elif trace.confirmed:
        state = "confirmed"
    elif trace.sent:
        state = "sent"
    return Short(
        id=trace.id,
        owner=owner,
        adapter=adapter,
        type=trace.type,
        at=rfc3339(_instant(trace.accepted)),
        state=state,
        seconds=round(trace.confirmed - trace.accepted, 6) if trace.confirmed else None,
        dropped=trace.dropped,
    )


def _stages(trace: Trace) -> list[Stage]:
    """Return the stages that an event came to, in their order."""
    stages: list[Stage] = []
    before: datetime | None = None
    for name, text in (("happened", trace.time), ("observed", trace.observed or "")):
        at = _read(text)
        if at is not None:
            stages.append(_stage(name, at, before))
            before = at
    since = 0.0
    for name in ("accepted", "committed", "sent", "confirmed"):
        clock: float = getattr(trace, name)
        if clock:
            at = _instant(clock)
            stage = _stage(name, at, before)
            stages.append(msgspec.structs.replace(stage, after=round(clock - since, 6)) if since else stage)
            before, since = at, clock
    return stages


def _stage(name: str, at: datetime, before: datetime | None) -> Stage:
    after = round((at - before).total_seconds(), 6) if before is not None else 0.0
    return msgspec.convert({"name": name, "at": rfc3339(at), "after": after}, Stage)


def _done(act: Act) -> Done:
    return Done(
        route=act.route,
        action=act.words,
        outcome=act.outcome,
        why=act.why,
        tries=act.tries,
        final=act.final,
        seconds=round(act.ended - act.begun, 6) if act.ended else 0.0,
    )


def _instant(clock: float) -> datetime:
    """Return when it was so late on the monotonic clock."""
    return datetime.fromtimestamp(time() - (monotonic() - clock), UTC)


def _read(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None
