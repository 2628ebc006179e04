from jitney.daemon.routing.effort import BUDGET, MINUTE, SHARE, Efforts

NOW = 1_795_000_000.0


def test_who_takes_longer_than_the_budget_within_a_minute_is_named_with_how_long() -> None:
    efforts = Efforts()
    assert efforts.spent("alice", "slow", BUDGET, now=NOW) == {}
    assert efforts.spent("alice", "slow", 0.25, now=NOW + MINUTE - 1) == {"slow": BUDGET + 0.25}
    assert efforts.spent("alice", "slow", BUDGET, now=NOW + MINUTE - 1) == {}


def test_many_who_take_it_together_are_all_named_and_who_took_little_is_not() -> None:
    efforts = Efforts()
    found: dict[str, float] = {}
    for number in range(4):
        found |= efforts.spent("alice", "little", SHARE / 10, now=NOW)
        found |= efforts.spent("alice", f"slow {number}", BUDGET / 4, now=NOW)
    assert set(found) == {f"slow {number}" for number in range(4)}


def test_the_time_of_one_owner_is_nobody_elses() -> None:
    efforts = Efforts()
    assert efforts.spent("alice", "slow", BUDGET, now=NOW) == {}
    assert efforts.spent("bob", "slow", BUDGET, now=NOW) == {}
    efforts.forget("alice")
    assert efforts.spent("alice", "slow", BUDGET, now=NOW) == {}
    assert efforts.spent("bob", "slow", BUDGET, now=NOW) == {"slow": 2 * BUDGET}


def test_a_new_minute_begins_with_nothing_and_so_does_a_clock_that_was_put_back() -> None:
    efforts = Efforts()
    for now in (NOW, NOW + MINUTE, NOW + 1, NOW - 1e6):
        assert efforts.spent("alice", "slow", BUDGET, now=now) == {}


def test_who_was_named_begins_anew_and_who_was_not_keeps_what_it_took() -> None:
    efforts = Efforts()
    assert efforts.spent("alice", "some", SHARE / 2, now=NOW) == {}
    assert efforts.spent("alice", "slow", BUDGET, now=NOW) == {"slow": BUDGET}
    assert efforts.spent("alice", "slow", BUDGET - SHARE / 2, now=NOW) == {}
    assert efforts.spent("alice", "some", SHARE / 2, now=NOW) == {"slow": BUDGET - SHARE / 2, "some": SHARE}


def test_a_thousand_routes_that_each_take_little_are_too_slow_together_and_nobody_is_named() -> None:
    efforts = Efforts()
    found = [efforts.spent("alice", f"little {number}", SHARE / 2, now=NOW) for number in range(1000)]
    assert not any(found)
