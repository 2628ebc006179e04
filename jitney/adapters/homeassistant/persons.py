"""Who lives here, as Home Assistant's persons say: which user someone is and which trackers are theirs."""

from collections.abc import Iterator
from typing import Final

from msgspec import Raw, Struct

from jitney.adapters.homeassistant import frames
from jitney.adapters.homeassistant.frames import Odd

LIST: Final = "person/list"
PREFIX: Final = "person."


class Person(Struct, frozen=True):
    """What a person entity tells; ``user_id`` is empty for somebody without a login."""

    user_id: str = ""
    trackers: tuple[str, ...] = ()


class Persons:
    """The persons by entity id: from their attributes, and from the list where old versions leave attributes out."""

    def __init__(self) -> None:
        self._listed: dict[str, Person] = {}
        self._known: dict[str, Person] = {}

    def load(self, listed: Raw, odd: Odd) -> None:
        """Take over the answer to ``person/list``, whose persons have an id but no entity id."""
        answer = frames.one(listed, _Listed, odd) or _Listed()
        self._listed = {
            person.id: Person(person.user_id or "", person.device_trackers or ())
            for part in (answer.storage, answer.config)
            for person in frames.entries(part, _ListedPerson, odd)
        }

    def note(self, entity_id: str, attributes: Raw, odd: Odd) -> bool:
        """Take over what the attributes of a person entity say; tell whether that is new."""
        given = frames.one(attributes, _Attributes, odd) or _Attributes()
        listed = self._listed.get(given.id or "", Person())
        trackers = listed.trackers if given.device_trackers is None else given.device_trackers
        person = Person(given.user_id or listed.user_id, trackers)
        if self._known.get(entity_id) == person:
            return False
        self._known[entity_id] = person
        return True

    def forget(self, entity_id: str) -> bool:
        """Drop a person that was removed; tell whether it was known."""
        return self._known.pop(entity_id, None) is not None

    def items(self) -> Iterator[tuple[str, Person]]:
        """Yield (entity id, person)."""
        yield from self._known.items()


class _ListedPerson(Struct):
    id: str
    user_id: str | None = None
    device_trackers: tuple[str, ...] | None = None


class _Listed(Struct):
    storage: Raw = Raw(b"null")
    config: Raw = Raw(b"null")


class _Attributes(Struct):
    id: str | None = None
    user_id: str | None = None
    device_trackers: tuple[str, ...] | None = None
