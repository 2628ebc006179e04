"""A household in which a recognisable secret lies wherever one can lie, and what it says to anybody is kept."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web
from msgspec import Struct

from jitney.adapters.secret import Secret
from jitney.daemon.access.passwords import password_line
from jitney.daemon.owners.house_secrets import HouseSecrets
from tests.at_strava import PUBLIC, REPOSITORY
from tests.canaries import PIECE, Canaries
from tests.conftest import StartBroker
from tests.daemon.running import Observer, observing, payload
from tests.fakes.homeassistant import FakeHomeAssistant
from tests.fakes.meshtastic import Radio
from tests.fakes.meshtastic.settings import SECRETS
from tests.fakes.mosquitto import Broker
from tests.fakes.ports import free_port
from tests.fakes.strava import App, Athlete, FakeStrava
from tests.waiting import until

LEAKY: Final = REPOSITORY / "tests" / "leaky"

CONFIG: Final = """
version = 1
[bus]
state_dir = "{folder}/state"
log_level = "debug"
log_format = "{log}"
log_mqtt = "debug"
[mqtt]
url = "{broker}"
username = "jitney"
password = {password}
[http]
listen = "127.0.0.1:{port}"
public_url = "{public}"
metrics = true
[access]
verify = "start"
[access.logins.alice]
username = "jitney-alice.proof"
password = {{ env = "CANARY_ALICE" }}
[access.logins.bob]
username = "jitney-bob.proof"
password = {{ credential = "bob" }}
[owners.alice]
homeassistant = {{ person = "person.alice" }}
[owners.bob]
[discovery]
[adapters.home]
type = "homeassistant"
url = "{home}"
token = {{ file = "token" }}
retry = {{ first = 0.1, longest = 0.2, unauthorised = 0.3 }}
[adapters.base]
type = "meshtastic"
owner = "alice"
connection = "{radio}"
allow = {{ alice = "*" }}
[adapters.strava]
type = "strava"
api_url = "{api}"
oauth_url = "{oauth}"
apps.main = {{ client_id = "101", client_secret = {{ vault = "strava/main" }} }}
[adapters.leaky]
type = "leaky"
owner = "alice"
token = {{ env = "CANARY_LEAKY" }}
retry = {{ first = 0.01, longest = 0.02, unauthorised = 0.02 }}
[adapters.worse]
type = "leaky"
owner = "bob"
token = {{ credential = "worse" }}
retry = {{ first = 0.01, longest = 0.02, unauthorised = 0.02 }}
[routing]
webhooks = ["{hooks}/*"]
python = ["told.py"]
[[routes]]
name = "hook"
owner = "alice"
on = "inbox.go"
ttl = 1.0
do = [
  {{ webhook = "{hooks}/a", headers = {{ Authorization = {{ env = "CANARY_HOOK" }}, X-Key = {{ vault = "hook" }} }} }},
]
[[routes]]
name = "gone"
owner = "alice"
on = "inbox.go"
ttl = 1.0
do = [{{ command = "leaky.fail" }}]
"""

SCRIPT: Final = """
import os
import sys
from jitney.daemon.scripts import Bus, Event, route

@route(on="inbox.go", owner="alice", ttl=1)
async def told(event: Event, bus: Bus) -> None:
    print("i know", sorted(os.environ.items()), sys.argv, os.listdir("/proc/self/fd"), flush=True)
    raise RuntimeError(f"crashed with {sorted(os.environ)}")
"""

TELLING: Final = """
import os
if "CANARY_TELLS" in os.environ:
    from asyncio import base_events
    from pathlib import Path
    from jitney.daemon.log import journal
    journal.SOCKET = os.environ["CANARY_JOURNAL"]
    journal.Journal.__init__.__defaults__ = (journal.SOCKET,)
    begin = base_events.BaseEventLoop.__init__

    def talkative(loop):
        begin(loop)
        loop.slow_callback_duration = 0.0005

    base_events.BaseEventLoop.__init__ = talkative
"""
"""Lets the loop tell of nearly everything that it does, and the journal be a socket of the test."""

ECHO: Final = "and so it ends"


class Programs(Struct, frozen=True):
    """What processes of the household have written, by name."""

    environ: Mapping[str, str]
    folder: Path
    said: dict[str, bytes]

    async def run(self, name: str, *arguments: str, standard_input: str = "", seconds: float = 60.0) -> str:
        """Run a command to its end, or for so long, and keep what it says; returns its standard output."""
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "jitney.daemon.cli", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environ,
            cwd=self.folder,
        )
        talk = asyncio.create_task(child.communicate(standard_input.encode()), name=name)
        done, _ = await asyncio.wait([talk], timeout=seconds)
        if not done:
            child.terminate()
        out, errors = await talk
        self.said[f"{name}: output"] = out
        self.said[f"{name}: errors"] = errors
        return out.decode()


class Journal:
    """What a journal was sent."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []

    async def until_written(self, text: str, *, times: int = 1) -> None:
        """Wait until as many entries have a text."""
        await until(lambda: sum(text.encode() in entry for entry in self.entries) >= times, seconds=40)


