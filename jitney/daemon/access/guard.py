"""The guard: proves again and again, from the daemon, that the broker keeps owners apart, and raises an alert."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from jitney.daemon.config.resting import resting
from jitney.daemon.config.schema import Config
from jitney.daemon.counters import Counters
from jitney.daemon.log import Decay, get
from jitney.daemon.supervision.status import StatusBoard
from jitney.topics import HOUSE, JitneyError

BOARD: Final = "_access"
"""The name under which alerts are raised, which no adapter can have."""

WALLS: Final = "walls"
"""The alert that something is open which should not be, or that the proof of it cannot be made."""

DAY: Final = 86_400.0
AGAIN: Final = 300.0
"""Seconds after which a proof that could not be made is tried again."""

_NAMED: Final = 3
_log = get("access")


class Guard:
    """Proves as `[access] verify` wants it. ``ready`` returns as soon as the bus is at the broker."""

    def __init__(
        self, config: Config, board: StatusBoard, *, ready: Callable[[], Awaitable[object]], counters: Counters
    ) -> None:
        self._config = config
        self._board = board
        self._ready = ready
        self._counters = counters
        self._changed = asyncio.Event()
        self._decay = Decay(_log)

    def use(self, config: Config) -> None:
        """Do as another configuration wants it, from now on."""
        if (config.access, config.owners) != (self._config.access, self._config.owners):
            self._changed.set()
        self._config = config

    async def run(self) -> None:
        """Prove when it is due; cancelled to stop it."""
        while True:
            self._changed.clear()
            pause = None if self._config.access.verify == "off" else await self._turn()
            try:
                async with asyncio.timeout(pause):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _turn(self) -> float | None:
        """Prove once, tell what came of it, and return after how many seconds to do it again."""
        await self._ready()
        pause = DAY if self._config.access.verify == "daily" else None
        try:
            message = await self._proved()
        except JitneyError as error:
            message, pause = f"it cannot be proved that the broker keeps owners apart: {error}", AGAIN
        if not message:
            self._decay.over("the walls between owners are proved again")
            self._board.resolve(HOUSE, WALLS)
            return pause
        self._counters.add("walls", owner=HOUSE, adapter=BOARD, reason="open")
        self._decay.failed("the walls between owners are not proved", reason=message)
        self._board.alert(HOUSE, WALLS, message=message)
        return pause

    async def _proved(self) -> str:
        """Try everything, and return what is not as it should be, in words; empty when all is. Raises JitneyError."""
        from jitney.daemon.access.model import model  # noqa: PLC0415 - memory for those who have it proved
        from jitney.daemon.access.proofs import broken, verdict  # noqa: PLC0415
        from jitney.daemon.access.prove import prove  # noqa: PLC0415
        from jitney.daemon.access.visitor import Login  # noqa: PLC0415

        config = self._config
        given = {
            owner: Login(login.username, login.password, login.client_id)
            for owner, login in config.access.logins.items()
            if owner not in resting(config)  # who is not let in
        }
        proofs = await prove(config.mqtt, model(config), given)
        wrong = broken(proofs)
        if not wrong:
            _log.info("the walls between owners hold", tried=verdict(proofs))
            return ""
        named = [f"{one.owner}: {one.attempt}: {one.how}" for one in wrong[:_NAMED]]
        more = [f"and {len(wrong) - _NAMED} more"] if len(wrong) > _NAMED else []
        return f"the broker does not keep owners apart: {'; '.join(named + more)}. `jitney acl verify` tells all"
