"""Conditions on the fields of an event, compiled to closures that answer fast and can explain themselves."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from jitney.daemon.routes.document import Document, reader
from jitney.daemon.routes.faults import NESTED_TOO_DEEPLY, Faults
from jitney.daemon.routes.operators import OPERATORS, compile_operator
from jitney.daemon.routes.paths import MISSING, ROOTS
from jitney.daemon.routes.words import mean, shown

DEEPEST: Final = 8
"""Levels of all, any and not inside one another."""

MOST: Final = 100
"""Conditions inside one `when`."""

MOST_PATTERNS: Final = 10
"""Regular expressions inside one `when`: each may take some ten milliseconds."""

Read = Callable[[Document], Any]
"""Reads a field of a document, MISSING when it is not there."""

_COMBINE: Final = ("all", "any", "not")


class Reason(Struct, frozen=True):
    """Why a condition held or did not: ``what`` was asked for, and what it ``saw``, in a sentence."""

    what: str
    held: bool
    saw: str

    def __str__(self) -> str:
        return self.saw


class Condition(Struct, frozen=True):
    """Something that holds for a document or does not, and can say why; neither ever raises."""

    holds: Callable[[Document], bool]
    explain: Callable[[Document], Reason]


def compile_when(when: Mapping[str, Any], faults: Faults) -> tuple[Condition, ...]:
    """Return the conditions of a table, all of which must hold; what is wrong is noted and left out."""
    before = len(faults.found)
    found = _table(when, faults, deep=0)
    if len(faults.found) == before:
        number, patterns = _count(when)
        if number > MOST:
            faults.add(f"{number} conditions: at most {MOST} in one route")
        if patterns > MOST_PATTERNS:
            faults.add(
                f"{patterns} regular expressions: at most {MOST_PATTERNS} in one route, make one of several with |"
            )
    return found


def _count(when: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many conditions are in a table without fault, also further in, and how many regular expressions."""
    number = patterns = 0
    for key, value in when.items():
        if key not in _COMBINE:
            number += len(value) if isinstance(value, Mapping) else 1
            patterns += isinstance(value, Mapping) and "regex" in value
        else:
            inner = [_count(table) for table in ([value] if isinstance(value, Mapping) else value)]
            number += sum(one for one, _ in inner)
            patterns += sum(one for _, one in inner)
    return number, patterns


def _table(when: object, faults: Faults, *, deep: int) -> tuple[Condition, ...]:
    if not isinstance(when, Mapping):
        faults.add(
            f'expected a table of conditions such as {{ "data.distance" = {{ gt = 20000 }} }}, got {shown(when)}'
        )
        return ()
    if deep > DEEPEST:
        faults.add(NESTED_TOO_DEEPLY)
        return ()
    found: list[Condition] = []
    for key, value in when.items():
        with faults.at(key):
            found += _combined(key, value, faults, deep=deep) if key in _COMBINE else _field(key, value, faults)
    return tuple(found)


def _combined(word: str, value: object, faults: Faults, *, deep: int) -> Sequence[Condition]:
    if word == "not" and isinstance(value, Mapping):
        inner = _table(value, faults, deep=deep + 1)
        return [_not(inner)] if inner else _nothing(value, faults)
    if not isinstance(value, list | tuple) or not value:
        form = "a table of conditions" if word == "not" else "a list of tables"
        faults.add(f"expected {form}, got {shown(value)}")
        return ()
    tables: list[tuple[Condition, ...]] = []
    for index, one in enumerate(value):
        with faults.at(index):
            inner = _table(one, faults, deep=deep + 1)
            if not inner:
                _nothing(one, faults)
            tables.append(inner)
    if not all(tables):
        return ()
    each = [_all(inner) for inner in tables]
    match word:
        case "all":
            return each
        case "any":
            return [_any(each)]
    return [_not([_any(each)])]


def _nothing(table: object, faults: Faults) -> Sequence[Condition]:
    if table == {}:
        faults.add("there is no condition in it")
    return ()


