from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.routes.faults import written
from jitney.daemon.routes.granting import check_grants
from jitney.daemon.routes.settings import GrantSettings
from tests.daemon.routes.making import ADAPTERS, KINDS, OWNERS, RIDE

WORDS = st.text(max_size=4) | st.lists(st.sampled_from(["alice", "bob", "*", RIDE, "a.[", "home"]), max_size=3).map(
    tuple
)


def wrong(**keys: Any) -> list[str]:  # noqa: ANN401 - keys of a grant
    grant = GrantSettings(**{"from_": "alice", "to": "bob", "kinds": "meshtastic.battery_low", **keys})
    found = check_grants([grant], owners=OWNERS, adapters=ADAPTERS, kinds=KINDS.get)
    return [f"{written(fault.path)}: {fault.text}" for fault in found]


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"kinds": ("homeassistant.*", "inbox.door")},
        {"kinds": RIDE, "private": True},
        {"kinds": (RIDE, "homeassistant.*"), "private": True, "adapters": ("strava", "ho*")},
        {"from_": "_house", "to": ("alice", "bob")},
    ],
)
def test_nothing_is_wrong_with_a_good_grant(keys: dict[str, Any]) -> None:
    assert wrong(**keys) == []


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"from_": "alise"}, "from: there is no owner 'alise': did you mean \"alice\"?"),
        ({"to": ("bob", "carl")}, "to[1]: there is no owner 'carl': did you mean \"carol\"?"),
        ({"to": "alice"}, "to: alice sees these events already"),
        ({"to": ()}, "to: expected one or several"),
        ({"kinds": "strava"}, 'kinds: a type has two words or more: did you mean "strava.*"?'),
        ({"kinds": ("meshtastic.battery_lo",)}, "kinds[0]: no configured adapter has events of the type"),
        ({"kinds": RIDE}, f"kinds: {RIDE} is private: to grant it all the same, set private = true"),
        ({"kinds": "strava.*", "private": True}, "private: no private kind is named in kinds"),
        ({"adapters": "hme"}, "adapters: there is no adapter 'hme': did you mean \"home\"?"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_remedy(keys: dict[str, Any], complaint: str) -> None:
    assert complaint in "\n".join(wrong(**keys))


@given(from_=st.text(max_size=4), to=WORDS, kinds=WORDS, adapters=WORDS, private=st.booleans())
def test_any_grant_is_checked(**keys: Any) -> None:  # noqa: ANN401 - keys of a grant
    assert all(": " in complaint for complaint in wrong(**keys))
