"""What is remembered of packets, over restarts too."""

from msgspec.structs import replace

from jitney.adapters.meshtastic.book import MOST, PREFIX, Book
from jitney.adapters.meshtastic.outcomes import REMEMBERED
from tests.adapters.meshtastic.sending import START, item
from tests.fakes.context import RecordingContext


async def test_what_was_written_is_read_back_in_the_order_of_its_acceptance() -> None:
    ctx = RecordingContext()
    parts = [item(text, command="asked", part=part, parts=2) for part, text in ((2, "b"), (1, "a"))]
    earlier = item("0", accepted=START - 1)
    await Book(ctx).write([*parts, earlier])
    assert [found.text for found in await Book(ctx).load(START)] == ["0", "a", "b"]


async def test_a_command_finds_what_it_has_asked_for() -> None:
    ctx = RecordingContext()
    book = Book(ctx)
    first, second = (item(command="asked", part=part, parts=2) for part in (1, 2))
    for one in (second, first, item(command="other"), item()):
        book.put(one, START)
    assert book.of_command("asked") == (first, second)
    assert book.of_command("") == ()
    sent = replace(first, state="sent")
    book.put(sent, START)
    assert book.of_command("asked") == (sent, second)
    assert book.newest(first) == sent


async def test_of_what_has_ended_the_content_is_not_kept() -> None:
    ctx = RecordingContext()
    await Book(ctx).write([replace(item("secret", command="asked"), state="delivered")])
    (kept,) = await Book(ctx).load(START)
    assert (kept.text, kept.packet.payload, kept.state) == ("", b"", "delivered")


async def test_what_is_not_persistent_is_not_kept() -> None:
    ctx = RecordingContext()
    await Book(ctx).write([item(persistent=False)])
    assert ctx.kept == {}


async def test_what_cannot_be_read_is_removed_and_counted_and_hinders_nothing() -> None:
    ctx = RecordingContext(kept={PREFIX + "x": b"{}", PREFIX + "y": b"\xff", "node/1": b"{}"})
    await Book(ctx).write([item()])
    assert len(await Book(ctx).load(START)) == 1
    assert ctx.counts["unreadable_outgoing"] == 2
    assert "node/1" in ctx.kept
    assert len(ctx.kept) == 2
    ctx.kept[PREFIX + "z"] = b""
    ctx.full = True
    assert len(await Book(ctx).load(START)) == 1


async def test_what_ended_is_forgotten_after_some_minutes_but_not_before_its_command_can_come_again() -> None:
    ctx = RecordingContext()
    book = Book(ctx)
    soon = replace(item(command="soon"), state="delivered")
    late = replace(item(command="late", deadline=START + 5000), state="delivered")
    open_ = item(command="open")
    for one in (soon, late, open_):
        book.put(one, START)
    await book.write([soon, late, open_])
    await book.purge(START + REMEMBERED - 1)
    assert len(ctx.kept) == 3
    await book.purge(START + REMEMBERED)
    assert sorted(ctx.kept) == sorted(PREFIX + one.id for one in (late, open_))
    await book.purge(START + 5000)
    assert list(ctx.kept) == [PREFIX + open_.id]
    assert book.of_command("late") == ()


async def test_only_so_many_ended_ones_are_remembered() -> None:
    book = Book(RecordingContext())
    items = [replace(item(command=str(number), persistent=False), state="delivered") for number in range(MOST + 2)]
    for one in items:
        book.put(one, START)
    await book.purge(START)
    assert [book.of_command(str(number)) == () for number in (0, 1, 2)] == [True, True, False]


async def test_an_owner_is_forgotten() -> None:
    ctx = RecordingContext()
    book = Book(ctx)
    hers, his = item(owner="alice", command="hers"), item(owner="bob", command="his")
    for one in (hers, his):
        book.put(one, START)
    await book.write([hers, his])
    await book.forget("alice")
    assert list(ctx.kept) == [PREFIX + his.id]
    assert book.of_command("hers") == ()
