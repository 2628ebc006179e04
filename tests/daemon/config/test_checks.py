import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "url",
    [
        "mqtt://localhost",
        "mqtt://localhost:1883/",
        "mqtts://broker.example.org:8883",
        "mqtt://[::1]:1883",
        "ws://localhost:9001/mqtt?x=1",
        "wss://broker.example.org",
        "unix:///run/mosquitto/mosquitto.sock",
    ],
)
def test_the_url_of_a_broker_is_accepted(read: Callable, url: str) -> None:
    assert read(f'[mqtt]\nurl = "{url}"').config.mqtt.url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "localhost:1883",
        "//localhost",
        "tcp://localhost",
        "mqtt:",
        "mqtt://",
        "mqtt://:1883",
        "mqtt:localhost",
        "mqtt://localhost:0",
        "mqtt://localhost:70000",
        "mqtt://localhost:x",
        "mqtt://[::1",
        "mqtt://local host",
        "mqtt://localhost\\n",
        "mqtt://localhost/topic",
        "unix://run/mosquitto.sock",
        "unix:mosquitto.sock",
        "embedded",
        "embedded://localhost",
    ],
)
def test_what_is_not_the_url_of_a_broker_is_told(complaints: Callable, url: str) -> None:
    (complaint,) = complaints(f'[mqtt]\nurl = "{url}"')
    assert complaint.startswith("2: mqtt.url: ")
    assert f'"{url}"' in complaint


@pytest.mark.parametrize("user", ["me:canary@", "canary@", "@"])
def test_user_and_password_do_not_belong_into_a_url(complaints: Callable, user: str) -> None:
    (complaint,) = complaints(f'[mqtt]\nurl = "mqtt://{user}localhost"')
    assert "user and password do not belong into the URL" in complaint
    assert "canary" not in complaint


