"""`[bus] time_zone`: a name that this machine knows, or none."""

from collections.abc import Callable

import pytest

from jitney.daemon.config.routes import tried

TESTED = """
[bus]
time_zone = "Asia/Kathmandu"
[[routes]]
name = "when"
on = "inbox.ask"
do = [{ state = "when", data = { told = "{{ data.at | timestamp_custom('%H:%M') }}", now = "{{ now().hour }}" } }]
[[routes.tests]]
event = { type = "inbox.ask", data = { at = 0 } }
now = NOW
expect = [{ state = "when", data = { told = "05:30", now = HOUR } }]
"""


def test_without_a_zone_it_is_that_of_the_machine(read: Callable) -> None:
    assert read("").config.bus.time_zone == ""


def test_a_zone_is_named(read: Callable) -> None:
    assert read('[bus]\ntime_zone = "Europe/Berlin"').config.bus.time_zone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("name", "remedy"), [("Europe/Berln", 'did you mean "Europe/Berlin"?'), ("Mars", "give one such as"), ("/", "")]
)
def test_a_zone_that_is_none_is_told_at_its_line(complaints: Callable, name: str, remedy: str) -> None:
    (complaint,) = complaints(f'[bus]\n\ntime_zone = "{name}"')
    assert complaint.startswith(f"3: bus.time_zone: there is no time zone '{name}'")
    assert remedy in complaint


@pytest.mark.parametrize(
    ("now", "hour"), [("2026-11-21T18:30:00", "18"), ("2026-11-21T12:45:00Z", "18"), ("2026-11-21T18:30:00Z", "0")]
)
def test_tests_of_routes_go_by_that_zone(read: Callable, now: str, hour: str) -> None:
    config = read(TESTED.replace("NOW", now).replace("HOUR", hour)).config
    ((_, (trial,)),) = tried(config)
    assert trial.problem == ""
