"""The adapters: each type knows what to look at, and how to do so without a running daemon noticing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final, cast

from jitney.adapters.base import Examination, Found
from jitney.daemon.config.resting import resting, why
from jitney.daemon.config.schema import AdapterSettings
from jitney.daemon.owners.registry import Owners
from jitney.daemon.service.doctor.case import Case
from jitney.daemon.service.doctor.examination import Check
from jitney.daemon.service.doctor.running import bus_state

PATIENCE: Final = 12.0
"""Seconds that the type of an adapter may take."""

_Examine = Callable[[object, Examination], AsyncIterator[Found]]


def checks(case: Case) -> list[Check]:
    """Return a check for each adapter of the configuration."""
    return [Check(f"adapter {adapter.name}", _looking(adapter)) for adapter in case.config.adapters.values()]


def _looking(settings: AdapterSettings) -> Callable[[Case], AsyncIterator[Found]]:
    async def look(case: Case) -> AsyncIterator[Found]:
        examine = getattr(settings.type, "examine", None)
        if not settings.enabled:
            yield Found("note", "is not enabled", f"adapters.{settings.name}.enabled = true lets it run")
        elif settings.owner in resting(case.config):
            yield Found("note", f"is not run, because {why(settings.owner)}")
        elif not callable(examine):
            yield Found("ok", f"there is nothing to be tried of type {settings.type.name}")
        else:
            about = await _about(settings, case)
            try:
                async with asyncio.timeout(PATIENCE):
                    async for found in cast("_Examine", examine)(settings.config, about):
                        yield found
            except TimeoutError:
                remedy = "see whether what it connects to hangs"
                yield Found("problem", f"did not answer within {PATIENCE:g} s", remedy)

    return look


async def _about(settings: AdapterSettings, case: Case) -> Examination:
    running = case.runs_here() or bus_state(case, await case.heard()) == "online"
    public_url = case.config.http.public_url.rstrip("/")
    return Examination(
        name=settings.name,
        owners=Owners(case.config.owners).seen_by(settings),
        public_url=f"{public_url}/{settings.name}" if public_url and case.config.http.listen else "",
        running=running,
        offline=case.offline,
    )
