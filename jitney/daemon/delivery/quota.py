"""A quota: what all lanes of one kind may take together, in memory and on disk, and what they take now."""


class Quota:
    """Counts for the lanes that share it; ``most_memory`` and ``most_disk`` are bytes."""

    __slots__ = ("disk", "lanes", "memory", "most_disk", "most_memory", "rows")

    def __init__(self, *, most_memory: int, most_disk: int) -> None:
        self.most_memory = most_memory
        self.most_disk = most_disk
        self.lanes = 0
        self.memory = 0
        self.rows = 0
        self.disk = 0

    @property
    def overdrawn(self) -> bool:
        """Whether more is on disk than may be."""
        return self.disk > self.most_disk

    def exceeded(self, on_disk: int) -> bool:
        """Tell whether the disk is used up and a lane with so many rows there has more than its share."""
        return self.disk > self.most_disk and on_disk * self.lanes >= self.rows
