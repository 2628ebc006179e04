"""Secrets are planted wherever one can lie, everything is made to talk, and every byte of it is searched for them."""

import asyncio
import copy
import json
import pickle
import signal
import traceback
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import msgspec
import pytest
from meshtastic.protobuf import admin_pb2, portnums_pb2

from jitney.daemon.cli.common import from_vault
from jitney.daemon.config.load import examine
from tests.at_canaries import LEAKY, House, household
from tests.canaries import Canaries
from tests.conftest import StartBroker
from tests.daemon.running import payload
from tests.fakes.meshtastic.settings import SECRETS
from tests.fakes.strava import trouble

SPELT: dict[str, Callable[[str], bytes]] = {
    "as it is": str.encode,
    "in base64": lambda secret: b64encode(b"x:" + secret.encode() + b"y"),
    "in hexadecimal": lambda secret: secret.encode().hex().encode(),
    "in a URL": lambda secret: quote(secret).encode(),
    "in JSON": lambda secret: json.dumps({"password": secret}).encode(),
    "in a repr": lambda secret: repr([secret.encode()]).encode(),
    "reversed": lambda secret: secret.encode()[::-1],
    "split": lambda secret: "\n".join(secret[at : at + 4] for at in range(0, len(secret), 4)).encode(),
    "as a list": lambda secret: repr(list(secret)).encode(),
    "as numbers": lambda secret: repr(list(secret.encode())).encode(),
    "UTF-16": lambda secret: secret.encode("utf-16-le"),
    "its end": lambda secret: secret[-20:].encode(),
}


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("how", SPELT)
def test_a_secret_is_found_however_it_was_spelt(how: str, odd: bool) -> None:  # noqa: FBT001 - a parameter of the test
    canaries = Canaries()
    secret = canaries.plant("password", odd=odd)
    (leak,) = canaries.search({"log": b"before" + SPELT[how](secret) + b"after", "state": b"nothing"})
    assert (leak.name, leak.place) == ("password", "log")


def test_the_last_four_characters_of_a_secret_may_be_shown() -> None:
    canaries = Canaries()
    secret = canaries.plant("password")
    assert not canaries.search({"log": f"••••{secret[-4:]}".encode()})


def test_a_secret_may_be_seen_where_it_was_allowed_and_nowhere_else() -> None:
    canaries = Canaries()
    secret = canaries.plant("password").encode()
    canaries.allow("password", "state: *")
    assert [leak.place for leak in canaries.search({"log": secret, "state: vault.key": secret})] == ["log"]


@pytest.fixture
async def house(mosquitto: StartBroker, tmp_path: Path) -> AsyncIterator[House]:
    async with household(mosquitto, tmp_path) as found:
        yield found


@pytest.mark.slow
@pytest.mark.timeout(500)
async def test_no_secret_is_anywhere_whatever_happens_and_whoever_asks(house: House) -> None:
    await house.start()
    await everything_begins(house)
    await sign_in(house)
    await strava_fails(house)
    await home_fails(house)
    await radio_talks(house)
    await routes_fail(house)
    await files_are_broken(house)
    await the_web_is_asked(house)
    await commands_are_run(house)
    house.look_at_processes()
    assert any("environ" in place for place in house.children)
    places = house.places()
    assert len(places) > 300
    assert_that_nothing_leaks(house)
    await commands_about_files_are_run(house)
    await house.stop()
    assert_that_nothing_leaks(house)
    modes = {file.name: file.stat().st_mode & 0o077 for file in (house.folder / "state").rglob("*")}
    assert not any(modes.values()), modes
    assert b"canaries" not in (house.folder / "household.jitney-backup").read_bytes()
    await what_is_leaked_is_found(house)


def assert_that_nothing_leaks(house: House) -> None:
    leaks = house.canaries.search(house.places())
    assert not leaks, "\n".join(map(repr, leaks))


async def everything_begins(house: House) -> None:
    await house.until_status("jitney/alice/status/leaky", "online")
    await house.until_status("jitney/bob/status/worse", "failed")
    await house.until_status("jitney/alice/status/home", "online")
    await house.until_status("jitney/alice/status/base", "online")
    await house.until_written("the walls between owners are not proved")


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("log", ["console", "journal"])
async def test_no_secret_is_in_any_format_of_the_log_whatever_python_tells_of_itself(house: House, log: str) -> None:
    wrong = house.canaries.plant("wrong password", odd=True)
    house.write(log=log, password=json.dumps(wrong))
    async with house.journal() as entries:
        await house.start(PYTHONASYNCIODEBUG="1", CANARY_TELLS="1")
        written = house.until_written if log == "console" else entries.until_written
        await written("does not let user")
        await house.stop()
        house.write(log=log)
        await house.start(PYTHONASYNCIODEBUG="1", CANARY_TELLS="1")
        await house.until_status("jitney/alice/status/leaky", "online")
        await house.until_status("jitney/bob/status/worse", "failed")
        await house.until_status("jitney/alice/status/home", "online")
        await house.send("jitney/alice/inbox/desk/go", word="hello")
        await written("an action is given up", times=3)
        await written("took ", times=100)
        assert house.process is not None
        house.process.send_signal(signal.SIGABRT)
        async with asyncio.timeout(20):
            await house.process.wait()
    assert "Fatal Python error: Aborted" in house.log.read_text()
    assert not list(house.folder.glob("core*"))
    assert_that_nothing_leaks(house)


