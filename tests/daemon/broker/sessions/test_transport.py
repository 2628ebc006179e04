"""Every way to a broker, and what is said when it fails."""

import asyncio
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from jitney.adapters.errors import MisconfiguredError
from jitney.daemon.broker.session import (
    BrokerRefusedError,
    BrokerUnreachableError,
    Message,
    ProtocolUnsupportedError,
    Subscription,
)
from jitney.daemon.broker.sessions.session5 import connect5
from jitney.daemon.broker.sessions.transport import Endpoint, endpoint, unreachable
from tests.conftest import StartBroker
from tests.daemon.broker.sessions.listening import Connect, Recorder, connected, options, scripted
from tests.fakes.mosquitto import Broker
from tests.fakes.ports import free_port


class Certificates(Struct):
    """A certification authority and what it signed."""

    folder: Path

    def __call__(self, name: str) -> str:
        return str(self.folder / name)


class Secured(Struct):
    """A mosquitto that speaks TLS; ``strict`` wants a certificate of the client too."""

    url: str
    strict: str
    broker: Broker


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)  # noqa: S603, S607

    def authority(name: str) -> None:
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}")  # fmt: skip

    authority("ca")
    authority("stranger")
    for name, alternative in (("server", "IP:127.0.0.1"), ("elsewhere", "DNS:elsewhere.example"), ("client", "DNS:me")):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
                "-out", f"{name}.csr", "-subj", f"/CN={name}")  # fmt: skip
        (folder / f"{name}.ext").write_text(f"subjectAltName={alternative}\n", encoding="ascii")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt")  # fmt: skip
    openssl("ec", "-in", "client.key", "-aes256", "-passout", "pass:secret", "-out", "locked.key")
    return Certificates(folder)


@pytest.fixture(scope="module")
def secured(mosquitto: StartBroker, certificates: Certificates) -> Secured:
    plain, strict = free_port(), free_port()
    tls = [f"cafile {certificates('ca.crt')}", f"certfile {certificates('server.crt')}"]
    tls.append(f"keyfile {certificates('server.key')}")
    broker = mosquitto(
        extra=[f"listener {plain} 127.0.0.1", *tls, f"listener {strict} 127.0.0.1", *tls, "require_certificate true"]
    )
    return Secured(f"mqtts://127.0.0.1:{plain}", f"mqtts://127.0.0.1:{strict}", broker)


@pytest.mark.parametrize(
    ("url", "expected", "place"),
    [
        ("mqtt://localhost", Endpoint("mqtt", "localhost", 1883, ""), "mqtt://localhost:1883"),
        ("mqtt://localhost/", Endpoint("mqtt", "localhost", 1883, ""), "mqtt://localhost:1883"),
        ("mqtts://broker.example", Endpoint("mqtts", "broker.example", 8883, ""), "mqtts://broker.example:8883"),
        ("mqtt://[::1]:99", Endpoint("mqtt", "::1", 99, ""), "mqtt://[::1]:99"),
        ("unix:///run/m.sock", Endpoint("unix", "", 0, "/run/m.sock"), "unix:///run/m.sock"),
        ("ws://h:9001", Endpoint("ws", "h", 9001, "/mqtt"), "ws://h:9001/mqtt"),
        ("wss://h", Endpoint("wss", "h", 443, "/mqtt"), "wss://h:443/mqtt"),
        ("ws://h/a/b?token=1", Endpoint("ws", "h", 80, "/a/b", "token=1"), "ws://h:80/a/b"),
    ],
)
def test_a_url_says_where_the_broker_is(url: str, expected: Endpoint, place: str) -> None:
    assert endpoint(url) == expected
    assert endpoint(url).place == place


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "got no scheme"),
        ("http://h", "got http"),
        ("mqtt://", "names no host"),
        ("mqtt://alice:secret@h", "username and password"),
        ("mqtt://h:99999", "Port"),
        ("mqtt://h/path", "takes no path"),
        ("unix://run/m.sock", "three slashes"),
        ("unix:run/m.sock", "three slashes"),
    ],
)
def test_a_url_that_is_none_says_why(url: str, words: str) -> None:
    with pytest.raises(MisconfiguredError, match=words) as raised:
        endpoint(url)
    assert "secret" not in str(raised.value)


@given(st.one_of(st.text(max_size=30), st.text(max_size=20).map(lambda text: f"mqtt://{text}")))
def test_any_text_is_an_endpoint_or_misconfigured(url: str) -> None:
    try:
        found = endpoint(url)
    except MisconfiguredError:
        return
    assert found.place


