"""From an athlete's doing at Strava to their own topics: a fake Strava, the daemon, a broker and people who watch."""

from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from paho.mqtt.properties import Properties

from jitney.adapters.errors import RefusedError
from jitney.adapters.strava import hints, worker
from jitney.adapters.strava.grants import Grants
from jitney.daemon import log
from jitney.topics import HOUSE
from tests.at_strava import PUBLIC, House, household, newest, tables, tree
from tests.daemon.running import Daemon, observing, payload
from tests.fakes.mosquitto import Broker
from tests.fakes.proxy import proxy
from tests.fakes.strava import Athlete, ConsentError, FakeStrava, trouble
from tests.waiting import until

TWO = {"alice": "one", "bob": "two"}
THREE = {"alice": "one", "bob": "one", "carol": "two"}
WEEK = 7 * 86_400
LASTING = {"quota", "subscription"}
"""States that say nothing of an athlete."""


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CREDENTIALS_DIRECTORY", "JITNEY_VAULT_KEY", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def no_more_edits_are_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "SETTLE", 0.2)


@pytest.fixture
def lines() -> Iterator[Callable[[], str]]:
    """Log everything, and return what was logged."""
    stream = StringIO()
    log.configure("json", "debug", stream=stream)
    yield stream.getvalue
    log.reset()


async def held(port: int) -> dict[str, int]:
    """Return the topics for which the broker holds a value, each with the seconds for which it will, 0 for ever."""
    async with observing(port, "jitney/#", "marker") as observer:
        await observer.publish("marker", b"")
        await observer.message("marker")
        found = {}
        for message in observer.messages:
            if message.retain and payload(message):
                assert isinstance(message.properties, Properties)
                found[str(message.topic)] = int(getattr(message.properties, "MessageExpiryInterval", 0))
        return found


async def test_each_owner_has_exactly_their_own_and_what_is_retained_ends_by_itself(
    broker: Broker, tmp_path: Path
) -> None:
    async with FakeStrava() as strava, household(strava, broker.port, tmp_path, people=THREE) as (house, daemon):
        alice, bob = strava.athlete(1001, firstname="Alice"), strava.athlete(1002, firstname="Bob")
        bike, shoes = alice.add_bike("Grey"), bob.add_shoes("Blue")
        old = alice.add_activity(name="Before", sport_type="Swim", start=strava.world.clock() - 90_000)
        await house.sign_in("alice", alice)
        await house.sign_in("bob", bob)
        ride, run = alice.add_activity(name="To work"), bob.add_activity(name="In the park", sport_type="TrailRun")
        await until(lambda: (len(house.events("alice")), len(house.events("bob"))) == (1, 1))
        ride.add_photo()
        ride.edit(name="Home again")
        await until(lambda: house.state("alice", "photos") is not None and len(house.events("alice")) == 3)
        assert house.told("alice") == [
            ("strava.activity.created", f"activity/{ride.id}"),
            ("strava.activity.updated", f"activity/{ride.id}"),
            ("strava.photo.added", f"activity/{ride.id}"),
        ]
        assert house.told("bob") == [("strava.activity.created", f"activity/{run.id}")]
        assert house.shown("alice") == [(ride.id, "Home again"), (old.id, "Before")]
        assert house.shown("bob") == [(run.id, "In the park")]
        await daemon.drained()
        retained = await held(broker.port)
        assert set(retained) == (
            {f"jitney/_bus/main/{word}" for word in ("state", "info", "health")}
            | {"jitney/_house/status/strava", "jitney/carol/status/strava"}
            | tree("alice", f"gear_{bike.id}", "recent_1", "recent_2", "latest_ride", "latest_swim", "photos")
            | tree("bob", f"gear_{shoes.id}", "recent_1", "latest_trail_run")
        )
        states = {topic: seconds for topic, seconds in retained.items() if "/state/strava/" in topic}
        assert {topic.rpartition("/")[2] for topic, seconds in states.items() if not seconds} == LASTING
        assert max(states.values()) <= WEEK


async def test_who_ends_the_permission_is_shown_nothing_any_more_and_where_to_sign_in_again(
    broker: Broker, tmp_path: Path
) -> None:
    async with FakeStrava() as strava, household(strava, broker.port, tmp_path, people=TWO) as (house, daemon):
        alice, bob = await house.connect("alice", 1001), await house.connect("bob", 1002)
        ride, run = alice.add_activity(), bob.add_activity(sport_type="Run")
        await until(lambda: house.shown("alice") == newest([ride]) and house.shown("bob") == newest([run]))
        bobs = house.topics("jitney/bob/")
        strava.revoke(house.app("alice"), alice)
        alert = "jitney/alice/alert/strava.sign_in"
        left = {"jitney/alice/status/strava", alert}
        await until(lambda: house.topics("jitney/alice/") == left)
        await daemon.drained()
        assert {topic for topic in await held(broker.port) if topic.startswith("jitney/alice/")} == left
        assert house.told("alice")[-1] == ("strava.athlete.deauthorised", "athlete/1001")
        assert house.value("jitney/alice/status/strava")["state"] == "reauth"
        assert house.topics("jitney/bob/") == bobs
        assert house.value("jitney/bob/status/strava")["state"] == "online"
        link = house.value(alert)["link"]
        assert link.startswith(f"{PUBLIC}/strava/connect/alice/")
        landing = await strava.consent(link, alice)
        assert landing.status == 200, landing.text
        await until(lambda: house.shown("alice") == newest([ride]))
        assert alert not in house.topics("jitney/alice/")
        assert house.value("jitney/alice/status/strava")["state"] == "online"
        with pytest.raises(ConsentError):
            await strava.consent(link, bob)