async def test_a_configuration_with_secrets_shows_none_and_is_not_serialised(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(LEAKY)
    environ = dict(house.programs.environ)
    loaded = await asyncio.to_thread(examine, house.config, environ=environ, vault=from_vault)
    config, said = loaded.config, house.programs.said
    for name, shown in (("repr", repr), ("str", str), ("format", "{}".format), ("ascii", ascii)):
        said[f"{name} of all"] = shown(config).encode()
        said[f"{name} of one"] = shown(config.mqtt.password).encode()
        said[f"{name} of what was loaded"] = shown(loaded).encode()
    for kept in (
        pickle.dumps,
        copy.deepcopy,
        msgspec.json.encode,
        msgspec.msgpack.encode,
        msgspec.to_builtins,
        json.dumps,
    ):
        with pytest.raises(TypeError) as caught:
            kept(config.mqtt)
        said[f"{kept} is refused"] = str(caught.value).encode()
    said["as fields"] = repr(msgspec.structs.asdict(config)).encode()
    said["the error of a comparison"] = difference(config.mqtt.password).encode()
    house.log.touch()
    assert len(house.canaries.planted) > 10
    assert_that_nothing_leaks(house)


def difference(secret: object) -> str:
    """Return what Python tells of an assertion and of a missing key that are about a secret."""
    known: dict[object, int] = {}
    try:
        known[secret] += 1
    except KeyError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    return ""


async def sign_in(house: House) -> None:
    canaries, strava = house.canaries, house.strava
    out = await house.programs.run("strava connect", "strava", "connect", "alice", "--json", "-c", str(house.config))
    link = json.loads(out)["link"]
    (state,) = parse_qs(urlsplit(link).query)["state"]
    canaries.know("state of the sign-in", state)
    canaries.allow("state of the sign-in", "strava connect: output", "MQTT * jitney/alice/reply/*")
    landing = await strava.consent(link, house.athlete)
    house.programs.said["the page after the sign-in"] = landing.text.encode()
    assert landing.status == 200
    for number, code in enumerate(strava.world.grants.codes):
        canaries.know(f"authorisation code {number}", code)
    know_tokens(house)
    house.athlete.add_activity()
    await house.observer.until(lambda: house.observer.on("jitney/alice/event/strava/activity.created"))


def know_tokens(house: House) -> None:
    """Look for every token that Strava has ever given."""
    grants = house.strava.world.grants
    for kind, tokens in (("access", grants.accesses), ("refresh", grants.refreshes)):
        for number, token in enumerate(tokens):
            house.canaries.know(f"{kind} token {number}", token)


async def strava_fails(house: House) -> None:
    """Let every sort of call fail with an answer that says all that was sent, and the tokens come to their end."""
    strava, canaries = house.strava, house.canaries
    grant = strava.grant_of(house.app, house.athlete)
    assert grant is not None
    known = [name for name in canaries.planted if " token " in name or name in ("verify token", "client secret")]
    everything = " ".join(canaries.planted[name].decode() for name in known)
    activity = house.athlete.add_activity()
    await strava.settled()
    for status in (403, 400, 401, 500):
        playing = strava.play(trouble.status(status, json.dumps({"message": everything})), times=3)
        name = f"send get_activity for {status}"
        await house.programs.run(name, *sending(house, "strava", "get_activity", f"activity={activity.id}"))
        playing.stop()
    strava.spoil(house.app, house.athlete)
    playing = strava.play(trouble.status(500, everything), "/oauth/token", times=1)
    await house.programs.run("send get_route", *sending(house, "strava", "get_route", f"activity={activity.id}"))
    playing.stop()
    await house.programs.run("send refresh", *sending(house, "strava", "refresh"))
    know_tokens(house)
    strava.revoke(house.app, house.athlete)
    alert = await house.observer.message("jitney/alice/alert/strava.sign_in")
    link = json.loads(payload(alert))["link"].rpartition("/")[2]
    canaries.know("lasting link", link)
    canaries.allow("lasting link", "MQTT * jitney/alice/alert/strava.sign_in", "tail: output")
    know_tokens(house)


async def home_fails(house: House) -> None:
    """End the token, and write another one where it lies; let the house say it itself meanwhile."""
    home, old = house.home, house.home.token
    await house.programs.run(
        "send call_service", *sending(house, "home", "call_service", "service=light.turn_on", "entity_id=light.desk")
    )
    home.send_raw(json.dumps({"id": 2, "type": "result", "success": False, "error": {"code": old, "message": old}}))
    home.send_raw(f"no JSON but {old}")
    home.revoke(old)
    await house.until_status("jitney/alice/status/home", "reauth")
    new = home.users.issue(home.jitney)
    house.canaries.know("next token of Home Assistant", new.rpartition(".")[2])
    (house.folder / "token").write_text("")
    await house.until_written("adapters.home.token: the file is empty")
    (house.folder / "token").write_text(new)
    await house.until_written("adapters.home changed: token")
    online = sum(b'"online"' in payload(one) for one in house.observer.on("jitney/alice/status/home"))
    assert online


async def radio_talks(house: House) -> None:
    node = house.radio.node(0xB0B00001, long_name="Bob")
    message = admin_pb2.AdminMessage(session_passkey=SECRETS["psk"][:16])
    message.get_channel_response.settings.psk = SECRETS["psk"]
    message.get_channel_response.index = 1
    node.send(portnums_pb2.PortNum.ADMIN_APP, message)
    other = admin_pb2.AdminMessage()
    other.set_config.security.private_key = SECRETS["private_key"]
    other.set_config.network.wifi_psk = SECRETS["wifi_psk"]
    node.send(portnums_pb2.PortNum.ADMIN_APP, other)
    node.text("is anybody there?")
    await house.observer.until(lambda: house.observer.on("jitney/alice/event/base/message"))
    for command in ("get_device_config", "get_packets", "get_nodes"):
        await house.programs.run(f"send {command}", *sending(house, "base", command))


def sending(house: House, adapter: str, command: str, *data: str) -> list[str]:
    return ["send", "alice", adapter, command, *data, "-c", str(house.config), "--timeout", "10"]


async def routes_fail(house: House) -> None:
    """Let a webhook, a command and a Python route fail until they are given up."""
    await house.send("jitney/alice/inbox/desk/go", word="hello")
    await house.until_written("an action is given up", times=3)
    for command in ("refuse", "fail", "crash"):
        await house.programs.run(f"send {command}", *sending(house, "leaky", command))


async def files_are_broken(house: House) -> None:
    """Save one broken file after the other, each with the mistake where the secret is."""
    secret = house.canaries.plant("secret in a broken file")
    for number, broken in enumerate(broken_values(secret)):
        house.write(password=broken)
        await house.programs.run(f"check {number}", "check", "-c", str(house.config))
        if number % 4 == 0:
            await house.programs.run(f"reload {number}", "reload", "-c", str(house.config), "--mqtt", house.broker.url)
    for number, broken in enumerate(broken_addresses(secret)):
        path = house.folder / f"address{number}.toml"
        path.write_text(f"version = 1\n{broken}\n")
        path.chmod(0o600)
        await house.programs.run(f"check address {number}", "check", "--json", "-c", str(path))
    await house.programs.run("tail with a URL", "tail", "--mqtt", f"mqtt://bus:{secret}@127.0.0.1:1", seconds=10)
    await house.programs.run("tail with no URL", "tail", "--mqtt", f"mqtt://bus:{secret}@[::1", seconds=10)
    house.write()
    await house.programs.run("reload", "reload", "-c", str(house.config))


def broken_values(secret: str) -> list[str]:
    return [
        f'"{secret}',
        f"'{secret}\n",
        secret,
        f'["{secret}"]',
        f'{{ vault = "{secret}" }}',
        f'{{ fil = "{secret}" }}',
        f'{{ credential = "{secret}" }}',
        f'{{ env = "{secret}", file = "x" }}',
        f'{{ file = "{secret}" }}',
        f'"{secret}\\q"',
        f'"{secret}"\npassword = "{secret}"',
        f'"{secret}" "{secret}"',
    ]


def broken_addresses(secret: str) -> list[str]:
    home = f'[adapters.home]\ntype = "homeassistant"\ntoken = "{secret}"\n'
    strava = f'[adapters.s]\ntype = "strava"\noauth_url = "https://a:{secret}@s.org"\n'
    route = '[[routes]]\nname = "hook"\non = "inbox.go"\n'
    return [
        f'[mqtt]\nurl = "mqtt://bus:{secret}@localhost"',
        f'[mqtt]\nurl = "mqtt://bus:{secret}@localhost:x"',
        f'[mqtt]\nurl = "http://bus:{secret}@localhost"',
        f'{home}url = "http://bus:{secret}@ha.local"',
        f'{home}url = "ftp://bus:{secret}@ha.local"',
        f"{home}url = 7",
        f'[http]\npublic_url = "https://bus:{secret}@bus.example.org"',
        f'[routing]\nwebhooks = ["https://bus:{secret}@hooks.example.org/*"]',
        f'{route}do = [{{ webhook = "https://bus:{secret}@hooks.example.org/a" }}]',
        f'{route}do = [{{ webhook = "https://hooks.example.org/a", headers = {{ A = {{ vault = "{secret}" }} }} }}]',
        f'{strava}apps.main = {{ client_id = "1", client_secret = ["{secret}"] }}',
    ]


async def the_web_is_asked(house: House) -> None:
    code = house.canaries.plant("code of a forged sign-in")
    for path in (
        *("/health", "/health/detailed", "/ready", "/metrics", "/strava/", "/leaky/", "/nothing"),
        f"/strava/callback?state={code}&code={code}&scope=read",
        f"/strava/{code}",
        f"/strava/webhook/{code}?hub.mode=subscribe&hub.verify_token={code}&hub.challenge=1",
    ):
        await house.get(path)


async def commands_are_run(house: House) -> None:
    """Run everything that tells something, beside the daemon."""
    run, config = house.programs.run, str(house.config)
    events = [one for one in house.observer.messages if "/inbox/" in str(one.topic) or "/event/" in str(one.topic)]
    assert events
    shown = [
        "check", "check --json", "doctor", "doctor --json", "doctor --offline", "reload --plan", "trace",
        "trace --json", "routes list", "routes test", "routes explain", "routes explain --json", "routes try --last 1",
        "dead list", "dead list --json", "strava status", "strava status --json", "acl verify", "acl verify --json",
        "owners list", "owners show alice", "owners usage", "owners usage --json", "vault list", "vault list --json",
        "devices list", "audit list", "audit list --json", "audit verify", "migrate",
        *(f"acl render --target {target}" for target in ("mosquitto-acl", "dynsec", "emqx")),
    ]  # fmt: skip
    few = asyncio.Semaphore(3)

    async def run_one(line: str) -> None:
        async with few:
            await run(line, *line.split(), "-c", config)

    await asyncio.gather(*map(run_one, shown))
    await asyncio.gather(
        run("tail", "tail", "-c", config, "--state", "--json", seconds=5),
        run("log", "log", "-c", config, "--level", "debug", seconds=5),
        house.send("jitney/alice/inbox/desk/go", word="hello again"),
    )
    out = await run("devices add", "devices", "add", "alice", "phone", "--json", "-c", config)
    house.canaries.know("password of a device", json.loads(out)["password"])
    house.canaries.allow("password of a device", "devices add: output")
    await run("devices list again", "devices", "list", "-c", config)
    await run("acl render again", "acl", "render", "--target", "mosquitto-acl", "-c", config)
    secret = house.canaries.plant("set by a command")
    await run("vault set", "vault", "set", "more", "-c", config, standard_input=secret)
    await run("vault set wrongly", "vault", "set", secret, "-c", config, standard_input=secret)


async def commands_about_files_are_run(house: House) -> None:
    """Run everything that copies what is kept, and keep the copies too."""
    run, config, said = house.programs.run, str(house.config), house.programs.said
    backup = house.folder / "household.jitney-backup"
    await run("backup", "backup", str(backup), "-c", config)
    said["the backup"] = backup.read_bytes()
    await run("restore", "restore", "--dry-run", str(backup), "-c", config)
    await run("owners export", "owners", "export", "alice", str(house.folder / "export"), "-c", config)
    for file in (house.folder / "export").rglob("*"):
        if file.is_file():
            said[f"export: {file.name}"] = file.read_bytes()
    await run("disconnect", "strava", "disconnect", "alice", "-y", "-c", config)
    assert any(place.startswith("export: ") for place in said)


async def what_is_leaked_is_found(house: House) -> None:
    """Check that nothing of this has been in vain: let an adapter publish its token on purpose."""
    await house.start()
    await house.until_written('"event":"online","part":"adapter","adapter":"leaky"', times=2)
    await house.programs.run("send tell", *sending(house, "leaky", "tell"))
    leaks = house.canaries.search(house.places())
    assert {leak.name for leak in leaks} == {"token of leaky"}
    places = {leak.place.partition(" jitney/")[2] or leak.place for leak in leaks}
    assert "send tell: output" in places
    assert any(place.startswith("alice/reply/") for place in places)
