"""How the types of adapters are asked."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from jitney.adapters.base import Examination, Found
from jitney.daemon.config.schema import Config, HttpSettings
from jitney.daemon.service.doctor import adapters
from jitney.daemon.service.doctor.case import Case, Heard
from tests.daemon.running import Nothing, Played, config, running
from tests.daemon.service.doctor.examined import case, looked


class Told(Played):
    """A type that tells what it is told."""

    about: list[Examination] = []  # noqa: RUF012 - emptied by each test

    @staticmethod
    async def examine(config: Nothing, about: Examination) -> AsyncIterator[Found]:
        assert isinstance(config, Nothing)
        Told.about.append(about)
        yield Found("ok", "well")


class Hung(Played):
    """A type that hangs."""

    @staticmethod
    async def examine(config: Nothing, about: Examination) -> AsyncIterator[Found]:
        del config, about
        yield Found("ok", "begun")
        await asyncio.Event().wait()


def of_type(kind: type[Played], **options: object) -> Config:
    settings = config("mqtt://127.0.0.1:1", adapters={"porch": "alice"})
    changed = replace(settings.adapters["porch"], type=kind, **options)  # type: ignore[arg-type] - its fields
    public = HttpSettings(listen="127.0.0.1:0", public_url="https://bus.example.org/")
    return replace(settings, adapters={"porch": changed}, http=public)


async def told(of: Case, heard: Heard | None = None) -> list[Found]:
    (check,) = adapters.checks(of)
    assert check.what == "adapter porch"
    return await looked(check.look, of, heard or Heard())


async def test_a_type_is_told_who_there_is_and_where_it_is_reached() -> None:
    Told.about.clear()
    assert await told(case(of_type(Told))) == [Found("ok", "well")]
    (about,) = Told.about
    assert (about.name, list(about.owners), about.running, about.offline) == ("porch", ["alice"], False, False)
    assert about.public_url == "https://bus.example.org/porch"


async def test_a_type_is_told_that_a_daemon_has_the_connection(tmp_path: Path) -> None:
    Told.about.clear()
    Played.act = None
    online = Heard(reached=True, retained={"jitney/_bus/main/state": b'{"state":"online"}'})
    await told(case(of_type(Told), offline=True), online)
    async with running(of_type(Told), tmp_path):
        await told(case(of_type(Told), state=tmp_path))
    await told(case(of_type(Told), state=tmp_path))
    assert [(about.running, about.offline) for about in Told.about] == [(True, True), (True, False), (False, False)]


async def test_a_type_that_hangs_is_given_up_and_what_it_had_found_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "PATIENCE", 0.1)
    assert await told(case(of_type(Hung))) == [
        Found("ok", "begun"),
        Found("problem", "did not answer within 0.1 s", "see whether what it connects to hangs"),
    ]


async def test_a_type_that_cannot_be_examined_and_an_adapter_that_is_off_are_told() -> None:
    assert await told(case(of_type(Played))) == [Found("ok", "there is nothing to be tried of type played")]
    assert [one.text for one in await told(case(of_type(Told, enabled=False)))] == ["is not enabled"]