async def test_tls_works_with_the_authority_that_signed(
    connect: Connect, secured: Secured, certificates: Certificates
) -> None:
    await _round_trip(connect, secured.url, ca_file=certificates("ca.crt"))


async def test_tls_with_a_certificate_of_our_own_where_it_is_wanted(
    connect: Connect, secured: Secured, certificates: Certificates
) -> None:
    await _round_trip(
        connect,
        secured.strict,
        ca_file=certificates("ca.crt"),
        cert_file=certificates("client.crt"),
        key_file=certificates("client.key"),
    )


async def test_tls_without_the_certificate_that_is_wanted_says_so(
    connect: Connect, secured: Secured, certificates: Certificates
) -> None:
    with pytest.raises((BrokerUnreachableError, ProtocolUnsupportedError), match=r"TLS|wants a certificate of ours"):
        await connect(options(secured.strict, ca_file=certificates("ca.crt")), Recorder())


@pytest.mark.parametrize("ca_file", ["", "stranger.crt"])
async def test_a_certificate_of_an_unknown_authority_is_not_trusted(
    connect: Connect, secured: Secured, certificates: Certificates, ca_file: str
) -> None:
    with pytest.raises(BrokerUnreachableError, match=r"not trusted.* ca_file"):
        await connect(options(secured.url, ca_file=certificates(ca_file) if ca_file else ""), Recorder())


async def test_a_certificate_for_another_name_is_not_trusted(
    connect: Connect, mosquitto: StartBroker, certificates: Certificates
) -> None:
    port = free_port()
    files = [f"certfile {certificates('elsewhere.crt')}", f"keyfile {certificates('elsewhere.key')}"]
    mosquitto(extra=[f"listener {port} 127.0.0.1", *files])
    with pytest.raises(BrokerUnreachableError, match=r"not trusted.*127\.0\.0\.1"):
        await connect(options(f"mqtts://127.0.0.1:{port}", ca_file=certificates("ca.crt")), Recorder())


async def test_tls_to_a_port_without_it_says_so(connect: Connect, secured: Secured) -> None:
    with pytest.raises(BrokerUnreachableError, match="does this port speak TLS"):
        await connect(options(secured.broker.url.replace("mqtt:", "mqtts:")), Recorder())


async def test_no_tls_to_a_port_with_it_says_so(connect: Connect, secured: Secured) -> None:
    with pytest.raises((BrokerUnreachableError, ProtocolUnsupportedError), match="want TLS"):
        await connect(options(secured.url.replace("mqtts:", "mqtt:")), Recorder())


@pytest.mark.parametrize(
    ("key", "files"),
    [
        ("ca_file", {"ca_file": "absent.crt"}),
        ("ca_file", {"ca_file": "ca.key"}),
        ("cert_file", {"cert_file": "absent.crt"}),
        ("key_file", {"cert_file": "client.crt", "key_file": "server.key"}),
        ("key_file", {"cert_file": "client.crt", "key_file": "locked.key"}),
    ],
)
async def test_a_file_that_does_not_fit_is_for_a_person(
    connect: Connect, certificates: Certificates, key: str, files: dict[str, str]
) -> None:
    paths = {name: certificates(file) for name, file in files.items()}
    with pytest.raises(BrokerRefusedError, match=rf"\[mqtt\] .*{key}.*cannot be used for TLS"):
        await connect(options("mqtts://127.0.0.1:1", **paths), Recorder())


async def test_a_unix_socket_works(connect: Connect, mosquitto: StartBroker, short_path: Path) -> None:
    mosquitto(extra=[f"listener 0 {short_path}/m.sock"])
    await _round_trip(connect, f"unix://{short_path}/m.sock")


async def test_a_unix_socket_that_is_not_there_says_so(connect: Connect, short_path: Path) -> None:
    with pytest.raises(BrokerUnreachableError, match=r"none\.sock is not there"):
        await connect(options(f"unix://{short_path}/none.sock"), Recorder())


async def test_a_websocket_works(connect: Connect, websocket: str) -> None:
    # mosquitto sends about ten packets a second through a websocket, so a few must do.
    await _round_trip(connect, websocket, size=200, number=3)


async def test_a_websocket_over_tls_works(connect: Connect, mosquitto: StartBroker, certificates: Certificates) -> None:
    port = free_port()
    files = [f"certfile {certificates('server.crt')}", f"keyfile {certificates('server.key')}"]
    mosquitto(extra=[f"listener {port} 127.0.0.1", "protocol websockets", *files])
    await _round_trip(connect, f"wss://127.0.0.1:{port}", size=200, number=3, ca_file=certificates("ca.crt"))


