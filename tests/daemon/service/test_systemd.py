"""The service in a booted systemd: what is promised of it, tried."""

import asyncio
import json
from collections.abc import Iterator

import aiohttp
import pytest

from jitney.daemon.owners.sealing import Key
from tests.conftest import StartBroker
from tests.daemon.running import observing
from tests.daemon.service.at_systemd import (
    CONFIG,
    JITNEY,
    PROGRAM,
    Bus,
    exposure,
    hammer,
    installed,
    until_said,
    why_not,
)
from tests.fakes.homeassistant import FakeHomeAssistant
from tests.fakes.meshtastic import Radio
from tests.fakes.mosquitto import Broker
from tests.fakes.ports import free_port
from tests.fakes.systemd import Systemd
from tests.waiting import until

pytestmark = [pytest.mark.systemd, pytest.mark.slow]

TOPIC = "jitney/alice/event/lab/called"
NOTIFY_RELOAD = 253


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systemd]:
    if reason := why_not():
        pytest.skip(reason)
    with installed(tmp_path_factory.mktemp("systemd")) as booted:
        yield booted


@pytest.fixture(scope="module")
def house(lab: Systemd, mosquitto: StartBroker) -> tuple[Bus, Broker, str]:
    """Install the service once, with its port on a free one; returns what the installation said too."""
    broker = mosquitto()
    said = lab.run(PROGRAM, "install-service")
    port = free_port()
    lab.write(
        "/etc/systemd/system/jitney.socket.d/test.conf", f"[Socket]\nListenStream=\nListenStream=127.0.0.1:{port}\n"
    )
    lab.run("systemctl", "daemon-reload")
    return Bus(lab, broker.url, port=port), broker, said


@pytest.fixture
def bus(house: tuple[Bus, Broker, str]) -> Iterator[Bus]:
    fresh, broker, _ = house
    fresh.reset()
    fresh.broker = broker.url
    fresh.configure()
    yield fresh
    fresh.reset()


@pytest.fixture
def broker(house: tuple[Bus, Broker, str]) -> Broker:
    return house[1]


async def test_it_starts_and_says_in_words_how_it_stands(bus: Bus) -> None:
    bus.start()
    assert (bus.show("ActiveState"), bus.show("User")) == ("active", "jitney")
    await until(lambda: bus.show("StatusText") == "mqtt up, 1/1 adapters, 0 queued")
    assert bus.lab.journal("-u", JITNEY, "JITNEY_PART=broker", "-o", "cat").count("connected to the broker") == 1


async def test_it_is_ready_without_a_broker_and_says_so(bus: Bus) -> None:
    bus.broker = f"mqtt://127.0.0.1:{free_port()}"
    bus.configure()
    bus.start()
    assert (await bus.ask("hook", b"1"))[0] == 200
    await until(lambda: bus.show("StatusText").startswith("mqtt down 0 s ("))
    assert bus.show("StatusText").endswith("1/1 adapters, 1 queued")


