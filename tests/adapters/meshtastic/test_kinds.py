"""What packets say: every port, in units, and nothing that cannot be JSON."""

import base64
import json
from math import inf, nan
from typing import Any, NoReturn

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meshtastic.protobuf import (
    admin_pb2,
    config_pb2,
    mesh_pb2,
    mqtt_pb2,
    paxcount_pb2,
    storeforward_pb2,
    telemetry_pb2,
)

from jitney.adapters.meshtastic import kinds, packets
from jitney.adapters.meshtastic.addresses import BROADCAST
from jitney.adapters.meshtastic.kinds import Hop
from jitney.adapters.meshtastic.payloads import Nothing, data_of
from jitney.adapters.meshtastic.ports import Port
from jitney.topics import EventData, Kinds
from tests.adapters.meshtastic.hearing import ALICE, ARRIVED, BOB, CAROL, RADIO, mesh_packet, published, read, said
from tests.adapters.meshtastic.protobufs import messages
from tests.adapters.meshtastic.test_packets import JSON

PAYLOADS = {
    Port.POSITION_APP: mesh_pb2.Position,
    Port.NODEINFO_APP: mesh_pb2.User,
    Port.ROUTING_APP: mesh_pb2.Routing,
    Port.ADMIN_APP: admin_pb2.AdminMessage,
    Port.TELEMETRY_APP: telemetry_pb2.Telemetry,
    Port.TRACEROUTE_APP: mesh_pb2.RouteDiscovery,
    Port.NEIGHBORINFO_APP: mesh_pb2.NeighborInfo,
    Port.WAYPOINT_APP: mesh_pb2.Waypoint,
    Port.PAXCOUNTER_APP: paxcount_pb2.Paxcount,
    Port.STORE_FORWARD_APP: storeforward_pb2.StoreAndForward,
    Port.MAP_REPORT_APP: mqtt_pb2.MapReport,
}
TEXTS = (Port.TEXT_MESSAGE_APP, Port.ALERT_APP, Port.DETECTION_SENSOR_APP, Port.RANGE_TEST_APP)

HEAD: dict[str, Any] = {
    "node": "!a11ce001",
    "to": "broadcast",
    "packet_id": 77,
    "hops": 0,
    "snr": 6.25,
    "rssi": -92,
    "first_hand": True,
}
READABLE: dict[str, Any] = {**HEAD, "channel": 0}

KNOWN = Kinds(kinds.KINDS)


def _no_constant(word: str) -> NoReturn:
    raise AssertionError(f"{word} is not JSON")


def checked(data: EventData | Nothing) -> EventData | Nothing:
    """Return what was said, after it went through JSON as it will on the bus."""
    if isinstance(data, EventData):
        encoded = msgspec.json.encode(data)
        json.loads(encoded, parse_constant=_no_constant)
        assert msgspec.json.decode(encoded, type=type(data)) == data
        assert b"raw" not in json.loads(encoded)
    return data


def telemetry(**fields: Any) -> EventData | Nothing:  # noqa: ANN401 - fields of Telemetry
    return checked(said(Port.TELEMETRY_APP, telemetry_pb2.Telemetry(time=int(ARRIVED), **fields)))


def test_every_kind_is_documented_once_and_has_a_schema() -> None:
    assert len(KNOWN.types()) == len(kinds.KINDS)
    assert all(kind.__doc__ and kind.type.startswith("meshtastic.") for kind in kinds.KINDS)
    assert KNOWN.schemas()["meshtastic.position"]["$defs"]["Position"]["properties"]["latitude"] == {"type": "number"}


def test_a_text_is_kept_as_it_was_written() -> None:
    text = "Grüße 👋\n\t\u05e9\u05dc\u05d5\u05dd \u200frtl"
    assert checked(said(1, text.encode(), channel=2)) == kinds.Message(**{**READABLE, "channel": 2}, text=text)


def test_control_characters_in_a_text_are_replaced_and_line_ends_are_one() -> None:
    data = checked(said(1, b"a\x00b\x1b[31mc\r\nd\re\x7f\xc2\x9b"))
    assert isinstance(data, kinds.Message)
    assert data.text == "a\ufffdb\ufffd[31mc\nd\ne\ufffd\ufffd"


