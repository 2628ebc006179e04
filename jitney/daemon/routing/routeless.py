"""What can be asked where there are neither routes nor grants; what it needs is imported when somebody asks."""

from collections.abc import Mapping
from typing import Final

from msgspec import Raw

from jitney.adapters.errors import RefusedError
from jitney.daemon.delivery.administration import Handler, late
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.store.store import Store
from jitney.topics import TopicTree

LETTERS: Final = ("dead_list", "dead_retry", "dead_drop")
JOURNAL: Final = ("route_explain", "route_recent", "route_replay")


def handlers(store: Store, outbox: Outbox, tree: TopicTree) -> Mapping[str, Handler]:
    """Return what administration can be asked for, by name; each raises RefusedError.

    The dead letters are there all the same: events that the broker has refused, and actions of routes that there were.
    """

    def letters() -> Mapping[str, Handler]:
        from jitney.daemon.routing import dead, dead_requests  # noqa: PLC0415 - memory for those who ask

        return dead_requests.handlers(dead.Dead(store, None, outbox, grants=None, tree=tree))

    return late(LETTERS, letters) | dict.fromkeys(JOURNAL, _no_journal)


async def _no_journal(_: Raw) -> object:
    message = (
        "the running bus has neither routes nor grants, and so no journal of events: add [[routes]] to its "
        "configuration and start it again"
    )
    raise RefusedError("no_routes", message)