async def test_who_has_to_sign_in_again_is_told_so_also_after_a_restart_of_the_daemon(
    broker: Broker, tmp_path: Path
) -> None:
    alert = "jitney/alice/alert/strava.sign_in"
    async with FakeStrava() as strava:
        async with household(strava, broker.port, tmp_path, people=TWO) as (house, daemon):
            alice = await house.connect("alice", 1001)
            strava.revoke(house.app("alice"), alice)
            await until(lambda: alert in house.topics("jitney/alice/"))
            await daemon.drained()
        async with household(strava, broker.port, tmp_path, people=TWO) as (house, daemon):
            await until(lambda: house.value("jitney/alice/status/strava").get("state") == "reauth")
            await daemon.drained()
            landing = await strava.consent(house.value(alert)["link"], alice)
            assert landing.status == 200, landing.text
            await until(lambda: alert not in house.topics("jitney/alice/"))


async def test_the_end_of_a_permission_has_one_id_also_when_a_restart_interrupts_the_forgetting(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_: Grants, owner: str) -> None:
        raise RefusedError("not_kept", f"the disk is full, {owner} stays")

    async with FakeStrava() as strava:
        with monkeypatch.context() as patched:
            patched.setattr(Grants, "remove", full)
            async with household(strava, broker.port, tmp_path, people=TWO) as (house, daemon):
                alice = await house.connect("alice", 1001)
                strava.revoke(house.app("alice"), alice)
                await until(lambda: house.told("alice") == [("strava.athlete.deauthorised", "athlete/1001")])
                (first,) = house.events("alice")
                await until(lambda: "alice" not in tables(tmp_path)["vault"])
        async with household(strava, broker.port, tmp_path, people=TWO) as (house, daemon):
            await until(lambda: "jitney/alice/alert/strava.sign_in" in house.topics("jitney/alice/"))
            await daemon.drained()
            assert {event.id for event in house.events("alice")} <= {first.id}


async def test_what_strava_tells_while_the_broker_is_away_arrives_afterwards_in_order(
    broker: Broker, tmp_path: Path
) -> None:
    async with (
        proxy(broker.port) as link,
        FakeStrava() as strava,
        household(strava, broker.port, tmp_path, people=TWO, through=link.port) as (house, daemon),
    ):
        alice, bob = await house.connect("alice", 1001), await house.connect("bob", 1002)
        link.refusing = True
        link.cut()
        rides = [alice.add_activity(name=f"Ride {number}") for number in range(5)]
        run = bob.add_activity(sport_type="Run")
        await emitted(daemon, 6)
        for ride in rides[:3]:
            ride.edit(name=f"{ride.fields['name']}, edited")
        await emitted(daemon, 9)
        rides[4].delete()
        await emitted(daemon, 10)
        await strava.settled()
        assert all(delivery.delivered and len(delivery.attempts) == 1 for delivery in strava.deliveries)
        assert not house.events()
        link.refusing = False
        await until(lambda: len(house.events()) >= 10)
        await daemon.drained()
        assert house.told("bob") == [("strava.activity.created", f"activity/{run.id}")]
        assert house.told("alice", "deleted") == [("strava.activity.deleted", f"activity/{rides[4].id}")]
        told = house.events("alice")
        assert [event.type.rpartition(".")[2] for event in told] == ["created"] * 5 + ["updated"] * 3 + ["deleted"]
        assert [event.seq for event in told] == list(range(1, 10))
        assert house.shown("alice") == newest(rides)


async def emitted(daemon: Daemon, number: int) -> None:
    await until(lambda: daemon.app.parts.runners["strava"].context.events == number)


