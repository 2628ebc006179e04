"""Requests about dead letters: `dead_list`, `dead_retry` and `dead_drop`."""

from collections.abc import Mapping
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from jitney.adapters.errors import RefusedError
from jitney.daemon.delivery.administration import Handler
from jitney.daemon.routing.dead import Dead, Shown

MOST_LISTED: Final = 200

S = TypeVar("S", bound=Struct)


class ListDead(Struct, frozen=True, forbid_unknown_fields=True):
    """The newest letters, only those of an ``owner`` if one is named."""

    owner: str = ""
    limit: Annotated[int, Meta(ge=1, le=MOST_LISTED)] = 50


class RetryDead(Struct, frozen=True, forbid_unknown_fields=True):
    """Try the letter ``id`` again."""

    id: int


class DropDead(Struct, frozen=True, forbid_unknown_fields=True):
    """Drop the letter ``id``, or with ``all`` those of an ``owner`` or, if none is named, of everybody."""

    id: int | None = None
    all: bool = False
    owner: str = ""

    def __post_init__(self) -> None:
        if (self.id is None) != self.all or (self.owner and not self.all):
            message = "give the id of a letter, or all = true and, if you like, an owner"
            raise ValueError(message)


class Listed(Struct, frozen=True):
    """The answer to `dead_list`, the newest letter first."""

    letters: list[Shown]


class Retried(Struct, frozen=True):
    """The answer to `dead_retry`: the letter that is none any more."""

    retried: Shown


class Dropped(Struct, frozen=True):
    """The answer to `dead_drop`: how many."""

    dropped: int


def handlers(dead: Dead) -> Mapping[str, Handler]:
    """Return what administration can be asked for, by name; each raises RefusedError."""

    async def listed(data: Raw) -> Listed:
        asked = _read(data, ListDead)
        return Listed(await dead.newest(asked.owner, limit=asked.limit))

    async def retried(data: Raw) -> Retried:
        return Retried(await dead.retry(_read(data, RetryDead).id))

    async def dropped(data: Raw) -> Dropped:
        asked = _read(data, DropDead)
        if asked.id is None:
            return Dropped(await dead.drop_all(asked.owner))
        await dead.drop(asked.id)
        return Dropped(1)

    return {"dead_list": listed, "dead_retry": retried, "dead_drop": dropped}


def _read(data: Raw, kind: type[S]) -> S:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError("invalid", str(error)) from error
