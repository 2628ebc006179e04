"""From what is asked to the packets for it."""

import msgspec
import pytest
from meshtastic.protobuf import mesh_pb2

from jitney.adapters.errors import RefusedError
from jitney.adapters.meshtastic import contents
from jitney.adapters.meshtastic.addresses import BROADCAST, node_number
from jitney.adapters.meshtastic.asked import (
    RequestPosition,
    RequestTelemetry,
    SendAlert,
    SendPosition,
    SendText,
    SendWaypoint,
    Traceroute,
    read,
)
from jitney.adapters.meshtastic.destinations import Destinations
from jitney.adapters.meshtastic.limits import Limits
from jitney.adapters.meshtastic.outgoing import NO_HOPS_GIVEN, Outgoing, Packet, Priority
from jitney.adapters.meshtastic.owners import NodeOwners
from jitney.adapters.meshtastic.ports import Port
from jitney.adapters.meshtastic.requests import Requests
from jitney.topics import HOUSE
from tests.adapters.meshtastic.sending import ALICE, BOB, BOBS, CAROLS, INFO, OWN, START, Turned, command

BOBS_ID = "!b0000001"
KINDS = {
    "send_text": SendText,
    "send_alert": SendAlert,
    "send_position": SendPosition,
    "send_waypoint": SendWaypoint,
    "traceroute": Traceroute,
    "request_position": RequestPosition,
    "request_telemetry": RequestTelemetry,
}


def made(name: str, data: object, *, owner: str = "alice", radio_of: str = HOUSE, id: str = "c-1") -> list[Outgoing]:  # noqa: A002
    owners = NodeOwners({"alice": ALICE, "bob": BOB}, radio_of)
    places = Destinations(lambda text: node_number(text) or 0, INFO)
    requests = Requests(Limits(), places, owners, own=OWN, timing=Turned())
    asked = command(name, data, owner=owner, id=id, deadline=START + 60)
    return requests.packets(asked, read(asked, KINDS[name]))


def refused(name: str, data: object, **options: str) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        made(name, data, **options)
    return caught.value


def test_a_text_without_anything_else_is_for_everybody_on_the_first_channel() -> None:
    (text,) = made("send_text", {"text": "hello"})
    assert text.packet == Packet(port=Port.TEXT_MESSAGE_APP, payload=b"hello", to=BROADCAST, channel=0, want_ack=True)
    assert (text.what, text.priority, text.text, text.parts) == ("text", Priority.CHANNEL_TEXT, "hello", 1)
    assert (text.owner, text.command, text.deadline) == ("alice", "c-1", START + 60)
    assert (text.accepted, text.until, text.patience) == (START, START + 600, 120)
    assert text.persistent


def test_a_direct_text_with_all_that_can_be_said() -> None:
    asked = {
        "text": "yes",
        "to": BOBS_ID,
        "channel": "Family",
        "reply_to": 77,
        "want_ack": False,
        "hop_limit": 0,
        "ttl": 5,
    }
    (text,) = made("send_text", asked)
    assert text.packet == Packet(
        port=Port.TEXT_MESSAGE_APP, payload=b"yes", to=BOBS, channel=2, reply_id=77, want_ack=False, hop_limit=0
    )
    assert (text.priority, text.until) == (Priority.DIRECT_TEXT, START + 5)


def test_a_long_text_is_sent_in_parts_in_order() -> None:
    parts = made("send_text", {"text": "word " * 100, "to": BOBS_ID})
    assert [(part.part, part.parts, part.text[:4]) for part in parts] == [
        (1, 3, "1/3 "),
        (2, 3, "2/3 "),
        (3, 3, "3/3 "),
    ]
    assert len({part.id for part in parts}) == 3
    assert all(part.packet.payload == part.text.encode() for part in parts)


def test_a_reaction_is_an_emoji_put_to_a_message() -> None:
    (reaction,) = made("send_text", {"text": "👍", "reply_to": 77, "emoji": True})
    assert (reaction.what, reaction.packet.emoji, reaction.packet.reply_id) == ("reaction", True, 77)


@pytest.mark.parametrize("data", [{"text": "👍", "emoji": True}, {"text": "👍" * 9, "emoji": True, "reply_to": 1}])
def test_a_reaction_to_nothing_or_of_many_words_is_none(data: object) -> None:
    assert "reply_to" in str(refused("send_text", data))


def test_an_alert_goes_before_everything_in_one_piece() -> None:
    (alert,) = made("send_alert", {"text": "fire"})
    assert (alert.packet.port, alert.priority, alert.what) == (Port.ALERT_APP, Priority.ALERT, "alert")
    assert refused("send_alert", {"text": "x" * 201}).code == "too_long"


