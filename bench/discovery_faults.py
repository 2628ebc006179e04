"""What Home Assistant shows while something is dead or gone, and after it has come back."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from bench.discovery_bench import SOON, Bench, settled, whose
from bench.discovery_house import RADIOS, ROOT
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
    """Kill the daemon as a power cut does, and start it again; of what a radio told lately it may forget the values."""
    before = await _dies(bench, "the daemon", bench.house.daemon.kill, gone=bench.house.bus_topic)
    await _returns(bench, "the killed daemon runs again", bench.house.start, before=before, values=False)


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

    before = await bench.steady()
    announced = dict(bench.announced)
    await _returns(bench, "the broker has lost everything", wipe, before=before)
    differing = [f"announced otherwise: {key[1]}" for key in announced if bench.announced.get(key) != announced[key]]
    bench.verdict.say("a broker that has lost everything is told the same", differing)


async def restarted_daemon(bench: Bench) -> None:
    """End the daemon in good order, and start it again."""
    before = await _dies(bench, "the stopped daemon", bench.house.stop, gone=bench.house.bus_topic)
    await _returns(bench, "the stopped daemon runs again", bench.house.start, before=before)


async def restarted_home(bench: Bench, command: str) -> None:
    """Run the command that restarts Home Assistant."""

    async def restart() -> None:
        await _run(command)
        await bench.open()

    await _returns(bench, "Home Assistant has restarted", restart, before=await bench.steady())


async def deleted_device(bench: Bench) -> None:
    """Delete a device through which none came in Home Assistant, which then clears its announcement at the broker."""
    before = await bench.steady()
    parents = {entity.traits.via for entity in before.values()}
    device = next(
        entity.entry
        for key, entity in before.items()
        if whose(key) == ("alice", "strava") and entity.traits.device not in parents
    )
    await bench.delete(device)
    number = len(changes(before, await bench.look()))
    await bench.quiet()
    seconds, problems = await settled(lambda: bench.same(before), within=SOON)
    if not number:
        problems = ["it was not deleted", *problems]
    what = "a device was deleted in Home Assistant"
    bench.verdict.say(f"{what}: its {number} entities are back", problems, seconds=seconds)
    bench.complaints(what, removing=True)


async def node_without_configuration(bench: Bench) -> None:
    """Take one of alice's nodes out of the configuration."""
    await _taken_out(bench, "a node", _without_cabin(bench, "alice"))


async def node_taken_out_unseen(bench: Bench, stop_command: str, start_command: str) -> None:
    """Take one of bob's nodes out of the configuration while Home Assistant does not run."""
    theirs = _without_cabin(bench, "bob")
    before = await bench.steady()
    await _run(stop_command)
    await bench.house.stop()
    await bench.house.start()
    await bench.quiet()
    await _run(start_command)
    await bench.open()
    await _gone(bench, "a node, while Home Assistant was away,", before, theirs=theirs, within=BY_ITSELF)


async def owner_without_configuration(bench: Bench) -> None:
    """Take bob and his radio out of the configuration."""
    bench.house.owners.remove("bob")
    await _taken_out(bench, "an owner", lambda key: whose(key)[0] == "bob")


async def _dies(bench: Bench, what: str, end: Callable[[], Awaitable[object]], *, gone: str) -> dict[Key, Shown]:
    """End something; check that what needs the topic ``gone`` (none: all) is unavailable. Returns what was."""
    before = await bench.steady()
    await end()

    async def wrong() -> list[str]:
        return availability(before, await bench.look(), bench.announced, gone=gone)

    seconds, problems = await settled(wrong, within=SOON)
    number = sum(entity.available and bench.announced[key].waits_for(gone) for key, entity in before.items())
    if not number:
        problems = ["there are none", *problems]
    bench.verdict.say(f"{what} is gone: just the {number} that need it are unavailable", problems, seconds=seconds)
    return before


async def _returns(
    bench: Bench,
    what: str,
    begin: Callable[[], Awaitable[object]],
    *,
    before: Mapping[Key, Shown],
    within: float = SOON,
    values: bool = True,
) -> None:
    """Let something be there again, and check that everything is as it was ``before``."""
    await begin()
    seconds, problems = await settled(lambda: bench.same(before, values=values), within=within)
    bench.verdict.say(f"{what}: the same {len(before)} entities", problems, seconds=seconds)
    bench.complaints(what)


async def _taken_out(bench: Bench, what: str, theirs: Callable[[Key], bool]) -> None:
    """Start the daemon with a smaller configuration, and check that the entities of what is missing are gone."""
    before = await bench.steady()
    await bench.house.stop()
    await bench.house.start()
    await _gone(bench, what, before, theirs=theirs)


async def _gone(
    bench: Bench, what: str, before: Mapping[Key, Shown], *, theirs: Callable[[Key], bool], within: float = SOON
) -> None:
    """Check that of the entities ``before`` exactly those that were ``theirs`` go."""
    expected = {key: entity for key, entity in before.items() if not theirs(key)}
    seconds, problems = await settled(lambda: bench.same(expected), within=within)
    number = len(before) - len(expected)
    if not number:
        problems = [f"{what} had no entities", *problems]
    bench.verdict.say(f"{what} out of the configuration: exactly its {number} entities go", problems, seconds=seconds)
    bench.complaints(f"{what} out of the configuration", removing=True)


def _without_cabin(bench: Bench, owner: str) -> Callable[[Key], bool]:
    """Take a node out of the next configuration; returns what tells its entities."""
    cabin = bench.house.cabins[owner]
    bench.house.nodes[owner].remove(cabin.id)
    return lambda key: f"{cabin.number:08x}" in key[1]


async def _run(command: str) -> None:
    process = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.DEVNULL)
    if await process.wait():
        message = f"{command!r} failed with exit status {process.returncode}"
        raise LabError(message)
