"""What was promised against what arrived: pure functions, so that they can be tested with every kind of violation."""

from collections.abc import Iterable, Mapping

from msgspec import Struct, field

Lane = tuple[str, str]
"""(owner, source): the unit of order."""


class Arrival(Struct, frozen=True, gc=False):
    """One delivery of an event to a subscriber: what the source numbered, and the id and seq the bus gave it."""

    number: int
    id: str
    seq: int


class Delivery(Struct, kw_only=True):
    """How the deliveries of some lanes compare with what was accepted.

    ``lost`` were accepted and never arrived. ``misordered`` are first deliveries that came after a later one of
    their lane. ``clashes`` are events that share a sequence number with another event of their lane.
    """

    accepted: int = 0
    arrived: int = 0
    duplicates: int = 0
    misordered: int = 0
    clashes: int = 0
    lost: list[tuple[Lane, int]] = field(default_factory=list)

    def violations(self) -> list[str]:
        """Return what contradicts the guarantees, in words."""
        found = []
        if not self.accepted:
            found.append("nothing was accepted, so nothing was measured")
        if self.lost:
            some = ", ".join(f"{owner}/{source} {number}" for (owner, source), number in self.lost[:5])
            found.append(f"{len(self.lost)} accepted events never arrived: {some}")
        if self.misordered:
            found.append(f"{self.misordered} first deliveries out of order")
        if self.clashes:
            found.append(f"{self.clashes} events share their sequence number with another one")
        return found


def delivery(accepted: Mapping[Lane, Iterable[int]], arrivals: Mapping[Lane, list[Arrival]]) -> Delivery:
    """Compare the accepted numbers of each lane with its deliveries, in the order in which they came."""
    result = Delivery()
    for lane, numbers in accepted.items():
        wanted = set(numbers)
        result.accepted += len(wanted)
        result.lost += [(lane, number) for number in sorted(wanted - {one.number for one in arrivals.get(lane, ())})]
    for deliveries in arrivals.values():
        seen: set[int] = set()
        ids: dict[int, str] = {}
        highest = 0
        for one in deliveries:
            if ids.setdefault(one.seq, one.id) != one.id:
                result.clashes += 1
            if one.number in seen:
                result.duplicates += 1
                continue
            seen.add(one.number)
            result.misordered += one.number < highest
            highest = max(highest, one.number)
        result.arrived += len(seen)
    return result


def tree_differences(ledger: Mapping[str, bytes | None], broker: Mapping[str, bytes]) -> list[str]:
    """Return how the broker's retained messages differ from what should be there, in words; None is any value."""
    missing = [f"missing at the broker: {topic}" for topic in sorted(ledger.keys() - broker.keys())]
    orphans = [f"orphan at the broker: {topic}" for topic in sorted(broker.keys() - ledger.keys())]
    stale = [
        f"stale at the broker: {topic} is {broker[topic]!r}, should be {ledger[topic]!r}"
        for topic in sorted(ledger.keys() & broker.keys())
        if ledger[topic] not in (None, broker[topic])
    ]
    return missing + orphans + stale