@pytest.mark.parametrize(
    ("name", "data", "port", "payload", "what"),
    [
        ("traceroute", {"hop_limit": 5}, Port.TRACEROUTE_APP, b"", "traceroute"),
        ("request_position", {}, Port.POSITION_APP, b"", "position_request"),
        (
            "request_telemetry",
            {"kind": "power"},
            Port.TELEMETRY_APP,
            contents.telemetry_request("power"),
            "telemetry_request",
        ),
    ],
)
def test_a_question_wants_an_answer_of_one_node(
    name: str, data: dict[str, object], *, port: Port, payload: bytes, what: str
) -> None:
    (question,) = made(name, {"to": BOBS_ID, **data}, owner="bob")
    hops = data.get("hop_limit", NO_HOPS_GIVEN)
    assert question.packet == Packet(port=port, payload=payload, to=BOBS, want_response=True, hop_limit=hops)
    assert (question.what, question.priority, question.until) == (what, Priority.REQUEST, START + 300)
    assert "give the node" in str(refused(name, data))


def test_nobody_asks_the_nodes_of_others_on_a_shared_radio_but_everybody_may_write_to_them() -> None:
    assert refused("request_position", {"to": BOBS_ID}).code == "not_allowed"
    assert made("send_text", {"to": BOBS_ID, "text": "hello"})
    assert made("request_position", {"to": f"!{CAROLS:08x}"})
    assert made("request_position", {"to": BOBS_ID}, owner="bob")
    assert made("request_position", {"to": BOBS_ID}, owner=HOUSE)


def test_on_a_radio_of_her_own_she_asks_every_node() -> None:
    assert made("traceroute", {"to": BOBS_ID}, radio_of="alice")


def test_a_position_for_everybody_wants_no_ack() -> None:
    (position,) = made("send_position", {"latitude": 1.5, "longitude": 2.5})
    assert (position.packet.port, position.packet.want_ack, position.what) == (Port.POSITION_APP, False, "position")
    (position,) = made("send_position", {"latitude": 1.5, "longitude": 2.5, "to": BOBS_ID})
    assert position.packet.want_ack
    assert mesh_pb2.Position.FromString(position.packet.payload).latitude_i == 15_000_000


def test_a_new_waypoint_gets_an_id_that_its_command_gets_again() -> None:
    place = {"latitude": 1.5, "longitude": 2.5, "name": "Spring"}
    ids = [made("send_waypoint", place, id=key)[0].waypoint_id for key in ("c-1", "c-1", "c-2")]
    assert ids[0] == ids[1] != ids[2]
    (waypoint,) = made("send_waypoint", {**place, "id": 5})
    assert waypoint.waypoint_id == 5
    assert mesh_pb2.Waypoint.FromString(waypoint.packet.payload).id == 5
    assert waypoint.what == "waypoint"


def test_a_waypoint_is_deleted_by_its_id() -> None:
    (removal,) = made("send_waypoint", {"id": 5, "delete": True})
    assert (removal.what, removal.waypoint_id) == ("waypoint_removal", 5)
    assert "give the id" in str(refused("send_waypoint", {"delete": True}))


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("send_text", {}, "missing required field `text`"),
        ("send_text", {"text": 5}, "Expected `str`, got `int`"),
        ("send_text", {"text": "x", "node": "!b0000001"}, "unknown field `node`"),
        ("send_text", {"text": "x", "hop_limit": 8}, "`int` <= 7"),
        ("send_text", {"text": "x", "reply_to": 0}, "`int` >= 1"),
        ("send_text", {"text": "x", "ttl": 0}, "`float` > 0"),
        ("send_text", {"text": "x", "wait": "read"}, "Invalid enum value 'read'"),
        ("send_position", {"latitude": 91, "longitude": 0}, "<= 90"),
        ("request_telemetry", {"to": BOBS_ID, "kind": "mood"}, "Invalid enum value 'mood'"),
        ("send_text", [], "Expected `object`, got `array`"),
    ],
)
def test_what_is_wrong_with_the_data_is_said(name: str, data: object, says: str) -> None:
    error = refused(name, data)
    assert error.code == "invalid"
    assert str(error).startswith(f"data of {name}: ")
    assert says in str(error)


def test_a_step_of_a_sweep_is_neither_told_nor_kept() -> None:
    requests = Requests(Limits(), Destinations(lambda _: 0, INFO), NodeOwners({}, "alice"), own=OWN, timing=Turned())
    step = requests.step("alice", BOBS, hop_limit=2, hops=1, causation="heard")
    assert not step.persistent
    assert (step.priority, step.packet.to, step.packet.hop_limit) == (Priority.SWEEP, BOBS, 2)
    assert msgspec.json.decode(msgspec.json.encode(step), type=Outgoing) == step
