"""A broker that knows everybody by their certificate: who is let in, and what is said to whoever is not."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from msgspec import Struct
from msgspec.structs import replace

from jitney.daemon.broker.session import BrokerUnreachableError
from jitney.daemon.broker.sessions.dial import dial
from jitney.daemon.broker.sessions.transport import alerted
from jitney.daemon.cli import mqtt_client
from jitney.daemon.config.schema import MqttSettings
from jitney.daemon.service.doctor.broker import look
from tests.conftest import StartBroker
from tests.daemon.broker.sessions.listening import Recorder, options
from tests.daemon.running import config, running, tick
from tests.daemon.service.doctor.examined import at, case, looked, texts
from tests.fakes.certificates import Authority, Files
from tests.fakes.mosquitto import Broker
from tests.fakes.ports import free_port
from tests.waiting import until

Version = Literal["auto", "5", "3.1.1"]

WAYS = [(scheme, protocol) for scheme in ("mqtts", "wss") for protocol in ("auto", "5", "3.1.1")]


class Strict(Struct):
    """A mosquitto that takes the name in a certificate for the user; ``urls`` by the server's own and the scheme."""

    broker: Broker
    house: Authority
    stranger: Authority
    urls: dict[tuple[str, str], str]

    def files(self, ours: Files | None = None, authority: Authority | None = None) -> dict[str, str]:
        given = {} if ours is None else {"cert_file": ours.certificate, "key_file": ours.key}
        return {"ca_file": (authority or self.house).path, **given}


@pytest.fixture(scope="module")
def strict(mosquitto: StartBroker, tmp_path_factory: pytest.TempPathFactory) -> Strict:
    folder = tmp_path_factory.mktemp("strict")
    house, stranger = Authority(folder, "house-ca"), Authority(folder, "stranger-ca")
    servers = {
        "right": house.sign("broker"),
        "expired": house.sign("broker", days=-1),
        "elsewhere": house.sign("elsewhere", host="elsewhere.example"),
    }
    access = folder / "acl"
    access.write_text("user jitney\ntopic readwrite jitney/#\n", encoding="ascii")
    access.chmod(0o600)
    lines, urls = [f"acl_file {access}"], {}
    for name, files in servers.items():
        for scheme, protocol in (("mqtts", "mqtt"), ("wss", "websockets")):
            port = free_port()
            urls[name, scheme] = f"{scheme}://127.0.0.1:{port}"
            lines += [f"listener {port} 127.0.0.1", f"protocol {protocol}", f"cafile {house.path}"]
            lines += [f"certfile {files.certificate}", f"keyfile {files.key}"]
            lines += ["require_certificate true", "use_identity_as_username true"]
    return Strict(mosquitto(anonymous=False, extra=lines), house, stranger, urls)


async def refused(url: str, protocol: Version, files: dict[str, str]) -> str:
    with pytest.raises(BrokerUnreachableError) as raised:
        await dial(replace(options(url), **files), Recorder(), protocol=protocol)
    assert str(raised.value).startswith(url)
    return str(raised.value)


@pytest.mark.parametrize("scheme", ["mqtts", "wss"])
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_who_has_the_right_certificate_is_the_user_whom_it_names(
    strict: Strict, scheme: str, protocol: Version
) -> None:
    files = strict.files(strict.house.sign("jitney", host="me"))
    opened = replace(options(strict.urls["right", scheme]), **files, client_id=f"named-{scheme}-{protocol}")
    session = await dial(opened, Recorder(), protocol=protocol)
    await session.close()
    named = f"as named-{scheme}-{protocol} "
    await until(lambda: any(named in line and "u'jitney'" in line for line in strict.broker.log))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("ours", "words"),
    [
        (lambda _: None, "wants a certificate of ours: set [mqtt] cert_file"),
        (lambda it: it.house.sign("jitney", host="me", days=-1), "our certificate has expired: have a new one made"),
        (lambda it: it.stranger.sign("jitney", host="me"), "does not know who has signed our certificate"),
    ],
    ids=["none", "expired", "of a stranger"],
)
async def test_what_is_wrong_with_our_certificate_is_said_with_what_to_do(
    strict: Strict, way: tuple[str, Version], ours: Callable[[Strict], Files | None], words: str
) -> None:
    scheme, protocol = way
    files = strict.files(ours(strict))

    async def told() -> bool:
        return words in await refused(strict.urls["right", scheme], protocol, files)

    await until(told)  # now and then the end of the connection overtakes what the broker has against it


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("server", "words"),
    [
        ("expired", "certificate has expired): have the broker's renewed"),
        ("elsewhere", "not valid for '127.0.0.1'.): use a name in [mqtt] url for which it was made"),
        ("right", "give who has signed it as [mqtt] ca_file"),
    ],
)
async def test_what_is_wrong_with_the_certificate_of_the_broker_is_said_with_what_to_do(
    strict: Strict, way: tuple[str, Version], server: str, words: str
) -> None:
    scheme, protocol = way
    authority = strict.stranger if server == "right" else strict.house
    files = strict.files(strict.house.sign("jitney", host="me"), authority)
    assert words in await refused(strict.urls[server, scheme], protocol, files)


async def test_a_broker_that_has_nothing_against_our_certificate_is_not_accused(strict: Strict) -> None:
    files = strict.files(strict.house.sign("jitney", host="me"))
    assert await alerted(replace(options(strict.urls["right", "mqtts"]), **files)) is None
    assert await alerted(options("mqtt://127.0.0.1:1")) is None


@pytest.mark.parametrize("scheme", ["mqtts", "wss"])
async def test_the_doctor_and_the_commands_by_hand_show_the_certificate_too(strict: Strict, scheme: str) -> None:
    url, files = strict.urls["right", scheme], strict.files(strict.house.sign("jitney", host="me"))
    for protocol in ("5", "3.1.1"):
        async with mqtt_client.connect(MqttSettings(url=url, protocol=protocol, **files), purpose="tail") as link:
            assert link.protocol == protocol
    found = await looked(look, case(at(url, **files)))
    assert texts(found, "problem") == []
    assert any("lets us in and speaks MQTT 5" in text for text in texts(found, "ok"))


async def test_a_whole_bus_publishes_as_the_user_of_its_certificate(strict: Strict, tmp_path: Path) -> None:
    files = strict.files(strict.house.sign("jitney", host="me"))
    url = strict.urls["right", "mqtts"]
    settings = config(url, mqtt=files)
    async with running(settings, tmp_path) as daemon:
        await daemon.connected()
        async with mqtt_client.connect(MqttSettings(url=url, **files), purpose="tail") as link:
            await link.subscribe(["jitney/alice/event/#"])
            await daemon.context().emit(tick(1))
            async with asyncio.timeout(15):
                heard = await link.hear()
            assert heard.topic == "jitney/alice/event/played/ticked"
