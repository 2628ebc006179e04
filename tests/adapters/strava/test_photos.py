"""Photo files: fetched without any secret, whole or not at all, and private."""

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from jitney.adapters.strava import photos
from jitney.adapters.strava.errors import NotFoundError, StravaError, UnavailableError
from jitney.adapters.strava.kinds import PhotoData
from jitney.adapters.strava.photos import PhotoFiles
from tests.adapters.strava.photo_bench import JPEG, Bench, Handler, a_bench, answering


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with a_bench(tmp_path / "alice" / "strava") as made:
        yield made


async def test_a_photo_is_a_private_file_named_by_its_id(bench: Bench) -> None:
    path = await bench.fetch("A1B2-c3")
    assert path == bench.folder / "A1B2-c3.jpg"
    assert path.read_bytes() == JPEG
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(bench.folder.stat().st_mode) == 0o700
    assert bench.on_disk() == ["A1B2-c3.jpg"]


async def test_no_token_and_no_cookie_goes_with_it(bench: Bench) -> None:
    await bench.fetch("a")
    (request,) = bench.cdn.requests
    assert "Authorization" not in request.headers
    assert "Cookie" not in request.headers
    assert "secret" not in str(request.headers)


async def test_a_photo_that_is_there_is_not_fetched_again(bench: Bench) -> None:
    first = await bench.fetch("a")
    assert await bench.fetch("a") == first
    bench.files = bench.made()
    assert await bench.fetch("a") == first
    assert len(bench.cdn.requests) == 1


async def test_the_session_works_on_after_a_photo(bench: Bench) -> None:
    await bench.fetch("a")
    async with bench.http.get(f"{bench.cdn.origin}/b.jpg") as answer:
        assert answer.status == 200


@pytest.mark.parametrize("unique_id", ["../a", "a/b", "", ".", "..", ".hidden", "a\0", "a.jpg", "é", "x" * 65, "-a"])
async def test_an_id_that_is_no_name_never_becomes_a_path(bench: Bench, unique_id: str) -> None:
    photo = PhotoData(unique_id=unique_id, activity=1, url=f"{bench.cdn.origin}/a.jpg")
    with pytest.raises(StravaError, match="not an id"):
        await bench.files.fetch(bench.http, photo)
    assert bench.cdn.requests == []
    assert not bench.folder.exists()


@pytest.mark.parametrize(
    "url",
    [
        "http://photos.example/a.jpg",
        "http://{host}.evil.example/a.jpg",
        "http://user:password@{host}/a.jpg",
        "https://user@photos.example/a.jpg",
        "ftp://{host}/a.jpg",
        "file:///etc/passwd",
        "https:///a.jpg",
        "https://[bad/a.jpg",
        "a.jpg",
        "",
    ],
)
async def test_only_https_is_asked_and_the_origin_that_was_named(bench: Bench, url: str) -> None:
    host = f"{bench.cdn.server.host}:{bench.cdn.server.port}"
    photo = PhotoData(unique_id="a", activity=1, url=url.format(host=host))
    with pytest.raises(StravaError, match="begins with https"):
        await bench.files.fetch(bench.http, photo)
    assert bench.cdn.requests == []


async def test_without_an_origin_plain_http_is_never_asked(bench: Bench) -> None:
    files = PhotoFiles(bench.folder, 1000)
    with pytest.raises(StravaError, match="begins with https"):
        await files.fetch(bench.http, bench.cdn.photo("a"))
    assert bench.cdn.requests == []


async def test_a_placeholder_is_no_photo(bench: Bench) -> None:
    photo = PhotoData(unique_id="a", activity=1, url=f"{bench.cdn.origin}/placeholder-photo@4x.png")
    assert await bench.files.fetch(bench.http, photo) is None
    assert bench.cdn.requests == []


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        (answering(status=500), UnavailableError, "status 500"),
        (answering(status=429), UnavailableError, "status 429"),
        (answering(status=403), NotFoundError, "status 403"),
        (answering(status=404), NotFoundError, "status 404"),
        (answering(status=302, headers={"Location": "/b.jpg"}), StravaError, "status 302"),
        (answering(text="<html>", content_type="text/html"), StravaError, "'text/html' is no picture"),
        (answering(text="<svg/>", content_type="image/svg+xml"), StravaError, "is no picture"),
        (answering(body=b"", content_type="image/jpeg"), UnavailableError, "it is empty"),
    ],
)
async def test_anything_but_a_picture_is_an_error_and_no_file(
    bench: Bench, answer: Handler, error: type[StravaError], reason: str
) -> None:
    bench.cdn.answers["/a.jpg"] = answer
    with pytest.raises(error, match=reason) as raised:
        await bench.fetch("a")
    assert type(raised.value) is error
    assert bench.on_disk() == []
    assert len(bench.cdn.requests) == 1


async def test_a_picture_that_is_cut_off_is_no_file(bench: Bench) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "image/jpeg"})
        await response.prepare(request)
        await response.write(JPEG)
        assert request.transport is not None
        request.transport.close()
        return response

    bench.cdn.answers["/a.jpg"] = cut
    with pytest.raises(UnavailableError, match=r"photo from 127\.0\.0\.1"):
        await bench.fetch("a")
    assert bench.on_disk() == []


async def test_a_picture_without_end_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "LARGEST", 200_000)

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "image/jpeg"})
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65_536)

    bench.cdn.answers["/a.jpg"] = endless
    with pytest.raises(StravaError, match="more than 200000 bytes"):
        await bench.fetch("a")
    assert bench.on_disk() == []


async def test_a_picture_larger_than_all_there_is_room_for_removes_no_other(bench: Bench) -> None:
    bench.files = bench.made(most_bytes=100)
    await bench.fetch("a")
    bench.cdn.answers["/b.jpg"] = answering(body=b"x" * 101, content_type="image/jpeg")
    with pytest.raises(StravaError, match="more than 100 bytes"):
        await bench.fetch("b", day=2)
    assert bench.on_disk() == ["a.jpg"]


async def test_a_server_that_says_nothing_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "SECONDS", 0.05)
    silence = asyncio.Event()

    async def silent(_: web.Request) -> web.StreamResponse:
        await silence.wait()
        return web.Response()

    bench.cdn.answers["/a.jpg"] = silent
    with pytest.raises(UnavailableError, match="Timeout"):
        await bench.fetch("a")
    silence.set()


async def test_no_server_and_no_session_are_told_without_the_address(bench: Bench) -> None:
    photo = bench.cdn.photo("a")
    await bench.cdn.server.close()
    with pytest.raises(UnavailableError, match="photo from") as raised:
        await bench.files.fetch(bench.http, photo)
    assert "a.jpg" not in str(raised.value)
    await bench.http.close()
    with pytest.raises(UnavailableError, match="no connections"):
        await bench.files.fetch(bench.http, photo)


@pytest.mark.parametrize(
    ("content_type", "ending"), [("image/png", "png"), ("IMAGE/WEBP", "webp"), ("image/heic", "heic")]
)
async def test_the_ending_says_what_kind_of_picture_it_is(bench: Bench, content_type: str, ending: str) -> None:
    bench.cdn.answers["/a.jpg"] = answering(body=JPEG, headers={"Content-Type": content_type})
    assert await bench.fetch("a") == bench.folder / f"a.{ending}"
