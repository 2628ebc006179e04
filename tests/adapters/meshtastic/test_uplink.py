"""How a radio and MQTT get on."""

import json
from typing import Any

import pytest
from meshtastic.protobuf import mesh_pb2

from jitney.adapters.meshtastic.radio import Channel, MqttModule, RadioInfo
from jitney.adapters.meshtastic.uplink import EVERY, Traffic, Uplink
from tests.adapters.meshtastic.hearing import ARRIVED, RADIO, mesh_packet, read
from tests.fakes.context import RecordingContext

ON = MqttModule(enabled=True, address="mqtt.example.org", root="msh/EU_868", encryption=True, tls=True)
QUIET = Channel(0, "", "PRIMARY", uplink=False, downlink=False)
UP = Channel(0, "", "PRIMARY", uplink=True, downlink=False)
DOWN = Channel(1, "Family", "SECONDARY", uplink=False, downlink=True)


class Clock:
    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


def radio(mqtt: MqttModule, *channels: Channel) -> tuple[Uplink, RecordingContext, Clock]:
    ctx, clock = RecordingContext(name="base", default_owner="alice"), Clock()
    info = RadioInfo(number=RADIO, node_id="!0000ba5e", mqtt=mqtt, channels=channels)
    return Uplink(ctx, info, clock=clock), ctx, clock


@pytest.mark.parametrize(
    ("mqtt", "channels", "health"),
    [
        (MqttModule(), [UP], "off"),
        (ON, [QUIET], "no_channel"),
        (ON, [], "no_channel"),
        (ON, [QUIET, UP], "no_traffic"),
        (ON, [DOWN], "no_traffic"),
    ],
)
def test_before_anything_is_seen_the_configuration_tells(
    mqtt: MqttModule, channels: list[Channel], health: str
) -> None:
    assert radio(mqtt, *channels)[0].state().health == health


def test_traffic_is_seen_by_where_it_came_from_and_fades_after_an_hour() -> None:
    uplink, _, clock = radio(ON, UP, DOWN)
    uplink.heard(read(mesh_packet(1, b"x")))
    assert uplink.state().health == "no_traffic"
    uplink.heard(read(mesh_packet(1, b"x", via_mqtt=True)))
    over = mesh_pb2.MeshPacket.TransportMechanism.TRANSPORT_MQTT
    uplink.heard(read(mesh_packet(1, b"x", via_mqtt=True, transport_mechanism=over)))
    uplink.proxied(ARRIVED + 60)
    state = uplink.state()
    assert state.health == "traffic"
    assert state.via_mqtt == Traffic(2, 2, "2026-11-21T06:00:00.250Z")
    assert state.received == Traffic(1, 1, "2026-11-21T06:00:00.250Z")
    assert state.proxied == Traffic(1, 1, "2026-11-21T06:01:00.250Z")
    clock.now += 3601
    state = uplink.state()
    assert (state.health, state.via_mqtt) == ("no_traffic", Traffic(2, 0, "2026-11-21T06:00:00.250Z"))


def test_the_state_says_what_is_configured_and_is_published_only_when_it_changes() -> None:
    uplink, ctx, clock = radio(ON, UP, DOWN)
    uplink.publish()
    found: dict[str, Any] = json.loads(bytes(ctx.states["alice", "mqtt"].data or b""))
    assert found == {
        "health": "no_traffic",
        "enabled": True,
        "address": "mqtt.example.org",
        "root": "msh/EU_868",
        "encryption": True,
        "json": False,
        "tls": True,
        "map_reporting": False,
        "proxy": False,
        "channels": [
            {"index": 0, "name": "", "role": "PRIMARY", "uplink": True, "downlink": False},
            {"index": 1, "name": "Family", "role": "SECONDARY", "uplink": False, "downlink": True},
        ],
        "received": {"total": 0, "hour": 0},
        "via_mqtt": {"total": 0, "hour": 0},
        "proxied": {"total": 0, "hour": 0},
    }
    ctx.states.clear()
    clock.now += EVERY
    uplink.publish()
    assert ctx.states == {}
    uplink.heard(read(mesh_packet(1, b"x", via_mqtt=True)))
    uplink.publish()
    assert ctx.states == {}
    clock.now += EVERY
    uplink.publish()
    assert json.loads(bytes(ctx.states["alice", "mqtt"].data or b""))["health"] == "traffic"