class House:
    """Everything that secrets are planted in, and everything that could show them."""

    def __init__(self, folder: Path, canaries: Canaries, parts: "Parts") -> None:
        self.folder = folder
        self.canaries = canaries
        self.home = parts.home
        self.strava = parts.strava
        self.radio = parts.radio
        self.app = parts.app
        self.athlete = parts.athlete
        self.observer = parts.observer
        self.broker = parts.broker
        self.config = folder / "config.toml"
        self.log = folder / "daemon.log"
        self.port = free_port()
        self.hooks = parts.hooks
        self.programs = Programs(parts.environ, folder, {})
        self.process: asyncio.subprocess.Process | None = None
        self.children: dict[str, bytes] = {}

    def write(self, *, log: str = "json", password: str = "") -> None:
        """Write the configuration; ``password`` as TOML, in the clear unless given."""
        values = {
            "folder": self.folder,
            "log": log,
            "broker": self.broker.url,
            "password": password or json.dumps(self.canaries.planted["mqtt password"].decode()),
            "port": self.port,
            "public": PUBLIC,
            "home": self.home.url,
            "radio": self.radio.connection,
            "api": self.strava.api_url,
            "oauth": self.strava.oauth_url,
            "hooks": self.hooks,
        }
        beside = self.config.with_suffix(".new")
        beside.write_text(CONFIG.format_map(values), encoding="utf-8")
        beside.chmod(0o600)
        beside.replace(self.config)

    async def start(self, **extra: str) -> None:
        """Start the daemon; what it writes goes to ``log``."""
        with self.log.open("ab") as out:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-X", "faulthandler", "-m", "jitney.daemon.cli", "run", "-c", str(self.config)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**self.programs.environ, **extra},
                cwd=self.folder,
            )

    async def stop(self) -> None:
        """Stop the daemon, whether it runs or not."""
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            async with asyncio.timeout(20):
                await self.process.wait()

    async def until_written(self, text: str, *, times: int = 1) -> None:
        """Wait until the log has a text."""
        await until(lambda: self.log.read_text(errors="replace").count(text) >= times, seconds=40)

    @asynccontextmanager
    async def journal(self) -> AsyncIterator["Journal"]:
        """Be the journal of the machine for daemons that are started meanwhile."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as entrance:
            entrance.bind(str(self.folder / "journal"))
            entrance.settimeout(0.0)
            journal = Journal()
            loop = asyncio.get_running_loop()
            loop.add_reader(entrance, lambda: journal.entries.append(entrance.recv(1 << 20)))
            try:
                yield journal
            finally:
                loop.remove_reader(entrance)
                self.programs.said["the journal"] = b"\n".join(journal.entries)

    async def until_status(self, topic: str, *states: str) -> None:
        """Wait until a status has been each of these, in any order."""

        def seen() -> bool:
            found = [json.loads(payload(one) or b"{}") for one in self.observer.on(topic)]
            return set(states) <= {one.get("state") for one in found}

        await self.observer.until(seen)

    async def get(self, path: str) -> None:
        """Ask over HTTP, and keep the answer."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://127.0.0.1:{self.port}{path}", allow_redirects=False) as answer,
        ):
            head = repr((answer.status, answer.reason, answer.raw_headers)).encode()
            self.programs.said[f"GET {path}"] = head + await answer.read()

    async def send(self, topic: str, **data: object) -> None:
        """Publish something as a program of alice would."""
        await self.observer.publish(topic, json.dumps(data).encode())

    def look_at_processes(self) -> None:
        """Keep what `ps` shows: the command line of the daemon, all that is known of what it has started."""
        assert self.process is not None
        self.programs.said["ps: the daemon"] = Path(f"/proc/{self.process.pid}/cmdline").read_bytes()
        for number in _offspring(self.process.pid):
            assert "Max core file size 0 0 bytes" in " ".join(Path(f"/proc/{number}/limits").read_text().split())
            for what in ("cmdline", "environ"):
                self.children[f"ps: {what} of child {number}"] = Path(f"/proc/{number}/{what}").read_bytes()

    def places(self) -> dict[str, bytes]:
        """Return everything that anybody could have seen until now, by where."""
        seen = {**self.programs.said, **self.children, "the log": self.log.read_bytes()}
        for number, message in enumerate(self.observer.messages):
            properties = json.dumps(message.properties.json() if message.properties else {}, default=str)
            raw = payload(message)
            seen[f"MQTT {number} {message.topic}"] = f"{message.topic} {properties} ".encode() + raw
        for file in (self.folder / "state").rglob("*"):
            if file.is_file():
                seen[f"state: {file.name}"] = file.read_bytes()
        return seen


