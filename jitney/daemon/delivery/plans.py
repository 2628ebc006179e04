"""Plans: what follows from an event that the bus accepts, written to disk together with the event, then begun."""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from jitney.daemon.store.actions import Write
from jitney.topics import Event
from jitney.topics.messages import ReplyAddress


class Copy(Struct, frozen=True):
    """A copy of an event for another owner, and the topic where they see it."""

    to: str
    topic: str


def nothing(_: bool) -> None:  # noqa: FBT001 - as ``begin`` is called
    """Begin nothing."""


class Plan(Struct, frozen=True):
    """What follows from one event.

    ``writes`` go to disk with it. ``begin`` is called once that is done, and told whether it succeeded: if not, nothing
    must follow; it raises nothing. ``drop``: the event itself is not published, and not copied either.
    """

    writes: Sequence[Write] = ()
    begin: Callable[[bool], None] = nothing
    drop: bool = False
    copies: Sequence[Copy] = ()


class Plans(Protocol):
    """Whoever knows the routes and the grants."""

    def plan(self, event: Event) -> Plan | None:
        """Return what follows from an event that the bus accepts, None for nothing. Must be fast and raise nothing."""

    def answer_to(self, owner: str, event_id: str, address: ReplyAddress) -> None:
        """Learn where an answer to an event of an owner is wanted, which is about to be planned."""


class NoPlans:
    """A bus without routes and grants."""

    def plan(self, event: Event) -> None:
        """Return that nothing follows."""

    def answer_to(self, owner: str, event_id: str, address: ReplyAddress) -> None:
        """Do nothing: nobody answers."""
