"""The retained states of all owners: set where they changed, removed where they vanished, gone after seven days."""

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct

from jitney.adapters.base import Context
from jitney.topics import State

_SHORTEST = 60
"""Seconds; what is almost too old is not worth fewer."""

_encode = msgspec.json.Encoder().encode


class Shown(Struct, frozen=True):
    """A state to show: its subject, its value, and until when it may be shown in Unix seconds, 0 for always."""

    subject: str
    value: Struct
    until: float = 0.0


class Board:
    """What is shown of every owner."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._subjects: dict[str, frozenset[str]] = {}

    def begin(self) -> None:
        """Remove what an earlier run has shown; call it when everybody who is still there has been shown theirs."""
        self._ctx.keep_states((owner, subject) for owner, subjects in self._subjects.items() for subject in subjects)

    def show(self, owner: str, states: Iterable[Shown], *, now: float) -> None:
        """Show exactly these states to an owner."""
        before = self._subjects.get(owner, frozenset())
        self._subjects[owner] = frozenset()
        self.add(owner, states, now=now)
        for subject in before - self._subjects[owner]:
            self._ctx.set_state(State(owner, subject, None))

    def add(self, owner: str, states: Iterable[Shown], *, now: float) -> None:
        """Show these states to an owner besides the others, each in place of what it was before."""
        subjects = set(self._subjects.get(owner, frozenset()))
        for shown in states:
            expiry = max(_SHORTEST, int(shown.until - now)) if shown.until else 0
            self._ctx.set_state(State(owner, shown.subject, Raw(_encode(shown.value)), expiry))
            subjects.add(shown.subject)
        self._subjects[owner] = frozenset(subjects)

    def clear(self, owner: str) -> None:
        """Show nothing to an owner any more."""
        self.show(owner, (), now=0.0)
