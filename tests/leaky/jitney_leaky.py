"""An adapter as a careless third party would write it: every error of it has its token in it."""

import asyncio
import itertools
from typing import ClassVar

import aiohttp
from msgspec import Struct

from jitney.adapters.base import Context
from jitney.adapters.errors import DisconnectedError, MisconfiguredError, RefusedError, UnauthorisedError
from jitney.adapters.secret import Secret
from jitney.topics import Command, Reply

_turns = itertools.count()


class Settings(Struct, frozen=True, kw_only=True):
    token: Secret


class Leaky:
    name: ClassVar = "leaky"
    Config: ClassVar = Settings
    Identity: ClassVar = None
    durable: ClassVar = False
    kinds: ClassVar = ()

    def __init__(self, name: str, config: Settings) -> None:
        self._name = name
        self._token = config.token

    async def run(self, ctx: Context) -> None:
        """Fail in another way each time, with the token and one that is kept in the vault; at last stay."""
        token = self._token.reveal()
        kept = await ctx.vault.get("alice", "kept")
        if kept is None:
            kept = Secret(f"{token[:-8]}{'K' * 8}{token[-8:]}")
            await ctx.vault.put("alice", "kept", kept)
        url = f"https://bus:{token}@leaky.example/?key={kept.reveal()}"
        sentence = f"connecting to {url}"
        ctx.log.debug(sentence, token=token, url=url)
        match next(_turns):
            case 0:
                raise DisconnectedError(f"cannot reach {url}")
            case 1:
                raise aiohttp.InvalidURL(url)
            case 2:
                raise UnauthorisedError(f"401 from {url}", remedy=f"not {token}", link="https://leaky.example")
            case 3:
                raise RefusedError("leaky", f"it took {kept.reveal()} ill")
            case 4:
                raise DisconnectedError(f"gone: {kept!r} {token!r}") from aiohttp.InvalidURL(url)
        if self._name == "worse":
            raise MisconfiguredError(f"no {token} is right")
        ctx.online()
        await asyncio.Event().wait()

    async def command(self, command: Command) -> Reply:
        match command.name:
            case "refuse":
                raise RefusedError("leaky", f"not with {self._token.reveal()}")
            case "fail":
                raise DisconnectedError(f"gone with {self._token.reveal()}")
            case "tell":
                return Reply.ok({"token": self._token.reveal()})
        raise RuntimeError(f"crashed with {self._token.reveal()}")
