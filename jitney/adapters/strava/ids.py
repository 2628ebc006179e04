"""The ids of events: the same again for what is told again, another one for everything else."""

from msgspec import Struct

from jitney.topics import derived_id


class EventIds(Struct, frozen=True):
    """Makes the ids for one athlete during one grant.

    ``since`` is when the grant was given: after a new sign-in nothing is taken for a repetition of what was before.
    ``revision`` is the number of events that the activity, the athlete or the statistics have had until now. It is
    kept with them once an event is safe: what is told again after a crash between the two has the same id. It must
    outlive the activity, or one that comes back would be taken for a repetition.
    """

    athlete: int
    since: str

    def created(self, activity: int, *, revision: int) -> str:
        """Return the id for an activity that appeared, whatever it contains."""
        return self._id("created", str(activity), str(revision))

    def updated(self, activity: int, *, revision: int, content: str) -> str:
        """Return the id for an edit; ``content`` is the fingerprint of what it led to."""
        return self._id("updated", str(activity), str(revision), content)

    def deleted(self, activity: int, *, revision: int) -> str:
        """Return the id for an activity that is gone."""
        return self._id("deleted", str(activity), str(revision))

    def photo(self, activity: int, unique_id: str) -> str:
        """Return the id for a photo that appeared."""
        return self._id("photo", str(activity), unique_id)

    def athlete_updated(self, *, revision: int, content: str) -> str:
        """Return the id for a changed profile; ``content`` is the fingerprint of the new one."""
        return self._id("athlete", str(revision), content)

    def stats_updated(self, *, revision: int, content: str) -> str:
        """Return the id for new statistics; ``content`` is their fingerprint."""
        return self._id("stats", str(revision), content)

    def deauthorised(self) -> str:
        """Return the id for the end of this grant."""
        return self._id("deauthorised")

    def _id(self, *parts: str) -> str:
        return derived_id("strava", str(self.athlete), self.since, *parts)
