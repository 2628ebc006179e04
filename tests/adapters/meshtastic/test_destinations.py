"""What people write as a receiver."""

import pytest

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic.addresses import BROADCAST, node_number
from jitney.adapters.meshtastic.destinations import Destination, Destinations
from tests.adapters.meshtastic.sending import BOBS, INFO, OWN


def find(text: str) -> int:
    number = node_number(text) or {"Bob": BOBS}.get(text)
    if number is None:
        code = "unknown_node"
        raise RefusedError(code, f"no node is called {text}")
    return number


PLACES = Destinations(find, INFO)


@pytest.mark.parametrize("to", ["!b0000001", "Bob", BOBS])
def test_a_node_by_its_id_name_or_number(to: str | int) -> None:
    assert PLACES.destination(to, 0) == Destination(BOBS, 0)
    assert PLACES.node(to, 0) == Destination(BOBS, 0)


@pytest.mark.parametrize("to", ["", "  ", "^all", "broadcast"])
def test_everybody(to: str) -> None:
    assert PLACES.destination(to, 0) == Destination(BROADCAST, 0)
    with pytest.raises(RefusedError, match="give the node that is meant"):
        PLACES.node(to, 0)


@pytest.mark.parametrize("channel", [2, "2", "Family", "family", " FAMILY "])
def test_a_channel_by_its_index_or_name(channel: str | int) -> None:
    assert PLACES.destination("", channel) == Destination(BROADCAST, 2)


def test_the_first_channel_is_called_after_its_preset() -> None:
    assert PLACES.destination("", "longfast").channel == 0


@pytest.mark.parametrize("channel", [1, "1", "Work", -1, ""])
def test_a_channel_that_the_radio_does_not_have_is_refused_with_those_that_it_has(channel: str | int) -> None:
    with pytest.raises(RefusedError, match="it has 0 LongFast, 2 Family") as caught:
        PLACES.destination("", channel)
    assert caught.value.code == "not_found"


@pytest.mark.parametrize("to", [0, -1, BROADCAST, BROADCAST + 1, OWN, "!a0000001"])
def test_what_is_no_other_node_is_refused(to: str | int) -> None:
    with pytest.raises(RefusedError, match=r"^to: ") as caught:
        PLACES.destination(to, 0)
    assert caught.value.code == "invalid"


def test_a_name_that_nobody_has_is_refused() -> None:
    with pytest.raises(RefusedError) as caught:
        PLACES.destination("Carol", 0)
    assert caught.value.code == "unknown_node"
