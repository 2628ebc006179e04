"""What can be configured is read, and what is wrong is told at its place."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.meshtastic.config import Ble, Config, Endpoint, Identity, Serial, Tcp, endpoint


@pytest.mark.parametrize(
    ("connection", "expected", "written"),
    [
        ("tcp://192.168.1.100", Tcp("192.168.1.100", 4403), "192.168.1.100"),
        ("tcp://radio.local:4404", Tcp("radio.local", 4404), "radio.local:4404"),
        ("tcp://radio.local/", Tcp("radio.local"), "radio.local"),
        ("tcp://[fe80::1]:4403", Tcp("fe80::1"), "[fe80::1]"),
        ("serial:///dev/ttyUSB0", Serial("/dev/ttyUSB0"), "/dev/ttyUSB0"),
        (
            "serial:///dev/serial/by-id/usb-Heltec",
            Serial("/dev/serial/by-id/usb-Heltec"),
            "/dev/serial/by-id/usb-Heltec",
        ),
        ("ble://AA:BB:CC:DD:EE:FF", Ble("AA:BB:CC:DD:EE:FF"), "AA:BB:CC:DD:EE:FF"),
    ],
)
def test_a_connection_says_where_the_radio_is(connection: str, expected: Endpoint, written: str) -> None:
    assert Config(connection=connection).endpoint == expected
    assert str(expected) == written


@pytest.mark.parametrize(
    "connection",
    [
        "",
        "192.168.1.100",
        "tcp://",
        "tcp://radio:port",
        "tcp://radio:70000",
        "tcp://radio:0",
        "tcp://radio/path",
        "tcp://alice@radio",
        "tcp://[::1",
        "http://radio",
        "serial://dev/ttyUSB0",
        "serial:///etc/passwd",
        "ble://Base_0001",
        "ble://AA:BB:CC:DD:EE",
    ],
)
def test_a_connection_that_says_no_place_is_refused_at_its_field(connection: str) -> None:
    with pytest.raises(ValueError, match=r"^connection: expected tcp://HOST, serial"):
        Config(connection=connection)


@pytest.mark.parametrize(
    ("connection", "claimed"),
    [
        ("tcp://Radio.local:4403/", "radio.local"),
        ("serial:///dev/ttyUSB0", "/dev/ttyUSB0"),
        ("ble://aa:bb:cc:dd:ee:ff", "aa:bb:cc:dd:ee:ff"),
        ("ble://AA:BB:CC:DD:EE:FF", "aa:bb:cc:dd:ee:ff"),
    ],
)
def test_a_radio_is_claimed_in_one_spelling(connection: str, claimed: str) -> None:
    assert list(Config(connection=connection).claims()) == [claimed]


@given(st.text())
def test_no_connection_breaks_the_reading(connection: str) -> None:
    try:
        found = endpoint(connection)
    except ValueError:
        return
    assert isinstance(found, Endpoint)


def test_nobody_may_control_the_radio_unless_it_is_said() -> None:
    assert not Config(connection="tcp://radio").allows("alice", "reboot")


def test_an_owner_may_do_what_is_named_and_a_star_is_all_but_a_factory_reset() -> None:
    allow = {"alice": ["reboot"], "bob": "*", "carol": ["*", "factory_reset"]}
    config = msgspec.convert({"connection": "tcp://radio", "allow": allow}, Config)
    may = {
        owner: {
            action for action in ("reboot", "set_owner", "factory_reset", "nonsense") if config.allows(owner, action)
        }
        for owner in (*allow, "dave")
    }
    assert may["alice"] == {"reboot"}
    assert "factory_reset" not in may["bob"]
    assert {"reboot", "set_owner"} <= may["bob"]
    assert {"reboot", "factory_reset"} <= may["carol"]
    assert may["dave"] == set()


def test_an_action_that_no_radio_has_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"connection": "tcp://radio", "allow": {"alice": ["explode"]}}, Config)


def test_the_nodes_of_an_owner_are_claimed_in_one_spelling() -> None:
    assert list(Identity(nodes=("!A1B2C3D4", "a1b2c3d5")).claims()) == ["!a1b2c3d4", "!a1b2c3d5"]


@pytest.mark.parametrize("node", ["", "!", "bob", "!a1b2c3d", "!a1b2c3d45", "!ffffffff", "!00000000"])
def test_what_is_no_node_is_refused_at_its_field(node: str) -> None:
    with pytest.raises(ValueError, match=r"^nodes: expected the id of a node"):
        Identity(nodes=(node,))


def test_nodes_to_be_shown_are_named_by_words_or_ids() -> None:
    shown = msgspec.convert({"connection": "tcp://radio", "show": ["own", "favourites", "!a1b2c3d4"]}, Config)
    assert shown.show == ("own", "favourites", "!a1b2c3d4")
    assert Config(connection="tcp://radio").show == ("own",)
    assert Config(connection="tcp://radio", show=()).show == ()


@pytest.mark.parametrize("word", ["", "all", "Own", "!ffffffff", "garden"])
def test_a_node_to_be_shown_that_is_none_is_refused_at_its_field(word: str) -> None:
    with pytest.raises(ValueError, match=r'^show: expected "own", "favourites" or the id of a node like "!a1b2c3d4"'):
        Config(connection="tcp://radio", show=("own", word))


def test_a_configuration_is_read_where_the_library_is_not_installed() -> None:
    program = """
import sys
for name in ("meshtastic", "pubsub", "google.protobuf", "serial", "bleak"):
    sys.modules[name] = None
from jitney.adapters.meshtastic import Meshtastic
radio = Meshtastic("base", Meshtastic.Config(connection="tcp://radio"))
assert len(Meshtastic.kinds) > 20
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[3], timeout=30)  # noqa: S603
