"""kill -9 of the whole daemon between the acceptance of an event and its action: the action still runs."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.at_strava import Process, rows
from tests.daemon.routing.hooks import Hooks, hooks
from tests.daemon.running import Observer, observing, payload
from tests.fakes.meshtastic import Radio
from tests.fakes.meshtastic.payloads import PORTS
from tests.fakes.mosquitto import Broker
from tests.fakes.ports import free_port
from tests.waiting import until

CONFIG: Final = """\
version = 1
[bus]
state_dir = {state}
log_level = "debug"
log_format = "json"
[mqtt]
url = "{broker}"
[http]
listen = "127.0.0.1:{port}"
[routing]
webhooks = ["{hooks}/*"]
[owners.alice]
[owners.bob]
[[routes]]
name = "call"
owner = "alice"
on = "inbox.call"
do = [{{ webhook = "{hooks}/called", data = {{ n = "{{{{ data.n }}}}" }} }}]
[[routes]]
name = "later"
on = "inbox.later"
do = [{{ publish = "late", data = {{ n = "{{{{ data.n }}}}" }}, delay = {delay} }}]
[[routes]]
name = "count"
owner = "alice"
on = "inbox.count"
do = [{{ set = "n", value = "{{{{ get('n', 0) + 1 }}}}" }}]
"""

SAYING: Final = """
[adapters.base]
type = "meshtastic"
owner = "alice"
connection = "{radio}"
retry = {{ first = 0.05, longest = 0.1 }}
[[routes]]
name = "say"
owner = "alice"
on = "inbox.say"
do = [{{ command = "base.send_text", data = {{ text = "number {{{{ data.n }}}}" }} }}]
"""

DELAY: Final = 1.0

BATCH: Final = 7
"""Events of a kind between two kills; a route that fires more than 60 times in a minute would be stopped."""

often = pytest.mark.parametrize(
    "kills", [pytest.param(1, id="once"), pytest.param(8, id="eight times", marks=pytest.mark.slow)]
)


class House:
    """A daemon that is killed and started again, and what comes of the events that are handed to it."""

    def __init__(self, daemon: Process, observer: Observer, *, folder: Path, seed: int) -> None:
        self.daemon = daemon
        self.observer = observer
        self._folder = folder
        self._random = Random(seed)  # noqa: S311 - the same moments each time

    async def hand_in(self, kind: str, number: int) -> None:
        """Hand an event to the broker, which gives it to the daemon, now or when there is one again."""
        body = {"specversion": "1.0", "id": f"{kind}-{number}", "source": "/desk", "type": kind, "data": {"n": number}}
        await self.observer.publish(f"jitney/alice/inbox/desk/{kind}", json.dumps(body).encode())

    async def accepted(self, kind: str, number: int) -> None:
        """Wait until the daemon has accepted an event."""
        await self.observer.until(lambda: f"{kind}-{number}" in self.ids(f"jitney/alice/event/desk/{kind}"))

    async def offline(self) -> None:
        """Wait until the daemon knows that the radio is away."""
        status = "jitney/alice/status/base"
        await self.observer.until(
            lambda: self.observer.on(status) and b'"offline"' in payload(self.observer.on(status)[-1])
        )

    async def kill(self, *, within: float) -> None:
        """Kill the daemon at any moment in so many seconds, and wait until it is gone."""
        self.kill_meanwhile(within=within)
        await self.daemon.ended()

    def kill_meanwhile(self, *, within: float) -> None:
        """Let the daemon be killed at any moment in so many seconds."""
        asyncio.get_running_loop().call_later(self._random.uniform(0, within), self.daemon.kill)

    async def done(self) -> None:
        """Wait until nothing is left to do; nothing was given up."""
        await until(lambda: not rows(self._folder, "SELECT id FROM action"), seconds=90)
        assert not rows(self._folder, "SELECT * FROM dead")

    def ids(self, topic: str) -> list[str]:
        """Return the ids of the events of a topic, each once, in the order in which they came first."""
        return list(dict.fromkeys(event.id for event in self.observer.events(topic)))

    def numbers(self, topic: str) -> list[int]:
        """Return the numbers of the events of a topic, each event once, in the order in which they came first."""
        events = {event.id: event for event in reversed(self.observer.events(topic))}
        return [json.loads(bytes(events[one].data))["n"] for one in self.ids(topic)]


@asynccontextmanager
async def house(
    broker: Broker, folder: Path, web: Hooks, *, seed: int, radio: Radio | None = None
) -> AsyncIterator[House]:
    """Run `jitney run` as a process of its own; with ``radio`` it has an adapter for it."""
    port = free_port()
    words = {
        "state": json.dumps(str(folder / "state")),
        "broker": broker.url,
        "port": port,
        "hooks": web.url,
        "delay": DELAY,
        "radio": radio.connection if radio else "",
    }
    path = folder / "config.toml"
    path.write_text((CONFIG + (SAYING if radio else "")).format_map(words), encoding="utf-8")
    daemon = Process(path, port=port)
    async with observing(broker.port) as observer:
        try:
            await daemon.start()
            await observer.message("jitney/_bus/main/info")
            yield House(daemon, observer, folder=folder, seed=seed)
        finally:
            daemon.kill()
            await daemon.ended()


@often
async def test_a_webhook_that_nobody_has_answered_when_the_daemon_is_killed_is_called_again_in_order(
    broker: Broker, tmp_path: Path, *, kills: int
) -> None:
    async with hooks() as web, house(broker, tmp_path, web, seed=kills) as home:
        web.hold = True
        for number in range(kills):
            await home.hand_in("call", number)
            if number % 2 == 0:
                await until(lambda: len(web.requests) > 0)
                await home.accepted("call", number)
            await home.kill(within=0.05)
            if number + 1 < kills:
                await home.daemon.start()
        asked = len(web.requests)
        web.hold = False
        await home.daemon.start()
        await until(lambda: len(web.requests) >= asked + kills, seconds=30)
        await home.done()
        assert [json.loads(request.body) for request in web.requests[asked:]] == [{"n": n} for n in range(kills)]
        assert home.numbers("jitney/alice/event/desk/call") == list(range(kills))
        assert await home.daemon.stop() == 0


@often
async def test_an_action_whose_time_has_not_come_when_the_daemon_is_killed_is_done_once(
    broker: Broker, tmp_path: Path, *, kills: int
) -> None:
    async with hooks() as web, house(broker, tmp_path, web, seed=kills) as home:
        late = "jitney/alice/event/route/late"
        for number in range(kills):
            await home.hand_in("later", number)
            await home.accepted("later", number)
            await home.kill(within=DELAY / 2)
            assert number not in home.numbers(late)
            await home.daemon.start()
        await home.observer.until(lambda: len(home.numbers(late)) >= kills)
        await home.done()
        assert home.numbers(late) == list(range(kills))
        assert await home.daemon.stop() == 0


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kills", [pytest.param(2, id="twice"), pytest.param(8, id="often", marks=pytest.mark.slow)])
async def test_every_event_is_counted_once_whenever_the_daemon_is_killed(
    broker: Broker, tmp_path: Path, *, kills: int
) -> None:
    numbers = list(range(kills * BATCH))
    async with hooks() as web, house(broker, tmp_path, web, seed=kills) as home:
        for first in numbers[::BATCH]:
            home.kill_meanwhile(within=0.05)
            for number in numbers[first : first + BATCH]:
                await home.hand_in("count", number)
            await home.daemon.ended()
            await home.daemon.start()
        await home.accepted("count", numbers[-1])
        assert home.numbers("jitney/alice/event/desk/count") == numbers
        assert await home.daemon.stop() == 0
        ((value,),) = rows(tmp_path, "SELECT value FROM route_memory WHERE owner = 'alice' AND key = 'n'")
        assert json.loads(value)["value"] == len(numbers)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [11, 12])
async def test_whatever_was_handed_in_is_done_in_order_whenever_the_daemon_is_killed(
    broker: Broker, tmp_path: Path, *, seed: int
) -> None:
    numbers = list(range(8 * BATCH))
    async with hooks() as web, house(broker, tmp_path, web, seed=seed) as home:
        for first in numbers[::BATCH]:
            home.kill_meanwhile(within=0.05)
            for number in numbers[first : first + BATCH]:
                await home.hand_in("call", number)
                await home.hand_in("later", number)
            await home.daemon.ended()
            await home.daemon.start()
        await home.accepted("call", numbers[-1])
        await home.accepted("later", numbers[-1])
        await home.observer.until(lambda: len(home.numbers("jitney/alice/event/route/late")) >= len(numbers))
        await home.done()
        called = [json.loads(request.body)["n"] for request in web.requests]
        assert list(dict.fromkeys(called)) == numbers
        for topic in ("event/desk/call", "event/desk/later", "event/route/late"):
            assert home.numbers(f"jitney/alice/{topic}") == numbers
        assert await home.daemon.stop() == 0


@pytest.mark.parametrize(
    "kills", [pytest.param(1, id="once"), pytest.param(4, id="four times", marks=pytest.mark.slow)]
)
@pytest.mark.timeout(180)
async def test_a_text_for_a_radio_that_was_away_when_the_daemon_was_killed_is_sent_once(
    broker: Broker, tmp_path: Path, *, kills: int
) -> None:
    async with hooks() as web, Radio() as radio, house(broker, tmp_path, web, seed=kills, radio=radio) as home:
        await radio.refuse()
        await home.offline()
        for number in range(kills):
            await home.hand_in("say", number)
            await home.accepted("say", number)
            await home.kill(within=0.05)
            if number + 1 < kills:
                await home.daemon.start()
        await radio.accept()
        await home.daemon.start()
        await radio.received(PORTS.TEXT_MESSAGE_APP, kills, deadline=90)
        await home.done()
        said = [packet.decoded.payload for packet in radio.sent if packet.decoded.portnum == PORTS.TEXT_MESSAGE_APP]
        assert said == [f"number {number}".encode() for number in range(kills)]
        assert await home.daemon.stop() == 0
