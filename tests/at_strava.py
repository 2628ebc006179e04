"""A household whose daemon has the real Strava adapter: at a fake Strava, at a broker, and as an observer sees it."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from jitney.daemon.config.load import load
from jitney.topics import Event, cloudevents
from tests.daemon.running import Daemon, Observer, observing, payload, running
from tests.fakes.ports import free_port
from tests.fakes.strava import Activity, App, Athlete, FakeStrava, Limits
from tests.waiting import DEADLINE, until

REPOSITORY: Final = Path(__file__).parent.parent

PUBLIC: Final = "https://jitney.example"
"""Where Strava finds the daemon, wherever that is."""

PLENTY: Final = Limits(short=20_000, day=200_000, read_short=10_000, read_day=100_000)
"""Limits that no test of a burst reaches."""

SLOTS: Final = 10

OWN: Final = frozenset({"athlete", "stats", "week", "quota", "subscription"})
"""The states of everybody who is connected, besides those of what they have and do."""

_CONFIG: Final = """
version = 1
[bus]
state_dir = {state}
log_level = "{log_level}"
log_format = "json"
[mqtt]
url = "mqtt://127.0.0.1:{broker}"
[http]
listen = "127.0.0.1:{port}"
public_url = "{public}"
[outbox]
synchronous = "{synchronous}"
{owners}
[adapters.strava]
type = "strava"
api_url = "{api_url}"
oauth_url = "{oauth_url}"
activities = {slots}
{apps}
"""


class Seen:
    """What an observer has got until now: every event in order, and the newest value of each retained topic."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._read = 0
        self._events: list[Event] = []
        self._values: dict[str, bytes] = {}

    @property
    def events(self) -> list[Event]:
        """Every event as often as it came."""
        self._sort()
        return self._events

    @property
    def values(self) -> dict[str, bytes]:
        """The newest value of every retained topic; what was cleared is not there."""
        self._sort()
        return self._values

    def _sort(self) -> None:
        news = self._observer.messages[self._read :]
        self._read += len(news)
        for message in news:
            topic = str(message.topic)
            if "/event/" in topic:
                event = cloudevents.decode(payload(message))
                assert topic == f"jitney/{event.owner}/event/strava/{event.type.removeprefix('strava.')}"
                self._events.append(event)
            elif "/command/" in topic or "/reply/" in topic:
                continue
            elif payload(message):
                self._values[topic] = payload(message)
            else:
                self._values.pop(topic, None)