def test_a_text_that_was_cut_inside_a_character_is_read_as_far_as_it_goes() -> None:
    data = checked(said(1, "Grüße".encode()[:3]))
    assert isinstance(data, kinds.Message)
    assert data.text == "Gr\ufffd"


def test_a_text_is_never_longer_than_a_thousand_characters() -> None:
    packet = packets.read({"from": ALICE, "decoded": {"portnum": "TEXT_MESSAGE_APP", "payload": b"x" * 5000}}, ARRIVED)
    assert packet is not None
    data = data_of(packet, radio=RADIO)
    assert isinstance(data, kinds.Message)
    assert data.text == "x" * 1000


def test_a_reaction_names_what_it_is_put_to() -> None:
    data = checked(said(1, "❤".encode(), reply_id=5, emoji=1))
    assert isinstance(data, kinds.Message)
    assert (data.text, data.reaction, data.reply_id) == ("❤", True, 5)


def test_a_direct_message_says_so_and_whether_its_sender_is_proved() -> None:
    data = checked(said(1, b"psst", to=RADIO, pki_encrypted=True, public_key=b"k" * 32))
    assert isinstance(data, kinds.Message)
    assert (data.direct, data.pki, data.to, data.own) == (True, True, "!0000ba5e", False)


def test_a_message_for_another_node_is_not_direct() -> None:
    data = checked(said(1, b"psst", to=BOB))
    assert isinstance(data, kinds.Message)
    assert (data.direct, data.to) == (False, "!0b0b0001")


def test_what_the_radio_itself_sent_is_its_own() -> None:
    data = checked(said(1, b"me", sender=RADIO, rx_snr=0, rx_rssi=0, hop_start=0))
    assert data == kinds.Message(node="!0000ba5e", to="broadcast", packet_id=77, own=True, channel=0, text="me")


def test_a_position_is_in_degrees_and_metres() -> None:
    position = mesh_pb2.Position(
        latitude_i=525200066,
        longitude_i=-134049540,
        altitude=-3,
        time=int(ARRIVED) - 60,
        precision_bits=32,
        ground_speed=4,
        ground_track=9_000_000,
        gps_accuracy=3000,
        PDOP=150,
        sats_in_view=9,
        location_source=mesh_pb2.Position.LocSource.LOC_INTERNAL,
    )
    assert checked(said(Port.POSITION_APP, position)) == kinds.Position(
        **READABLE,
        latitude=52.5200066,
        longitude=-13.404954,
        altitude=-3,
        fixed="2026-11-21T05:59:00.000Z",
        precision_bits=32,
        accuracy=4.5,
        ground_speed=4,
        ground_track=90.0,
        satellites=9,
        pdop=1.5,
        location_source="LOC_INTERNAL",
    )


def test_a_blurred_position_says_how_far_off_it_may_be() -> None:
    data = checked(said(Port.POSITION_APP, mesh_pb2.Position(latitude_i=1, longitude_i=2, precision_bits=13)))
    assert isinstance(data, kinds.Position)
    assert data.accuracy == pytest.approx(2918, abs=1)


def test_no_fix_is_not_a_place_but_zero_is_one_when_it_was_sent() -> None:
    assert said(Port.POSITION_APP, mesh_pb2.Position(time=int(ARRIVED))) == Nothing("no_fix")
    assert said(Port.POSITION_APP, mesh_pb2.Position(latitude_i=0)) == Nothing("no_fix")
    assert said(Port.POSITION_APP, mesh_pb2.Position(), want_response=True) == Nothing("requests")
    data = checked(said(Port.POSITION_APP, mesh_pb2.Position(latitude_i=0, longitude_i=0)))
    assert isinstance(data, kinds.Position)
    assert (data.latitude, data.longitude) == (0.0, 0.0)


def test_a_place_that_is_not_on_earth_is_not_understood() -> None:
    data = checked(said(Port.POSITION_APP, mesh_pb2.Position(latitude_i=900000001, longitude_i=0)))
    assert isinstance(data, kinds.Unknown)
    assert (data.port, data.port_name, data.size) == (Port.POSITION_APP, "POSITION_APP", 10)


