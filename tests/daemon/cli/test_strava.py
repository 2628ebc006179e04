"""`jitney strava`, with a daemon that has the real adapter."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator

import pytest

from jitney.daemon.cli import main
from tests.daemon.cli.at_strava import PUBLIC, SECRET, AtHome, House
from tests.fakes.strava import FakeStrava

Shown = pytest.CaptureFixture[str]
SOME = ("read", "activity:read")


@pytest.fixture
async def house(at_home: AtHome) -> AsyncIterator[House]:
    async with at_home() as running:
        yield running


async def test_who_follows_the_printed_link_in_a_browser_is_connected(house: House, capsys: Shown) -> None:
    alice = house.strava.athlete(1001)
    assert await house.run("strava", "connect", "alice") == 0
    out, err = capsys.readouterr()
    (link,) = out.splitlines()
    assert "works once, within 15 minutes" in err
    assert f"leads back to http://localhost:{house.port}/strava, on the machine that Jitney runs on." in err
    assert "If that page does not load:  jitney strava connect alice --url 'ITS ADDRESS'" in err
    landing = await house.strava.consent(link, alice)
    assert (landing.status, "Strava is connected" in landing.text) == (200, True)
    assert await house.run("strava", "status", "alice", "--json") == 0
    (standing,) = json.loads(capsys.readouterr().out)
    assert (standing["connected"], standing["athlete"]) == (True, 1001)


async def test_strava_leads_back_to_the_public_address_unless_this_machine_is_asked_for(
    at_home: AtHome, strava: FakeStrava, capsys: Shown
) -> None:
    async with at_home(public=True) as house:
        assert await house.run("strava", "connect", "alice", "--json") == 0
        public = json.loads(capsys.readouterr().out)
        assert await house.run("strava", "connect", "alice", "--json", "--local") == 0
        local = json.loads(capsys.readouterr().out)
        assert (public["returns_to"], local["returns_to"]) == (
            f"{PUBLIC}/strava",
            f"http://localhost:{house.port}/strava",
        )
        assert await house.run("strava", "connect", "alice") == 0
        assert f"Strava then leads back to {PUBLIC}/strava.\n" in capsys.readouterr().err
        landing = await strava.consent(public["link"], strava.athlete(1001))
        assert landing.url.startswith(f"{PUBLIC}/strava/callback?")
        assert await house.run("strava", "status") == 0
        assert "webhook" in capsys.readouterr().out


async def test_the_address_of_a_page_that_did_not_load_finishes_the_sign_in(
    at_home: AtHome, strava: FakeStrava, capsys: Shown
) -> None:
    async with at_home(listen="") as house:
        assert await house.run("strava", "connect", "alice") == 0
        out, err = capsys.readouterr()
        assert "leads to a page that does not load: http.listen opens no port" in err
        landing = await strava.consent(out.strip(), strava.athlete(1001), follow=False)
        assert await house.run("strava", "connect", "alice", "--url", landing.url) == 0
        assert capsys.readouterr() == ("alice is connected to Strava as athlete 1001.\n", "")
        assert await house.run("strava", "connect", "alice", "--url", landing.url) == 1
        assert "this sign-in is finished already or older than 15 minutes" in capsys.readouterr().err


async def test_a_program_gets_the_end_of_a_sign_in_as_json(house: House, capsys: Shown) -> None:
    landing = await house.strava.consent(await house.link("alice"), house.strava.athlete(1001), follow=False)
    assert await house.run("strava", "connect", "alice", "--url", landing.url, "--json") == 0
    standing = json.loads(capsys.readouterr().out)
    assert (standing["owner"], standing["athlete"]) == ("alice", 1001)


async def test_who_did_not_allow_it_is_not_connected_and_told_how_to_begin_again(house: House, capsys: Shown) -> None:
    alice = house.strava.athlete(1001)
    landing = await house.strava.consent(await house.link("alice"), alice, refuse=True, follow=False)
    assert await house.run("strava", "connect", "alice", "--url", landing.url) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "jitney: it was not allowed on Strava's page: begin again with  jitney strava connect alice" in err


async def test_another_athlete_than_before_is_refused_and_the_first_one_stays(house: House, capsys: Shown) -> None:
    await house.connect("alice", 1001)
    other = house.strava.athlete(1002)
    landing = await house.strava.consent(await house.link("alice"), other, follow=False)
    assert await house.run("strava", "connect", "alice", "--url", landing.url) == 1
    assert "alice was connected as another Strava account" in capsys.readouterr().err
    assert house.strava.grant_of(house.app, other) is None
    landing = await house.strava.consent(await house.link("bob"), house.strava.world.athletes[1001], follow=False)
    assert await house.run("strava", "connect", "bob", "--url", landing.url) == 1
    assert "this Strava account belongs to somebody else here" in capsys.readouterr().err
    assert await house.run("strava", "status", "--json") == 0
    standings = json.loads(capsys.readouterr().out)
    assert [(one["owner"], one.get("athlete")) for one in standings] == [("alice", 1001), ("bob", 0)]


async def test_boxes_that_were_not_ticked_are_named_as_they_stand_on_stravas_page(
    at_home: AtHome, strava: FakeStrava, capsys: Shown
) -> None:
    async with at_home(write="true") as house:
        landing = await strava.consent(await house.link("alice"), strava.athlete(1001), granted=SOME, follow=False)
        assert await house.run("strava", "connect", "alice", "--url", landing.url) == 0
        missing = (
            "“View data about your private activities”, “View your complete Strava profile”,"
            " “Upload your activities to Strava”"
        )
        assert capsys.readouterr().out.splitlines() == [
            "alice is connected to Strava as athlete 1001.",
            f"Not ticked on Strava's page: {missing}.",
            "To change that:  jitney strava connect alice  and leave every box ticked.",
        ]
        assert await house.run("strava", "status", "alice") == 0
        assert capsys.readouterr().out.splitlines()[-1] == f"       not ticked on Strava's page: {missing}"


async def test_a_terminal_waits_until_the_browser_is_through(house: House) -> None:
    async with house.at_terminal("strava", "connect", "alice") as shown:
        link = await shown.link()
        assert "paste its address here" in shown.shown
        await house.strava.consent(link, house.strava.athlete(1001))
        await shown.until("alice is connected to Strava as athlete 1001.")
        assert await shown.ended() == 0


async def test_a_terminal_takes_the_address_that_is_pasted_and_forgives_a_wrong_one(house: House) -> None:
    async with house.at_terminal("strava", "connect", "alice") as shown:
        link = await shown.link()
        shown.type("\n")
        await shown.until("Not connected yet.")
        shown.type("http://localhost/nothing\n")
        await shown.until("this is not the address to which Strava led the browser")
        landing = await house.strava.consent(link, house.strava.athlete(1001), follow=False)
        shown.type(f"{landing.url}\n")
        await shown.until("alice is connected to Strava as athlete 1001.")
        assert await shown.ended() == 0


async def test_what_strava_refused_ends_the_waiting_when_it_is_pasted(house: House) -> None:
    async with house.at_terminal("strava", "connect", "alice") as shown:
        landing = await house.strava.consent(await shown.link(), house.strava.athlete(1001), refuse=True, follow=False)
        shown.type(f"{landing.url}\n")
        await shown.until("it was not allowed on Strava's page")
        assert await shown.ended() == 1


async def test_who_is_connected_already_can_sign_in_anew_with_more_boxes(house: House) -> None:
    alice = await house.connect("alice", 1001, granted=SOME)
    async with house.at_terminal("strava", "connect", "alice") as shown:
        link = await shown.link()
        assert "alice is connected already, as athlete 1001" in shown.shown
        await house.strava.consent(link, alice)
        await shown.until("alice is connected to Strava as athlete 1001.")
        assert "Not ticked" not in shown.shown
        assert await shown.ended() == 0


async def test_enter_ends_the_waiting_for_who_has_signed_in_anew_with_the_same(house: House) -> None:
    alice = await house.connect("alice", 1001)
    async with house.at_terminal("strava", "connect", "alice") as shown:
        await house.strava.consent(await shown.link(), alice)
        await shown.until("press Enter")
        shown.type("\n")
        await shown.until("alice is connected to Strava as athlete 1001.")
        assert await shown.ended() == 0


async def test_leaving_the_waiting_leaves_the_link_good(house: House) -> None:
    async with house.at_terminal("strava", "connect", "alice") as shown:
        link = await shown.link()
        shown.type("\x04")
        await shown.until("jitney strava status alice  tells how it stands")
        assert await shown.ended() == 1
    assert (await house.strava.consent(link, house.strava.athlete(1001))).status == 200
    async with house.at_terminal("strava", "connect", "alice") as shown:
        await shown.link()
        shown.process.send_signal(signal.SIGINT)
        assert await shown.ended() == 130
        assert "Traceback" not in shown.shown


async def test_the_status_of_all_is_a_table(house: House, capsys: Shown) -> None:
    assert await house.run("strava", "status") == 0
    assert capsys.readouterr().out.splitlines() == [
        "alice  not connected:  jitney strava connect alice",
        "bob    not connected:  jitney strava connect bob",
    ]
    await house.connect("bob", 1002)
    assert await house.run("strava", "status") == 0
    alice, heads, bob = sorted(capsys.readouterr().out.splitlines(), key=str.strip)
    assert alice == "alice  not connected:  jitney strava connect alice"
    assert heads.split("  ")[-1] == "calls left"
    assert bob.startswith("bob    1002     20")
    assert heads.index("news by") == bob.index("poll")
    assert heads.index("webhooks") == bob.index("off")
    assert bob.endswith(" today")
    assert await house.run("strava", "status", "bob") == 0
    assert "alice" not in capsys.readouterr().out


async def test_what_hinders_somebody_stands_below_their_line(house: House, capsys: Shown) -> None:
    await house.connect("alice", 1001)
    house.app.active = False
    house.strava.allow("inactive")
    assert await house.run("send", "alice", "strava", "refresh") == 1
    assert await house.run("strava", "status", "alice") == 0
    _, alice, hindrance = capsys.readouterr().out.splitlines()
    assert alice.startswith("alice  1001")
    assert hindrance.startswith("       ")
    assert "whoever registered it needs a paid Strava subscription" in hindrance


async def test_disconnecting_erases_and_tells_strava(house: House, capsys: Shown) -> None:
    alice = await house.connect("alice", 1001)
    assert await house.run("strava", "disconnect", "alice", "--yes") == 0
    assert capsys.readouterr().out.splitlines() == [
        "alice is disconnected. Erased here: the sign-in, activities, photos, states.",
        "Strava knows: the permission has ended there too.",
    ]
    assert house.strava.grant_of(house.app, alice) is None
    assert not house.states("alice")
    assert await house.run("strava", "disconnect", "alice", "--yes") == 1
    assert "alice is not connected to Strava" in capsys.readouterr().err


async def test_disconnecting_while_strava_is_away_says_what_is_left_to_do(house: House, capsys: Shown) -> None:
    await house.connect("alice", 1001)
    await house.strava.stop()
    assert await house.run("strava", "disconnect", "alice", "--yes") == 1
    out, err = capsys.readouterr()
    assert "alice is disconnected." in out
    assert "Strava does not know: " in err
    assert "end it at https://www.strava.com/settings/apps" in err
    assert await house.run("strava", "status", "alice", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["connected"] is False


async def test_disconnecting_asks_first_at_a_terminal(house: House) -> None:
    alice = await house.connect("alice", 1001)
    async with house.at_terminal("strava", "disconnect", "alice") as shown:
        await shown.until("Disconnect alice? [y/N] ")
        shown.type("n\n")
        await shown.until("alice stays connected.")
        assert await shown.ended() == 1
    assert house.strava.grant_of(house.app, alice) is not None
    async with house.at_terminal("strava", "disconnect", "alice") as shown:
        await shown.until("Disconnect alice? [y/N] ")
        shown.type("\x04")
        assert await shown.ended() == 1
    async with house.at_terminal("strava", "disconnect", "alice") as shown:
        await shown.until("Disconnect alice? [y/N] ")
        shown.type("y\n")
        await shown.until("Strava knows")
        assert await shown.ended() == 0


async def test_without_a_terminal_nothing_is_ended_unasked(house: House, capsys: Shown) -> None:
    await house.connect("alice", 1001)
    assert await house.run("strava", "disconnect", "alice") == 2
    assert "there is no terminal to ask on: give --yes" in capsys.readouterr().err


async def test_the_webhooks_of_another_program_are_taken_over_only_on_request(
    at_home: AtHome, strava: FakeStrava, capsys: Shown
) -> None:
    strava.subscribe(strava.app("100", SECRET), "https://elsewhere.example/hook", foreign=True)
    async with at_home(public=True) as house:
        await house.connect("alice", 1001)
        assert await house.run("strava", "status", "alice") == 0
        out = capsys.readouterr().out
        assert "foreign" in out
        assert "another program, at elsewhere.example, gets the webhooks of the app main" in out
        assert await house.run("strava", "connect", "alice", "--take-over") == 0
        assert await house.run("strava", "status", "alice", "--json") == 0
        (standing,) = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (standing["mode"], standing["subscription"]) == ("webhook", "active")
        assert strava.take_fault("deleted the foreign subscription")


async def test_a_link_that_nobody_uses_in_time_ends_the_waiting(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jitney.adapters.strava.house.LIFE", 1.0)
    async with house.at_terminal("strava", "connect", "alice") as shown:
        await shown.until("nobody has signed in in time, and the link is not good any more")
        assert await shown.ended() == 1


async def test_where_only_a_broker_is_named_an_adapter_of_the_usual_name_is_asked(house: House, capsys: Shown) -> None:
    mqtt = house.daemon.app.config.mqtt
    there = ("--mqtt", mqtt.url, "--root", mqtt.topic_root)
    assert await asyncio.to_thread(main, ["strava", "status", "alice", *there]) == 0
    assert capsys.readouterr().out == "alice  not connected:  jitney strava connect alice\n"
    assert (
        await asyncio.to_thread(main, ["strava", "status", "alice", "--adapter", "runs", "--timeout", "0.5", *there])
        == 1
    )
    assert "alice has no adapter 'runs'" in capsys.readouterr().err
    assert await asyncio.to_thread(main, ["strava", "status", *there]) == 2
    assert "name the OWNER" in capsys.readouterr().err


async def test_what_is_wrong_is_told_before_anything_is_asked(house: House, capsys: Shown) -> None:
    assert await house.run("strava", "connect", "alcie") == 2
    assert 'there is no section [owners.alcie] in the configuration: did you mean "alice"?' in capsys.readouterr().err
    assert await house.run("strava", "connect", "Alice") == 1
    assert "'Alice' is not an owner id" in capsys.readouterr().err
    assert await house.run("strava", "status", "--adapter", "runs") == 2
    assert "alice has no adapter 'runs' of type strava, but strava" in capsys.readouterr().err


async def test_a_daemon_that_has_stopped_is_told(at_home: AtHome, capsys: Shown) -> None:
    async with at_home() as house:
        pass
    assert await house.run("strava", "status", "--timeout", "0.5") == 1
    err = capsys.readouterr().err
    assert "no reply from strava to status of alice within 0.5 s\n  the bus main is offline" in err


def test_help_of_each_action_names_its_options(capsys: Shown) -> None:
    for action, option in (("connect", "--take-over"), ("status", "--json"), ("disconnect", "--yes")):
        assert main(["strava", action, "-h"]) == 0
        assert option in capsys.readouterr().out
    assert main(["strava"]) == 2