async def test_a_websocket_can_be_paused(websocket: str) -> None:
    async with (
        connected(connect5, websocket, "pausing") as (receiver, heard),
        connected(connect5, websocket) as (
            sender,
            told,
        ),
    ):
        await receiver.subscribe([Subscription("paused/#", qos=0)])
        receiver.pause()
        sender.send([(number, Message("paused/x", b"%d" % number)) for number in range(1, 11)])
        await told.acks_until(10)
        assert heard.messages == []
        receiver.resume()
        assert [int(incoming.payload) for incoming in await heard.messages_until(10)] == list(range(1, 11))


async def test_a_paused_session_is_closed_as_fast_as_any_other(
    connect: Connect, secured: Secured, certificates: Certificates, websocket: str
) -> None:
    for url in (secured.url, websocket):
        async with connected(connect, url, ca_file=certificates("ca.crt"), timeout=60) as (session, told):
            session.pause()
            async with asyncio.timeout(5):
                await session.close()
            assert told.ends == [None]


async def test_a_websocket_gets_the_path_and_the_query_of_the_url(connect: Connect) -> None:
    asked: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())

    async with scripted(listen) as url:
        with pytest.raises(BrokerUnreachableError):
            await connect(options(url.replace("mqtt:", "ws:") + "/bus/mqtt?token=1"), Recorder())
    assert asked[0].startswith(b"GET /bus/mqtt?token=1 HTTP/1.1")


async def test_a_websocket_whose_broker_dies_is_lost(connect: Connect, mosquitto: StartBroker) -> None:
    port = free_port()
    broker = mosquitto(extra=[f"listener {port} 127.0.0.1", "protocol websockets"])
    before = asyncio.all_tasks()
    async with connected(connect, f"ws://127.0.0.1:{port}") as (_, told):
        await asyncio.to_thread(broker.kill)
        assert isinstance(await told.end(), BrokerUnreachableError)
    assert asyncio.all_tasks() == before


async def test_a_port_that_is_no_websocket_says_so(connect: Connect) -> None:
    async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()

    async with scripted(page) as url:
        with pytest.raises(BrokerUnreachableError, match=r"path in \[mqtt\] url"):
            await connect(options(url.replace("mqtt:", "ws:")), Recorder())


async def test_a_closed_port_says_so(connect: Connect) -> None:
    with pytest.raises(BrokerUnreachableError, match=r"mqtt://127\.0\.0\.1:1 is not there: is the broker running"):
        await connect(options("mqtt://127.0.0.1:1"), Recorder())


async def test_a_name_that_nobody_knows_says_so(connect: Connect) -> None:
    with pytest.raises(BrokerUnreachableError, match="DNS"):
        await connect(options("mqtt://broker.invalid"), Recorder())


def test_an_unknown_failure_still_names_the_place_and_a_remedy() -> None:
    for error in (OSError("odd"), ssl.SSLError("odd"), ConnectionResetError("odd"), PermissionError(13, "odd")):
        assert str(unreachable(endpoint("mqtt://h"), error)).startswith("mqtt://h:1883 ")


@pytest.fixture(scope="module")
def websocket(mosquitto: StartBroker) -> str:
    port = free_port()
    mosquitto(extra=[f"listener {port} 127.0.0.1", "protocol websockets"])
    return f"ws://127.0.0.1:{port}"


@pytest.fixture
def short_path(tmp_path: Path) -> Iterator[Path]:
    """Give a folder whose name fits into the address of a unix socket."""
    link = Path(f"/tmp/jitney-test-{tmp_path.stat().st_ino}")
    link.symlink_to(tmp_path)
    yield link
    link.unlink()


async def _round_trip(connect: Connect, url: str, *, size: int = 50_000, number: int = 15, **more: object) -> None:
    """Send to ourselves through a second session, by default more than one read holds."""
    payload = b"x" * size
    async with (
        connected(connect, url, "round-receiver", **more) as (receiver, heard),
        connected(connect, url, "round-sender", **more) as (sender, told),
    ):
        await receiver.subscribe([Subscription("round/#", qos=0)])
        sender.send([(index, Message(f"round/{index}", payload)) for index in range(1, number + 1)])
        await told.acks_until(number)
        received = await heard.messages_until(number)
        assert [incoming.topic for incoming in received] == [f"round/{index}" for index in range(1, number + 1)]
        assert all(incoming.payload == payload for incoming in received)
