"""The Strava adapters of the running daemon, asked in the name of their owners."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from msgspec import Struct

from jitney.adapters.strava.grants import WRITE
from jitney.adapters.strava.signin import SCOPES
from jitney.adapters.strava.standing import Disconnected, Link, Standing
from jitney.daemon.cli.asking import Order, ask, data_of
from jitney.daemon.cli.common import UsageError
from jitney.daemon.config.schema import AdapterSettings, Config
from jitney.daemon.config.words import mean
from jitney.topics import HOUSE
from jitney.topics.owners import person

TYPE: Final = "strava"
"""The type of adapter that is meant, and the name that one has where no configuration tells."""

_NONE: Final = "no adapter of type strava: docs/strava.md shows how to add one"

S = TypeVar("S", bound=Struct)


class Desk:
    """Asks for the people of a configuration, or for anybody where it has none because only a broker was named.

    ``named`` is the adapter that the arguments name, empty when they leave it open; ``seconds`` is how long each reply
    may take. Methods raise UsageError for what the configuration does not have, else what asking the bus raises.
    """

    def __init__(self, config: Config, *, named: str, seconds: float) -> None:
        self._config = config
        self._named = named
        self._seconds = seconds

    def owners(self) -> list[str]:
        """Return everybody whom an adapter of type strava serves."""
        if not self._config.owners:
            raise UsageError("name the OWNER: no configuration tells here who there is")
        served = [owner for owner in self._config.owners if self._serving(owner)]
        if not served:
            raise UsageError(f"the configuration has {_NONE}")
        return served

    def adapter(self, owner: str) -> str:
        """Return the name of the adapter that serves an owner; raises InvalidOwnerError too."""
        config = self._config
        person(owner)
        if not (config.owners or config.adapters):
            return self._named or TYPE
        if owner not in config.owners:
            raise UsageError(f"there is no section [owners.{owner}] in the configuration{mean(owner, config.owners)}")
        names = [adapter.name for adapter in self._serving(owner)]
        if self._named in names or (not self._named and len(names) == 1):
            return self._named or names[0]
        if not names:
            raise UsageError(f"{owner} has {_NONE}")
        listed = ", ".join(names)
        if self._named:
            raise UsageError(f"{owner} has no adapter {self._named!r} of type strava, but {listed}")
        raise UsageError(f"{owner} has several adapters of type strava: name one of {listed} with --adapter")

    def wanted(self, owner: str) -> tuple[str, ...]:
        """Return the scopes for which Strava is asked, as far as is known here."""
        writes = any(getattr(adapter.config, "write", False) for adapter in self._serving(owner))
        return (*SCOPES, WRITE) if writes else SCOPES

    async def link(self, owner: str, *, local: bool, take_over: bool) -> Link:
        """Begin a sign-in."""
        return await self._ask(owner, "connect", {"local": local, "take_over": take_over}, kind=Link)

    async def finish(self, owner: str, address: str) -> Standing:
        """Finish a sign-in with the address to which Strava led the browser."""
        return await self._ask(owner, "connect", {"url": address}, kind=Standing)

    async def standing(self, owner: str) -> Standing:
        """Return how it stands with an owner."""
        return await self._ask(owner, "status", {}, kind=Standing)

    async def disconnect(self, owner: str) -> Disconnected:
        """End the permission of an owner, and erase what is kept."""
        return await self._ask(owner, "disconnect", {}, kind=Disconnected)

    async def _ask(self, owner: str, command: str, data: Mapping[str, Any], *, kind: type[S]) -> S:
        order = Order(owner=owner, adapter=self.adapter(owner), command=command, data=data, seconds=self._seconds)
        return data_of(await ask(self._config.mqtt, order), kind)

    def _serving(self, owner: str) -> list[AdapterSettings]:
        return [
            adapter
            for adapter in self._config.adapters.values()
            if adapter.type.name == TYPE and adapter.enabled and adapter.owner in (HOUSE, owner)
        ]
