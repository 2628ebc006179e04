"""Photo files: never more than there is room for, nothing older than it may be, and nothing left after erasing."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from jitney.adapters.strava.errors import UnavailableError
from jitney.adapters.strava.photos import PhotoFiles
from tests.adapters.strava.photo_bench import JPEG, Bench, a_bench, answering
from tests.waiting import until


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with a_bench(tmp_path / "alice" / "strava") as made:
        yield made


async def test_the_oldest_photos_make_room_for_newer_ones(bench: Bench) -> None:
    bench.files = bench.made(most=2)
    for name, day in (("b", 2), ("a", 1), ("c", 3)):
        await bench.fetch(name, day)
    assert await bench.files.names() == {"c": "c.jpg", "b": "b.jpg"}


async def test_photos_are_never_larger_together_than_was_said(bench: Bench) -> None:
    bench.files = bench.made(most_bytes=2 * len(JPEG))
    for name, day in (("a", 1), ("b", 2), ("c", 3)):
        assert await bench.fetch(name, day) is not None
        assert await bench.files.size() <= 2 * len(JPEG)
    assert bench.on_disk() == ["b.jpg", "c.jpg"]


async def test_a_photo_older_than_all_there_is_room_for_is_not_fetched(bench: Bench) -> None:
    bench.files = bench.made(most=2)
    await bench.fetch("c", 3)
    await bench.fetch("b", 2)
    assert await bench.fetch("a", 1) is None
    assert [request.path for request in bench.cdn.requests] == ["/c.jpg", "/b.jpg"]


async def test_a_photo_that_had_to_go_is_not_fetched_again_and_again(bench: Bench) -> None:
    bench.files = bench.made(most_bytes=2 * len(JPEG) + 1)
    for name, day in (("c", 3), ("b", 2)):
        await bench.fetch(name, day)
    assert await bench.fetch("a", 1) is None
    assert await bench.fetch("a", 1) is None
    assert [request.path for request in bench.cdn.requests].count("/a.jpg") == 1
    assert await bench.files.keep(["c"]) == 1
    assert await bench.fetch("a", 1) == bench.folder / "a.jpg"


async def test_a_photo_of_which_nobody_knows_when_it_was_taken_counts_as_new(bench: Bench) -> None:
    bench.files = bench.made(most=1)
    await bench.fetch("a", 1)
    assert await bench.fetch("b", None) == bench.folder / "b.jpg"
    assert bench.on_disk() == ["b.jpg"]


async def test_only_photos_that_are_still_wanted_are_kept(bench: Bench) -> None:
    for name in ("a", "b", "c"):
        await bench.fetch(name)
    assert await bench.files.keep(["b", "x"]) == 2
    assert await bench.files.names() == {"b": "b.jpg"}


async def test_photos_expire_by_when_they_were_fetched(bench: Bench) -> None:
    await bench.fetch("a", day=1)
    assert await bench.files.expire(before=time.time() - 60) == 0
    assert await bench.files.expire(before=time.time() + 60) == 1
    assert bench.on_disk() == []


async def test_nothing_is_left_after_erasing(bench: Bench) -> None:
    await bench.fetch("a")
    (bench.folder / ".b.part").write_bytes(b"cut off")
    await bench.files.erase()
    assert not bench.folder.exists()
    await bench.files.erase()
    assert await bench.fetch("a") is not None


async def test_what_is_not_ours_stays(bench: Bench) -> None:
    bench.folder.mkdir(parents=True)
    (bench.folder / "notes.txt").write_text("mine")
    outside = bench.folder.parent / "outside"
    outside.write_text("mine")
    (bench.folder / "link.jpg").symlink_to(outside)
    await bench.fetch("a")
    await bench.files.keep([])
    await bench.files.erase()
    assert bench.on_disk() == ["link.jpg", "notes.txt"]
    assert outside.read_text() == "mine"


async def test_what_was_left_of_a_crash_is_cleaned_up_by_the_next_photo(bench: Bench) -> None:
    bench.folder.mkdir(parents=True)
    (bench.folder / ".a.part").write_bytes(b"cut off")
    (bench.folder / ".z.part").write_bytes(b"cut off")
    await bench.fetch("a")
    assert bench.on_disk() == ["a.jpg"]


async def test_a_link_in_the_place_of_a_part_is_not_followed(bench: Bench) -> None:
    outside = bench.folder.parent / "outside"
    bench.folder.mkdir(parents=True)
    outside.write_text("mine")
    (bench.folder / ".a.part").symlink_to(outside)
    await bench.fetch("a")
    assert outside.read_text() == "mine"
    assert not (bench.folder / "a.jpg").is_symlink()


async def test_a_folder_that_cannot_be_made_is_told_with_its_place(bench: Bench) -> None:
    bench.folder.parent.mkdir(parents=True)
    bench.folder.write_text("a file in the way")
    with pytest.raises(UnavailableError, match=f"photos in {bench.folder}: "):
        await bench.fetch("a")


async def test_a_write_that_is_cancelled_has_ended_before_anything_is_erased(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    sync = os.fsync

    def slow(descriptor: int) -> None:
        loop.call_soon_threadsafe(began.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    async with asyncio.TaskGroup() as tasks:
        fetching = tasks.create_task(bench.fetch("a"))
        await began.wait()
        fetching.cancel()
        erasing = tasks.create_task(bench.files.erase())
        await asyncio.wait({erasing}, timeout=0.05)
        assert not erasing.done()
        go_on.set()
    assert fetching.cancelled()
    assert not bench.folder.exists()


async def test_many_at_once_are_fetched_one_after_the_other(bench: Bench) -> None:
    under_way, most = 0, 0

    async def counting(_: web.Request) -> web.StreamResponse:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await until(lambda: True)
        under_way -= 1
        return web.Response(body=JPEG, content_type="image/jpeg")

    names = [f"photo{number}" for number in range(10)]
    bench.cdn.answers = {f"/{name}.jpg": counting for name in names}
    bench.files = bench.made(most=5)
    found = await asyncio.gather(*(bench.fetch(name, day) for day, name in enumerate(names, start=1)))
    assert all(found)
    assert most == 1
    assert list(await bench.files.names()) == names[:4:-1]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 28), st.integers(1, 60)), max_size=12))
def test_however_photos_come_the_limits_hold(
    tmp_path_factory: pytest.TempPathFactory, arrivals: list[tuple[int, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("photos") / "alice"

    async def fill() -> None:
        async with a_bench(folder) as bench:
            bench.files = bench.made(most_bytes=100, most=3)
            for number, day, size in arrivals:
                bench.cdn.answers[f"/p{number}.jpg"] = answering(body=b"x" * size, content_type="image/jpeg")
                path = await bench.fetch(f"p{number}", day)
                assert path is None or path.exists()
                assert await bench.files.size() <= 100
                assert len(await bench.files.names()) <= 3

    asyncio.run(fill())


async def test_where_the_owner_has_less_room_than_the_photos_may_take_that_is_what_counts_and_is_told(
    bench: Bench,
) -> None:
    told: list[str] = []
    room = 10 * len(JPEG)
    bench.files = PhotoFiles(
        bench.folder, 5 * len(JPEG), room=lambda: room, full=lambda: told.append("full"), origin=bench.cdn.origin
    )
    for name, day in (("a", 1), ("b", 2), ("c", 3)):
        await bench.fetch(name, day)
    assert told == []
    room = 2 * len(JPEG)
    await bench.fetch("d", 4)
    assert bench.on_disk() == ["c.jpg", "d.jpg"]
    assert told == ["full"]
