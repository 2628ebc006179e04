"""What was tried at the broker, what should have come of it, and what did."""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from msgspec import Struct

from jitney.topics import JitneyError

Outcome = Literal["yes", "no", "not tried"]

NOBODY: Final = "nobody"
"""Stands for the owner of what is tried without a login."""


class Proof(Struct, frozen=True, kw_only=True):
    """One attempt. ``may`` is what the model says, ``does`` what was seen, ``how`` in which way.

    ``gap``: it should be no and is not, in a way that this sort of broker is known not to hold off.
    """

    owner: str
    attempt: str
    topic: str
    may: bool
    does: Outcome
    how: str
    gap: bool = False

    @property
    def holds(self) -> bool:
        """Whether it came as it should."""
        return self.gap or self.does == "not tried" or (self.does == "yes") is self.may


class UnprovedError(JitneyError):
    """The proof could not be made; the text says what it takes."""


def broken(proofs: Iterable[Proof], *, strict: bool = False) -> list[Proof]:
    """Return those that did not come as they should; with ``strict`` also what the broker is known not to hold off."""
    return [proof for proof in proofs if not proof.holds or (strict and proof.gap)]


def verdict(proofs: Sequence[Proof]) -> str:
    """Return how it went, in a sentence."""
    wrong, gaps = len(broken(proofs)), sum(proof.gap for proof in proofs)
    untried = sum(proof.does == "not tried" for proof in proofs)
    owners = len({proof.owner for proof in proofs} - {NOBODY})
    words = [f"{len(proofs) - untried} attempts in the name of {owners} {'owner' if owners == 1 else 'owners'}"]
    words += [f"{untried} not tried"] if untried else []
    words += [f"{gaps} known not to be held off by this broker"] if gaps else []
    return ", ".join([*words, f"{wrong} not as they should be" if wrong else "all as they should be"])