def _field(key: str, value: object, faults: Faults) -> Sequence[Condition]:
    try:
        read = reader(key)
    except ValueError as error:
        near = mean(re.split(r"\W", key, maxsplit=1)[0], [*_COMBINE, *ROOTS])
        faults.add(f"{error}{near if near.startswith(': did') else ''}")
        return ()
    if isinstance(value, list):
        faults.add(f"say {{ in = {shown(value)} }} for one of these, or {{ equal = … }} for the whole list")
        return ()
    if not isinstance(value, Mapping):
        value = {"equal": value}
        return _operators(key, read, value, faults=faults, bare=True)
    if not value:
        faults.add(f"there is no operator: use {', '.join([*OPERATORS, 'exists'])}")
    return _operators(key, read, value, faults=faults)


def _operators(
    key: str, read: Read, operators: Mapping[str, Any], *, faults: Faults, bare: bool = False
) -> Sequence[Condition]:
    found: list[Condition] = []
    for name, operand in operators.items():
        with faults.at(*([] if bare else [name])):
            if name == "exists":
                if isinstance(operand, bool):
                    found.append(_exists(key, read, wanted=operand))
                else:
                    faults.add(f"expected true or false, got {shown(operand)}")
            elif name in OPERATORS:
                found += _compared(key, read, (name, operand), faults)
            else:
                field = f'; a field further in is written in one: "{key}.{name}"' if key.startswith("data") else ""
                faults.add(f"unknown operator{mean(name, [*OPERATORS, 'exists'])}{field}")
    return found


def _compared(key: str, read: Read, operation: tuple[str, object], faults: Faults) -> Sequence[Condition]:
    name, operand = operation
    try:
        compiled = compile_operator(name, operand)
    except ValueError as error:
        faults.add(str(error))
        return ()
    test = compiled.test
    what = f"{key} {'' if name == 'equal' else name + ' '}{shown(operand)}"

    def holds(document: Document) -> bool:
        value = read(document)
        return value is not MISSING and value is not None and test(value)

    def explain(document: Document) -> Reason:
        value = read(document)
        if value is MISSING:
            return Reason(what, held=False, saw=f"{key} is missing")
        held = value is not None and test(value)
        words = compiled.yes if held else compiled.no
        return Reason(what, held, f"{key} is {shown(value)}, {words}" if words else f"{key} is {shown(value)}")

    return [Condition(holds, explain)]


def _exists(key: str, read: Read, *, wanted: bool) -> Condition:
    def holds(document: Document) -> bool:
        value = read(document)
        return (value is not MISSING and value is not None) is wanted

    def explain(document: Document) -> Reason:
        value = read(document)
        saw = f"{key} is missing" if value is MISSING else f"{key} is {shown(value)}"
        return Reason(f"{key} exists" if wanted else f"{key} is missing", holds(document), saw)

    return Condition(holds, explain)


def _all(conditions: Sequence[Condition]) -> Condition:
    if len(conditions) == 1:
        return conditions[0]

    def explain(document: Document) -> Reason:
        reasons = [one.explain(document) for one in conditions]
        against = [one for one in reasons if not one.held]
        return Reason(_joined(reasons, " and "), not against, " and ".join(one.saw for one in against or reasons))

    return Condition(lambda document: all(one.holds(document) for one in conditions), explain)


def _any(conditions: Sequence[Condition]) -> Condition:
    def explain(document: Document) -> Reason:
        reasons = [one.explain(document) for one in conditions]
        held = next((one for one in reasons if one.held), None)
        saw = held.saw if held else "none of them holds: " + "; ".join(one.saw for one in reasons)
        return Reason(f"any of: {_joined(reasons, '; ')}", held is not None, saw)

    return Condition(lambda document: any(one.holds(document) for one in conditions), explain)


def _not(conditions: Sequence[Condition]) -> Condition:
    inner = _all(conditions)

    def explain(document: Document) -> Reason:
        reason = inner.explain(document)
        saw = f"{reason.saw}: that must not be" if reason.held else reason.saw
        return Reason(f"not: {reason.what}", not reason.held, saw)

    return Condition(lambda document: not inner.holds(document), explain)


def _joined(reasons: Sequence[Reason], between: str) -> str:
    return between.join(one.what for one in reasons)
