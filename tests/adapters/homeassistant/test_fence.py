"""Nobody acts on what the rules give to somebody else."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from jitney.adapters.base import Owner
from jitney.adapters.errors import RefusedError
from jitney.adapters.homeassistant import fence
from jitney.adapters.homeassistant.config import Config, Identity
from jitney.adapters.homeassistant.house import House
from jitney.adapters.secret import Secret
from tests.adapters.homeassistant.following import adapter_for, command, context, online
from tests.fakes.context import RecordingContext
from tests.fakes.homeassistant import FakeHomeAssistant

HERS = Identity(entities=("light.desk", "script.good_night"), areas=("room",))
HIS = Identity(entities=("*.bob_*",))


def house(*, areas: bool = True) -> House:
    found = House(Config(url="http://home", token=Secret("a-token-of-more-than-twenty-letters")))
    registries: dict[str, Any] = {
        "areas": [{"area_id": "room", "name": "Room"}, {"area_id": "hall", "name": "Hall"}],
        "devices": [{"id": "lamp", "area_id": "room"}, {"id": "strip", "area_id": "hall"}, {"id": "shelf"}],
        "entities": {"entities": [{"ei": "light.bob_strip", "di": "strip"}, {"ei": "light.shelf", "di": "shelf"}]},
    }
    if areas:
        found.places.load(**{key: raw(value) for key, value in registries.items()}, odd=lambda *_: None)
    hers = HERS if areas else msgspec.structs.replace(HERS, areas=())
    found.belong(RecordingContext(owners=[Owner("alice", "Alice", hers), Owner("bob", "Bob", HIS)]))
    for entity in ("light.desk", "light.bob_bench", "light.bob_strip", "light.hall", "switch.hall"):
        found.entity(entity)
    return found


def raw(value: object) -> Raw:
    return Raw(msgspec.json.encode(value))


def refused(owner: str, service: str, *, areas: bool = True, target: object = None, **data: object) -> str:
    given = UNSET if target is None else raw(target)
    try:
        fence.check(owner, service, data=raw(data), target=given, house=house(areas=areas))
    except RefusedError as error:
        return f"{error.code}: {error}"
    return ""


@pytest.mark.parametrize(
    ("service", "asked"),
    [
        ("light.turn_on", {"entity_id": "light.bob_bench"}),
        ("light.turn_on", {"entity_id": ["light.desk", "light.bob_bench"]}),
        ("light.turn_on", {"entity_id": "light.desk, light.bob_bench"}),
        ("light.turn_on", {"entity_id": "all"}),
        ("light.turn_on", {"area_id": "hall"}),
        ("light.turn_on", {"device_id": ["strip"]}),
        ("light.turn_on", {"floor_id": "ground"}),
        ("light.turn_on", {"label_id": "evening"}),
        ("scene.apply", {"entities": {"light.bob_bench": "on"}}),
        ("script.bob_wakes", {}),
    ],
)
def test_what_belongs_to_somebody_else_is_left_alone(service: str, asked: dict[str, object]) -> None:
    assert refused("alice", service, target=asked).startswith("foreign_owner: ")
    assert refused("alice", service, **asked).startswith("foreign_owner: ")


@pytest.mark.parametrize(
    ("service", "asked"),
    [
        ("light.turn_on", {"entity_id": ["light.desk", "light.hall", "light.unheard_of"]}),
        ("switch.turn_off", {"entity_id": "all"}),
        ("light.turn_on", {"area_id": "room"}),
        ("light.turn_on", {"device_id": ["lamp", "shelf"]}),
        ("script.good_night", {}),
        ("notify.notify", {"message": "all of light.bob_bench"}),
        ("light.turn_on", {"entity_id": 7}),
    ],
)
def test_ones_own_and_what_is_everybodys_can_be_acted_on(service: str, asked: dict[str, object]) -> None:
    assert not refused("alice", service, target=asked)
    assert not refused("alice", service, **asked)


def test_the_house_may_act_on_everything() -> None:
    assert not refused("_house", "light.turn_on", entity_id=["light.desk", "light.bob_bench", "all"], label_id="x")


def test_an_area_is_refused_where_the_registries_are_not_read() -> None:
    assert "name the entities" in refused("alice", "light.turn_on", areas=False, area_id="hall")


@given(
    st.dictionaries(
        st.sampled_from(["entity_id", "area_id", "entities", "device_id"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=20), lambda inner: st.lists(inner, max_size=3)
        ),
    )
)
def test_no_data_is_too_odd(asked: dict[str, object]) -> None:
    refused("alice", "light.turn_on", target=asked)


async def test_somebody_elses_lamp_stays_as_it_is() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.desk", "off")
        home.set_state("light.bob_bench", "off")
        people = [Owner("alice", "Alice", HERS), Owner("bob", "Bob", HIS)]
        async with online(adapter := adapter_for(home), context(owners=people)):
            await adapter.command(command("call_service", turned_on("light.desk")))
            with pytest.raises(RefusedError, match="belongs to somebody else"):
                await adapter.command(command("call_service", turned_on("light.bob_bench")))
            assert home.states["light.bob_bench"].state == "off"
            assert home.states["light.desk"].state == "on"


def turned_on(lamp: str) -> dict[str, object]:
    return {"service": "light.turn_on", "data": {"entity_id": lamp}}
