"""A command over the mesh switches a light of its owner, and of nobody else."""

from pathlib import Path

import pytest

from tests.examples.living import RADIO, Household, living
from tests.fakes.meshtastic import Node
from tests.fakes.mosquitto import Broker

ALICES = "light.alice_desk"
BOBS = "light.bob_bench"


def proved(node: Node, text: str) -> None:
    """Let a node write to the radio alone, with its own key."""
    node.text(text, to=RADIO, pki_encrypted=True, public_key=b"k" * 32)


def switched(house: Household) -> list[tuple[str, str]]:
    """Return which service was called on which entity, in order."""
    calls = [call for call in house.home.services.calls if call.domain == "light"]
    return [(call.service, entity) for call in calls for entity in call.entity_ids()]


async def test_her_own_node_switches_alices_light_on_and_off(broker: Broker, tmp_path: Path) -> None:
    async with living(broker, tmp_path, "mesh-light") as (house, daemon):
        for light in (ALICES, BOBS):
            house.home.set_state(light, "off")
        proved(house.alice, "Light on")
        await house.home.called("light", "turn_on")
        proved(house.alice, "light off ")
        await house.home.called("light", "turn_off")
        proved(house.alice, "light on, please")
        await house.heard("alice", "light on, please")
        await house.settled(daemon)
        assert switched(house) == [("turn_on", ALICES), ("turn_off", ALICES)]
        assert [
            (one["entity_id"], one["state"], one["own"]) for one in house.told("alice", "home", "state_changed")[1:]
        ] == [
            (ALICES, "on", True),
            (ALICES, "off", True),
        ]


async def test_on_alices_radio_nobody_elses_node_and_nobody_who_may_pretend_to_be_her_switches_anything(
    broker: Broker, tmp_path: Path
) -> None:
    async with living(broker, tmp_path, "mesh-light") as (house, daemon):
        for light in (ALICES, BOBS):
            house.home.set_state(light, "off")
        proved(house.bob, "light on")
        proved(house.carol, "light on")
        house.alice.text("light on", to=RADIO)
        house.alice.text("light on")
        house.alice.text("light on", to=house.bob.number, pki_encrypted=True)
        house.alice.text("that was all", to=RADIO)
        await house.heard("alice", "that was all")
        await house.settled(daemon)
        assert len(house.texts("alice")) == 6
        assert not switched(house)


async def test_on_a_radio_of_the_house_everybody_switches_their_own_light(broker: Broker, tmp_path: Path) -> None:
    async with living(broker, tmp_path, "mesh-light", radio_of="_house") as (house, daemon):
        for light in (ALICES, BOBS):
            house.home.set_state(light, "off")
        for node, owner in ((house.bob, "bob"), (house.carol, "_house"), (house.alice, "alice")):
            proved(node, "light on")
            await house.heard(owner, "light on")
            await house.settled(daemon)
        assert switched(house) == [("turn_on", BOBS), ("turn_on", ALICES)]
        assert [house.home.states[light].state for light in (ALICES, BOBS)] == ["on", "on"]


@pytest.mark.parametrize("whose", ["alice", "_house"])
async def test_a_command_that_is_heard_twice_switches_once(broker: Broker, tmp_path: Path, *, whose: str) -> None:
    async with living(broker, tmp_path, "mesh-light", radio_of=whose) as (house, daemon):
        house.home.set_state(ALICES, "off")
        packet = house.alice.packet(1, b"light on", to=RADIO, pki_encrypted=True)
        for _ in range(2):
            house.radio.hear(packet)
        house.alice.text("that was all", to=RADIO)
        await house.heard("alice", "that was all")
        await house.settled(daemon)
        assert switched(house) == [("turn_on", ALICES)]
