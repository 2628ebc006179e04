"""Who caused an event: a command of this bus, the user in its context, or whoever caused what led to it.

Home Assistant gives every call a context. A user's call names the user; what an automation does names only the
context that triggered it, as parent. The context of our own calls is in their result, but the events come before the
result does. Of a service call the first event is ``call_service``: it tells which of our calls has its context.
"""

from typing import TYPE_CHECKING, Final

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from jitney.adapters.homeassistant.frames import Origin
from jitney.adapters.homeassistant.owners import Owners
from jitney.adapters.homeassistant.recent import Recent
from jitney.topics import Command

if TYPE_CHECKING:
    from collections.abc import Callable

_REMEMBERED: Final = 4096
_SECONDS: Final = 600.0


class Cause(Struct, frozen=True):
    """``owner`` is the person who caused it, empty for nobody known; ``actor`` their id, else the user's.

    ``causation`` is the event of this bus that led to it, or the command where no event led to that one, ``hops`` how
    many events it goes back through; ``command`` is that command, and ``traceparent`` what it carries. ``own`` says
    that this bus did it itself.
    """

    owner: str = ""
    actor: str | UnsetType = UNSET
    causation: str | UnsetType = UNSET
    own: bool = False
    hops: int = 0
    command: str | UnsetType = UNSET
    traceparent: str | UnsetType = UNSET


NOBODY: Final = Cause()


class Call:
    """A command that Home Assistant is carrying out: ``what`` it does, and its context once that is known."""

    def __init__(self, command: Command, what: str) -> None:
        self.what = what
        self.context = ""
        self.cause = Cause(
            command.owner,
            command.owner,
            command.causation or command.id,
            own=True,
            hops=command.hops,
            command=command.id,
            traceparent=command.traceparent or UNSET,
        )


class Causes:
    """Finds causes from what was seen; best effort, because Home Assistant forgets some links itself."""

    def __init__(self) -> None:
        self.own_user = ""
        """The user whose token this is; give Jitney its own, else that person's doings look like its own."""
        self.sees_calls = False
        """Whether ``call_service`` events are seen, which only an administrator's token is allowed."""
        self.stranger: Callable[[str], None] = lambda _user_id: None
        """Told of each doing of a user who is nobody here and not us."""
        self._own: Recent[Cause] = Recent(most=_REMEMBERED, seconds=_SECONDS)
        self._led: Recent[Cause] = Recent(most=_REMEMBERED, seconds=_SECONDS)
        self._calls: list[Call] = []

    def of(self, origin: Origin, owners: Owners) -> Cause:
        """Return the cause of what has this context."""
        own = self._own.get(origin.id)
        if own is not None:
            return own
        if origin.user_id:
            return self._by_user(origin, origin.user_id, owners)
        if not origin.parent_id:
            return NOBODY
        parent = self._own.get(origin.parent_id) or self._led.get(origin.parent_id)
        if parent is None:
            return NOBODY
        led = replace(parent, own=False)
        self._led.put(origin.id, led)
        return led

    def begin(self, command: Command, what: str) -> Call:
        """Note that a command is about to be carried out; ``finish`` it."""
        call = Call(command, what)
        self._calls.append(call)
        return call

    def claim(self, origin: Origin, what: str) -> None:
        """Note the context of an event that one of our calls causes first of all, if it is one of ours."""
        if origin.user_id == self.own_user and self.own_user:
            call = next((call for call in self._calls if call.what == what and not call.context), None)
            if call is not None:
                self._learn(call, origin.id)

    def finish(self, call: Call, context: str = "") -> None:
        """Note that a call has ended; ``context`` is that of its result."""
        self._calls.remove(call)
        if context and context != call.context:
            self._learn(call, context)

    def _by_user(self, origin: Origin, user_id: str, owners: Owners) -> Cause:
        own = user_id == self.own_user
        if own and not self.sees_calls:
            unknown = [call for call in self._calls if not call.context]
            if len(unknown) == 1:
                self._learn(unknown[0], origin.id)
                return unknown[0].cause
        owner = owners.of_user(user_id)
        if not owner and not own:
            self.stranger(user_id)
        self._led.put(origin.id, Cause(owner, owner or user_id))
        return Cause(owner, owner or user_id, own=own)

    def _learn(self, call: Call, context: str) -> None:
        call.context = context
        self._own.put(context, call.cause)
