"""The queue of a radio at work, in time that is turned by hand."""

import asyncio
from contextlib import suppress
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from jitney.adapters.errors import DisconnectedError, RefusedError
from jitney.adapters.meshtastic.book import PREFIX
from jitney.adapters.meshtastic.heard import Notice, QueueStatus
from jitney.adapters.meshtastic.outgoing import Outgoing, Priority
from jitney.adapters.meshtastic.pacing import Pacing
from jitney.adapters.meshtastic.ports import Port
from tests.adapters.meshtastic.sending import (
    BOBS,
    LIMITS,
    OWN,
    START,
    RecordingLink,
    Turned,
    item,
    measured,
    routing,
    running,
    sender_for,
    states,
)
from tests.fakes.context import RecordingContext
from tests.fakes.meshtastic.limits import SECONDS


def direct(text: str = "hello", **fields: object) -> Outgoing:
    return item(text, to=BOBS, priority=Priority.DIRECT_TEXT, **fields)


def kept(ctx: RecordingContext) -> list[tuple[str, bool]]:
    """Return (state, being handed over) of everything on disk."""
    found = [msgspec.json.decode(value, type=Outgoing) for key, value in ctx.kept.items() if key.startswith(PREFIX)]
    return [(one.state, one.handing) for one in found]


async def test_ten_texts_at_once_go_out_one_after_the_other() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing):
        for number in range(10):
            await sender.accept([item(str(number))])
        await timing.until(lambda: len(link.sent) == 10)
        assert link.texts() == [str(number) for number in range(10)]
        gaps = [after.at - before.at for before, after in pairwise(link.sent)]
        assert min(gaps) >= 2.0
        assert timing.seconds < 1000 + 10 * LIMITS.text_every


async def test_a_text_is_queued_sent_relayed_and_delivered() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing):
        await sender.accept([direct()])
        assert kept(ctx) == [("queued", False)]
        await timing.settle()
        sender.heard(routing(100, sender=OWN))
        sender.heard(routing(100, sender=BOBS))
        await timing.settle()
    assert states(ctx.events) == [("hello", state) for state in ("queued", "sent", "relayed", "delivered")]
    assert kept(ctx) == [("delivered", False)]


async def test_an_answer_that_comes_before_the_id_is_known_is_not_lost() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    sender = sender_for(ctx, link, timing)
    link.before_id = lambda packet_id: sender.heard(routing(packet_id, sender=BOBS))
    async with running(sender, timing):
        await sender.accept([direct()])
        await timing.settle()
    assert states(ctx.events)[-1] == ("hello", "delivered")


async def test_who_may_answer_a_packet_is_its_receiver_and_the_radio_itself() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    sender = sender_for(ctx, link, timing)
    early = []
    link.before_id = lambda packet_id: early.append(sender.answered_by(packet_id, OWN))
    async with running(sender, timing):
        (sent,) = await sender.accept([direct(causation="heard", hops=2)])
        await timing.settle()
        for who in (OWN, BOBS):
            found = sender.answered_by(100, who)
            assert found is not None
            assert (found.id, found.cause, found.hops) == (sent.id, "heard", 2)
        assert early == [sent]
        assert sender.answered_by(100, 0xC0000001) is None
        assert sender.answered_by(101, OWN) is None


async def test_nobody_answers() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing):
        await sender.accept([direct()])
        await timing.turn(119)
        assert states(ctx.events)[-1] == ("hello", "sent")
        await timing.turn(1)
        assert states(ctx.events)[-1] == ("hello", "unknown")
        sender.heard(routing(100, sender=BOBS))
        await timing.settle()
        assert states(ctx.events)[-1] == ("hello", "delivered")


async def test_a_radio_that_complains_fails_the_packet_that_it_is_about() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing):
        await sender.accept([direct("one"), direct("two")])
        await timing.until(lambda: len(link.sent) == 2)
        sender.heard(Notice("WARNING", "once every 30 seconds", 100, START))
        sender.heard(QueueStatus(16, 16, 101, 32))
        await timing.settle()
    assert states(ctx.events)[-2:] == [("one", "failed"), ("two", "failed")]
    assert msgspec.json.decode(ctx.events[-2].data)["reason"] == "the radio says: once every 30 seconds"


