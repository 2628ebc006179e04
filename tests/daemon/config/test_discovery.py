from collections.abc import Callable

import pytest


def test_without_the_section_nothing_is_announced(read: Callable) -> None:
    assert not read("").config.discovery.enabled
    assert read("[discovery]").config.discovery.enabled
    assert not read("[discovery]\nenabled = false").config.discovery.enabled


def test_what_an_owner_says_about_it_is_read(read: Callable) -> None:
    owner = read(
        """
        [discovery]
        prefix = "ha/house"
        [owners.alice]
        discovery = { prefix = "ha/alice", units = "imperial", private = ["demo"] }
        [adapters.demo]
        type = "demo"
        """
    ).config.owners["alice"]
    assert owner.discovery.prefix == "ha/alice"
    assert owner.discovery.units == "imperial"
    assert owner.discovery.private == ("demo",)


@pytest.mark.parametrize("prefix", ["", "a/+", "#", "$SYS", "a//b", "/", "homeassistant/"])
def test_a_prefix_that_is_no_topic_is_told(complaints: Callable, prefix: str) -> None:
    (complaint,) = complaints(f'[discovery]\nprefix = "{prefix}"')
    assert "2: discovery.prefix: " in complaint


@pytest.mark.parametrize("prefix", ["jitney", "jitney/ha"])
def test_a_prefix_inside_the_bus_is_told(complaints: Callable, prefix: str) -> None:
    (complaint,) = complaints(f'[owners.alice]\ndiscovery = {{ prefix = "{prefix}" }}')
    assert "owners.alice.discovery.prefix: lies inside mqtt.topic_root, which is 'jitney'" in complaint


def test_an_adapter_that_does_not_exist_is_told_with_the_one_that_was_meant(complaints: Callable) -> None:
    (complaint,) = complaints('[owners.alice]\ndiscovery = { private = ["stravva"] }\n[adapters.strava]\ntype = "demo"')
    assert 'owners.alice.discovery.private: there is no section [adapters.stravva]: did you mean "strava"?' in complaint


@pytest.mark.parametrize("wrong", ['{ units = "feet" }', "{ enabled = 1 }", '"metric"', "[]"])
def test_what_is_wrong_with_what_an_owner_says_is_told_and_nothing_else(complaints: Callable, wrong: str) -> None:
    (complaint,) = complaints(f"[owners.alice]\ndiscovery = {wrong}\n[owners.bob]")
    assert "owners.alice.discovery" in complaint