async def test_a_socket_of_systemd_wins_and_no_child_learns_of_it(bus: Bus) -> None:
    bus.start()
    status, body = await bus.ask("environment")
    assert status == 200
    assert {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_USEC"}.isdisjoint(json.loads(body))


async def test_a_webhook_starts_it(bus: Bus) -> None:
    bus.lab.run("systemctl", "start", "jitney.socket")
    assert bus.show("ActiveState") == "inactive"
    assert (await bus.ask("hook", b"1"))[0] == 200
    assert bus.show("ActiveState") == "active"


async def test_a_wrong_configuration_is_not_tried_again_not_even_when_webhooks_come(bus: Bus) -> None:
    bus.lab.write(CONFIG, "version = 1\n[bus]\nlog_levle = 'info'\n")
    assert bus.lab.call("systemctl", "start", JITNEY).returncode != 0
    await until(lambda: bus.show("ActiveState") == "failed")
    assert (bus.show("ExecMainStatus"), bus.starts_again) == ("78", 0)
    assert f"{CONFIG}:3: bus.log_levle" in bus.lab.journal("-u", JITNEY, "-o", "cat")
    await until(lambda: bus.show("ActiveState", "jitney.socket") == "inactive")
    began = bus.show("ExecMainStartTimestampMonotonic")
    for _ in range(3):
        with pytest.raises(aiohttp.ClientConnectorError):
            await bus.ask("hook", b"1")
    assert (bus.show("ActiveState"), bus.show("ExecMainStartTimestampMonotonic")) == ("failed", began)
    bus.configure()
    bus.start()
    assert (await bus.ask("hook", b"1"))[0] == 200


async def test_a_wrong_key_of_the_vault_is_not_tried_again(bus: Bus) -> None:
    bus.configure(token='{ vault = "lab/token" }')
    bus.lab.run("install", "-d", "-o", "jitney", "-m", "700", "/var/lib/jitney")
    bus.lab.run("sh", "-c", f"echo hush-hush | runuser -u jitney -- {PROGRAM} vault set lab/token")
    bus.configure(token='{ vault = "lab/token" }')
    bus.start()
    assert await bus.ask("token") == (200, b"hush-hush")
    bus.lab.run("systemctl", "stop", JITNEY)
    bus.lab.run("rm", "/var/lib/jitney/vault.key")
    assert bus.lab.call("systemctl", "start", JITNEY).returncode != 0
    await until(lambda: bus.show("ActiveState") == "failed")
    assert (bus.show("ExecMainStatus"), bus.starts_again) == ("78", 0)


async def test_after_a_crash_it_is_there_again(bus: Bus) -> None:
    bus.drop_in("test", "RestartSec=100ms")
    bus.start()
    await until(lambda: bus.show("StatusText").startswith("mqtt up"))
    before = bus.pid
    bus.lab.run("systemctl", "kill", "--signal=KILL", "--kill-who=main", JITNEY)
    await bus.until_active(after=before)
    assert bus.starts_again == 1
    assert (await bus.ask("hook", b"1"))[0] == 200


async def test_a_frozen_loop_is_found_told_where_and_started_again(bus: Bus) -> None:
    bus.drop_in("test", "RestartSec=100ms", "WatchdogSec=2")
    bus.start()
    before = bus.pid
    frozen = asyncio.create_task(bus.ask("freeze"), name="freeze")
    await bus.until_active(after=before)
    with pytest.raises(aiohttp.ClientError):
        await frozen
    said = bus.lab.journal("-u", JITNEY, "-o", "cat")
    assert "Watchdog timeout" in said
    assert "jitney_lab.py" in said  # where it hung
    assert bus.show("NRestarts") == "1"
    assert (await bus.ask("hook", b"1"))[0] == 200


async def test_a_process_that_was_stopped_is_ended_and_started_again(bus: Bus) -> None:
    bus.drop_in("test", "RestartSec=100ms", "WatchdogSec=2")
    bus.start()
    before = bus.pid
    bus.lab.run("systemctl", "kill", "--signal=STOP", "--kill-who=main", JITNEY)
    await bus.until_active(after=before)
    assert bus.starts_again == 1


async def test_what_turns_is_never_taken_for_frozen(bus: Bus) -> None:
    bus.drop_in("test", "WatchdogSec=1")
    bus.start()
    before, begun = bus.pid, asyncio.get_running_loop().time()
    await until(lambda: asyncio.get_running_loop().time() - begun > 4)
    assert (bus.pid, bus.starts_again) == (before, 0)


async def test_secrets_come_as_credentials_and_nobody_else_can_read_them(bus: Bus) -> None:
    bus.lab.write("/etc/jitney/secrets/lab-token", "hush-hush\n")
    bus.configure(token='{ credential = "lab-token" }')
    bus.start()
    assert await bus.ask("token") == (200, b"hush-hush")
    assert bus.lab.call("runuser", "-u", "nobody", "--", "ls", "/etc/jitney").returncode != 0
    assert "hush-hush" not in bus.lab.journal("-u", JITNEY, "-o", "json")


async def test_the_key_of_the_vault_can_be_a_credential(bus: Bus) -> None:
    bus.lab.write("/etc/jitney/secrets/vault-key", Key.new().text())
    bus.start()
    assert (await bus.ask("keep", b"a secret"))[0] == 200
    assert not (bus.lab.root / "var/lib/jitney/vault.key").exists()
    bus.lab.run("systemctl", "restart", JITNEY)
    assert await bus.ask("kept") == (200, b"a secret")


async def test_the_sandbox_lets_nothing_through_that_the_bus_does_not_need(bus: Bus) -> None:
    bus.lab.run("mkdir", "-p", "/home/alice")
    bus.start()
    status, body = await bus.ask("harm")
    harm = json.loads(body)
    assert status == 200
    assert [name for name, outcome in harm.items() if outcome == "done"] == ["write its state", "write into /tmp"]
    assert bus.lab.run("ls", "/tmp", "/usr").count("jitney-lab") == 0
    assert bus.show("NRestarts") == "0"


PYTHON_ROUTE = """
from resource import RLIMIT_DATA, getrlimit
from jitney.daemon.scripts import Bus, Event, route

@route(on="meshtastic.message", owner="alice")
async def answer(event: Event, bus: Bus) -> None:
    await bus.publish("answered", data={"text": event.data["text"], "memory": getrlimit(RLIMIT_DATA)[0]})
"""


async def test_a_whole_house_works_inside_of_the_sandbox(bus: Bus, broker: Broker) -> None:
    async with FakeHomeAssistant() as home, Radio() as radio, observing(broker.port) as observer:
        home.set_state("light.alice_desk", "off")
        bus.lab.write("/etc/jitney/answer.py", PYTHON_ROUTE)
        bus.lab.run("chgrp", "jitney", "/etc/jitney/answer.py")
        bus.lab.write("/etc/jitney/secrets/home-token", home.token)
        bus.configure(
            f'[adapters.home]\ntype = "homeassistant"\nurl = "{home.url}"\ntoken = {{ credential = "home-token" }}',
            f'[adapters.base]\ntype = "meshtastic"\nowner = "alice"\nconnection = "{radio.connection}"',
            '[routing]\npython = ["answer.py"]',
        )
        bus.start()
        await until(lambda: "mqtt up, 3/3 adapters" in bus.show("StatusText"), seconds=30)
        home.set_state("light.alice_desk", "on")
        await observer.message("jitney/_house/event/home/state_changed")
        next(iter(radio.nodes.values())).text("inside")
        (answered,) = await observer.until(lambda: observer.events("jitney/alice/event/route/answered"))
        assert json.loads(bytes(answered.data)) == {"text": "inside", "memory": 256 << 20}
        assert (await bus.ask("keep", b"a secret"))[0] == 200
        assert await bus.ask("kept") == (200, b"a secret")
    assert "Operation not permitted" not in bus.lab.journal("-u", JITNEY, "-o", "cat")


async def test_no_webhook_is_refused_or_lost_over_two_restarts(bus: Bus, broker: Broker) -> None:
    bus.configure(slow="0.3")
    bus.start()
    async with observing(broker.port, TOPIC) as observer:
        stop = asyncio.Event()
        load = asyncio.create_task(hammer(bus, per_second=100, stop=stop), name="load")
        for restart in (1, 2):
            await until(lambda enough=restart * 200: len(observer.messages) >= enough, seconds=30)
            before = bus.pid
            restarting = await asyncio.create_subprocess_exec(
                *("nsenter", "-t", str(bus.lab._leader), "-a", "systemctl", "restart", JITNEY)
            )
            assert await restarting.wait() == 0
            assert bus.pid not in (0, before)
        enough = len(observer.messages) + 200
        await until(lambda: len(observer.messages) >= enough, seconds=30)
        stop.set()
        results = await load
        assert len(results) > 600
        assert [result for result in results if result.said != "200"] == []
        sent = {result.number for result in results}

        def arrived() -> set[int]:
            return {json.loads(message.payload)["data"]["number"] for message in observer.messages}

        await until(lambda: arrived() >= sent, seconds=30)
        assert arrived() == sent


async def test_a_hang_up_leaves_an_unchanged_bus_alone(bus: Bus) -> None:
    bus.start()
    before = bus.pid
    bus.lab.run("systemctl", "reload", JITNEY)
    assert (await bus.ask("hook", b"1"))[0] == 200
    assert (bus.pid, bus.show("ActiveState")) == (before, "active")
    expected = "notify-reload" if bus.lab.version() >= NOTIFY_RELOAD else "notify"
    assert bus.show("Type") == expected


async def test_a_good_file_is_in_force_when_reload_returns_and_the_process_stays(bus: Bus) -> None:
    bus.start()
    before = bus.pid
    bus.configure('[adapters.more]\ntype = "lab"')
    bus.lab.run("systemctl", "reload", JITNEY)
    if bus.lab.version() >= NOTIFY_RELOAD:
        assert "the configuration was read again" in bus.lab.journal("-u", JITNEY, "-o", "cat")
    await until_said(bus.lab, "the configuration was read again")
    await until(lambda: "2/2 adapters" in bus.show("StatusText"))
    assert (bus.pid, bus.show("ActiveState")) == (before, "active")
    assert (await bus.ask("hook", b"1"))[0] == 200


async def test_a_broken_file_is_refused_in_words_and_the_old_one_stays_in_force(bus: Bus) -> None:
    bus.start()
    before = bus.pid
    bus.lab.write(CONFIG, "version = 1\n[bus]\nlog_levle = 'info'\n")
    bus.lab.run("systemctl", "reload", JITNEY)
    await until(lambda: f"{CONFIG}:3: bus.log_levle" in bus.show("StatusText"))
    assert "(kept the old one); mqtt up" in bus.show("StatusText")
    assert (await bus.ask("hook", b"1"))[0] == 200
    assert (bus.pid, bus.show("ActiveState")) == (before, "active")
    bus.configure()
    bus.lab.run("systemctl", "reload", JITNEY)
    await until(lambda: bus.show("StatusText").startswith("mqtt up"))
    assert bus.pid == before


async def test_it_stops_in_order_and_takes_leave(bus: Bus, broker: Broker) -> None:
    bus.start()
    async with observing(broker.port, "jitney/_bus/main/state") as observer:
        await observer.until(lambda: any(b'"online"' in message.payload for message in observer.messages))
        bus.lab.run("systemctl", "stop", JITNEY)
        await observer.until(lambda: b'"offline"' in observer.messages[-1].payload)
    assert (bus.show("Result"), bus.show("ExecMainStatus")) == ("success", "0")
    assert "stopped" in bus.lab.journal("-u", JITNEY, "-o", "cat")


async def test_the_unit_is_as_closed_as_promised(bus: Bus) -> None:
    bus.start()
    assert exposure(bus.lab.run("systemd-analyze", "security", "--no-pager", JITNEY)) <= 1.6
    assert bus.lab.run("systemd-analyze", "verify", JITNEY, "jitney.socket") == ""


async def test_installing_again_changes_nothing_and_uninstalling_leaves_what_is_yours(
    house: tuple[Bus, Broker, str], bus: Bus
) -> None:
    lab, said = bus.lab, house[2]
    assert "wrote    /etc/systemd/system/jitney.service" in said
    again = lab.run(PROGRAM, "install-service")
    assert "wrote" not in again
    assert lab.run("stat", "-c", "%a %U %G", "/etc/jitney", CONFIG, "/etc/jitney/secrets").split("\n")[:3] == [
        "750 root jitney",
        "640 root jitney",
        "700 root root",
    ]
    bus.start()
    assert lab.run("readlink", "/usr/local/bin/jitney").strip() == PROGRAM
    gone = lab.run(PROGRAM, "install-service", "--uninstall")
    assert "removed  /etc/systemd/system/jitney.service" in gone
    assert bus.show("LoadState") == "not-found"
    assert (lab.root / CONFIG.lstrip("/")).exists()
    assert (lab.root / "var/lib/jitney").exists()
    assert not (lab.root / "usr/local/bin/jitney").is_symlink()
    lab.run(PROGRAM, "install-service")
    bus.start()
