"""What can be asked about people while the bus runs: how their adapters are doing, and who is nobody's."""

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Raw, Struct

from jitney.adapters.errors import RefusedError
from jitney.daemon.config.schema import Config
from jitney.daemon.delivery.administration import Handler
from jitney.daemon.owners.identities import Identities
from jitney.daemon.owners.unclaimed import Stranger, Unclaimed
from jitney.daemon.supervision.resting import Rest
from jitney.daemon.supervision.runner import Runner
from jitney.daemon.supervision.status import Status
from jitney.topics import JitneyError, owners


class Strangers(Struct, frozen=True):
    """The answer to `unclaimed`: those that were met last first."""

    unclaimed: tuple[Stranger, ...] = ()


class Statuses(Struct, frozen=True):
    """The answer to `owner_status`: how each adapter is doing, by owner and adapter."""

    owners: Mapping[str, Mapping[str, Status]] = {}


class _Named(Struct, frozen=True, forbid_unknown_fields=True):
    owner: str = ""


class PeopleRequests:
    """Answers requests about the people of now; ``config`` returns the configuration that is in force."""

    def __init__(
        self, config: Callable[[], Config], unclaimed: Unclaimed, *, runners: Mapping[str, Runner], rest: Rest
    ) -> None:
        self._config = config
        self._unclaimed = unclaimed
        self._runners = runners
        self._rest = rest

    def handlers(self) -> dict[str, Handler]:
        """Return what can be asked, by name."""
        return {"unclaimed": self.strangers, "owner_status": self.statuses}

    async def strangers(self, data: Raw) -> Strangers:
        """Return who was met and is nobody's; raises RefusedError for a request with anything in it."""
        if _read(data).owner:
            raise RefusedError("invalid", "who is nobody's has no owner: leave owner out")
        return Strangers(tuple(self._unclaimed.all(claimed=Identities(self._config()).claims())))

    async def statuses(self, data: Raw) -> Statuses:
        """Return how the adapters of an owner, or of everybody, are doing; raises RefusedError."""
        wanted = _read(data).owner
        boards = {name: runner.board for name, runner in self._runners.items()} | self._rest.boards
        found: dict[str, dict[str, Status]] = {}
        for name, board in boards.items():
            for owner in board.owners:
                if wanted in ("", owner):
                    found.setdefault(owner, {})[name] = board.of(owner)
        return Statuses(found)


def _read(data: Raw) -> _Named:
    try:
        named = msgspec.json.decode(data, type=_Named)
        return named if not named.owner else _Named(owners.owner(named.owner))
    except (msgspec.MsgspecError, JitneyError) as error:
        raise RefusedError("invalid", str(error)) from error
