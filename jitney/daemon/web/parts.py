"""The parts of a running bus at which health and metrics look."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from jitney.daemon.broker.connection import Connection
from jitney.daemon.broker.ledger import Ledger
from jitney.daemon.broker.retained import RetainedTree
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.delivery.publisher import Publisher
from jitney.daemon.delivery.usage import Usage
from jitney.daemon.store.store import Store
from jitney.daemon.supervision.runner import Runner


class Parts(Struct, frozen=True, kw_only=True):
    """They are only looked at; ``runners`` are the adapters of now, ``actions`` counts those that wait, by owner."""

    connection: Connection
    outbox: Outbox
    ledger: Ledger
    store: Store
    runners: Mapping[str, Runner]
    retained: RetainedTree
    publisher: Publisher
    usage: Usage
    counters: Counters
    actions: Callable[[], Mapping[str, int]]