def test_a_node_tells_its_names_harmlessly_and_its_claimed_id_is_ignored() -> None:
    user = mesh_pb2.User(
        id="!ffffffff",
        long_name="a/+/#\n\x1b🚀 ",
        short_name="\u202ex",
        hw_model=mesh_pb2.HardwareModel.HELTEC_V3,
        role=config_pb2.Config.DeviceConfig.Role.ROUTER,
        public_key=b"k" * 32,
        is_licensed=True,
        is_unmessagable=True,
    )
    assert checked(said(Port.NODEINFO_APP, user)) == kinds.NodeInfo(
        **READABLE,
        long_name="a/+/#\ufffd\ufffd🚀",
        short_name="\ufffdx",
        hardware="HELTEC_V3",
        role="ROUTER",
        licensed=True,
        unmessagable=True,
        public_key=base64.b64encode(b"k" * 32).decode(),
    )


def test_hardware_and_roles_newer_than_the_library_are_numbers_and_a_short_key_is_none() -> None:
    user = mesh_pb2.User(id="!a11ce001", public_key=b"short")
    user.ParseFromString(user.SerializeToString() + b"\x28\x8f\x4e\x38\x63")
    data = checked(said(Port.NODEINFO_APP, user))
    assert isinstance(data, kinds.NodeInfo)
    assert (data.hardware, data.role, data.public_key) == ("9999", "99", "")


def test_device_telemetry_keeps_zeros_that_were_sent() -> None:
    data = telemetry(device_metrics=telemetry_pb2.DeviceMetrics(battery_level=0, voltage=3.71, air_util_tx=0.0))
    assert data == kinds.Telemetry(
        **READABLE,
        kind="device",
        values={"battery_level": 0, "voltage": 3.71, "air_util_tx": 0.0},
        measured="2026-11-21T06:00:00.000Z",
    )


def test_a_node_on_mains_is_full_and_powered() -> None:
    data = telemetry(device_metrics=telemetry_pb2.DeviceMetrics(battery_level=101))
    assert isinstance(data, kinds.Telemetry)
    assert (data.values, data.powered) == ({"battery_level": 100}, True)


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_a_measurement_that_is_no_number_is_left_out(value: float) -> None:
    data = telemetry(environment_metrics=telemetry_pb2.EnvironmentMetrics(temperature=value, lux=2.5))
    assert isinstance(data, kinds.Telemetry)
    assert data.values == {"lux": 2.5}


def test_measurements_have_the_names_of_the_protocol() -> None:
    data = telemetry(
        environment_metrics=telemetry_pb2.EnvironmentMetrics(
            rainfall_1h=1.5, rainfall_24h=3, relative_humidity=40.5, one_wire_temperature=[20.5, nan, 21.5]
        )
    )
    assert isinstance(data, kinds.Telemetry)
    assert data.values == {
        "rainfall_1h": 1.5,
        "rainfall_24h": 3.0,
        "relative_humidity": 40.5,
        "one_wire_temperature_1": 20.5,
        "one_wire_temperature_3": 21.5,
    }
    data = telemetry(air_quality_metrics=telemetry_pb2.AirQualityMetrics(particles_03um=7, pm25_standard=8, co2=400))
    assert isinstance(data, kinds.Telemetry)
    assert (data.kind, data.values) == ("air_quality", {"particles_03um": 7, "pm25_standard": 8, "co2": 400})


def test_large_numbers_are_numbers_and_texts_are_left_out() -> None:
    host = telemetry_pb2.HostMetrics(uptime_seconds=9, freemem_bytes=2**40, diskfree1_bytes=5, user_string="12")
    data = telemetry(host_metrics=host)
    assert isinstance(data, kinds.Telemetry)
    assert data.values == {
        "uptime_seconds": 9,
        "freemem_bytes": 2**40,
        "diskfree1_bytes": 5,
        "load1": 0,
        "load5": 0,
        "load15": 0,
    }


def test_counts_that_the_protocol_leaves_out_are_zero() -> None:
    data = telemetry(local_stats=telemetry_pb2.LocalStats(uptime_seconds=60, num_packets_rx=3))
    assert isinstance(data, kinds.Telemetry)
    assert (data.values["num_packets_rx"], data.values["num_packets_tx"], data.values["air_util_tx"]) == (3, 0, 0.0)


