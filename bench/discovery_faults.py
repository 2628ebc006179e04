"""What Home Assistant shows while something is dead or gone, and after it has come back."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from bench.discovery_bench import SOON, Bench, settled, whose
from bench.discovery_house import BUS, RADIOS, ROOT
from bench.home_entities import Key, Shown, availability, changes
from bench.lab import LabError

BY_ITSELF: Final = 60.0
"""Seconds until an adapter must have found its radio again: it waits longer after every failure."""


async def dead_radio(bench: Bench) -> None:
    """Let alice's radio refuse everybody, and accept again."""
    radio = bench.house.radios["alice"]
    before = await _dies(bench, "alice's radio", radio.refuse, gone=f"{ROOT}/alice/status/{RADIOS['alice']}")
    await _returns(bench, "alice's radio accepts again", radio.accept, before=before, within=BY_ITSELF)


async def dead_daemon(bench: Bench) -> None:
    """Kill the daemon as a power cut does, and start it again."""
    before = await _dies(bench, "the daemon", bench.house.daemon.kill, gone=BUS)
    await _returns(bench, "the killed daemon runs again", bench.house.start, before=before)


async def dead_broker(bench: Bench) -> None:
    """Kill the broker, and start it again with what it kept."""
    before = await _dies(bench, "the broker", bench.house.broker.kill, gone="")
    await _returns(bench, "the killed broker runs again", bench.house.broker.start, before=before)


async def wiped_broker(bench: Bench) -> None:
    """Kill the broker, and start it again with nothing."""

    async def wipe() -> None:
        await bench.house.broker.kill()
        bench.house.broker.wipe()
        await bench.house.broker.start()

    before = await bench.look()
    announced = dict(bench.announced)
    await _returns(bench, "the broker has lost everything", wipe, before=before)
    differing = [f"announced otherwise: {key[1]}" for key in announced if bench.announced.get(key) != announced[key]]
    bench.verdict.say("a broker that has lost everything is told the same", differing)


async def restarted_daemon(bench: Bench) -> None:
    """End the daemon in good order, and start it again."""
    before = await _dies(bench, "the stopped daemon", bench.house.stop, gone=BUS)
    await _returns(bench, "the stopped daemon runs again", bench.house.start, before=before)


async def restarted_home(bench: Bench, command: str) -> None:
    """Run the command that restarts Home Assistant."""

    async def restart() -> None:
        process = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.DEVNULL)
        if await process.wait():
            message = f"the restart command failed with exit status {process.returncode}"
            raise LabError(message)
        await bench.open()

    await _returns(bench, "Home Assistant has restarted", restart, before=await bench.look())


async def node_without_configuration(bench: Bench) -> None:
    """Take one of alice's nodes out of the configuration."""
    cabin = bench.house.cabins["alice"]
    bench.house.nodes["alice"].remove(cabin.id)
    await _taken_out(bench, "a node", lambda key: f"{cabin.number:08x}" in key[1])


async def owner_without_configuration(bench: Bench) -> None:
    """Take bob and his radio out of the configuration."""
    bench.house.owners.remove("bob")
    await _taken_out(bench, "an owner", lambda key: whose(key)[0] == "bob")


async def _dies(bench: Bench, what: str, end: Callable[[], Awaitable[object]], *, gone: str) -> dict[Key, Shown]:
    """End something; check that what needs the topic ``gone`` (none: all) is unavailable. Returns what was."""
    before = await bench.look()
    await end()

    async def wrong() -> list[str]:
        return availability(before, await bench.look(), bench.announced, gone=gone)

    seconds, problems = await settled(wrong, within=SOON)
    bench.verdict.say(f"{what} is gone: what needs it is unavailable, and nothing else", problems, seconds=seconds)
    return before


async def _returns(
    bench: Bench,
    what: str,
    begin: Callable[[], Awaitable[object]],
    *,
    before: Mapping[Key, Shown],
    within: float = SOON,
) -> None:
    """Let something be there again, and check that everything is as it was ``before``."""
    await begin()
    seconds, problems = await settled(lambda: bench.same(before), within=within)
    bench.verdict.say(f"{what}: the same {len(before)} entities", problems, seconds=seconds)
    bench.complaints(what)


async def _taken_out(bench: Bench, what: str, theirs: Callable[[Key], bool]) -> None:
    """Start the daemon with a smaller configuration, and check that the entities of what is missing are gone."""
    before = await bench.look()
    expected = {key: entity for key, entity in before.items() if not theirs(key)}
    await bench.house.stop()
    await bench.house.start()

    async def wrong() -> list[str]:
        return changes(expected, await bench.look()) or await bench.differs()

    seconds, problems = await settled(wrong, within=SOON)
    number = len(before) - len(expected)
    if not number:
        problems = [f"{what} had no entities", *problems]
    bench.verdict.say(f"{what} out of the configuration: exactly its {number} entities go", problems, seconds=seconds)
    bench.complaints(f"{what} out of the configuration", removing=True)
