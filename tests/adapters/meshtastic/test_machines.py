"""Who is taken for a machine."""

from jitney.adapters.meshtastic.machines import MOST_QUESTIONS, MOST_SENDERS, MUTED, QUICK, WINDOW, Machines

BOB = 0xB0000001
CAROL = 0xC0000001


def suspects(machines: Machines, sender: int, text: str, now: float) -> bool:
    machines.asked(sender, text, now)
    return machines.is_muted(sender)


def test_a_person_asks_now_and_then() -> None:
    machines = Machines()
    for number in range(100):
        now = number * WINDOW / MOST_QUESTIONS + number
        assert not suspects(machines, BOB, "ping", now)
        machines.answered(BOB, "pong", now)


def test_whoever_asks_over_and_over_is_left_alone_until_it_has_been_quiet() -> None:
    machines = Machines()
    suspected = [suspects(machines, BOB, "ping", 30.0 * number) for number in range(MOST_QUESTIONS + 2)]
    assert suspected == [False] * MOST_QUESTIONS + [True, True]
    last = 30.0 * (MOST_QUESTIONS + 1)
    assert suspects(machines, BOB, "ping", last + MUTED - 1)
    assert not suspects(machines, BOB, "ping", last + 2 * MUTED)
    assert not suspects(machines, CAROL, "ping", 0.0)


def test_whoever_asks_again_at_once_is_a_machine_after_some_times() -> None:
    machines = Machines()
    machines.answered(BOB, "pong", 0.0)
    assert [suspects(machines, BOB, "ping", QUICK / 5 * number) for number in range(4)] == [False, False, True, True]


def test_whoever_repeats_our_answer_is_a_machine() -> None:
    machines = Machines()
    machines.answered(BOB, "ping received", 0.0)
    assert not suspects(machines, BOB, "ping", 60.0)
    assert suspects(machines, BOB, " ping received", 120.0)


def test_nobody_is_muted_who_has_asked_nothing() -> None:
    assert not Machines().is_muted(BOB)


def test_only_so_many_are_remembered() -> None:
    machines = Machines()
    machines.answered(1, "pong", 0.0)
    for number in range(MOST_SENDERS):
        machines.asked(number + 2, "ping", 1.0)
    assert not suspects(machines, 1, "pong", 2.0)
