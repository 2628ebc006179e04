"""What it costs an event that it is remembered when it came where.

    python -m bench.traces
    python -m bench.traces --events 200000 --rounds 15

Events of ten owners are accepted by the bus, taken for the broker and confirmed, all in this process and without a
broker: nothing else than what every event needs. Three loops take turns, in another order each round, and the table
shows medians of the CPU time of one event and of its ratio to the loop `not remembered` of the same round. `a burst`
is how it is: of more than a hundred events of one source in a second the first hundred are remembered. `every one` is
the dearest there is: all of them are, as when they come slowly. Exit status 1 when a burst costs more than 1.06 times
what it costs without, or every event remembered more than 1.2 times.
"""

import argparse
import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median
from typing import Final
from unittest.mock import patch

import msgspec
from msgspec import Raw

from jitney.daemon.broker.ledger import Ledger
from jitney.daemon.config.limits import LimitSettings
from jitney.daemon.config.schema import Config, OutboxSettings
from jitney.daemon.counters import Counters
from jitney.daemon.delivery import bus as bus_module
from jitney.daemon.delivery import traces
from jitney.daemon.delivery.bus import Bus
from jitney.daemon.delivery.outbox import Outbox
from jitney.daemon.delivery.publisher import Publisher
from jitney.daemon.delivery.turns import Turns
from jitney.daemon.owners.limits import Limits
from jitney.daemon.store.store import Store
from jitney.topics import Event, TopicTree, utc_now

LIMITS: Final = {"a burst": 1.06, "every one": 1.2}
"""How many times the CPU of the loop without traces the others may cost."""

OWNERS: Final = [f"owner{number}" for number in range(10)]
AT_ONCE: Final = 20
"""Events that are accepted together, as of one frame of a busy source."""

DATA: Final = Raw(msgspec.json.encode({"entity_id": "light.kitchen", "old_state": "off", "state": "on", "level": 180}))


class Line:
    """From the bus to the broker's confirmation, without a broker."""

    def __init__(self, store: Store) -> None:
        tree, counters = TopicTree("jitney"), Counters()
        turns = Turns(lambda: None)
        ledger = Ledger(store, marked=turns.ready)
        outbox = Outbox(store, OutboxSettings(), turns=turns, counters=counters)
        self._publisher = Publisher(turns, outbox, ledger, counters=counters)
        self._bus = Bus(
            tree,
            outbox,
            ledger,
            store=store,
            owners=frozenset(OWNERS),
            settings=OutboxSettings(),
            counters=counters,
            limits=Limits(Config(limits=LimitSettings(events_per_second=0, event_kb_per_second=0))),
        )
        self._number = 0

    async def cost(self, events: int) -> float:
        """Return the CPU seconds of one event."""
        batches = [self._batch() for _ in range(events // AT_ONCE)]
        gc.collect()
        before = self._publisher.published
        begun = time.process_time()
        for batch in batches:
            await self._bus.emit(batch, durable=False)
            for message in self._publisher.take(AT_ONCE):
                message.properties  # noqa: B018 - what the session asks of every message
                self._publisher.confirmed(message)
        spent = time.process_time() - begun
        assert self._publisher.published - before == len(batches) * AT_ONCE
        return spent / events

    def _batch(self) -> list[Event]:
        now = utc_now()
        first = self._number
        self._number += AT_ONCE
        return [
            Event(
                id=f"event-{number}",
                source="/home",
                type="homeassistant.state_changed",
                time=now,
                observed=now,
                owner=OWNERS[number % len(OWNERS)],
                data=DATA,
            )
            for number in range(first, first + AT_ONCE)
        ]


async def measured(events: int, rounds: int) -> dict[str, list[float]]:
    """Return the CPU seconds of one event by round, of each loop."""
    found: dict[str, list[float]] = {"not remembered": [], "a burst": [], "every one": []}
    names = list(found)
    with tempfile.TemporaryDirectory() as folder:
        async with Store(Path(folder) / "jitney.db") as store:
            line = Line(store)
            for name in names:  # warm
                with _as(name):
                    await line.cost(events // 10)
            for number in range(rounds):
                for name in names[number % 3 :] + names[: number % 3]:
                    with _as(name):
                        found[name].append(await line.cost(events))
    return found


def _as(name: str) -> AbstractContextManager[object]:
    if name == "not remembered":
        forget: Callable[..., None] = lambda _ring, _event: None  # noqa: E731
        return patch.object(bus_module, "begin", forget)
    return patch.object(traces, "TURNOVER", 0.0 if name == "every one" else traces.TURNOVER)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=50_000, help="events of each loop (default 50 000)")
    parser.add_argument("--rounds", type=int, default=15, help="how often each loop has its turn (default 15)")
    asked = parser.parse_args(argv)
    found = asyncio.run(measured(asked.events, asked.rounds))
    bare = found["not remembered"]
    kept = True
    print(f"{'':<16}{'µs an event':>12}{'ratio':>8}{'lowest':>8}{'highest':>8}")
    for name, costs in found.items():
        ratios = [one / without for one, without in zip(costs, bare, strict=True)]
        ratio = median(ratios)
        kept = kept and ratio <= LIMITS.get(name, 1.0)
        print(f"{name:<16}{median(costs) * 1e6:>12.2f}{ratio:>8.3f}{min(ratios):>8.3f}{max(ratios):>8.3f}")
    print("kept" if kept else "A limit was not kept.")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