async def test_after_a_refusal_for_the_duty_cycle_nothing_is_sent_for_a_while() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing):
        await sender.accept([direct("one"), direct("two")])
        sender.heard(routing(100, sender=OWN, error="DUTY_CYCLE_LIMIT"))
        await timing.settle()
        sender.heard(routing(100, sender=OWN, error="DUTY_CYCLE_LIMIT"))
        await timing.turn(100)
        assert link.texts() == ["one"]
        await timing.turn(60)
        assert link.texts() == ["one", "two"]


async def test_while_the_channel_is_busy_what_can_wait_waits_and_expires_with_the_reason() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing):
        sender.heard(measured(channelUtilization=33))
        await sender.accept([item("channel", ttl=60)])
        await sender.accept([direct("direct")])
        await timing.turn(61)
    assert link.texts() == ["direct"]
    assert ("channel", "expired") in states(ctx.events)
    (expired,) = (data for event in ctx.events if (data := msgspec.json.decode(event.data))["state"] == "expired")
    assert expired["reason"].startswith("not sent within 60 s: the channel is taken to 33 %")


async def test_a_radio_with_a_full_queue_is_given_time() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing):
        sender.heard(QueueStatus(0, 16, 0, 0))
        await sender.accept([direct()])
        await timing.turn(60)
        assert link.sent == []
        sender.heard(QueueStatus(1, 16, 0, 0))
        await timing.turn(1)
        assert link.sent == []
        sender.heard(QueueStatus(16, 16, 0, 0))
        await timing.settle()
        assert link.texts() == ["hello"]


async def test_what_finds_no_room_is_sent_later_and_not_failed() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    link.errors.append(RefusedError("queue_full", "no room"))
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing):
        await sender.accept([direct()])
        await timing.turn(5)
        assert kept(ctx) == [("queued", False)]
        sender.heard(QueueStatus(16, 16, 0, 0))
        await timing.settle()
    assert states(ctx.events) == [("hello", "queued"), ("hello", "sent")]


async def test_what_the_link_refuses_has_failed() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    link.errors.append(RefusedError("failed", "sending: too big"))
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing):
        await sender.accept([direct()])
        await timing.settle()
    assert states(ctx.events)[-1] == ("hello", "failed")
    assert msgspec.json.decode(ctx.events[-1].data)["reason"] == "sending: too big"


async def test_what_breaks_off_while_it_is_handed_over_is_unknown_and_ends_the_attempt() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    link.errors.append(DisconnectedError("the radio is gone"))
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing) as task:
        await sender.accept([direct("one"), direct("two")])
        with pytest.RaisesGroup(DisconnectedError):
            await task
    assert states(ctx.events)[-1] == ("one", "unknown")
    assert kept(ctx) == [("unknown", False), ("queued", False)]
    with pytest.raises(RefusedError) as caught:
        await sender.accept([direct()])
    assert caught.value.code == "offline"


async def test_what_was_accepted_is_sent_after_a_crash() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    async with running(sender := sender_for(ctx, link, timing), timing):
        await sender.accept([direct(str(number)) for number in range(3)])
        await timing.settle()
        disk = dict(ctx.kept)
    assert link.texts() == ["0"]
    after = RecordingContext(kept=disk)
    async with running(sender_for(after, link, timing), timing):
        await timing.turn(10)
    assert link.texts() == ["0", "1", "2"]


async def test_what_has_outlived_its_time_when_the_daemon_is_back_is_not_sent() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    async with running(sender := sender_for(ctx, link, timing), timing):
        await sender.accept([direct("0"), direct("1", ttl=30.0)])
        await timing.settle()
    timing.seconds += 40
    async with running(sender_for(ctx, link, timing), timing):
        await timing.turn(10)
    assert link.texts() == ["0"]
    assert states(ctx.events)[-1] == ("1", "expired")


async def test_what_was_being_handed_over_when_the_daemon_was_killed_is_never_sent_again() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    link.gate.clear()
    async with running(sender := sender_for(ctx, link, timing), timing):
        await sender.accept([direct("0"), direct("1")])
        await timing.settle()
        disk = dict(ctx.kept)
    link.gate.set()
    after = RecordingContext(kept=disk)
    async with running(sender_for(after, link, timing), timing):
        await timing.turn(10)
    assert link.texts() == ["0", "1"]
    assert states(after.events) == [("0", "unknown"), ("1", "sent")]


