"""The firmware's limits, kept whatever is asked."""

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic.airtime import Airtime
from jitney.adapters.meshtastic.outgoing import Outgoing, Priority
from jitney.adapters.meshtastic.pacing import FORGOTTEN, RESERVED, Pacing, Slots
from jitney.adapters.meshtastic.ports import Port
from jitney.adapters.meshtastic.waiting import Waiting
from tests.adapters.meshtastic.sending import LIMITS, START, item
from tests.fakes.meshtastic.limits import SECONDS, SLOTS, Limits, Violation

ROUNDING = 1e-9
PORTS = [*map(int, SECONDS), int(Port.PRIVATE_APP)]


def test_every_limit_of_the_firmware_has_a_longer_pause_here() -> None:
    for port, seconds in SECONDS.items():
        pacing = Pacing(LIMITS)
        pacing.sent(port, 5.0)
        assert pacing.wait(port, 5.0) > seconds + 0.1
        assert pacing.wait(port, 5.0 + pacing.wait(port, 5.0)) == 0.0


def test_ports_do_not_wait_for_each_other() -> None:
    pacing = Pacing(LIMITS)
    pacing.sent(Port.TRACEROUTE_APP, 5.0)
    assert pacing.wait(Port.TEXT_MESSAGE_APP, 5.0) == 0.0
    pacing.sent(Port.PRIVATE_APP, 5.0)
    assert pacing.wait(Port.PRIVATE_APP, 5.0) == 0.0


def test_what_was_sent_before_a_restart_counts() -> None:
    pacing = Pacing(LIMITS)
    before = replace(item(port=Port.TRACEROUTE_APP), handed=START - 11.0)
    pacing.remember([before, item(port=Port.POSITION_APP)], unix=START, now=3.0)
    assert pacing.wait(Port.TRACEROUTE_APP, 3.0) == 20.0
    assert pacing.wait(Port.POSITION_APP, 3.0) == 0.0


def test_a_clock_that_was_turned_back_makes_nothing_sooner() -> None:
    pacing = Pacing(LIMITS)
    pacing.remember([replace(item(), handed=START + 1e6)], unix=START, now=3.0)
    assert pacing.wait(Port.TEXT_MESSAGE_APP, 3.0) == LIMITS.text_every


def test_what_was_just_being_sent_when_the_daemon_died_counts_from_now() -> None:
    pacing = Pacing(LIMITS)
    pacing.remember([replace(item(), handing=True)], unix=START, now=3.0)
    assert pacing.wait(Port.TEXT_MESSAGE_APP, 3.0) == LIMITS.text_every


def test_places_in_the_radios_queue_are_kept_for_alerts() -> None:
    slots = Slots()
    assert slots.has_room(Priority.SWEEP, 0.0)
    slots.heard(RESERVED + 1, 0.0)
    assert slots.has_room(Priority.DIRECT_TEXT, 1.0)
    slots.taken()
    assert not slots.has_room(Priority.DIRECT_TEXT, 1.0)
    assert slots.has_room(Priority.ALERT, 1.0)
    assert slots.has_room(Priority.DIRECT_TEXT, FORGOTTEN)


def test_a_full_radio_gets_nothing_until_it_says_that_it_has_room() -> None:
    slots = Slots()
    slots.heard(0, 0.0)
    assert not slots.has_room(Priority.ALERT, FORGOTTEN * 10)
    slots.heard(SLOTS, FORGOTTEN * 10)
    assert slots.has_room(Priority.SWEEP, FORGOTTEN * 10)


_asked = st.tuples(
    st.floats(0, 40),
    st.sampled_from(["alice", "bob", "carol"]),
    st.sampled_from(PORTS),
    st.sampled_from(list(Priority)),
)


@settings(max_examples=200)
@given(st.lists(_asked, max_size=60), st.floats(0, 3))
def test_whatever_is_asked_the_times_of_sending_keep_every_limit(
    asked: list[tuple[float, str, int, Priority]], duration: float
) -> None:
    now = 0.0
    violations: list[Violation] = []
    radio = Limits(lambda: now, violations)
    pacing = Pacing(LIMITS)
    waiting = Waiting(LIMITS, pacing=pacing, airtime=Airtime(LIMITS), slots=Slots())
    sent: list[Outgoing] = []
    expected = 0

    def go_on(until: float) -> None:
        nonlocal now
        while True:
            ready = waiting.next(now)
            if ready is None:
                pause = waiting.pause(now)
                if now + pause > until:
                    return
                now += pause
                continue
            radio.judge(ready.packet.port, len(sent))
            now += duration
            pacing.sent(ready.packet.port, now)
            waiting.taken(ready)
            sent.append(ready)

    for later, owner, port, priority in asked:
        moment = now + later
        go_on(moment)
        now = max(now, moment)
        with suppress(RefusedError):
            waiting.promise(owner, 1)
            waiting.release(owner, 1)
            expected += 1
            new = item(owner=owner, port=port, priority=priority, accepted=now, ttl=1e9)
            waiting.add([new], unix=now, now=now)
    go_on(now + 1e5)
    assert [violation for violation in violations if violation.early > ROUNDING] == []
    assert len(sent) == expected
    assert len(waiting) == 0
