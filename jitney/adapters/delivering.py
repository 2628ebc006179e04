"""Giving events of several owners to the bus at once, so that one owner's full outbox is nobody else's loss."""

from collections.abc import AsyncIterator, Sequence

from jitney.adapters.base import Context
from jitney.adapters.errors import RefusedError
from jitney.topics import Event


async def deliver(ctx: Context, events: Sequence[Event]) -> AsyncIterator[tuple[RefusedError, int]]:
    """Give events to the bus, in one call, and if that is refused in one for each owner.

    Yields the refusal and the number of events for each owner whose events cannot be kept: they are gone.
    """
    if not events:
        return
    try:
        await ctx.emit(*events)
    except RefusedError:
        by_owner: dict[str, list[Event]] = {}
        for event in events:
            by_owner.setdefault(event.owner, []).append(event)
        for own in by_owner.values():
            try:
                await ctx.emit(*own)
            except RefusedError as error:
                yield error, len(own)
