"""A house that tells a real Home Assistant about itself, and what both say of it at any moment."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from bench.discovery_house import PREFIX, RADIOS, ROOT, DiscoveryHouse
from bench.home_client import HomeClient, running
from bench.home_entities import Key, Shown, Told, changes, differences, entry_ids, shown, strays, told
from bench.home_log import HomeLog, naming
from bench.lab import LabError
from bench.record import Recorder, retained

OURS: Final = f"{ROOT}."
"""Begins every identifier and unique id of ours."""

SOON: Final = 15.0
AT_FIRST: Final = 30.0
RECONNECT_SECONDS: Final = 60.0
RUNNING_SECONDS: Final = 180.0
POLL_SECONDS: Final = 0.2
QUIET_SECONDS: Final = 3.0
SETTLED_SECONDS: Final = 12.0
"""A radio announces what it has learnt of its nodes every 10 s at most."""

FEWEST: Final = 2
"""Entities that everybody has of a radio and of Strava, at least."""

_SHOWN_PROBLEMS: Final = 10
_FIRST_WITH_NOTIFY: Final = [2024, 5]
_OWNER, _ADAPTER = 2, 3
_CLEANED: Final = "No device components to cleanup for "
"""Home Assistant before 2026.11 clears the topic of a device with disabled entities itself, and complains of that."""


class Verdict:
    """The checks so far, printed as they are made."""

    def __init__(self) -> None:
        self.broken = 0

    def say(self, what: str, problems: list[str], *, seconds: float | None = None) -> None:
        """Print one check: it holds when there are no problems."""
        took = "" if seconds is None else f" ({seconds:.1f} s)"
        print(f"{'FAIL' if problems else 'ok  '}  {what}{took}", flush=True)
        for problem in problems[:_SHOWN_PROBLEMS]:
            print(f"        {problem}")
        if len(problems) > _SHOWN_PROBLEMS:
            print(f"        … and {len(problems) - _SHOWN_PROBLEMS} more")
        self.broken += bool(problems)


class Bench:
    """The house, Home Assistant as an administrator sees it, and the verdict; all of it up inside ``async with``."""

    def __init__(self, peer: Mapping[str, Any], folder: Path, log: HomeLog, *, per_component: bool = False) -> None:
        self.house = DiscoveryHouse(folder, broker=peer["mqtt_port"], per_component=per_component)
        self.verdict = Verdict()
        self.announced: dict[Key, Told] = {}
        self._peer = peer
        self._unknown = unknown_platforms(peer.get("version", ""))
        self.usable = {"button", "notify"} - self._unknown
        self._log = log
        self._names = {ROOT}
        self._stack = AsyncExitStack()
        self._client: HomeClient | None = None

    async def __aenter__(self) -> Self:
        _must_be_free(self.house.broker.port)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._close)
            await self.open()
            await stack.enter_async_context(self.house)
            await self._reconnected()
            await self._forget_earlier_runs()
            await self.quiet()
            self._log.news()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def client(self) -> HomeClient:
        """The connection to Home Assistant."""
        if self._client is None:
            raise LabError("not connected to Home Assistant")
        return self._client

    async def open(self) -> None:
        """Connect to Home Assistant as soon as it runs, anew if need be."""
        await self._close()
        client = await running(self._peer["url"], self._peer["admin_token"], within=RUNNING_SECONDS)
        self._client = await client.__aenter__()

    async def introduce(self) -> None:
        """Start the daemon for the first time, and check that everything is shown as it is announced."""
        await self.house.start()
        await self.house.sign_in()
        self.house.speak(self.house.owners)
        await self.quiet(SETTLED_SECONDS)
        seconds, problems = await settled(self.differs, within=AT_FIRST)
        platforms = Counter(entity.platform for entity in self.announced.values())
        listed = ", ".join(f"{number} {platform}" for platform, number in sorted(platforms.items()))
        self.verdict.say(f"{len(self.announced)} entities are as announced: {listed}", problems, seconds=seconds)
        self.verdict.say("everybody has entities of everything", few(self.announced))
        self.complaints("introduced")

    async def quiet(self, seconds: float = QUIET_SECONDS) -> None:
        """Wait until nothing has been announced for so long."""
        async with Recorder(self.house.broker.port, f"{PREFIX}/#", lambda _topic, _payload: None) as heard:
            await heard.quiet(seconds)

    async def delete(self, device: str) -> None:
        """Delete a device, by its id in the registry, as a person does in Home Assistant."""
        await self.client.ask(
            "config/device_registry/remove_config_entry",
            device_id=device,
            config_entry_id=self._peer["mqtt_entry_id"],
        )

    async def look(self) -> dict[Key, Shown]:
        """Return the entities of ours that Home Assistant has."""
        found = await shown(self.client, OURS)
        self._names |= {entity.entity_id for entity in found.values()}
        return found

    async def steady(self) -> dict[Key, Shown]:
        """Return the entities of ours as soon as they are what is announced, at the latest after a while."""
        await settled(self.differs, within=SOON)
        return await self.look()

    async def differs(self) -> list[str]:
        """Return how what is shown differs from what is announced now."""
        held = await retained(self.house.broker.port, PREFIX)
        found = told({topic: raw for topic, raw in held.items() if topic.endswith("/config")})
        self.announced = {key: entity for key, entity in found.items() if entity.platform not in self._unknown}
        problems = differences(self.announced, await self.look())
        return problems + [f"nobody announces {device}" for device in await strays(self.client, OURS, self.announced)]

    async def same(self, before: Mapping[Key, Shown], *, values: bool = True) -> list[str]:
        """Return what is not as it was, or not as it is announced; without ``values`` one may be unknown."""
        return changes(before, await self.look(), values=values) or await self.differs()

    def complaints(self, when: str, *, removing: bool = False) -> None:
        """Check that nothing in the log since the last time is about us."""
        about_us = naming(self._log.news(), self._names)
        if removing:
            about_us = [record for record in about_us if _CLEANED not in record]
        self.verdict.say(f"no complaint in the log names us: {when}", [record[:1000] for record in about_us])

    async def tidy(self) -> None:
        """Take everything back, and check that nothing is left."""
        await self.house.stop()
        await self.house.clear({entity.topic for entity in self.announced.values()})

        async def left() -> list[str]:
            return [f"still there: {entity.entity_id}" for entity in (await self.look()).values()]

        seconds, problems = await settled(left, within=SOON)
        self.verdict.say("with its announcements cleared everything is gone", problems, seconds=seconds)

    async def _reconnected(self) -> None:
        """Wait until Home Assistant is connected to the broker, which it says."""
        births: list[bytes] = []
        async with Recorder(
            self.house.broker.port, f"{PREFIX}/status", lambda _topic, payload: births.append(payload)
        ) as heard:
            if not await heard.until(lambda: b"online" in births, patience=RECONNECT_SECONDS):
                message = f"Home Assistant did not connect to port {self.house.broker.port} within a minute"
                raise LabError(message)

    async def _forget_earlier_runs(self) -> None:
        """Remove what Home Assistant still remembers of a program that was interrupted."""
        for device in await entry_ids(self.client, OURS):
            await self.delete(device)
        if found := await self.look():
            message = f"Home Assistant has entities of ours that cannot be removed: {sorted(found)[:3]}"
            raise LabError(message)

    async def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.__aexit__(None, None, None)


async def settled(problems: Callable[[], Awaitable[list[str]]], *, within: float) -> tuple[float, list[str]]:
    """Ask until there are no problems; returns the seconds that took, and those that are left in the end."""
    began = time.monotonic()
    while True:
        try:
            found = await problems()
        except (OSError, LabError) as error:
            found = [f"{type(error).__name__}: {error}"]
        seconds = time.monotonic() - began
        if not found or seconds > within:
            return seconds, found
        await asyncio.sleep(POLL_SECONDS)


def unknown_platforms(version: str) -> set[str]:
    """Return the platforms of ours that a version of Home Assistant does not know, none of them for an empty one."""
    released = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    return {"notify"} if released and released < _FIRST_WITH_NOTIFY else set()


def whose(key: Key) -> tuple[str, str]:
    """Return the owner and the adapter of an entity, both empty for one of the bus itself."""
    parts = key[1].partition("..")[0].split(".")
    return (parts[_OWNER], parts[_ADAPTER]) if len(parts) > _ADAPTER else ("", "")


def few(announced: Mapping[Key, Told]) -> list[str]:
    """Return what too few entities are announced of, in words."""
    have = Counter(map(whose, announced))
    wanted = [(owner, adapter) for owner, radio in RADIOS.items() for adapter in (radio, "strava")]
    return [
        f"{owner} has {have[owner, adapter]} entities of {adapter}"
        for owner, adapter in wanted
        if have[owner, adapter] < FEWEST
    ] + ([] if have["", ""] else ["the bus has no entities"])


def _must_be_free(port: int) -> None:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            message = f"something answers at port {port}: stop that broker, this program starts one there itself"
            raise LabError(message)
