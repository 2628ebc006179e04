"""Logins for a proof: devices that are made for it, and removed when it is done."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from secrets import token_hex

from jitney.daemon.access.devices import DynsecDevices
from jitney.daemon.access.dynsec import DynamicSecurity
from jitney.daemon.access.model import Model
from jitney.daemon.access.visitor import Login


@asynccontextmanager
async def borrowing(
    security: DynamicSecurity, model: Model, owners: Iterable[str]
) -> AsyncIterator[Mapping[str, Login]]:
    """Make a device for each owner, for as long as this lasts; raises what making one does."""
    devices = DynsecDevices(security, model)
    name = f"proof-{token_hex(4)}"
    made: dict[str, Login] = {}
    try:
        for owner in owners:
            made[owner] = await devices.add(owner, name, bound=False)
        yield made
    finally:
        for owner in made:
            await devices.revoke(owner, name)
