"""What one radio's adapter remembers over its attempts, and loses with the process."""

from jitney.adapters.meshtastic.airtime import Airtime
from jitney.adapters.meshtastic.autoreply import Guard
from jitney.adapters.meshtastic.config import Config
from jitney.adapters.meshtastic.pacing import Pacing
from jitney.adapters.meshtastic.packet_log import PacketLog
from jitney.adapters.meshtastic.rivals import Rivals
from jitney.adapters.meshtastic.timing import Timing


class Memory:
    """How fast the radio was spoken to, how busy its air was, who else takes it, what was heard last and answered."""

    def __init__(self, config: Config) -> None:
        self.timing = Timing()
        self.rivals = Rivals(self.timing.now)
        self.pacing = Pacing(config.limits)
        self.airtime = Airtime(config.limits)
        self.guard = Guard(config.limits, self.airtime)
        self._packets = config.packets
        self._log: PacketLog | None = None

    def log(self, owner: str) -> PacketLog:
        """Return the log of the radio's packets, which is its ``owner``'s."""
        if self._log is None:
            self._log = PacketLog(owner, most=self._packets)
        return self._log