def test_the_embedded_broker_needs_its_extra(
    read: Callable, complaints: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '[mqtt]\nurl = "embedded:"'
    monkeypatch.setattr("jitney.daemon.config.urls.find_spec", lambda _: importlib.util.find_spec("json"))
    assert read(text).config.mqtt.url == "embedded:"
    monkeypatch.setattr("jitney.daemon.config.urls.find_spec", lambda _: None)
    assert complaints(text) == ["2: mqtt.url: the embedded broker is not installed: pip install 'jitney[embedded]'"]


def test_files_for_tls_are_found_beside_the_configuration(read: Callable, folder: Path) -> None:
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (folder / name).touch()
    text = f'[mqtt]\nurl = "mqtts://x"\nca_file = "ca.pem"\ncert_file = "{folder}/cert.pem"\nkey_file = "key.pem"'
    mqtt = read(text).config.mqtt
    assert (mqtt.ca_file, mqtt.cert_file, mqtt.key_file) == tuple(
        str(folder / name) for name in ("ca.pem", "cert.pem", "key.pem")
    )


def test_what_is_wrong_with_files_for_tls_is_told(complaints: Callable, folder: Path) -> None:
    assert complaints('[mqtt]\nurl = "mqtts://x"\nca_file = "no.pem"\nkey_file = "/dev/null"') == [
        f"3: mqtt.ca_file: {folder}/no.pem cannot be read: No such file or directory",
        "4: mqtt.key_file: needs cert_file beside it",
    ]
    os.mkfifo(folder / "pipe")
    assert complaints('[mqtt]\nurl = "mqtts://x"\nca_file = "pipe"') == [
        f"3: mqtt.ca_file: {folder}/pipe is a pipe: expected a file"
    ]
    assert complaints('[mqtt]\nurl = "mqtt://x"\nca_file = "/dev/null"') == [
        "3: mqtt.ca_file: is for mqtts:// and wss:// alone, and url is neither"
    ]


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_key_that_everybody_on_this_machine_can_read_is_warned_of(
    read: Callable, folder: Path, *, mode: int, warned: bool
) -> None:
    for name in ("cert.pem", "key.pem"):
        (folder / name).touch()
    (folder / "key.pem").chmod(mode)
    warnings = read('[mqtt]\nurl = "mqtts://x"\ncert_file = "cert.pem"\nkey_file = "key.pem"').warnings
    text = f"mqtt.key_file: everybody on this machine can read {folder}/key.pem: chmod 600 {folder}/key.pem"
    assert [text in str(warning) for warning in warnings] == [True] * warned


@pytest.mark.parametrize("root", ["jitney", "home/bus", "höuse"])
def test_a_topic_root_is_accepted(read: Callable, root: str) -> None:
    assert read(f'[mqtt]\ntopic_root = "{root}"').config.mqtt.topic_root == root


@pytest.mark.parametrize("root", ["", "/", "a//b", "a/", "a/+", "#", "$SYS", "a%b", "a\\u0000", "x" * 201])
def test_a_topic_root_that_mqtt_would_not_carry_is_told(complaints: Callable, root: str) -> None:
    (complaint,) = complaints(f'[mqtt]\ntopic_root = "{root}"')
    assert complaint.startswith("2: mqtt.topic_root: ")


@pytest.mark.parametrize("listen", ["", "127.0.0.1:8077", "0.0.0.0:0", "[::1]:8077", "localhost:80"])
def test_an_address_to_listen_on_is_accepted(read: Callable, listen: str) -> None:
    assert read(f'[http]\nlisten = "{listen}"').config.http.listen == listen


@pytest.mark.parametrize(
    "listen", ["8077", ":8077", "localhost", "::1:8077", "http://localhost:80", "a:70000", "a:80/", "me@a:80", "a :80"]
)
def test_what_is_not_an_address_to_listen_on_is_told(complaints: Callable, listen: str) -> None:
    (complaint,) = complaints(f'[http]\nlisten = "{listen}"')
    assert complaint.startswith("2: http.listen: expected an address and a port such as 127.0.0.1:8077")


def test_the_public_url_is_that_of_a_web_site(read: Callable, complaints: Callable) -> None:
    assert read('[http]\npublic_url = "https://bus.example.org"').config.http.public_url == "https://bus.example.org"
    assert complaints('[http]\npublic_url = "bus.example.org"') == [
        '2: http.public_url: expected a URL such as https://bus.example.org, got "bus.example.org"'
    ]


@pytest.mark.parametrize("instance", ["", "The-Attic", "a/b", "main\\n", "-a", "a" * 33])
def test_the_name_of_an_instance_is_one_level_of_a_topic(complaints: Callable, instance: str) -> None:
    (complaint,) = complaints(f'[bus]\ninstance = "{instance}"')
    assert complaint.startswith("2: bus.instance: expected 1 to 32 of a-z")


@pytest.mark.parametrize("path", ["var/lib", "~/state", "/a\\u0000"])
def test_the_folder_of_the_state_is_absolute(complaints: Callable, path: str) -> None:
    (complaint,) = complaints(f'[bus]\nstate_dir = "{path}"')
    assert complaint.startswith("2: bus.state_dir: expected an absolute path")


@pytest.mark.parametrize("details", ["127.0.0.1", "192.168.1.0/24", "fd00::/8", "::1"])
def test_that_the_house_sees_names_is_no_reason_to_warn(read: Callable, details: str) -> None:
    assert read(f'[http]\ndetails = ["{details}"]\nmetrics = true').warnings == ()


@pytest.mark.parametrize("details", ["0.0.0.0/0", "::/0", "8.8.8.8", "2a00::/16"])
def test_that_strangers_see_names_is_warned_of(read: Callable, details: str) -> None:
    (warning,) = read(f'[http]\ndetails = ["{details}"]').warnings
    assert f"http.details: {details} is not your own network" in str(warning)


@pytest.mark.parametrize("key", ["details", "trusted_proxies"])
def test_what_is_no_network_is_told_with_what_one_is(complaints: Callable, key: str) -> None:
    (complaint,) = complaints(f'[http]\n{key} = ["10.0.0.0/40"]')
    assert complaint == (
        f"2: http.{key}: expected an address or a network such as 192.168.1.10, 192.168.1.0/24 or ::1,"
        ' got "10.0.0.0/40"'
    )
