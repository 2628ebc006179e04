"""Lets people rest and work again while the bus runs, without anybody else noticing."""

from collections.abc import Mapping

from jitney.daemon.broker.ledger import GONE, Ledger
from jitney.daemon.config.resting import at_rest, resting, why
from jitney.daemon.config.schema import Config
from jitney.daemon.delivery.bus import Bus
from jitney.daemon.delivery.commands import Commands
from jitney.daemon.delivery.reception import Reception
from jitney.daemon.supervision.runner import Runner
from jitney.daemon.supervision.status import StatusBoard
from jitney.topics import TopicTree


class Rest:
    """Tells every part of the bus who rests; the adapters of such a person are shown to them as offline.

    What is retained of those adapters stays. ``use`` comes once old runners have ended and new ones are built.
    """

    def __init__(
        self,
        tree: TopicTree,
        ledger: Ledger,
        *,
        bus: Bus,
        commands: Commands,
        reception: Reception,
        runners: Mapping[str, Runner],
    ) -> None:
        self._tree = tree
        self._ledger = ledger
        self._bus = bus
        self._commands = commands
        self._reception = reception
        self._runners = runners
        self.boards: dict[str, StatusBoard] = {}
        """How the adapters that do not run because of it are shown, by name."""

    def use(self, config: Config) -> None:
        """Do as a configuration wants it, from now on."""
        away = resting(config)
        self._commands.resting = self._reception.resting = away
        self._bus.rest(away)
        for runner in self._runners.values():
            runner.board.rest(away)
        self._show(at_rest(config), config)

    def _show(self, adapters: Mapping[str, str], config: Config) -> None:
        """Publish that these adapters are offline, and take back what is left of those that are not there any more."""
        for name in [name for name in self.boards if name not in adapters]:
            board = self.boards.pop(name)
            adapter = config.adapters.get(name)
            if adapter is None or not adapter.enabled:
                self._clear(name, board)
        for name, owner in adapters.items():
            if name not in self.boards:
                self.boards[name] = StatusBoard(self._tree, self._ledger, adapter=name, owners=[owner])
                self.boards[name].set("offline", why(owner))

    def _clear(self, adapter: str, board: StatusBoard) -> None:
        board.withdraw()
        for topic, line in list(self._ledger.lines.items()):
            if line.adapter == adapter:
                self._ledger.put(topic, GONE, owner=line.owner, adapter=adapter)