def test_telemetry_without_a_number_is_a_request_or_nothing() -> None:
    empty = telemetry_pb2.Telemetry(local_stats=telemetry_pb2.LocalStats())
    assert said(Port.TELEMETRY_APP, empty, want_response=True) == Nothing("requests")
    assert said(Port.TELEMETRY_APP, empty) == Nothing("empty")


def test_telemetry_of_a_kind_that_is_not_known_is_not_understood() -> None:
    data = checked(said(Port.TELEMETRY_APP, telemetry_pb2.Telemetry(time=5)))
    assert isinstance(data, kinds.Unknown)
    assert base64.b64decode(data.payload) == telemetry_pb2.Telemetry(time=5).SerializeToString()


@pytest.mark.parametrize(("reason", "acknowledged", "error"), [("NONE", True, ""), ("NO_CHANNEL", False, "NO_CHANNEL")])
def test_an_answer_of_the_mesh_says_whether_a_packet_arrived(reason: str, acknowledged: bool, error: str) -> None:  # noqa: FBT001
    routing = mesh_pb2.Routing(error_reason=mesh_pb2.Routing.Error.Value(reason))
    assert checked(said(Port.ROUTING_APP, routing, to=RADIO, request_id=42)) == kinds.Ack(
        **{**READABLE, "to": "!0000ba5e"}, direct=True, request_id=42, acknowledged=acknowledged, error=error
    )


def test_routing_that_answers_nothing_is_not_an_ack() -> None:
    route = mesh_pb2.Routing(route_request=mesh_pb2.RouteDiscovery())
    assert isinstance(said(Port.ROUTING_APP, mesh_pb2.Routing(error_reason=0)), kinds.Unknown)
    assert isinstance(said(Port.ROUTING_APP, route, request_id=5), kinds.Unknown)


def test_the_answer_to_a_traceroute_has_both_ways() -> None:
    route = mesh_pb2.RouteDiscovery(
        route=[BOB, BROADCAST], snr_towards=[26, -128, -30], route_back=[CAROL], snr_back=[-128, 1]
    )
    assert checked(said(Port.TRACEROUTE_APP, route, to=RADIO, request_id=9)) == kinds.Traceroute(
        **{**READABLE, "to": "!0000ba5e"},
        direct=True,
        request_id=9,
        origin="!0000ba5e",
        target="!a11ce001",
        towards=(Hop("!0b0b0001", 6.5), Hop(None, None), Hop("!a11ce001", -7.5)),
        back=(Hop("!ca501001", None), Hop("!0000ba5e", 0.25)),
    )


def test_a_traceroute_to_a_neighbour_has_one_hop_and_a_way_back_that_is_not_complete_is_none() -> None:
    data = checked(said(Port.TRACEROUTE_APP, mesh_pb2.RouteDiscovery(snr_towards=[8]), to=RADIO, request_id=9))
    assert isinstance(data, kinds.Traceroute)
    assert (data.towards, data.back) == ((Hop("!a11ce001", 2.0),), None)


def test_a_traceroute_whose_hops_are_not_complete_is_not_understood() -> None:
    route = mesh_pb2.RouteDiscovery(route=[BOB], snr_towards=[8])
    assert isinstance(checked(said(Port.TRACEROUTE_APP, route, to=RADIO, request_id=9)), kinds.Unknown)


def test_the_question_of_a_traceroute_shows_the_way_that_it_came() -> None:
    route = mesh_pb2.RouteDiscovery(route=[BOB], snr_towards=[8, 12])
    data = checked(said(Port.TRACEROUTE_APP, route, to=RADIO, want_response=True))
    assert isinstance(data, kinds.Traceroute)
    assert (data.origin, data.target, data.request_id, data.back) == ("!a11ce001", "!0000ba5e", 0, None)
    assert data.towards == (Hop("!0b0b0001", 2.0), Hop("!0000ba5e", 3.0))
    assert said(Port.TRACEROUTE_APP, mesh_pb2.RouteDiscovery(), to=BOB, want_response=True) == Nothing("requests")