async def test_no_secret_and_nothing_of_one_owner_is_where_it_does_not_belong(
    broker: Broker, tmp_path: Path, lines: Callable[[], str], capfd: pytest.CaptureFixture[str]
) -> None:
    async with FakeStrava() as strava, household(strava, broker.port, tmp_path, people=TWO) as (house, daemon):
        alice = strava.athlete(770_011, firstname="Zephyrine", lastname="Quill")
        bob = strava.athlete(880_022, firstname="Osbert", lastname="Marrow")
        await house.sign_in("alice", alice)
        await house.sign_in("bob", bob)
        await much_that_goes_wrong(house, alice, bob)
        secrets = await secrets_of(house, daemon)
        messages = said(house)
    out, err = capfd.readouterr()
    written = lines() + out + err
    assert '"level":"debug"' in written
    disk = b"".join(path.read_bytes() for path in (tmp_path / "state").glob("jitney.db*"))
    assert b"Zephyrine at dawn" in disk
    assert len(secrets) > 15
    for secret in secrets:
        assert secret not in written
        assert secret.encode() not in disk
        assert not [topic for topic, text in messages if secret in topic + text]
    of_alice, of_bob = ("Zephyrine", "Quill", "770011"), ("Osbert", "Marrow", "880022")
    assert not [word for word in (*of_alice, *of_bob) if word in written]
    assert [name for name, rows in tables(tmp_path).items() if any(word in rows for word in of_bob)] == []
    strange = {"alice": of_bob, "bob": of_alice, "_bus": of_alice + of_bob, "_house": of_alice + of_bob}
    for topic, text in messages:
        assert not [word for word in strange[topic.split("/")[1]] if word in topic + text], topic


async def much_that_goes_wrong(house: House, alice: Athlete, bob: Athlete) -> None:
    """Let events happen among expired tokens, strange answers, strange deliveries and refused sign-ins."""
    strava, one = house.strava, house.app("alice")
    strava.spoil(one, alice)
    strava.play(trouble.truncated(), "/activities/*", method="GET", athlete=alice)
    ride = alice.add_activity(name="Zephyrine at dawn")
    run = bob.add_activity(name="Osbert at dusk", sport_type="Run")
    await until(lambda: house.shown("bob") == newest([run]))
    for body in (b"", b"[]", b'{"object_type":"activity"}', b"x" * 5000):
        assert (await strava.deliver_raw(one, body)).status == 400
    assert (await strava.deliver(one, strava.event(one, 660_033))).status == 200
    assert (await strava.deliver(one, strava.event(one, alice, subscription_id=1))).status == 200
    assert await strava.callbacks.challenge(house.callback("alice"), "guessed")
    await strava.consent((await house.ask("bob", "connect"))["link"], alice)
    assert (await house.ask("bob", "status"))["athlete"] == bob.id
    landing = await strava.consent((await house.ask("bob", "connect"))["link"], bob, follow=False)
    assert (await house.refused("alice", "connect", url=landing.url))["code"] == "other_owner"
    assert (await house.refused("alice", "get_activity", activity=run.id + 1))["code"] == "not_found"
    await house.ask("alice", "refresh")
    await until(lambda: house.shown("alice") == newest([ride]))
    strava.revoke(house.app("bob"), bob)
    await until(lambda: house.value("jitney/bob/status/strava").get("state") == "reauth")


def said(house: House) -> list[tuple[str, str]]:
    """Return what the daemon has published: each topic, and payload and properties."""
    messages = [(str(one.topic), f"{payload(one).decode()} {one.properties}") for one in house.observer.messages]
    return [(topic, text) for topic, text in messages if "/command/" not in topic]


async def secrets_of(house: House, daemon: Daemon) -> list[str]:
    """Return everything that Strava and the adapter ever had to keep to themselves."""
    grants, vault = house.strava.world.grants, daemon.context("strava").vault
    found = [*grants.accesses, *grants.refreshes, *grants.codes]
    for name, app in house.apps.items():
        found.append(app.secret)
        for word in ("webhook-path", "webhook-verify"):
            secret = await vault.get(HOUSE, f"{word}/{name}")
            assert secret is not None
            found.append(secret.reveal())
    return found


async def test_what_a_full_disk_cannot_take_is_refused_and_comes_again(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "RETRY", 0.5)
    monkeypatch.setattr(hints, "SETTLE", 1.0)
    async with (
        FakeStrava(automatic=False) as strava,
        household(strava, broker.port, tmp_path, people=TWO) as (house, daemon),
    ):
        alice = await house.connect("alice", 1001)
        rides = [alice.add_activity(name=f"Ride {number}") for number in range(60)]
        assert all(one.delivered for one in await strava.deliver_all())
        store = daemon.app.parts.health._store
        await store.read(lambda db: db.execute("PRAGMA max_page_count = 1").fetchall())
        rides += [alice.add_activity(name=f"Run {number}", sport_type="Run") for number in range(60)]
        refused = [one for one in await strava.deliver_all() if not one.delivered]
        assert {attempt.status for one in refused for attempt in one.attempts} == {503}
        assert len(refused) > 20
        await until(lambda: "the disk is full" in house.value("jitney/alice/status/strava").get("reason", ""))
        await store.read(lambda db: db.execute("PRAGMA max_page_count = 1000000").fetchall())
        assert strava.pending_deliveries == refused
        assert all(one.delivered for one in await strava.deliver_all())
        await until(lambda: len(house.created("alice")) == len(rides))
        assert house.created("alice").keys() == {f"activity/{ride.id}" for ride in rides}
        assert {len(ids) for ids in house.created("alice").values()} == {1}
        await until(lambda: house.shown("alice") == newest(rides))
        assert house.value("jitney/alice/status/strava")["state"] == "online"
        assert daemon.app.parts.health.ready()
