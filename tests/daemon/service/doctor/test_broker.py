"""What is told of a broker, each a real mosquitto."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jitney.adapters.secret import Secret
from jitney.daemon.config.schema import Config, MqttSettings, OwnerSettings
from jitney.daemon.service.doctor import visit
from jitney.daemon.service.doctor.broker import is_near
from jitney.daemon.service.doctor.broker import look as broker_look
from tests.conftest import StartBroker
from tests.daemon.running import retained
from tests.daemon.service.doctor.examined import at, case, looked, texts
from tests.fakes.mosquitto import Broker

PASSWORD = "canary-77aa31bc"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visit, "QUIET", 0.1)


@contextmanager
def hanging() -> Iterator[str]:
    """Open a port that takes connections and says nothing, and yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"mqtt://127.0.0.1:{server.getsockname()[1]}"


def hashed(path: Path) -> Path:
    """Write a file in which jitney has the password "right"."""
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(path), "jitney", "right"], check=True)  # noqa: S603, S607
    path.chmod(0o600)
    return path


def guarded(mosquitto: StartBroker, folder: Path, *rules: str) -> Broker:
    """Start a broker with these access rules for everybody."""
    acl = folder / "acl"
    acl.write_text("\n".join(rules) + "\n", encoding="ascii")
    acl.chmod(0o600)
    return mosquitto(extra=[f"acl_file {acl}"])


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_a_broker_that_allows_everything_is_well_and_nothing_stays_there(
    broker: Broker, tmp_path: Path, protocol: str
) -> None:
    config = Config(
        mqtt=MqttSettings(url=broker.url, protocol=protocol),  # type: ignore[arg-type] - one of them
        owners={"alice": OwnerSettings(id="alice")},
    )
    before = await retained(broker.port)
    found = await looked(broker_look, of := case(config, root=tmp_path))
    assert texts(found, "problem") + texts(found, "warning") == []
    said = texts(found, "ok")
    assert any(f"speaks MQTT {protocol} (mosquitto version" in text for text in said)
    assert "may read and write below jitney/, for 2 owners" in said
    assert "keeps retained messages" in said
    assert (await of.heard()).reached
    assert await retained(broker.port) == before


async def test_the_limits_of_the_broker_are_told_and_compared_with_our_events(mosquitto: StartBroker) -> None:
    strict = mosquitto(extra=["max_packet_size 20000", "max_inflight_messages 7"])
    found = await looked(broker_look, case(at(strict.url)))
    (warning,) = (one for one in found if one.level == "warning")
    assert "takes packets of 20000 bytes at most, and an event can have 128 KB" in warning.text
    assert "outbox.event_kb = 17" in warning.remedy
    assert "takes packets of 20000 bytes, and 7 messages at once" in texts(found, "ok")


async def test_access_rules_that_refuse_to_publish_are_told_with_the_branch(
    mosquitto: StartBroker, tmp_path: Path
) -> None:
    strict = guarded(mosquitto, tmp_path, "topic read #", "topic read $SYS/#", "topic write jitney/_house/#")
    config = Config(mqtt=MqttSettings(url=strict.url), owners={"alice": OwnerSettings(id="alice")})
    found = await looked(broker_look, case(config))
    (problem,) = (one for one in found if one.level == "problem")
    assert problem.text == "may not publish below jitney/alice/: not_authorised"
    assert "jitney/#" in problem.remedy


async def test_access_rules_that_drop_silently_are_noticed(mosquitto: StartBroker, tmp_path: Path) -> None:
    strict = guarded(mosquitto, tmp_path, "topic write #", "topic read elsewhere/#")
    found = await looked(broker_look, case(at(strict.url)))
    (problem,) = (one for one in found if one.level == "problem")
    assert "does not come back" in problem.text


async def test_what_an_older_protocol_does_not_say_is_noticed_all_the_same(
    mosquitto: StartBroker, tmp_path: Path
) -> None:
    strict = guarded(mosquitto, tmp_path, "topic read #")
    found = await looked(broker_look, case(at(strict.url, protocol="3.1.1")))
    assert any("does not come back" in text for text in texts(found, "problem"))
    assert any("does not say what it refuses" in text for text in texts(found, "note"))


async def test_a_broker_that_keeps_nothing_is_a_problem(mosquitto: StartBroker) -> None:
    strict = mosquitto(extra=["retain_available false"])
    found = await looked(broker_look, case(at(strict.url)))
    assert any("keeps no retained messages" in text for text in texts(found, "problem"))


async def test_a_wrong_password_is_told_and_not_shown(mosquitto: StartBroker, tmp_path: Path) -> None:
    passwords = hashed(tmp_path / "passwords")
    closed = mosquitto(anonymous=False, extra=[f"password_file {passwords}"])
    wrong = at(closed.url, username="jitney", password=Secret(PASSWORD))
    (problem,) = await looked(broker_look, of := case(wrong))
    assert problem.level == "problem"
    assert "[mqtt] username and password" in problem.text
    assert PASSWORD not in str(problem)
    assert not (await of.heard()).reached
    found = await looked(broker_look, case(at(closed.url, username="jitney", password=Secret("right"))))
    assert any("lets jitney in" in text for text in texts(found, "ok"))
    (nobody,) = texts(await looked(broker_look, case(at(closed.url))), "problem")
    assert "without user name" in nobody


async def test_a_broker_that_is_not_there_is_told_as_the_daemon_would(broker: Broker) -> None:
    broker.kill()
    found = await looked(broker_look, of := case(at(broker.url)))
    assert texts(found, "problem") == [f"{broker.url} is not there: is the broker running, and is [mqtt] url right?"]
    assert not (await of.heard()).reached


async def test_a_port_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visit, "SECONDS", 0.3)
    with hanging() as url:
        found = await looked(broker_look, case(at(url)))
    assert texts(found, "problem") == [f"{url} did not answer within 0.3 s: is it overloaded, is this a broker at all?"]


async def test_offline_nothing_is_sent() -> None:
    found = await looked(broker_look, of := case(at("mqtt://broker.example.org", username="jitney"), offline=True))
    assert texts(found, "note") == ["mqtt://broker.example.org was not tried: --offline"]
    assert texts(found, "warning") == ["the password and everything else goes to the broker unencrypted"]
    assert not (await of.heard()).reached


async def test_the_broker_inside_the_daemon_cannot_be_looked_at() -> None:
    (found,) = await looked(broker_look, case(at("embedded:")))
    assert found.level == "note"


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("mqtt://localhost", True),
        ("mqtt://127.0.0.1:1884", True),
        ("ws://[::1]:9001", True),
        ("unix:///run/mosquitto/mosquitto.sock", True),
        ("mqtt://192.168.1.5", False),
        ("mqtts://broker.example.org", False),
    ],
)
def test_a_broker_on_this_machine_is_told_from_one_elsewhere(url: str, near: bool) -> None:  # noqa: FBT001
    assert is_near(url) is near