def test_neighbours_are_named_with_how_well_they_are_heard() -> None:
    info = mesh_pb2.NeighborInfo(
        node_id=ALICE,
        node_broadcast_interval_secs=900,
        neighbors=[
            mesh_pb2.Neighbor(node_id=BOB, snr=-7.5),
            mesh_pb2.Neighbor(node_id=CAROL),
            mesh_pb2.Neighbor(snr=3),
            mesh_pb2.Neighbor(node_id=RADIO, snr=nan),
        ],
    )
    assert checked(said(Port.NEIGHBORINFO_APP, info)) == kinds.Neighbours(
        **READABLE,
        of="!a11ce001",
        neighbours=(Hop("!0b0b0001", -7.5), Hop("!ca501001", 0.0), Hop("!0000ba5e", None)),
        interval=900,
    )


def test_a_waypoint_has_a_place_a_name_and_an_end() -> None:
    waypoint = mesh_pb2.Waypoint(
        id=5,
        latitude_i=525000000,
        longitude_i=134000000,
        expire=int(ARRIVED) + 3600,
        locked_to=ALICE,
        name="Hut\n",
        description="warm",
        icon=0x1F6D6,
    )
    assert checked(said(Port.WAYPOINT_APP, waypoint)) == kinds.Waypoint(
        **READABLE,
        waypoint_id=5,
        latitude=52.5,
        longitude=13.4,
        name="Hut\ufffd",
        description="warm",
        icon="\U0001f6d6",
        expires="2026-11-21T07:00:00.000Z",
        locked_to="!a11ce001",
    )


@pytest.mark.parametrize("expire", [0, 1, int(ARRIVED) - 1])
def test_a_waypoint_that_has_expired_is_deleted(expire: int) -> None:
    data = checked(said(Port.WAYPOINT_APP, mesh_pb2.Waypoint(id=5, expire=expire, icon=0xD800)))
    assert isinstance(data, kinds.Waypoint)
    assert (data.deleted, data.latitude, data.icon) == (True, None, "\ufffd")


def test_alarms_detections_and_range_tests_are_texts_of_their_own_kind() -> None:
    assert checked(said(Port.ALERT_APP, b"\x07fire")) == kinds.Alert(**READABLE, text="\ufffdfire")
    assert checked(said(Port.DETECTION_SENSOR_APP, b"Door")) == kinds.Detection(**READABLE, text="Door")
    assert checked(said(Port.RANGE_TEST_APP, b"seq 1")) == kinds.RangeTest(**READABLE, text="seq 1")


def test_a_stored_text_is_passed_on_readable() -> None:
    stored = storeforward_pb2.StoreAndForward(rr=8, text="später".encode())
    assert checked(said(Port.STORE_FORWARD_APP, stored)) == kinds.StoreForward(
        **READABLE, message="ROUTER_TEXT_DIRECT", text="später"
    )


def test_the_statistics_of_a_store_are_numbers() -> None:
    stats = storeforward_pb2.StoreAndForward.Statistics(messages_total=7, heartbeat=True)
    data = checked(said(Port.STORE_FORWARD_APP, storeforward_pb2.StoreAndForward(rr=7, stats=stats)))
    assert data == kinds.StoreForward(**READABLE, message="ROUTER_STATS", values={"messages_total": 7})


def test_a_paxcounter_counts_and_leaves_nothing_unsaid() -> None:
    assert checked(said(Port.PAXCOUNTER_APP, paxcount_pb2.Paxcount(wifi=3, uptime=60))) == kinds.Paxcounter(
        **READABLE, wifi=3, uptime=60
    )


def test_a_map_report_shows_a_node_as_the_map_does() -> None:
    report = mqtt_pb2.MapReport(
        long_name="Alice",
        short_name="AL",
        hw_model=mesh_pb2.HardwareModel.TBEAM,
        firmware_version="2.7.26",
        region=config_pb2.Config.LoRaConfig.RegionCode.EU_868,
        latitude_i=525000000,
        longitude_i=134000000,
        altitude=40,
        position_precision=14,
        num_online_local_nodes=12,
    )
    assert checked(said(Port.MAP_REPORT_APP, report)) == kinds.MapReport(
        **READABLE,
        long_name="Alice",
        short_name="AL",
        hardware="TBEAM",
        firmware="2.7.26",
        region="EU_868",
        modem_preset="LONG_FAST",
        latitude=52.5,
        longitude=13.4,
        altitude=40,
        precision_bits=14,
        online_nodes=12,
    )


