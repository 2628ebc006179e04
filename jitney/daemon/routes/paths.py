"""Paths to fields of an event: ``data.distance``, ``data.tags[0]``, ``data["a.b"]``, ``owner.name``."""

import re
from collections.abc import Sequence
from typing import Final

ROOTS: Final = frozenset(
    {
        "actor",
        "adapter",
        "causationid",
        "correlationid",
        "data",
        "hops",
        "id",
        "kind",
        "observed",
        "owner",
        "seq",
        "source",
        "subject",
        "time",
        "type",
        "variables",
    }
)
"""What a path can begin with."""

LONGEST: Final = 200

_ROOT: Final = re.compile(r"[a-z]+")
_STEP: Final = re.compile(r"""\.([^.\[\]\s"']+)|\[(-?[0-9]{1,6})\]|\["([^"]*)"\]|\['([^']*)'\]""")


class Missing:
    """What is not there; there is only ``MISSING``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()

Steps = tuple[str | int, ...]


def parse(path: str) -> tuple[str, Steps]:
    """Return the first word of a path and the steps that follow; raises ValueError."""
    found = _ROOT.match(path)
    if found is None or len(path) > LONGEST or found[0] not in ROOTS:
        message = f"expected a field of an event such as data.distance, subject or owner.id, got {path[:LONGEST]!r}"
        raise ValueError(message)
    root, at = found[0], found.end()
    steps: list[str | int] = []
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            message = f'not a path from {path[at:]!r} on: write data.tags[0], or data["a b"] for unusual names'
            raise ValueError(message)
        steps.append(int(step[2]) if step[2] is not None else step[1] or step[3] or step[4] or "")
        at = step.end()
    if root == "owner" and not steps:
        steps = ["id"]
    if root == "variables" and not steps:
        message = "variables are read one by one: variables.name"
        raise ValueError(message)
    if steps and root not in ("data", "owner", "variables"):
        message = f"{root} is a text without fields of its own"
        raise ValueError(message)
    if root == "owner" and steps not in (["id"], ["name"]):
        message = "an owner has an id and a name: owner.id, owner.name"
        raise ValueError(message)
    return root, tuple(steps)


def walk(value: object, steps: Sequence[str | int]) -> object:
    """Return what the steps lead to, MISSING when they lead nowhere."""
    for step in steps:
        if type(step) is str:
            if type(value) is not dict or step not in value:
                return MISSING
            value = value[step]
        elif type(value) is list and type(step) is int and -len(value) <= step < len(value):
            value = value[step]
        else:
            return MISSING
    return value
