"""Errors of other people's code, with a secret in their text: nobody is told it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from jitney.adapters.base import Context
from jitney.adapters.errors import DisconnectedError, MisconfiguredError, RefusedError, UnauthorisedError
from jitney.adapters.secret import Secret
from jitney.daemon import log
from jitney.topics import Command, Reply
from tests.daemon.running import Observer, Played, config, observing, payload, running
from tests.fakes.mosquitto import Broker
from tests.waiting import until

TOKEN = "canary-7d1f3ab09e-0123456789"


@pytest.fixture(autouse=True)
def known() -> Iterator[None]:
    yield
    log.reset()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DisconnectedError(f"refused {TOKEN}"), "refused ••••6789"),
        (ValueError(f"https://bus:{TOKEN}@example.org"), "https://••••6789@example.org"),
        (UnauthorisedError(f"401 for {TOKEN}", remedy=f"replace {TOKEN}"), "401 for ••••6789"),
        (MisconfiguredError(f"no {TOKEN}"), "no ••••6789"),
        (RefusedError("x", f"{TOKEN} is wrong"), "••••6789 is wrong"),
    ],
)
async def test_the_status_and_the_alert_say_why_without_the_secret(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, error: Exception, said: str
) -> None:
    async def act(_: Played, ctx: Context) -> None:
        await ctx.vault.put("alice", "token", Secret(TOKEN))
        raise error

    monkeypatch.setattr(Played, "act", act)
    async with observing(broker.port) as observer, running(config(broker.url, adapters={"one": "alice"}), tmp_path):
        await observer.until(lambda: said in everything(observer, "jitney/alice/status/one"))
        if isinstance(error, UnauthorisedError | MisconfiguredError):
            await observer.until(lambda: said in everything(observer, "jitney/alice/alert/"))
        assert TOKEN not in everything(observer, "")


@pytest.mark.parametrize("error", [RefusedError("no", f"no {TOKEN}"), DisconnectedError(f"no {TOKEN}")])
async def test_the_reply_to_a_command_says_why_without_the_secret(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def act(_: Played, ctx: Context) -> None:
        await ctx.vault.put("alice", "token", Secret(TOKEN))
        ctx.online()
        await asyncio.Event().wait()

    async def command(_: Played, command: Command) -> Reply:
        assert command.name == "try"
        raise error

    monkeypatch.setattr(Played, "act", act)
    monkeypatch.setattr(Played, "command", command)
    settings = config(broker.url, adapters={"one": "alice"})
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await until(lambda: daemon.context("one").is_online)
        await observer.publish("jitney/alice/command/one/try", b'{"transaction":"7"}')
        reply = msgspec.json.decode(payload(await observer.message("jitney/alice/reply/_/7")))
        assert reply["error"]["message"] == "no ••••6789"
        assert reply["error"]["code"] == ("no" if isinstance(error, RefusedError) else "failed")


def everything(observer: Observer, prefix: str) -> str:
    return " ".join(payload(one).decode() for one in observer.messages if str(one.topic).startswith(prefix))
