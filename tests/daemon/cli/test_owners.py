"""`jitney owners erase`, with a daemon that has the real Strava adapter."""

import asyncio
import json

import msgspec
import pytest
from msgspec.structs import replace

from jitney.daemon.cli import main
from jitney.daemon.cli.asking import Errand, NoReplyError, ask
from jitney.daemon.config.schema import MqttSettings
from tests.daemon.cli.at_strava import AtHome, House
from tests.daemon.cli.conftest import publisher
from tests.daemon.running import observing, payload
from tests.fakes.mosquitto import Broker
from tests.fakes.strava import FakeStrava
from tests.waiting import until

Shown = pytest.CaptureFixture[str]
ERRAND = Errand(instance="main", request="erase_owner", data={"owner": "alice"}, seconds=0.3)


async def kept(house: House, owner: str) -> list[str]:
    """Return what the state file has of an owner: the names of secrets, and the keys of what adapters keep."""
    query = "SELECT name FROM vault WHERE owner = ? UNION SELECT key FROM kept WHERE key GLOB ?"
    store = house.daemon.app.parts.store
    rows = await store.read(lambda db: db.execute(query, (owner, f"*/{owner}*")).fetchall())
    return [name for (name,) in rows]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_everything_that_is_kept_of_somebody_goes_and_strava_knows(
    at_home: AtHome, strava: FakeStrava, capsys: Shown, *, protocol: str
) -> None:
    async with at_home(protocol=protocol) as house:
        athletes = [await house.connect("alice", 1001), await house.connect("bob", 1002)]
        await until(lambda: len(house.states("alice")) > 2 and len(house.states("bob")) > 2)
        assert await kept(house, "alice")
        assert await house.run("owners", "erase", "alice", "--yes") == 0
        out, err = capsys.readouterr()
        assert out.startswith("Erased of alice: ")
        assert "secrets, files and what adapters knew" in out
        where = house.path
        assert err == (
            "Left in the configuration, which this does not change:\n"
            f"  owners.alice ({where}:9)\n"
            "Their logins at the broker are left too: take [owners.alice] out, and then run `jitney acl apply`.\n"
        )
        assert [strava.grant_of(house.app, one) is None for one in athletes] == [True, False]
        assert not house.states("alice")
        assert not await kept(house, "alice")
        assert house.states("bob")
        assert await kept(house, "bob")


async def test_what_is_left_to_do_at_strava_is_told_and_is_no_success(
    at_home: AtHome, strava: FakeStrava, capsys: Shown
) -> None:
    async with at_home() as house:
        await house.connect("alice", 1001)
        await strava.stop()
        assert await house.run("owners", "erase", "alice", "--yes") == 1
        out, err = capsys.readouterr()
        assert out.startswith("Erased of alice: ")
        assert "Left to do outside of the bus:\n  strava: " in err
        assert "https://www.strava.com/settings/apps" in err
        assert not await kept(house, "alice")


async def test_who_is_no_longer_configured_is_erased_all_the_same(
    at_home: AtHome, strava: FakeStrava, capsys: Shown
) -> None:
    async with at_home() as house:
        alice = await house.connect("alice", 1001)
        await until(lambda: len(house.states("alice")) > 2)
    async with at_home(owners=("bob",)) as house:
        assert await kept(house, "alice")
        assert await house.run("owners", "erase", "alice", "--yes", "--json") == 0
        erased = json.loads(capsys.readouterr().out)
        assert (erased["owner"], erased["unfinished"]) == ("alice", {})
        assert not await kept(house, "alice")
        assert strava.grant_of(house.app, alice) is None


async def test_it_asks_first_at_a_terminal(at_home: AtHome, strava: FakeStrava, capsys: Shown) -> None:
    async with at_home() as house:
        alice = await house.connect("alice", 1001)
        assert await house.run("owners", "erase", "alice") == 2
        assert "give --yes" in capsys.readouterr().err
        async with house.at_terminal("owners", "erase", "alice") as shown:
            await shown.until("Erase alice? [y/N] ")
            shown.type("\n")
            await shown.until("Nothing of alice was erased.")
            assert await shown.ended() == 1
        assert strava.grant_of(house.app, alice) is not None
        async with house.at_terminal("owners", "erase", "alice") as shown:
            await shown.until("Erase alice? [y/N] ")
            shown.type("yes\n")
            await shown.until("Erased of alice: ")
            assert await shown.ended() == 0


async def test_another_instance_is_asked_by_its_name(
    at_home: AtHome, shared_broker: Broker, root: str, capsys: Shown
) -> None:
    async with at_home():
        there = ("--mqtt", shared_broker.url, "--root", root, "--yes")
        assert await asyncio.to_thread(main, ["owners", "erase", "alice", *there, "--instance", "attic"]) == 1
        err = capsys.readouterr().err
        assert f"nobody listens to {root}/_bus/attic/request/erase_owner" in err
        assert "the instance 'attic'" in err
        assert await asyncio.to_thread(main, ["owners", "erase", "alice", *there]) == 0
        assert "0 events that waited" in capsys.readouterr().out


@pytest.mark.parametrize("owner", ["_house", "Alice"])
def test_only_people_are_erased(owner: str, capsys: Shown) -> None:
    assert main(["owners", "erase", owner, "--yes", "--mqtt", "mqtt://127.0.0.1:1"]) == 1
    assert f"{owner!r} is not an owner id" in capsys.readouterr().err


async def test_the_answer_to_another_who_asks_at_the_same_time_is_not_taken_for_ours(
    shared_broker: Broker, root: str
) -> None:
    settings = MqttSettings(url=shared_broker.url, topic_root=root)
    response = f"{root}/_bus/main/response/erase_owner"
    async with observing(shared_broker.port, f"{root}/_bus/main/request/#") as bus:
        asking = asyncio.create_task(ask(settings, replace(ERRAND, seconds=10.0)), name="asking")
        request = await bus.message(f"{root}/_bus/main/request/erase_owner")
        asked = msgspec.json.decode(payload(request))
        assert asked["data"] == {"owner": "alice"}
        for transaction in ("of another", asked["transaction"]):
            answer = {"status": "ok", "data": {"to": transaction}, "transaction": transaction}
            await bus.publish(response, msgspec.json.encode(answer))
        reply = await asking
    assert msgspec.json.decode(reply.data) == {"to": asked["transaction"]}


async def test_a_silence_says_what_to_look_at(shared_broker: Broker, root: str) -> None:
    await asyncio.to_thread(publisher(shared_broker, root), "_bus/main/state", '{"state":"online"}', retain=True)
    settings = MqttSettings(url=shared_broker.url, topic_root=root)
    async with observing(shared_broker.port, f"{root}/_bus/main/request/#"):
        with pytest.raises(NoReplyError, match=r"no reply from the bus main to erase_owner within 0\.3 s") as silence:
            await ask(settings, ERRAND)
    assert "the bus main is online\n  it may still be carried out" in str(silence.value)