class House:
    """The people of a household: what they do at Strava, and what they see at the broker.

    ``people`` says through which app each owner signs in; ``athletes`` are those who have.
    """

    def __init__(
        self, strava: FakeStrava, observer: Observer, *, apps: Mapping[str, App], people: Mapping[str, str]
    ) -> None:
        self.strava = strava
        self.observer = observer
        self.apps = apps
        self.people = people
        self.athletes: dict[str, Athlete] = {}
        self._seen = Seen(observer)
        self._asked = 0

    def app(self, owner: str) -> App:
        return self.apps[self.people[owner]]

    def callback(self, owner: str) -> str:
        """Return where Strava tells what an owner does."""
        subscription = self.strava.subscription(self.app(owner))
        assert subscription is not None
        return subscription.callback_url

    async def ask(self, owner: str, command: str, **data: object) -> dict[str, Any]:
        """Carry out a command over MQTT and return the data of its reply."""
        reply = await self._reply(owner, command, data)
        assert reply["status"] == "ok", reply
        found: dict[str, Any] = reply["data"]
        return found

    async def refused(self, owner: str, command: str, **data: object) -> dict[str, Any]:
        """Have a command refused and return the error."""
        reply = await self._reply(owner, command, data)
        assert reply["status"] == "error", reply
        found: dict[str, Any] = reply["error"]
        return found

    async def _reply(self, owner: str, command: str, data: dict[str, object]) -> dict[str, Any]:
        """Ask until the adapter of a daemon that has just been started is online."""
        while True:
            reply = await self._first_reply(owner, command, data)
            if "is connecting" not in reply.get("error", {}).get("message", ""):
                return reply

    async def _first_reply(self, owner: str, command: str, data: dict[str, object]) -> dict[str, Any]:
        self._asked += 1
        transaction = str(self._asked)
        body = msgspec.json.encode({"data": data, "transaction": transaction})
        await self.observer.publish(f"jitney/{owner}/command/strava/{command}", body)
        reply = await self.observer.message(f"jitney/{owner}/reply/_/{transaction}")
        found: dict[str, Any] = msgspec.json.decode(payload(reply))
        return found

    async def sign_in(self, owner: str, athlete: Athlete) -> None:
        """Sign in with a browser, and wait until all that there was before is known."""
        self.athletes[owner] = athlete
        link = (await self.ask(owner, "connect"))["link"]
        landing = await self.strava.consent(link, athlete)
        assert landing.status == 200, landing.text
        await until(lambda: self.state(owner, "stats") is not None)
        await until(lambda: self._listens(owner))

    async def connect(self, owner: str, number: int) -> Athlete:
        """Sign in as a new athlete."""
        athlete = self.strava.athlete(number, firstname=owner.title())
        await self.sign_in(owner, athlete)
        return athlete

    async def digested(self, owner: str, *, seconds: float = DEADLINE) -> None:
        """Wait until nothing that Strava told of waits for an owner any more."""
        await until(lambda: self._has_digested(owner), seconds=seconds)

    def events(self, owner: str = "", kind: str = "") -> list[Event]:
        """Return the events that have arrived, as often as they did."""
        return [event for event in self._seen.events if owner in ("", event.owner) and event.type.endswith(kind)]

    def told(self, owner: str, kind: str = "") -> list[tuple[str, str]]:
        """Return the type and subject of the events of an owner."""
        return [(event.type, event.subject or "") for event in self.events(owner, kind)]

    def created(self, owner: str) -> dict[str, list[str]]:
        """Return for each activity the ids with which it was told that it was created, as often as it was."""
        found: dict[str, list[str]] = {}
        for event in self.events(owner, "activity.created"):
            found.setdefault(event.subject or "", []).append(event.id)
        return found

    def state(self, owner: str, subject: str) -> dict[str, Any] | None:
        raw = self._seen.values.get(f"jitney/{owner}/state/strava/{subject}")
        return None if raw is None else msgspec.json.decode(raw)

    def shown(self, owner: str) -> list[tuple[int, str]]:
        """Return the activities that an owner's slots show: their numbers and names, the newest first."""
        states = [self.state(owner, f"recent_{slot}") for slot in range(1, SLOTS + 1)]
        return [(state["id"], state["name"]) for state in states if state is not None]

    def topics(self, prefix: str) -> set[str]:
        """Return the topics below a prefix that have a value."""
        return {topic for topic in self._seen.values if topic.startswith(prefix)}

    def value(self, topic: str) -> dict[str, Any]:
        """Return the value of a topic, empty when it has none."""
        found: dict[str, Any] = msgspec.json.decode(self._seen.values.get(topic, b"{}"))
        return found

    async def _listens(self, owner: str) -> bool:
        return bool((await self.ask(owner, "status"))["subscription"] == "active")

    async def _has_digested(self, owner: str) -> bool:
        return not (await self.ask(owner, "status"))["waiting"]


def tree(owner: str, *subjects: str) -> set[str]:
    """Return the retained topics of an owner who is connected and has these states too."""
    return {f"jitney/{owner}/status/strava"} | {f"jitney/{owner}/state/strava/{one}" for one in OWN | set(subjects)}


def newest(activities: Iterable[Activity]) -> list[tuple[int, str]]:
    """Return what slots should show of activities."""
    there = [one for one in activities if not one.deleted]
    there.sort(key=lambda one: (int(one.start), one.id), reverse=True)
    return [(one.id, one.fields["name"]) for one in there[:SLOTS]]


def write(
    folder: Path,
    strava: FakeStrava,
    *,
    broker: int,
    port: int,
    apps: Mapping[str, App],
    people: Mapping[str, str],
    **words: str,
) -> Path:
    """Write a configuration whose secrets are in files of their own; ``words`` are log_level and synchronous."""
    owners = "".join(
        f'[owners.{owner}]\nname = "{owner.title()}"\nstrava.app = "{app}"\n' for owner, app in people.items()
    )
    lines = []
    for name, app in apps.items():
        secret = folder / f"{name}.secret"
        secret.write_text(f"{app.secret}\n", encoding="ascii")
        secret.chmod(0o600)
        lines.append(f'apps.{name} = {{ client_id = "{app.client_id}", client_secret = {{ file = "{secret.name}" }} }}')
    path = folder / "config.toml"
    path.write_text(
        _CONFIG.format_map(
            {
                "log_level": "debug",
                "synchronous": "normal",
                **words,
                "state": json.dumps(str(folder / "state")),
                "broker": broker,
                "port": port,
                "public": PUBLIC,
                "owners": owners,
                "api_url": strava.api_url,
                "oauth_url": strava.oauth_url,
                "slots": SLOTS,
                "apps": "\n".join(lines),
            }
        ),
        encoding="utf-8",
    )
    return path


