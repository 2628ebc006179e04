"""The registry of event kinds: which type of event has which data."""

from collections.abc import Iterable
from typing import Any

import msgspec

from jitney.topics.errors import InvalidPayloadError, JitneyError
from jitney.topics.messages import Event, EventData


class Kinds:
    """The kinds of events that this bus knows, by type."""

    def __init__(self, kinds: Iterable[type[EventData]] = ()) -> None:
        self._decoders: dict[str, msgspec.json.Decoder[EventData]] = {}
        for kind in kinds:
            self.add(kind)

    def add(self, kind: type[EventData]) -> None:
        """Register a kind; raises JitneyError when its type is taken by another one."""
        known = self._decoders.get(kind.type)
        if known is not None and known.type is not kind:
            message = f"the event type {kind.type!r} is declared by both {known.type.__name__} and {kind.__name__}"
            raise JitneyError(message)
        self._decoders[kind.type] = msgspec.json.Decoder(kind)

    def types(self) -> list[str]:
        """Return the known event types, sorted."""
        return sorted(self._decoders)

    def data(self, event: Event) -> EventData | None:
        """Return the typed data of an event, None for an unknown type; raises InvalidPayloadError."""
        decoder = self._decoders.get(event.type)
        if decoder is None:
            return None
        try:
            return decoder.decode(event.data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            message = f"data of {event.type} {event.id}: {error}"
            raise InvalidPayloadError(message) from error

    def schemas(self) -> dict[str, dict[str, Any]]:
        """Return the JSON Schema of each type's data, by type."""
        return {name: msgspec.json.schema(self._decoders[name].type) for name in self.types()}
