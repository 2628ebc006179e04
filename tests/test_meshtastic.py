"""From the sockets of radios to MQTT: the real library at simulated radios, the daemon, a broker and an observer."""

import asyncio
import threading
from functools import partial
from pathlib import Path

import pytest

from tests.adapters.meshtastic.linked import threads
from tests.at_meshtastic import at_home, household, on_air, one_radio, paced
from tests.fakes.meshtastic import Node
from tests.fakes.meshtastic.payloads import NAMES, PORTS
from tests.fakes.mosquitto import Broker
from tests.waiting import until

OWNERS = {"attic": "alice", "car": "alice", "boat": "bob", "shed": "bob"}
COMMON = 0xC0FFEE01
BOB = 0xB0B00001
ALICE = 0xA11CE001
CAROL = 0xCA401001
KINDS = {"message", "position", "telemetry", "node"}


def talk(node: Node, number: int) -> int:
    """Let a node send its next packet, of every kind in turn; returns the packet's id."""
    match number % 4:
        case 0:
            return node.text(f"{number} of {node.id}")
        case 1:
            return node.locate(47.0 + number / 1000, 8.5)
        case 2:
            return node.report()
    return node.announce()


@pytest.mark.parametrize(
    ("packets", "rate"),
    [pytest.param(200, 200, id="two hundred"), pytest.param(1000, 50, id="a thousand", marks=pytest.mark.slow)],
)
async def test_every_packet_of_four_radios_arrives_under_its_owner_in_order(
    packets: int, rate: int, *, broker: Broker, tmp_path: Path
) -> None:
    async with on_air(*OWNERS) as radios:
        nodes = {
            name: [radio.node(COMMON), radio.node(BOB + number)] for number, (name, radio) in enumerate(radios.items())
        }
        sent: dict[str, list[int]] = {name: [] for name in radios}

        def send(number: int) -> None:
            name = list(radios)[number % len(radios)]
            turn = number // len(radios)
            sent[name].append(talk(nodes[name][turn % 2], turn))

        async with at_home(household(broker, radios, OWNERS), radios, broker, tmp_path) as house:
            await paced((partial(send, number) for number in range(packets)), rate=rate)
            for name, owner in OWNERS.items():
                await house.until(lambda name=name, owner=owner: len(house.packets(owner, name)) >= len(sent[name]))
                assert house.packets(owner, name) == sent[name]
                sequence = [event.seq for event in house.events(owner, name)]
                assert sequence == list(range(1, len(sequence) + 1))
            events = [topic.split("/") for topic in house.topics() if "/event/" in topic]
            assert {(owner, name) for owner, _, name, _ in events} == {(owner, name) for name, owner in OWNERS.items()}
            assert {kind for _, _, _, kind in events} == KINDS | {"radio"}
            states = [topic.split("/") for topic in house.topics() if "/state/" in topic and "_bus" not in topic]
            assert {(owner, name) for owner, _, name, _ in states} == {(owner, name) for name, owner in OWNERS.items()}
            assert sum(len(house.packets("", name)) for name in radios) == packets
        assert [radio.lost for radio in radios.values()] == [0, 0, 0, 0]


async def test_while_one_radio_stalls_the_packets_of_another_still_arrive(broker: Broker, tmp_path: Path) -> None:
    async with on_air("attic", "boat") as radios:
        attic, boat = radios["attic"].node(ALICE), radios["boat"].node(BOB)
        config = household(broker, radios, OWNERS, heartbeat=0.3, timeout=1.0)
        async with at_home(config, radios, broker, tmp_path) as house:
            radios["attic"].stall()
            attic.text("held up")
            for number in range(100):
                boat.text(str(number))
                await house.until(lambda number=number: house.texts("bob", "boat")[-1:] == [str(number)])
            await house.until(lambda: house.status("alice", "attic") == "offline")
            assert house.status("bob", "boat") == "online"
            boat.text("still here")
            await house.until(lambda: house.texts("bob", "boat")[-1] == "still here")
            await house.until(lambda: "no sign of life for 0.3 s" in house.gone("alice", "attic"))
            radios["attic"].unstall()
            await house.until(lambda: house.texts("alice") == ["held up"])


async def test_a_radio_that_was_away_is_told_and_what_it_kept_meanwhile_arrives(broker: Broker, tmp_path: Path) -> None:
    async with one_radio(broker, tmp_path) as (radio, house):
        bob = radio.node(BOB)
        bob.text("before")
        await house.until(lambda: house.texts("alice") == ["before"])
        await radio.refuse()
        await house.until(lambda: house.status("alice", "base") == "offline")
        await house.until(lambda: "the radio closed the connection" in house.gone("alice", "base"))
        bob.text("meanwhile")
        await house.until(lambda: "it refuses" in house.value("jitney/alice/status/base")["reason"])
        await radio.accept()
        await house.until(lambda: house.status("alice", "base") == "online")
        bob.text("after")
        await house.until(lambda: house.texts("alice") == ["before", "meanwhile", "after"])
        assert [data["state"] for data in house.told("alice", "base", "radio")] == [
            "connected",
            "disconnected",
            "connected",
        ]


