from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.routes.conditions import compile_when
from jitney.daemon.routes.faults import Faults, written
from jitney.daemon.routes.operators import OPERATORS
from tests.daemon.routes.making import document

DATA = {
    "distance": 12000,
    "sport": "ride",
    "flag": True,
    "one": 1,
    "tags": ["fast", 3, True],
    "gone": None,
    "place": {"x": 1, "y": [2.0]},
    "text": "turn on lamp",
    "long": "ab" * 3000,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def told(when: dict[str, Any]) -> tuple[bool, str]:
    faults = Faults()
    conditions = compile_when(when, faults)
    assert faults.found == []
    one = document(DATA)
    reasons = [condition.explain(one) for condition in conditions]
    assert [reason.held for reason in reasons] == [condition.holds(one) for condition in conditions]
    return all(reason.held for reason in reasons), " | ".join(map(str, reasons))


def wrong(when: Any) -> list[str]:  # noqa: ANN401 - what a file may say
    faults = Faults()
    compile_when(when, faults)
    return [f"{written(fault.path)}: {fault.text}" for fault in faults.found]


@pytest.mark.parametrize(
    ("when", "held", "words"),
    [
        ({"data.distance": {"gt": 20000}}, False, "data.distance is 12000, not more than 20000"),
        ({"data.distance": {"gt": 10000}}, True, "data.distance is 12000, more than 10000"),
        (
            {"data.distance": {"ge": 12000, "le": 12000.0}},
            True,
            "at least 12000 | data.distance is 12000, at most 12000.0",
        ),
        ({"data.distance": {"lt": 12000}}, False, "not less than 12000"),
        ({"data.distance": {"le": 11999}}, False, "not at most 11999"),
        ({"data.distance": 12000.0}, True, "data.distance is 12000"),
        ({"data.distance": {"gt": "a"}}, False, 'not more than "a"'),
        ({"data.sport": {"gt": 3}}, False, 'data.sport is "ride", not more than 3'),
        ({"data.sport": {"gt": "rid", "lt": "rif"}}, True, ""),
        ({"data.flag": {"gt": 0}}, False, "data.flag is true, not more than 0"),
        ({"time": {"ge": "2026-11-21"}}, True, ""),
        ({"data.sport": "ride"}, True, 'data.sport is "ride"'),
        ({"data.sport": "run"}, False, 'data.sport is "ride", not "run"'),
        ({"data.sport": {"not_equal": "run"}}, True, 'data.sport is "ride", not "run"'),
        ({"data.sport": {"not_equal": "ride"}}, False, 'data.sport is "ride", which it must not be'),
        ({"data.nothing": {"not_equal": "ride"}}, False, "data.nothing is missing"),
        ({"data.flag": True}, True, "data.flag is true"),
        ({"data.flag": 1}, False, "data.flag is true, not 1"),
        ({"data.one": True}, False, "data.one is 1, not true"),
        ({"data.place": {"equal": {"x": 1.0, "y": [2]}}}, True, ""),
        ({"data.place": {"equal": {"x": 1, "y": [2], "z": 3}}}, False, ""),
        ({"data.tags": {"equal": ["fast", 3, 1]}}, False, ""),
        ({"data.tags": {"equal": ["fast", 3, True]}}, True, ""),
        ({"data.sport": {"in": ["run", "ride"]}}, True, 'one of ["run", "ride"]'),
        ({"data.distance": {"in": [1, 12000.0]}}, True, ""),
        ({"data.distance": {"in": ["12000"]}}, False, 'not one of ["12000"]'),
        ({"data.flag": {"in": [1]}}, False, ""),
        ({"data.tags": {"in": [1]}}, False, ""),
        ({"data.tags": {"contains": "fast"}}, True, 'with "fast" in it'),
        ({"data.tags": {"contains": 1}}, False, "without 1 in it"),
        ({"data.tags": {"contains": 3.0}}, True, ""),
        ({"data.text": {"contains": "on la"}}, True, ""),
        ({"data.text": {"contains": 1}}, False, ""),
        ({"data.distance": {"contains": "1"}}, False, ""),
        ({"data.text": {"prefix": "turn ", "suffix": " lamp"}}, True, 'beginning with "turn " | '),
        ({"data.text": {"suffix": "on"}}, False, 'not ending with "on"'),
        ({"data.distance": {"prefix": "1"}}, False, ""),
        ({"data.text": {"regex": "^turn (on|off) "}}, True, 'matching "^turn (on|off) "'),
        ({"data.distance": {"regex": "1"}}, False, ""),
        ({"data.long": {"regex": "a.*b"}}, False, 'not matching "a.*b" within 2048 characters'),
        ({"data.sport": {"exists": True}}, True, 'data.sport is "ride"'),
        ({"data.gone": {"exists": True}}, False, "data.gone is null"),
        ({"data.gone": {"exists": False}}, True, "data.gone is null"),
        ({"data.nothing": {"exists": False}}, True, "data.nothing is missing"),
        ({"data.gone": {"not_equal": 1}}, False, "data.gone is null"),
        ({"owner": "alice", "owner.name": "Alice", "kind": "activity.created", "adapter": "strava"}, True, ""),
        ({"any": [{"data.sport": "run"}, {"data.distance": {"gt": 1}}]}, True, "data.distance is 12000, more than 1"),
        (
            {"any": [{"data.sport": "run"}, {"data.x": 1}]},
            False,
            'none of them holds: data.sport is "ride", not "run"; data.x is missing',
        ),
        ({"all": [{"data.sport": "ride"}, {"data.one": 1}]}, True, 'data.sport is "ride" | data.one is 1'),
        (
            {"not": {"data.sport": "ride", "data.one": 1}},
            False,
            'data.sport is "ride" and data.one is 1: that must not be',
        ),
        ({"not": {"data.sport": "ride", "data.one": 2}}, True, "data.one is 1, not 2"),
        ({"not": [{"data.sport": "run"}, {"data.one": 1}]}, False, "data.one is 1: that must not be"),
        ({"not": {"not": {"data.one": 1}}}, True, ""),
        ({}, True, ""),
    ],
)
def test_a_condition_holds_and_says_why(when: dict[str, Any], held: bool, words: str) -> None:  # noqa: FBT001
    found, sentences = told(when)
    assert found is held
    assert words in sentences


@pytest.mark.parametrize(
    ("when", "complaint"),
    [
        ({"dta.distance": 1}, "got 'dta.distance': did you mean \"data\"?"),
        ({"al": []}, 'did you mean "all"?'),
        ({"data.x": {"gte": 1}}, '"data.x".gte: unknown operator: did you mean "gt"?'),
        ({"data": {"distance": {"gt": 1}}}, 'a field further in is written in one: "data.distance"'),
        ({"data.x": {"gt": True}}, '"data.x".gt: expected a number or a text, got true'),
        ({"data.x": {"gt": float("nan")}}, "expected a number or a text, got nan"),
        ({"data.x": {"gt": [1]}}, "got [1]"),
        ({"data.x": [1, 2]}, '"data.x": say { in = [1, 2] } for one of these'),
        ({"data.x": {"in": 1}}, '"data.x".in: expected a list of 1 to 1000 values, got 1'),
        ({"data.x": {"in": []}}, "expected a list of 1 to 1000 values, got []"),
        ({"data.x": {"in": [[1]]}}, "expected a text, a number, or true or false, got a list"),
        ({"data.x": {"contains": {}}}, "got a table"),
        ({"data.x": {"prefix": 1}}, '"data.x".prefix: expected a text, got 1'),
        ({"data.x": {"prefix": ""}}, 'expected a text, got ""'),
        ({"data.x": {"regex": "(a+)+"}}, '"data.x".regex: nested quantifiers'),
        ({"data.x": {"regex": "a" * 201}}, "at most 200 characters"),
        ({"data.x": {"exists": 1}}, '"data.x".exists: expected true or false, got 1'),
        ({"data.x": {"equal": float("inf")}}, "no value of an event is inf"),
        ({"data.x": {}}, '"data.x": there is no operator: use equal, not_equal'),
        ({"data.x": None}, "got null"),
        ({"any": []}, "any: expected a list of tables, got []"),
        ({"any": {"data.x": 1}}, "any: expected a list of tables, got {"),
        ({"any": [{}]}, "any[0]: there is no condition in it"),
        ({"any": [1]}, "any[0]: expected a table of conditions"),
        ({"not": {}}, "not: there is no condition in it"),
        ({"not": 1}, "not: expected a table of conditions, got 1"),
        ({f"data.x{number}": number for number in range(101)}, "101 conditions: at most 100"),
        (
            {
                "any": [{"data.x": {"gt": 1, "lt": 9}}] * 40,
                "not": {"data.y": {"in": [1]}} | {f"data.z{n}": n for n in range(20)},
            },
            "101 conditions: at most 100",
        ),
        ({"any": [{"data.x": {"regex": "a"}}] * 11}, "11 regular expressions: at most 10"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_remedy(when: dict[str, Any], complaint: str) -> None:
    assert complaint in "\n".join(wrong(when))


def test_times_of_the_file_are_told_to_be_texts() -> None:
    assert wrong({"time": {"gt": date(2026, 1, 2)}}) == [
        'time.gt: times of events are texts, compare with one: "2026-01-02"'
    ]
    assert wrong({"time": date(2026, 1, 2)}) == ['time: times of events are texts, compare with one: "2026-01-02"']


def test_everything_that_is_wrong_is_told_at_once() -> None:
    assert len(wrong({"foo": 1, "data.x": {"gte": 1, "in": 2}, "any": [{"bar": 1}, 3]})) == 5


def test_conditions_inside_one_another_are_bounded() -> None:
    when: dict[str, Any] = {"data.x": 1}
    for _ in range(20):
        when = {"not": when}
    assert "nested too deeply" in wrong(when)[0]


@given(operator=st.sampled_from([*OPERATORS, "exists"]), operand=JSON, value=JSON)
def test_no_value_makes_an_operator_raise(operator: str, operand: object, value: object) -> None:
    faults = Faults()
    one = document({"x": value})
    for condition in compile_when({"data.x": {operator: operand}}, faults):
        reason = condition.explain(one)
        assert reason.held is condition.holds(one)
        assert str(reason).startswith("data.x is ")
        assert str(reason).isprintable()


@given(value=JSON)
def test_a_value_of_json_equals_itself_and_nothing_else(value: object) -> None:
    faults = Faults()
    conditions = compile_when({"data.x": {"equal": value}, "data.y": {"not_equal": value}}, faults)
    if not faults.found:
        assert [one.holds(document({"x": value, "y": value})) for one in conditions] == [True, False]