async def test_an_ack_that_comes_after_a_restart_finds_its_packet() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    async with running(sender := sender_for(ctx, link, timing), timing):
        await sender.accept([direct()])
        await timing.settle()
    again = sender_for(ctx, link, timing)
    async with running(again, timing):
        again.heard(routing(100, sender=BOBS))
        await timing.settle()
    assert states(ctx.events)[-1] == ("hello", "delivered")


async def test_silence_counts_from_the_sending_also_over_a_restart() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    async with running(sender := sender_for(ctx, link, timing), timing):
        await sender.accept([direct()])
        await timing.turn(60)
    async with running(sender_for(ctx, link, timing), timing):
        await timing.turn(59)
        assert states(ctx.events)[-1] == ("hello", "sent")
        await timing.turn(1)
        assert states(ctx.events)[-1] == ("hello", "unknown")


async def test_pacing_goes_on_over_a_restart() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    question = item(port=Port.TRACEROUTE_APP, to=BOBS, priority=Priority.REQUEST, want_response=True)
    async with running(sender := sender_for(ctx, link, timing), timing):
        await sender.accept([question])
        await timing.settle()
    timing.seconds += 5
    async with running(again := sender_for(ctx, link, timing), timing):
        await again.accept([replace(question, id="again", accepted=timing.unix(), until=timing.unix() + 100)])
        await timing.until(lambda: len(link.sent) == 2)
    assert link.sent[1].at - link.sent[0].at == pytest.approx(LIMITS.traceroute_every)


async def test_a_command_that_waits_is_told_as_soon_as_it_has_come_so_far() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing):
        accepted = await sender.accept([direct("one"), direct("two")])
        waiting = asyncio.create_task(sender.reach(accepted, "delivered", seconds=50))
        await timing.turn(5)
        sender.heard(routing(100, sender=BOBS))
        await timing.settle()
        assert not waiting.done()
        sender.heard(routing(101, sender=OWN, error="NO_CHANNEL"))
        await timing.settle()
        assert [one.state for one in await waiting] == ["delivered", "failed"]


async def test_a_command_waits_no_longer_than_it_may_nor_longer_than_the_attempt() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing):
        accepted = await sender.accept([direct()])
        short = asyncio.create_task(sender.reach(accepted, "delivered", seconds=5))
        long = asyncio.create_task(sender.reach(accepted, "delivered", seconds=50))
        await timing.turn(5)
        assert [one.state for one in await short] == ["sent"]
        assert not long.done()
    assert [one.state for one in await long] == ["sent"]


async def test_a_full_disk_refuses_what_is_new_and_holds_back_what_waits() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing):
        await sender.accept([direct("one"), direct("two")])
        await timing.settle()
        ctx.full = True
        with pytest.raises(RefusedError):
            await sender.accept([direct("three")])
        await timing.turn(30)
        assert link.texts() == ["one"]
        ctx.full = False
        await timing.turn(2)
    assert link.texts() == ["one", "two"]


async def test_a_bus_that_takes_nothing_holds_up_no_text_and_no_news_is_lost() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing):
        await sender.accept([direct("one"), direct("two")])
        ctx.gate.clear()
        await timing.turn(10)
        assert link.texts() == ["one", "two"]
        assert len(ctx.events) == 2
        ctx.gate.set()
        await timing.settle()
    assert states(ctx.events)[2:] == [("one", "sent"), ("two", "sent")]


async def test_news_that_the_bus_refuses_of_one_owner_are_counted_and_those_of_others_told() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    ctx.refuses = {"bob"}
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing):
        await sender.accept([item("his", owner="bob")])
        await sender.accept([item("hers", owner="alice")])
        await timing.turn(10)
    assert link.texts() == ["his", "hers"]
    assert states(ctx.events) == [("hers", "queued"), ("hers", "sent")]
    assert ctx.counts["sending_not_told"] == 2


async def test_an_owner_is_forgotten_before_anything_more_of_them_is_sent() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing):
        await sender.accept([item("one", owner="bob"), item("two", owner="bob")])
        await sender.accept([item("hers", owner="alice")])
        await timing.settle()
        await sender.forget("bob")
        await timing.turn(10)
    assert link.texts() == ["one", "hers"]
    assert not any(b'"bob"' in value for value in ctx.kept.values())


