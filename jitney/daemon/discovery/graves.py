"""What was taken back while a Home Assistant may not have been there: it would keep that for ever as unavailable.

A Home Assistant forgets an entity only when it knows who announced it. One that was away during the removal has to be
told of the entity once more before the removal, after its next start. Seen with 2026.2 and 2026.11.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from jitney.adapters.errors import RefusedError
from jitney.daemon.log import Tally, get
from jitney.daemon.store.kept import Kept

MOST: Final = 200
"""Announcements that are remembered; the oldest give way."""

_PREFIX: Final = "grave/"
_encode = msgspec.json.Encoder().encode
_log = get("discovery")


class Grave(Struct, frozen=True):
    """The last announcement of an owner's device, of its ``components`` only those that were taken back."""

    owner: str
    payload: dict[str, Any]


class Graves:
    """Remembers by topic what was taken back, on disk too. ``load`` comes first."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._graves: dict[str, Grave] = {}
        self._changed: set[str] = set()
        self._tally = Tally(_log)

    async def load(self) -> None:
        """Read what an earlier run has left."""
        for key, value in (await self._kept.load_all(_PREFIX)).items():
            self._graves[key.removeprefix(_PREFIX)] = msgspec.json.decode(value, type=Grave)

    async def keep(self) -> None:
        """Write what has changed; what cannot be written now is tried again with the next change."""
        changed, self._changed = self._changed, set()
        if not changed:
            return
        graves = {topic: self._graves.get(topic) for topic in changed}
        values = {f"{_PREFIX}{topic}": None if grave is None else _encode(grave) for topic, grave in graves.items()}
        try:
            await self._kept.save_all(values)
        except RefusedError as error:
            self._changed |= changed
            self._tally.add("what was taken back cannot be remembered", key="graves", reason=str(error))

    def bury(self, topic: str, owner: str, before: bytes, *, left: Iterable[str] = ()) -> None:
        """Learn that an announcement was replaced by one whose components are only those ``left``."""
        payload: dict[str, Any] = msgspec.json.decode(before)
        stays = set(left)
        gone = {key: one for key, one in _alive(payload) if key not in stays}
        known = self._graves.pop(topic, None)
        if "components" in payload:
            earlier = known.payload["components"] if known is not None else {}
            gone = {key: one for key, one in (earlier | gone).items() if key not in stays}
            payload["components"] = gone
        if known is not None or gone or "components" not in payload:
            self._changed.add(topic)
        if gone or "components" not in payload:
            self._graves[topic] = Grave(owner, payload)
            if len(self._graves) > MOST:
                self._drop(next(iter(self._graves)))

    def revived(self, topic: str) -> None:
        """Learn that a whole announcement is there again as it was."""
        if topic in self._graves and "components" not in self._graves[topic].payload:
            self._drop(topic)

    def take(self, prefix: str) -> Iterator[tuple[str, Grave]]:
        """Yield and forget what was taken back under a discovery prefix."""
        for topic in [topic for topic in self._graves if topic.startswith(f"{prefix}/")]:
            grave = self._graves[topic]
            self._drop(topic)
            yield topic, grave

    def forget(self, owner: str) -> None:
        """Forget what was an owner's."""
        for topic in [topic for topic, grave in self._graves.items() if grave.owner == owner]:
            self._drop(topic)

    def _drop(self, topic: str) -> None:
        del self._graves[topic]
        self._changed.add(topic)


def _alive(payload: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the components that are announced, without those that are only taken back."""
    for key, component in payload.get("components", {}).items():
        if component.keys() != {"platform"}:
            yield key, component
