import json
from typing import Any

from bench.real_homeassistant import Change, differing, noise


def state(value: str, **attributes: Any) -> dict[str, Any]:  # noqa: ANN401 - as Home Assistant has them
    return {"state": value, "attributes": attributes, "last_updated": "2026-11-21T05:41:00+00:00"}


def published(value: dict[str, Any]) -> bytes:
    return json.dumps({**value, "last_changed": "whenever"}).encode()


def test_equal_states_do_not_differ() -> None:
    light = state("on", brightness=3)
    assert differing({"light.hall": light}, {"jitney/alice/state/home/light.hall": published(light)}) == []


def test_a_missing_a_forgotten_and_a_wrong_state_are_named() -> None:
    now = {"light.hall": state("on"), "light.desk": state("off", brightness=3)}
    found = {
        "jitney/alice/state/home/light.desk": published(state("on")),
        "jitney/_house/state/home/light.gone": published(state("on")),
    }
    assert differing(now, found) == [
        "not retained: light.hall",
        "retained, but gone: light.gone",
        "light.desk state: retained 'on', really 'off'",
        "light.desk attributes: retained {}, really {'brightness': 3}",
    ]


def test_a_real_change_after_a_start_is_no_noise() -> None:
    changes = [Change("input_number.seq", "7", "6"), Change("input_number.seq", "5", "7", missed=True)]
    assert noise(changes, 1) == []


def test_what_a_start_stirs_up_is_noise() -> None:
    changes = [
        Change("input_number.seq", "7", "6"),
        Change("input_number.seq", "7", None),
        Change("input_boolean.hall", "unavailable", "on"),
        Change("input_boolean.hall", "on", "unavailable"),
        Change("person.alice", None, "home"),
        Change("input_number.seq", "7", "8"),
    ]
    assert len(noise(changes, 1)) == 5


def test_a_sensor_may_come_and_go() -> None:
    assert noise([Change("sensor.uptime", "unavailable", "7")], 0) == []
