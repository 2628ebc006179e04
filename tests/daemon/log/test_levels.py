"""Levels that are changed while it runs, and a listener besides the place where lines are written."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from jitney.adapters.secret import Secret
from jitney.daemon import log
from tests.daemon.log.conftest import Lines


def events(lines: list[dict[str, object]]) -> list[object]:
    return [line["event"] for line in lines]


def test_one_part_writes_from_another_level_on_until_it_is_as_before(lines: Callable[..., Lines]) -> None:
    written = lines("info")
    broker, bus = log.get("broker"), log.get("bus")
    broker.debug("before")
    log.change("broker", "debug")
    broker.debug("of the broker")
    bus.debug("of the bus")
    log.change("broker", None)
    broker.debug("after")
    broker.info("still")
    assert events(written()) == ["of the broker", "still"]


def test_all_parts_can_be_changed_but_those_that_are_named_stay_their_own(lines: Callable[..., Lines]) -> None:
    written = lines("info")
    broker, bus = log.get("broker"), log.get("bus")
    log.change("", "error")
    log.change("broker", "debug")
    broker.debug("1")
    bus.warning("2")
    bus.error("3")
    assert events(written()) == ["1", "3"]


def test_a_part_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    log.get("broker")
    with pytest.raises(log.UnknownPartError, match=r"there is no part 'brokr': known here are .*broker"):
        log.change("brokr", "debug")


def test_what_was_changed_outlives_another_configuration_of_the_log(lines: Callable[..., Lines]) -> None:
    log.get("broker")
    lines("info")
    log.change("broker", "debug")
    written = lines("warning")
    log.get("broker").debug("still")
    log.get("bus").info("not any more")
    assert events(written()) == ["still"]


def test_a_listener_has_its_own_level_and_no_secrets(lines: Callable[..., Lines]) -> None:
    written = lines("warning")
    heard: list[Mapping[str, Any]] = []
    log.register(Secret("correct horse"))
    log.hear(heard.append, "debug")
    log.get("broker").debug("detail", url="mqtt://correct horse@x")
    log.get("broker").warning("failure")
    assert events(written()) == ["failure"]
    assert [line["event"] for line in heard] == ["detail", "failure"]
    assert "correct" not in str(heard)
    log.hear(None, "off")
    log.get("broker").warning("later")
    assert len(heard) == 2


def test_a_listener_that_wants_only_errors_does_not_take_the_others_from_the_log(lines: Callable[..., Lines]) -> None:
    written = lines("debug")
    heard: list[Mapping[str, Any]] = []
    log.hear(heard.append, "error")
    log.get("broker").debug("detail")
    log.get("broker").error("fault")
    assert events(written()) == ["detail", "fault"]
    assert [line["event"] for line in heard] == ["fault"]


def test_a_part_that_says_more_for_a_time_says_it_to_the_listener_too(lines: Callable[..., Lines]) -> None:
    lines("info")
    heard: list[Mapping[str, Any]] = []
    log.get("broker")
    log.hear(heard.append, "warning")
    log.change("broker", "debug")
    log.get("broker").debug("detail")
    log.get("bus").info("not wanted")
    assert [line["event"] for line in heard] == ["detail"]


def test_a_listener_hears_of_libraries_what_the_log_does(lines: Callable[..., Lines]) -> None:
    lines("error")
    heard: list[Mapping[str, Any]] = []
    log.hear(heard.append, "warning")
    logging.getLogger("some.library").warning("careful")
    assert [(line["part"], line["event"]) for line in heard] == [("some.library", "careful")]
