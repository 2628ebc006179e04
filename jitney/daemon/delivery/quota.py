"""A quota: what all lanes of one kind may take together, in memory and on disk, of which each owner has a part."""

from collections.abc import Collection
from typing import Final

OWN_PART: Final = 0.5
"""Half of the disk is shared out among the people; the other half is for whoever needs more than that."""


class Share:
    """What an owner has on disk: so many ``rows``, ``disk`` bytes. ``kept``: a part is kept free for this owner."""

    __slots__ = ("disk", "kept", "rows")

    def __init__(self) -> None:
        self.rows = 0
        self.disk = 0
        self.kept = False


class Quota:
    """Counts for the lanes that share it; ``most_memory`` and ``most_disk`` are bytes."""

    __slots__ = ("_people", "_shares", "disk", "memory", "most_disk", "most_memory")

    def __init__(self, *, most_memory: int, most_disk: int) -> None:
        self.most_memory = most_memory
        self.most_disk = most_disk
        self.memory = 0
        self.disk = 0
        self._shares: dict[str, Share] = {}
        self._people = 1

    def serve(self, people: Collection[str]) -> None:
        """Keep a part free for each of these people from now on."""
        self._people = max(1, len(people))
        for owner in people:
            self.share(owner)
        for owner, share in self._shares.items():
            share.kept = owner in people

    def share(self, owner: str) -> Share:
        """Return the share of an owner, always the same."""
        share = self._shares.get(owner)
        if share is None:
            share = self._shares[owner] = Share()
        return share

    def add(self, share: Share, size: int, *, rows: int = 1) -> None:
        """Count rows of an owner that go to disk, with their bytes."""
        share.rows += rows
        share.disk += size
        self.disk += size

    def remove(self, share: Share, size: int, *, rows: int = 1) -> None:
        """Count rows that are gone. Bytes that were only estimated are put right when an owner has none left."""
        share.rows -= rows
        size = share.disk if share.rows <= 0 else size
        share.disk -= size
        self.disk -= size

    def exceeded(self, share: Share, most: int = 0) -> bool:
        """Tell whether an owner has all that there is, or ``most`` bytes, where that is given.

        An owner who has no more than the part that is kept for everybody has room, whatever the others have.
        """
        if most and share.disk > most:
            return True
        part = self.most_disk * OWN_PART / self._people
        if share.disk <= part:
            return False
        kept = sum(part - other.disk for other in self._shares.values() if other.kept and other.disk < part)
        return self.disk + kept > self.most_disk
