"""Counting what a radio hears, by port and by time."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from meshtastic.protobuf import telemetry_pb2

from jitney.adapters.meshtastic.payloads import Nothing, data_of
from jitney.adapters.meshtastic.rolling import Rolling
from jitney.adapters.meshtastic.statistics import EVERY, MOST_PORTS, Count, Statistics
from tests.adapters.meshtastic.hearing import ALICE, ARRIVED, RADIO, mesh_packet, read
from tests.fakes.context import RecordingContext


class Clock:
    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


class Counting:
    """The statistics of a radio, and what it hears."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.ctx = RecordingContext(name="base", default_owner="alice")
        self.statistics = Statistics(self.ctx, since=ARRIVED - 60, clock=self.clock)

    def hears(self, port: int = 1, payload: Any = b"x", *, first: bool = True, **fields: Any) -> None:  # noqa: ANN401
        packet = read(mesh_packet(port, payload, **fields))
        data = data_of(packet, radio=RADIO)
        self.statistics.heard(
            packet, None if isinstance(data, Nothing) else data, own=packet.sender == RADIO, first=first
        )

    def published(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(bytes(self.ctx.states["alice", "statistics"].data or b""))
        return found


def test_packets_are_counted_by_port_and_time() -> None:
    counting = Counting()
    counting.hears(1)
    counting.clock.now += 61
    counting.hears(1, first=False, via_mqtt=True)
    counting.hears(300)
    counting.hears(encrypted=b"x")
    state = counting.statistics.state()
    assert state.packets == Count(total=4, hour=4, minute=3)
    assert state.ports == {
        "TEXT_MESSAGE_APP": Count(2, 2, 1),
        "300": Count(1, 1, 1),
        "ENCRYPTED": Count(1, 1, 1),
    }
    assert (state.duplicates, state.via_mqtt, state.since) == (1, 1, "2026-11-21T05:59:00.250Z")
    counting.clock.now += 3601
    assert counting.statistics.state().packets == Count(total=4, hour=0, minute=0)


def test_since_when_is_counted_is_known_before_the_first_packet() -> None:
    state = Counting().statistics.state()
    assert (state.packets.total, state.since) == (0, "2026-11-21T05:59:00.250Z")


def test_how_busy_the_air_is_comes_from_the_radio_itself() -> None:
    counting = Counting()
    metrics = telemetry_pb2.DeviceMetrics(channel_utilization=7.5, air_util_tx=1.25)
    report = telemetry_pb2.Telemetry(device_metrics=metrics)
    counting.hears(67, report, sender=ALICE)
    assert counting.statistics.channel_utilization is None
    counting.hears(67, report, sender=RADIO)
    assert (counting.statistics.channel_utilization, counting.statistics.air_util_tx) == (7.5, 1.25)
    counting.hears(67, telemetry_pb2.Telemetry(local_stats=telemetry_pb2.LocalStats(num_packets_rx=1)), sender=RADIO)
    assert counting.statistics.state().channel_utilization == 0.0


def test_a_count_of_nothing_is_zero_and_not_left_out() -> None:
    counting = Counting()
    counting.statistics.publish()
    state = counting.published()
    none = ("duplicates", "via_mqtt", "unreadable", "nodes", "nodes_online", "waiting")
    assert {name: state[name] for name in none} == dict.fromkeys(none, 0)
    assert "channel_utilization" not in state


def test_how_many_nodes_there_are_and_packets_wait_is_told_by_who_knows() -> None:
    counting = Counting()
    counting.statistics.nodes, counting.statistics.nodes_online, counting.statistics.waiting = 7, 3, 2
    state = counting.statistics.state()
    assert (state.nodes, state.nodes_online, state.waiting) == (7, 3, 2)


def test_the_state_is_published_now_and_then_and_only_when_it_changes() -> None:
    counting = Counting()
    counting.hears(1)
    counting.statistics.publish()
    assert counting.published()["packets"] == {"total": 1, "hour": 1, "minute": 1}
    counting.hears(1)
    counting.clock.now += EVERY - 1
    counting.statistics.publish()
    assert counting.published()["packets"]["total"] == 1
    counting.clock.now += 1
    counting.statistics.publish()
    assert counting.published()["packets"]["total"] == 2
    counting.clock.now += 7200
    counting.statistics.publish()
    counting.ctx.states.clear()
    counting.clock.now += 7200
    counting.statistics.publish()
    assert counting.ctx.states == {}


def test_there_are_only_so_many_ports() -> None:
    counting = Counting()
    for port in range(300, 300 + MOST_PORTS + 5):
        counting.hears(port)
    ports = counting.statistics.state().ports
    assert len(ports) == MOST_PORTS + 1
    assert ports["other"].total == 5


@given(st.lists(st.floats(0, 2000), max_size=60), st.floats(0, 4000))
def test_the_last_minute_and_hour_are_right_to_a_part_of_sixty(pauses: list[float], rest: float) -> None:
    rolling = Rolling()
    now = 10_000.0
    times = []
    for pause in pauses:
        now += pause
        rolling.add(now)
        times.append(now)
    now += rest
    for count, width, part in ((rolling.minute(now), 60, 1), (rolling.hour(now), 3600, 60)):
        assert sum(now - at < width - part for at in times) <= count <= sum(now - at < width for at in times)
    assert rolling.total == len(times)