async def test_what_is_forgotten_while_its_news_are_told_is_not_kept_again() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing):
        await sender.accept([item("one", owner="bob")])
        ctx.gate.clear()
        await timing.settle()
        await sender.forget("bob")
        ctx.gate.set()
        await timing.settle()
    assert link.texts() == ["one"]
    assert ctx.kept == {}


async def test_what_is_forgotten_while_it_is_handed_over_leaves_nothing_behind() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    link.gate.clear()
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing):
        await sender.accept([item("one", owner="bob")])
        await timing.settle()
        await sender.forget("bob")
        link.gate.set()
        await timing.settle()
    assert states(ctx.events) == [("one", "queued")]
    assert ctx.kept == {}


async def test_what_is_withdrawn_is_not_sent() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing):
        first, second = direct("one"), direct("two")
        await sender.accept([first, second])
        await timing.settle()
        for one in (first, second):
            sender.withdraw(one)
        await timing.turn(10)
    assert link.texts() == ["one"]
    assert states(ctx.events)[-1] == ("two", "failed")


async def test_what_has_ended_is_forgotten_in_the_end() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing):
        await sender.accept([item("one", want_ack=False)])
        await timing.turn(700)
    assert ctx.kept == {}


async def test_without_a_link_everything_waits() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    sender = sender_for(ctx, link, timing)
    sender._link_of = lambda: None
    async with running(sender, timing):
        await sender.accept([direct()])
        await timing.turn(10)
        assert link.sent == []
        sender._link_of = lambda: link
        await timing.turn(2)
    assert link.texts() == ["hello"]


async def test_a_clock_that_is_set_expires_nothing_that_waits() -> None:
    ctx, timing = RecordingContext(), Turned()
    link = RecordingLink(timing)
    sender = sender_for(ctx, link, timing)
    async with running(sender, timing):
        await sender.accept([direct("one"), direct("two")])
        timing.set_clock(1e8)
        await timing.turn(5)
    assert link.texts() == ["one", "two"]


_asked = st.tuples(
    st.floats(0, 20),
    st.sampled_from(["alice", "bob"]),
    st.sampled_from([*map(int, SECONDS)]),
    st.sampled_from(list(Priority)),
    st.integers(1, 3),
)
_steps = st.lists(_asked | st.sampled_from(["killed", "stopped"]), max_size=12)


@settings(max_examples=60, deadline=None)
@given(_steps, st.floats(0, 1.5))
def test_whatever_is_asked_and_whenever_the_daemon_dies_limits_hold_and_nothing_is_sent_twice(
    steps: list[object], duration: float
) -> None:
    asyncio.run(_whatever(steps, duration))


async def _whatever(steps: list[object], duration: float) -> None:
    timing = Turned()
    link = RecordingLink(timing)
    link.seconds = duration
    ctx = RecordingContext()
    accepted: list[str] = []
    pacing = Pacing(LIMITS)
    for life in _lives(steps):
        sender = sender_for(ctx, link, timing, pacing=pacing)
        async with running(sender, timing):
            for step in life:
                if not isinstance(step, tuple):
                    break
                later, owner, port, priority, parts = step
                await timing.turn(later)
                texts = [f"{len(accepted)}-{part}" for part in range(parts)]
                now = timing.unix()
                with suppress(RefusedError):
                    await sender.accept(
                        [item(text, owner=owner, port=port, priority=priority, accepted=now, ttl=1e6) for text in texts]
                    )
                    accepted += texts
            disk = dict(ctx.kept)
        if life and life[-1] == "killed":
            ctx, pacing = RecordingContext(kept=disk), Pacing(LIMITS)
    async with running(sender_for(ctx, link, timing, pacing=pacing), timing):
        await timing.turn(5000)
    for port, seconds in SECONDS.items():
        times = [sent.at for sent in link.sent if sent.port == port]
        assert all(after - before >= seconds for before, after in pairwise(times))
    sent_texts = [sent.text for sent in link.sent]
    assert len(sent_texts) == len(set(sent_texts))
    assert set(sent_texts) <= set(accepted)
    assert len(accepted) - len(sent_texts) <= steps.count("killed") + steps.count("stopped")


def _lives(steps: list[object]) -> list[list[object]]:
    """Return the steps of each life of the daemon."""
    lives: list[list[object]] = [[]]
    for step in steps:
        lives[-1].append(step)
        if not isinstance(step, tuple):
            lives.append([])
    return lives