def test_a_map_report_without_a_place_is_nowhere() -> None:
    data = checked(said(Port.MAP_REPORT_APP, mqtt_pb2.MapReport(long_name="Alice")))
    assert isinstance(data, kinds.MapReport)
    assert (data.latitude, data.longitude, data.altitude) == (None, None, None)


def test_another_port_is_passed_on_as_it_is() -> None:
    assert checked(said(Port.PRIVATE_APP, b"\x00\xff")) == kinds.Unknown(
        **READABLE, port=256, port_name="PRIVATE_APP", size=2, payload="AP8="
    )
    data = checked(said(300, b"x"))
    assert isinstance(data, kinds.Unknown)
    assert (data.port, data.port_name) == (300, "300")


@pytest.mark.parametrize("port", [Port.KEY_VERIFICATION_APP, Port.REMOTE_SHELL_APP])
def test_of_a_port_that_may_carry_secrets_only_the_size_is_told(port: Port) -> None:
    data = checked(said(port, b"hash"))
    assert isinstance(data, kinds.Unknown)
    assert (data.size, data.payload) == (4, "")


def test_administration_is_never_told() -> None:
    admin = admin_pb2.AdminMessage(session_passkey=b"canary", set_owner=mesh_pb2.User(long_name="x"))
    assert said(Port.ADMIN_APP, admin, to=RADIO) == Nothing("admin")
    assert said(Port.ADMIN_APP, b"", to=RADIO) == Nothing("admin")
    assert read(mesh_packet(Port.ADMIN_APP, admin)).content is None


def test_an_encrypted_packet_is_told_as_such_without_its_content() -> None:
    data = checked(data_of(read(mesh_packet(encrypted=b"x" * 40, channel=0x1F)), radio=RADIO))
    assert data == kinds.Encrypted(**HEAD, channel_hash=0x1F, size=40)


@given(st.sampled_from(sorted(PAYLOADS)).flatmap(lambda port: st.tuples(st.just(port), messages(PAYLOADS[Port(port)]))))
def test_no_content_is_too_odd(port_and_payload: tuple[int, Any]) -> None:
    port, payload = port_and_payload
    for fields in ({}, {"request_id": 5, "to": RADIO}, {"want_response": True}):
        dictionary = published(mesh_packet(port, payload, **fields))
        if dictionary is None:
            continue
        packet = packets.read(dictionary, ARRIVED)
        assert packet is not None
        checked(data_of(packet, radio=RADIO))


@given(st.sampled_from(TEXTS), st.binary(max_size=240))
def test_no_text_is_too_odd(port: Port, payload: bytes) -> None:
    data = checked(said(port, payload))
    assert isinstance(data, kinds.Message | kinds.Alert | kinds.Detection | kinds.RangeTest)
    assert not set(data.text) & set("\x00\x07\x1b\x7f\x9b\r")


@given(st.integers(0, 600), st.binary(max_size=64))
def test_no_port_with_any_bytes_is_too_odd(port: int, payload: bytes) -> None:
    dictionary = published(mesh_packet(port, payload))
    if dictionary is not None:
        packet = packets.read(dictionary, ARRIVED)
        assert packet is not None
        checked(data_of(packet, radio=RADIO))


@given(st.sampled_from(sorted(PAYLOADS)), JSON | st.dictionaries(st.text(max_size=12), JSON, max_size=5))
def test_nothing_that_the_library_might_say_one_day_is_too_odd(port: int, content: object) -> None:
    name = Port(port).name
    key = packets._CONTENTS.get(port, "admin")
    decoded = {"portnum": name, "payload": b"x", "requestId": 5, key: content}
    packet = packets.read({"from": ALICE, "decoded": decoded}, ARRIVED)
    if packet is not None:
        checked(data_of(packet, radio=RADIO))
