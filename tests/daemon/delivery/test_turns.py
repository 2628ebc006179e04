"""Fair turns between owners, and between the sources of one owner."""

from collections import Counter

from jitney.daemon.broker.session import Message
from jitney.daemon.delivery.turns import QUANTUM, Turns


class Pile:
    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.queued = False
        self.messages = [Message(f"{name}/{index}", b"") for index in range(number)]

    def pop(self) -> Message | None:
        return self.messages.pop(0) if self.messages else None


def names(messages: list[Message]) -> list[str]:
    return [message.topic.partition("/")[0] for message in messages]


def test_an_owner_with_little_is_served_after_one_quantum_of_the_owner_who_floods() -> None:
    turns = Turns(lambda: None)
    turns.ready("alice", Pile("alice", 10_000))
    turns.ready("bob", Pile("bob", 1))
    assert "bob" in names(turns.take(QUANTUM + 1))


def test_owners_with_much_to_send_get_the_same_share() -> None:
    turns = Turns(lambda: None)
    for owner in ("alice", "bob", "carol"):
        turns.ready(owner, Pile(owner, 1000))
    taken = Counter(name for _ in range(30) for name in names(turns.take(20)))
    assert max(taken.values()) - min(taken.values()) <= QUANTUM


def test_two_sources_of_one_owner_take_turns_and_do_not_double_the_owners_share() -> None:
    turns = Turns(lambda: None)
    turns.ready("alice", Pile("events", 1000))
    turns.ready("alice", Pile("states", 1000))
    turns.ready("bob", Pile("bob", 1000))
    taken = Counter(names(turns.take(40 * QUANTUM)))
    assert taken["bob"] == 20 * QUANTUM
    assert taken["events"] == taken["states"] == 10 * QUANTUM


def test_each_source_keeps_its_order_and_nothing_is_left_behind() -> None:
    turns = Turns(lambda: None)
    for owner in ("alice", "bob"):
        turns.ready(owner, Pile(owner, 37))
    taken = []
    while turns:
        taken += turns.take(5)
    assert [m.topic for m in taken if m.topic.startswith("alice")] == [f"alice/{index}" for index in range(37)]
    assert len(taken) == 74


def test_a_source_that_was_empty_takes_part_again() -> None:
    woken = []
    turns = Turns(lambda: woken.append(1))
    pile = Pile("alice", 1)
    turns.ready("alice", pile)
    assert len(turns.take(5)) == 1
    pile.messages.append(Message("alice/again", b""))
    turns.ready("alice", pile)
    assert names(turns.take(5)) == ["alice"]
    assert len(woken) == 2
