"""Carrying out checks: side by side, each within a deadline, and none can bring down the others or tell a secret."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from jitney.adapters.base import Found
from jitney.daemon.config.problems import one_line
from jitney.daemon.log import mask
from jitney.daemon.service.doctor.aside import Aside
from jitney.daemon.service.doctor.case import Case, Heard
from jitney.daemon.service.doctor.findings import Finding, about
from jitney.topics import JitneyError

DEADLINE: Final = 25.0
"""Seconds that a check may take, together with what it waits for."""

Looking = Callable[[Case], AsyncIterator[Found]]

_REPORT: Final = "run it again; if it says so again, report it"


class Check(Struct, frozen=True):
    """Something to be looked at; ``what`` is the heading of its findings."""

    what: str
    look: Looking


def in_thread(look: Callable[[Case], Iterator[Found]]) -> Looking:
    """Return a check of what is looked at without asyncio: files, which can take long."""

    async def looking(case: Case) -> AsyncIterator[Found]:
        for found in await asyncio.to_thread(lambda: list(look(case))):
            yield found

    return looking


async def examine(case: Case, checks: Sequence[Check], *, seconds: float = DEADLINE) -> list[Finding]:
    """Carry out checks and return what they found, in their order. Replaces the default executor of the loop."""
    asyncio.get_running_loop().set_default_executor(Aside())
    if case.offline:
        case.tell(Heard())
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_carried_out(check, case, seconds), name=f"doctor: {check.what}") for check in checks
        ]
    return [finding for task in tasks for finding in task.result()]


async def _carried_out(check: Check, case: Case, seconds: float) -> list[Finding]:
    found: list[Found] = []
    try:
        async with asyncio.timeout(seconds):
            async for one in check.look(case):
                found.append(one)  # noqa: PERF401 - what was found before it hangs or fails is told too
    except TimeoutError:
        found.append(Found("problem", f"was not done within {seconds:g} s", "something hangs there"))
    except JitneyError as error:
        found.append(Found("problem", str(error)))
    except Exception as error:  # noqa: BLE001 - a fault of one check is a finding of its own, and the others go on
        found.append(Found("problem", f"could not be looked at: {_fault(error)}", "this is a fault of the doctor"))
    return about(check.what, map(_harmless, found))


def _harmless(found: Found) -> Found:
    """Return what was found on one line and without a secret, whoever wrote the words."""
    return Found(found.level, one_line(mask(found.text)), one_line(mask(found.remedy)))


def _fault(error: Exception) -> str:
    """Return what sort of error it is and where it came from; its text could have anything in it."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}"
