"""What one adapter keeps in memory from one attempt to the next."""

from jitney.adapters.homeassistant.causes import Causes
from jitney.adapters.homeassistant.config import Config
from jitney.adapters.homeassistant.house import House
from jitney.adapters.homeassistant.oddities import Oddities


class Memory:
    """The house as it was last told, who caused what, and what was complained of already."""

    def __init__(self, config: Config) -> None:
        self.house = House(config)
        self.causes = Causes()
        self.oddities = Oddities()
        self._said: set[str] = set()

    def first_time(self, complaint: str) -> bool:
        """Tell whether a complaint is made for the first time."""
        if complaint in self._said:
            return False
        self._said.add(complaint)
        return True