class Parts(Struct, frozen=True):
    """What a household is made of."""

    home: Any
    strava: Any
    radio: Any
    app: App
    athlete: Athlete
    observer: Observer
    broker: Broker
    hooks: str
    environ: Mapping[str, str]


@asynccontextmanager
async def household(start: StartBroker, folder: Path) -> AsyncIterator[House]:
    """Plant a secret wherever one can lie; nothing runs yet but what the daemon will talk to."""
    canaries = Canaries()
    plant = canaries.plant
    (folder / "secrets").mkdir(mode=0o700)
    (folder / "secrets" / "bob").write_text(plant("login of bob", odd=True))
    (folder / "secrets" / "worse").write_text(plant("token of worse"))
    (folder / "told.py").write_text(SCRIPT)
    (folder / "sitecustomize.py").write_text(TELLING)
    vault = HouseSecrets(folder / "state", environ={})
    await asyncio.to_thread(vault.put, "strava/main", Secret(plant("client secret")))
    await asyncio.to_thread(vault.put, "hook", Secret(plant("webhook secret of the vault")))
    canaries.know("key of the vault", (folder / "state" / "vault.key").read_text().strip())
    canaries.allow("key of the vault", "state: vault.key")
    for name, secret in SECRETS.items():
        if isinstance(secret, str | bytes) and len(secret) >= PIECE and name != "mqtt_password":  # words of ours
            canaries.know(f"{name} of the radio", secret)
    environ = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "PYTHONPATH": os.pathsep.join([str(folder), str(REPOSITORY), str(LEAKY)]),
        "CANARY_JOURNAL": str(folder / "journal"),
        "CREDENTIALS_DIRECTORY": str(folder / "secrets"),
        "CANARY_ALICE": plant("login of alice", odd=True),
        "CANARY_LEAKY": (token := plant("token of leaky")),
        "CANARY_HOOK": f"Bearer {plant('webhook secret of the environment')}",
        "JITNEY_BACKUP_PASSPHRASE": plant("passphrase"),
    }
    canaries.know("what leaky keeps", f"{token[-12:-8]}{'K' * 8}")
    password = plant("mqtt password", odd=True)
    lines = [password_line(user, Secret(word)) for user, word in (("jitney", password), ("desk", "desk"))]
    lines += [
        password_line("jitney-alice.proof", Secret(environ["CANARY_ALICE"])),
        password_line("jitney-bob.proof", Secret((folder / "secrets" / "bob").read_text())),
    ]
    (folder / "passwords").write_text("\n".join(lines) + "\n")
    broker = start(anonymous=False, extra=[f"password_file {folder / 'passwords'}"])
    async with (
        FakeHomeAssistant(allow=[".*"]) as home,
        FakeStrava(allow=[".*"]) as strava,
        Radio() as radio,
        _echoing() as hooks,
        observing(broker.port, "#", username="desk", password="desk") as observer,
    ):
        canaries.know("token of Home Assistant", home.token.rpartition(".")[2])
        (folder / "token").write_text(home.token)
        app = strava.app("101", canaries.planted["client secret"].decode())
        parts = Parts(home, strava, radio, app, strava.athlete(1001), observer, broker, hooks, environ)
        house = House(folder, canaries, parts)
        house.write()
        strava.lead(PUBLIC, f"http://127.0.0.1:{house.port}")
        challenge = strava.callbacks.challenge

        async def overheard(url: str, verify_token: str) -> str:
            canaries.know("verify token", verify_token)
            canaries.know("secret address of the webhook", url.rpartition("/")[2])
            return await challenge(url, verify_token)

        strava.callbacks.challenge = overheard
        try:
            yield house
        finally:
            await house.stop()


@asynccontextmanager
async def _echoing() -> AsyncIterator[str]:
    """Run a server that refuses everything and says in its refusal what it was told, in every way there is."""

    async def answer(request: web.Request) -> web.Response:
        heard = " ".join(f"{name}={value}" for name, value in request.headers.items())
        word = request.headers.get("Authorization", "")
        return web.Response(status=500, reason=f"{word} {ECHO}", text=heard, headers={"X-Echo": heard})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        listening = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, listening).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        await runner.cleanup()


def _offspring(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    children = [int(one) for task in tasks.iterdir() for one in (task / "children").read_text().split()]
    return [*children, *(one for child in children for one in _offspring(child))]
