"""All that is looked at, in the order in which it is told."""

from jitney.daemon.service.doctor import (
    adapters,
    broker,
    configuration,
    disk,
    machine,
    running,
    state,
    visibility,
    web,
)
from jitney.daemon.service.doctor.case import Case
from jitney.daemon.service.doctor.examination import Check, examine, in_thread
from jitney.daemon.service.doctor.findings import Finding

_ALWAYS = (
    Check("configuration", in_thread(configuration.look)),
    Check("machine", in_thread(machine.look)),
    Check("disk", in_thread(disk.look)),
    Check("state", in_thread(state.look)),
)


async def diagnose(case: Case) -> list[Finding]:
    """Look at everything; at what can be known without a configuration, where that is wrong."""
    if case.problems:
        return await examine(case, _ALWAYS)
    checks = [
        *_ALWAYS,
        Check("broker", broker.look),
        Check("bus", running.look),
        *adapters.checks(case),
        Check("web", web.look),
        Check("who sees what", visibility.look),
    ]
    return await examine(case, checks)