def registered(strava: FakeStrava, people: Mapping[str, str]) -> dict[str, App]:
    """Register the apps through which people sign in."""
    names = dict.fromkeys(people.values())
    return {
        name: strava.world.apps.get(str(number)) or strava.app(str(number), f"canary-of-{name}-5c1f", limits=PLENTY)
        for number, name in enumerate(names, start=101)
    }


@asynccontextmanager
async def household(
    strava: FakeStrava, broker: int, folder: Path, *, people: Mapping[str, str], through: int = 0
) -> AsyncIterator[tuple[House, Daemon]]:
    """Run a daemon in this process; it reaches the broker at another port if one is given as ``through``."""
    apps = registered(strava, people)
    path = write(folder, strava, broker=through or broker, port=0, apps=apps, people=people)
    async with observing(broker) as observer, running(load(path, environ={}), folder / "state") as daemon:
        strava.lead(PUBLIC, f"http://127.0.0.1:{daemon.app.parts.doors.port}")
        await daemon.connected()
        await until(lambda: daemon.app.parts.runners["strava"].context.is_online)
        yield House(strava, observer, apps=apps, people=people), daemon


class Process:
    """`jitney run` as a process of its own, which can be killed and started again on the same port."""

    def __init__(self, path: Path, *, port: int) -> None:
        self.log = path.with_name("daemon.log")
        self._path = path
        self._url = f"http://127.0.0.1:{port}/strava/nothing"
        self._child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until the adapter answers."""
        command = (sys.executable, "-m", "jitney.daemon.cli", "run", "-c", str(self._path))
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
        with self.log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=REPOSITORY
            )
        await until(self._answers, seconds=30)

    def kill(self) -> None:
        """Kill it, as a power cut does."""
        if self._child is not None and self._child.returncode is None:
            self._child.send_signal(signal.SIGKILL)

    async def ended(self) -> None:
        """Wait until it is gone."""
        if self._child is not None:
            async with asyncio.timeout(DEADLINE):
                await self._child.wait()

    async def stop(self) -> int:
        """End it in an orderly way and return its exit status."""
        assert self._child is not None
        self._child.terminate()
        async with asyncio.timeout(DEADLINE):
            return await self._child.wait()

    async def _answers(self) -> bool:
        assert self._child is not None
        assert self._child.returncode is None, self.log.read_text(errors="replace")[-2000:]
        try:
            async with aiohttp.ClientSession() as http, http.get(self._url) as answer:
                return answer.status == 404
        except (aiohttp.ClientError, OSError):
            return False


@asynccontextmanager
async def process(
    strava: FakeStrava, broker: int, folder: Path, *, people: Mapping[str, str], **words: str
) -> AsyncIterator[tuple[House, Process]]:
    """Run a daemon as a process of its own; ``words`` as of ``write``."""
    port = free_port()
    apps = registered(strava, people)
    path = write(folder, strava, broker=broker, port=port, apps=apps, people=people, **words)
    strava.lead(PUBLIC, f"http://127.0.0.1:{port}")
    daemon = Process(path, port=port)
    async with observing(broker) as observer:
        try:
            await daemon.start()
            yield House(strava, observer, apps=apps, people=people), daemon
        finally:
            daemon.kill()
            await daemon.ended()


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """Return what a query finds in the state file, read beside the daemon."""
    with closing(sqlite3.connect(f"file:{folder / 'state' / 'jitney.db'}?mode=ro", uri=True, timeout=10)) as db:
        return db.execute(query).fetchall()


def tables(folder: Path) -> dict[str, str]:
    """Return what is in each table of the state file."""
    names = rows(folder, "SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name: repr(rows(folder, f"SELECT * FROM {name}")) for (name,) in names}  # noqa: S608 - names of our own
