"""What a thousand routes cost an event.

    python -m bench.routes
    python -m bench.routes --events 50000 --rounds 9

A thousand routes of fifty owners, and events of these owners. The loops take turns, and the table shows medians of the
CPU time of one event, and of its ratio to the loop without routes, which does the least that every event needs: its
payload and its properties. `nobody wants it`: no route is for its type. `one looks`, `twenty look`: so many routes of
its owner are for its type, decode its data and find that a condition does not hold; with `if` it is an expression.
`one answers`: a condition holds, and a text is filled in. Exit status 1 when an event that nobody wants costs
more than 1.3 times what it costs without routes.
"""

import argparse
import gc
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from jitney.daemon.routes.compiled import Index, compile_routes
from jitney.daemon.routes.document import Document
from jitney.daemon.routes.settings import RouteSettings
from jitney.topics import Event, cloudevents

LIMIT: Final = 1.3
"""How many times the CPU of the loop without routes an event may cost that nobody wants."""

OWNERS: Final = [f"owner{number}" for number in range(50)]
ROUTES_EACH: Final = 20
DATA: Final = {
    "entity": "light.kitchen",
    "old": {"state": "off", "attributes": {"brightness": 0}},
    "new": {"state": "on", "attributes": {"brightness": 180, "color_mode": "color_temp", "friendly_name": "Kitchen"}},
    "distance": 12_000,
}
TEXT: Final = "{{ owner.name }} rode {{ (data.distance / 1000) | round(1) }} km"


class Case(Struct, frozen=True):
    """One loop: so many of an owner's routes are for the type of the events, with these keys besides.

    ``answers``: every event gets one action, else none does.
    """

    title: str
    interested: int = 0
    keys: dict[str, Any] = {}
    answers: bool = False


CASES: Final = (
    Case("nobody wants it"),
    Case("one looks", 1, {"when": {"data.distance": {"gt": 20_000}}}),
    Case("twenty look", 20, {"when": {"data.distance": {"gt": 20_000}}}),
    Case("one looks, with `if`", 1, {"if_": "data.distance > 20000"}),
    Case("one answers", 1, {"when": {"data.distance": {"gt": 10_000}}}, answers=True),
)


def main() -> int:
    """Measure and print the table; the exit status says whether the limit was kept."""
    arguments = _arguments()
    events = [_event(number) for number in range(arguments.events)]
    began = time.process_time()
    loops: dict[str, Callable[[Sequence[Event]], int]] = {"no routes": _without}
    loops |= {case.title: _with(_index(case)) for case in CASES}
    compiled = (time.process_time() - began) / len(CASES)
    for case in CASES:
        assert loops[case.title](events) == len(events) * case.answers, f"{case.title} does not do what it says"
    costs: dict[str, list[float]] = {title: [] for title in loops}
    for _ in range(arguments.rounds):
        for title, loop in loops.items():
            costs[title].append(_cost(loop, events))
    ratios = {title: median(map(_ratio, found, costs["no routes"])) for title, found in costs.items()}
    print(f"{len(OWNERS) * ROUTES_EACH} routes of {len(OWNERS)} owners, compiled in {compiled * 1000:.0f} ms;")
    print(f"{len(events)} events, median of {arguments.rounds} rounds:\n")
    print("| an event | CPU us | ratio |\n| --- | --- | --- |")
    for title, found in costs.items():
        print(f"| {title} | {median(found):.2f} | {ratios[title]:.2f} |")
    worst = ratios[CASES[0].title]
    print(
        f"\nAn event that nobody wants costs {worst:.2f} times what it costs without routes; the limit is {LIMIT:.2f}."
    )
    return int(worst > LIMIT)


def _without(events: Sequence[Event]) -> int:
    for event in events:
        cloudevents.encode(event)
        cloudevents.properties(event)
    return 0


def _with(index: Index) -> Callable[[Sequence[Event]], int]:
    def loop(events: Sequence[Event]) -> int:
        answered = 0
        for event in events:
            cloudevents.encode(event)
            cloudevents.properties(event)
            candidates = index.candidates(event.owner, event.type)
            if candidates:
                document = Document(event, None, "Alice")
                for route in candidates:
                    if route.matches(document):
                        answered += len(route.actions(document))
        return answered

    return loop


def _index(case: Case) -> Index:
    settings = [
        RouteSettings(
            name=f"{owner} {number}",
            owner=owner,
            on="homeassistant.*" if number < case.interested else ("strava.activity.*", "meshtastic.message"),
            do=({"command": "base.send_text", "data": {"text": TEXT}},),
            **case.keys,
        )
        for owner in OWNERS
        for number in range(ROUTES_EACH)
    ]
    routes, faults = compile_routes(settings, owners=OWNERS, adapters={"base": "_house"})
    assert not faults, faults
    return Index(routes)


def _event(number: int) -> Event:
    return Event(
        id=f"01J{number:023}",
        source="/home",
        type="homeassistant.state_changed",
        subject="light.kitchen",
        time="2026-11-21T05:41:00.120Z",
        observed="2026-11-21T05:41:00.480Z",
        owner=OWNERS[number % len(OWNERS)],
        seq=number,
        data=Raw(msgspec.json.encode(DATA)),
    )


def _cost(loop: Callable[[Sequence[Event]], int], events: Sequence[Event]) -> float:
    """Return the CPU time of one event in microseconds."""
    gc.collect()
    began = time.process_time()
    loop(events)
    return (time.process_time() - began) / len(events) * 1e6


def _ratio(cost: float, without: float) -> float:
    return cost / without


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000, help="events of each loop in each round")
    parser.add_argument("--rounds", type=int, default=9)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
