"""What the bus says of itself and of its adapters is right after any end of an earlier run."""

from pathlib import Path

import msgspec

from jitney.daemon.broker.ledger import Ledger
from jitney.daemon.broker.retained import RetainedTree
from jitney.daemon.delivery.turns import Turns
from jitney.daemon.store.store import Store
from jitney.daemon.store.tables import DATABASE
from jitney.topics import TopicTree

STATE = "jitney/_bus/main/state"


async def test_after_a_kill_the_bus_is_online_again_though_the_broker_has_its_will(tmp_path: Path) -> None:
    async with Store(tmp_path / DATABASE) as store:
        retained_tree(store).connected()
        await store.committed()
    async with Store(tmp_path / DATABASE) as store:
        turns = Turns(lambda: None)
        ledger = Ledger(store, marked=turns.ready)
        await ledger.load()
        tree = RetainedTree(TopicTree(), ledger, instance="main", adapters=(), version="1")
        tree.begin()
        tree.connected()
        (message,) = turns.take(10)
        assert message.topic == STATE
        tree.reconcile({STATE: msgspec.json.encode({"state": "offline"})})
        assert b'"online"' in (ledger.lines[STATE].payload or b"")


def retained_tree(store: Store) -> RetainedTree:
    ledger = Ledger(store, marked=lambda _owner, _dirty: None)
    return RetainedTree(TopicTree(), ledger, instance="main", adapters=(), version="1")
