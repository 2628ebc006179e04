"""Who is taken for a machine."""

from jitney.adapters.meshtastic.machines import MOST_QUESTIONS, MOST_SENDERS, MUTED, QUICK, WINDOW, Machines


def test_a_person_asks_now_and_then() -> None:
    machines = Machines()
    for number in range(50):
        now = number * WINDOW / MOST_QUESTIONS + number
        assert not machines.suspects("!bob", "ping", now)
        machines.answered("!bob", "pong", now)


def test_whoever_asks_over_and_over_is_left_alone_until_it_has_been_quiet() -> None:
    machines = Machines()
    suspected = [machines.suspects("!bob", "ping", 30.0 * number) for number in range(MOST_QUESTIONS + 2)]
    assert suspected == [False] * MOST_QUESTIONS + [True, True]
    last = 30.0 * (MOST_QUESTIONS + 1)
    assert machines.suspects("!bob", "ping", last + MUTED - 1)
    assert not machines.suspects("!bob", "ping", last + 2 * MUTED)
    assert not machines.suspects("!carol", "ping", 0.0)


def test_whoever_asks_again_at_once_is_a_machine_after_some_times() -> None:
    machines = Machines()
    machines.answered("!bob", "pong", 0.0)
    assert [machines.suspects("!bob", "ping", QUICK / 5 * number) for number in range(4)] == [False, False, True, True]


def test_whoever_repeats_our_answer_is_a_machine() -> None:
    machines = Machines()
    machines.answered("!bob", "ping received", 0.0)
    assert not machines.suspects("!bob", "ping", 60.0)
    assert machines.suspects("!bob", " ping received", 120.0)


def test_only_so_many_are_remembered() -> None:
    machines = Machines()
    machines.answered("!first", "pong", 0.0)
    for number in range(MOST_SENDERS):
        machines.suspects(f"!{number}", "ping", 1.0)
    assert not machines.suspects("!first", "pong", 2.0)