async def test_on_a_shared_radio_everybody_has_what_their_nodes_say(broker: Broker, tmp_path: Path) -> None:
    mapped = {"alice": ("!a11ce001",), "bob": ("!b0b00001",)}
    async with one_radio(broker, tmp_path, owner="_house", nodes=mapped) as (radio, house):
        for number, text in ((ALICE, "alice's"), (BOB, "bob's"), (CAROL, "nobody's")):
            radio.node(number, long_name=f"Node of {text}").text(text)
        await house.until(lambda: len(house.texts()) == 3)
        assert (house.texts("alice"), house.texts("bob"), house.texts("_house")) == (
            ["alice's"],
            ["bob's"],
            ["nobody's"],
        )
        nodes = {"alice": "a11ce001", "bob": "b0b00001", "_house": "ca401001"}
        for owner, node in nodes.items():
            await house.until(
                lambda owner=owner, node=node: house.value(f"jitney/{owner}/state/base/node_{node}").get("node")
            )
        states = {topic for topic in house.topics() if "/state/base/node_" in topic}
        own = "_house/state/base/node_a0000001"
        assert states == {own, *(f"{owner}/state/base/node_{node}" for owner, node in nodes.items())}
        known = await house.ask("bob", "base", "get_nodes")
        assert [node["node"] for node in known["nodes"]] == ["!b0b00001"]
        heard = await house.ask("alice", "base", "get_packets")
        assert [packet["data"]["text"] for packet in heard["packets"]] == ["alice's"]
        assert (await house.refused("alice", "base", "request_position", to="!b0b00001"))["code"] == "not_allowed"


async def test_names_and_texts_that_mean_harm_reach_no_other_topic(broker: Broker, tmp_path: Path) -> None:
    async with one_radio(broker, tmp_path) as (radio, house):
        nodes = [radio.node(CAROL + number, long_name=name, short_name=name[:4]) for number, name in enumerate(NAMES)]
        for node, name in zip(nodes, NAMES, strict=True):
            node.user_id = name
            node.announce()
            node.text(name)
            node.send(PORTS.WAYPOINT_APP, b"\x52" + bytes([len(name.encode())]) + name.encode())
            node.send(PORTS.DETECTION_SENSOR_APP, name.encode())
            radio.notify(name)
        await house.until(lambda: len(house.told("alice", "base", "detection")) == len(NAMES))
        await house.until(lambda: len([topic for topic in house.topics() if "/node_ca4" in topic]) == len(NAMES))
        await house.until(lambda: {"alice/state/base/mqtt", "alice/state/base/message"} <= house.topics())
        await house.refused("alice", "base", "send_text", text="x", to=NAMES[0] + "nobody")
        kinds = ["radio", "node_new", "node", "message", "waypoint", "detection", "notification"]
        subjects = [f"node_{node.id[1:]}" for node in (radio.own, *nodes)]
        assert house.topics() == {
            *(f"alice/event/base/{kind}" for kind in kinds),
            *(f"alice/state/base/{subject}" for subject in (*subjects, "statistics", "mqtt", "message")),
            "alice/status/base",
            "alice/command/base/send_text",
            "alice/reply/desk/1",
            *(f"_bus/main/{name}" for name in ("state", "info", "health")),
        }
        assert len(house.told("alice", "base", "message")) == len(NAMES)
        assert house.texts()[0] == "a/+/#"
        assert house.texts()[2] == "line\nbreak\ufffdand\ufffd[31mcolour"


async def test_a_packet_that_two_radios_of_an_owner_hear_is_one_event_of_that_owner(
    broker: Broker, tmp_path: Path
) -> None:
    async with on_air("attic", "car", "boat") as radios:
        config = household(broker, radios, OWNERS)
        async with at_home(config, radios, broker, tmp_path) as house:
            packet = radios["attic"].node(BOB).packet(PORTS.TEXT_MESSAGE_APP, b"heard by all")
            for radio in radios.values():
                radio.hear(packet)
            for name, radio in radios.items():
                radio.node(CAROL).text(f"the last of {name}")
            await house.until(lambda: len(house.texts()) == 5)
            assert sorted(house.texts("alice")) == ["heard by all", "the last of attic", "the last of car"]
            assert sorted(house.texts("bob")) == ["heard by all", "the last of boat"]
            for name in ("attic", "car"):
                known = await house.ask("alice", name, "get_nodes", node="!b0b00001")
                assert len(known["nodes"]) == 1


async def test_the_nodes_are_known_over_a_restart_of_the_daemon(broker: Broker, tmp_path: Path) -> None:
    async with on_air("base") as radios:
        radio = radios["base"]
        config = household(broker, radios, {"base": "alice"})
        state = "jitney/alice/state/base/node_ca401001"
        async with at_home(config, radios, broker, tmp_path) as house:
            carol = radio.node(CAROL, long_name="Carol", short_name="CRL")
            carol.announce()
            await house.until(lambda: house.value(state).get("long_name") == "Carol")
            assert len(house.told("alice", "base", "node_new")) == 1
        del radio.nodes[CAROL]
        async with at_home(config, radios, broker, tmp_path) as house:
            (known,) = (await house.ask("alice", "base", "get_nodes", node="Carol"))["nodes"]
            assert (known["node"], known["short_name"]) == ("!ca401001", "CRL")
            assert house.value(state)["long_name"] == "Carol"
            carol.text("here again")
            await house.until(lambda: house.texts() == ["here again"])
            assert house.told("alice", "base", "node_new") == []


async def test_reconnects_leave_no_thread_and_no_task(broker: Broker, tmp_path: Path) -> None:
    async with one_radio(broker, tmp_path) as (radio, house):
        tasks, alive = names_of_tasks(), threading.active_count()
        for number in range(2, 12):
            radio.announce_reboot()
            await house.until(lambda number=number: house.connected("base") == number)
        await until(lambda: names_of_tasks() == tasks)
        assert threading.active_count() == alive
    await until(lambda: not threads())


def names_of_tasks() -> list[str]:
    return sorted(task.get_name() for task in asyncio.all_tasks() if not task.get_name().startswith("Task-"))
